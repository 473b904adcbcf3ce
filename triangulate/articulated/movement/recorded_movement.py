"""How the joints of recorded animals moved: velocities of their angles, and what they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....numerics.arrays import Array
from ...bodies.kinematic_tree import Body
from ...input_checks import check_fps
from ..body_posterior import BodyFit
from ..starting_pose import angles_in_points
from .angle_prior import FIRST_TURN

_LEAST_SHRUNK = 0.05  # to the diagonal, of a covariance of many frames: no two animals' joints move quite alike
_LEAST_MOVED = 1e-3  # radians per second, root mean square: what is slower was not seen to move
_FEWEST = 3  # frames
_ROUNDS = 20  # of the covariance and the recordings' scales, which settle within ten


@dataclass(frozen=True, eq=False)
class Movement:
    """velocities (n_frames, n_turns) of a recording, radians per second; NaN throughout of turns it does not show."""

    turns: tuple[str, ...]
    velocities: Array

    def in_order_of(self, turns: Sequence[str]) -> Array:
        lacking = [name for name in turns if name not in self.turns]
        if lacking:
            raise ValueError(f"a recording lacks the angles {lacking} of the first one; fit both with one body")
        return self.velocities[:, [self.turns.index(name) for name in turns]]


def of_fit(fit: BodyFit) -> Movement:
    velocities = np.where(fit.determined, fit.velocities, np.nan)
    return Movement(fit.body.angle_names[FIRST_TURN:], velocities[:, FIRST_TURN:])


def of_points(points_3d: Array, body: Body | None, fps: float | None, keypoints: Sequence[str] | None) -> Movement:
    points = np.asarray(points_3d, dtype=float)
    if body is None or fps is None:
        raise ValueError("points in 3D need body= and fps=: the body is laid into them")
    names = list(body.marker_names if keypoints is None else keypoints)
    if points.ndim != 3 or points.shape[1:] != (len(names), 3) or len(points) < _FEWEST:
        raise ValueError(
            f"points have shape {points.shape}; expected (n_frames, {len(names)}, 3) with {_FEWEST} frames at least"
        )
    columns = [names.index(name) if name in names else -1 for name in body.marker_names]
    ordered = points[:, columns]
    ordered[:, np.array(columns) < 0] = np.nan
    ordered[~np.isfinite(ordered).all(axis=-1)] = np.nan
    angles = angles_in_points(body, ordered, check_fps(fps))
    return Movement(body.angle_names[FIRST_TURN:], np.gradient(angles, axis=0)[:, FIRST_TURN:] * fps)


def turns_shown(recordings: Sequence[Movement]) -> tuple[str, ...]:
    """Turns of the first recording that some recording shows: that move in it, and that it determines.

    Raises
    ------
    ValueError : there is none
    """
    turns = recordings[0].turns
    shown = np.any([_shown(own.in_order_of(turns)) for own in recordings], axis=0)
    if not shown.any():
        raise ValueError("no recording shows any angle that moves")
    return tuple(name for name, known in zip(turns, shown, strict=True) if known)


def _shown(velocities: Array) -> NDArray[np.bool_]:
    squares = (velocities**2).mean(axis=0)  # NaN where a turn is not determined
    return np.asarray(squares > _LEAST_MOVED**2)


def common_covariance(recordings: Sequence[Array]) -> Array:
    """(n_turns, n_turns) of velocities (n_frames, n_turns) of several recordings, each with a scale of its own, whose
    geometric mean is 1; each turn is shown by one of them."""
    known = np.array([_shown(velocities) for velocities in recordings])
    moved = np.array([np.nan_to_num(velocities).T @ np.nan_to_num(velocities) for velocities in recordings])
    n_frames = np.array([len(own) for own in recordings])[:, None, None] * (known[:, :, None] & known[:, None])
    total, n_turns, scales = n_frames.sum(axis=0), moved.shape[1], np.ones(len(moved))
    kept = 1 - np.maximum(_LEAST_SHRUNK, n_turns / (n_turns + total))
    kept[np.diag_indices(n_turns)] = 1.0
    covariance = np.eye(n_turns)
    for _ in range(_ROUNDS):
        covariance = kept * (moved / scales[:, None, None]).sum(axis=0) / np.maximum(total, 1)
        scales = np.array([_scale(own, n, covariance) for own, n in zip(moved, n_frames, strict=True)])
        scales /= np.exp(np.log(scales).mean())
    return covariance


def _scale(products: Array, n_frames: Array, covariance: Array) -> float:
    """Most likely factor of the covariance in a recording."""
    own = np.flatnonzero(np.diag(n_frames))
    part = np.ix_(own, own)
    if not len(own):
        return 1.0
    return float(np.trace(np.linalg.solve(covariance[part], products[part])) / np.trace(n_frames))
