"""What a fit seeks: the angles of all frames and the constants of the recording, and how these move the markers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from ..bodies.forward_kinematics import Kinematics, kinematics
from ..bodies.kinematic_tree import Body


@dataclass(frozen=True, eq=False)
class State:
    """angles (n_frames, n_angles), lengths (n_lengths,), offsets (n_points, 3), biases (n_cameras, n_markers, 2)."""

    angles: Array
    lengths: Array
    offsets: Array
    biases: Array

    def moved(self, angles: Array, constants: Array) -> State:
        """After a step of the angles and of the `constants`, or of their first ones: the shape, or none."""
        constants = np.append(constants, np.zeros(len(self.constants) - len(constants)))
        n_lengths, n_shape = len(self.lengths), len(self.lengths) + self.offsets.size
        return State(
            self.angles + angles,
            self.lengths + constants[:n_lengths],
            self.offsets + constants[n_lengths:n_shape].reshape(self.offsets.shape),
            self.biases + constants[n_shape:].reshape(self.biases.swapaxes(0, 1).shape).swapaxes(0, 1),
        )

    @property
    def constants(self) -> Array:
        """(n_constants,) lengths, offsets, and biases (n_markers, n_cameras, 2)."""
        return np.concatenate([self.lengths, self.offsets.ravel(), self.biases.swapaxes(0, 1).ravel()])

    def kinematics(self, body: Body) -> Kinematics:
        return kinematics(body, self.angles, self.lengths, self.offsets)

    def markers(self, body: Body) -> Array:
        return body.markers(self.angles, self.lengths, self.offsets)


class ShapeDerivative(NamedTuple):
    """Of one marker by the lengths and offsets that move it: their columns (n,) among the constants, and derivatives
    (n_frames, 3, n)."""

    columns: NDArray[np.int64]
    values: Array

    def at(self, frames: NDArray[np.int64]) -> ShapeDerivative:
        return ShapeDerivative(self.columns, self.values[frames])


def by_shape(body: Body, found: Kinematics) -> list[ShapeDerivative]:
    """Of each marker: few of the constants move it.

    The columns are those of `State.constants`.
    """
    plan, derivatives = body.plan, []
    for k in range(plan.n_markers):
        points = np.flatnonzero(plan.moves[k])
        lengths = np.unique(plan.length[points[plan.direction[points].any(axis=1)]])
        columns = np.asarray(plan.n_lengths + (3 * points[:, None] + np.arange(3)).ravel(), np.int64)
        turned = found.carriers[:, points].transpose(0, 2, 1, 3).reshape(len(found.markers), 3, -1)
        values = np.concatenate([found.by_lengths[:, k][..., lengths], turned], axis=-1)
        derivatives.append(ShapeDerivative(np.concatenate([lengths, columns]).astype(np.int64), values))
    return derivatives
