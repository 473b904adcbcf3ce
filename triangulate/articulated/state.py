"""The unknowns of a fit, and how a step changes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...numerics.arrays import Array
from .forward_kinematics import Kinematics, kinematics
from .kinematic_tree import Body


@dataclass(frozen=True, eq=False)
class State:
    """angles (n_frames, n_angles), lengths (n_lengths,), offsets (n_points, 3), biases (n_cameras, n_markers, 2)."""

    angles: Array
    lengths: Array
    offsets: Array
    biases: Array

    def moved(self, angles: Array, constants: Array) -> State:
        """After a step of the angles and of the `constants`."""
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


def by_shape(found: Kinematics) -> Array:
    """(n_frames, n_markers, 3, n_shape) derivatives by lengths and offsets."""
    offsets = found.by_offsets.reshape(*found.by_offsets.shape[:3], -1)
    return np.concatenate([found.by_lengths, offsets], axis=-1)
