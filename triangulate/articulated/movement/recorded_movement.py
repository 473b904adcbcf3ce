"""How the joints of recorded animals moved: velocities of their angles, and what they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ....datasets import DatasetError, check_pose, fps_of
from ....numerics.arrays import Array
from ...bodies.body_files import read_body
from ...bodies.kinematic_tree import Body
from ...bodies.named_markers import marker_columns, of_markers
from ...input_checks import check_fps
from ..body_posterior import BodyFit
from ..starting_pose import angles_in_points
from .angle_prior import FIRST_TURN

_LEAST_SHRUNK = 0.05  # to the diagonal, of a covariance of many frames: no two animals' joints move quite alike
_LEAST_MOVED = 1e-3  # radians per second, root mean square: what is slower was not seen to move
_FEWEST = 3  # frames, and markers in a frame: of fewer the body cannot be placed
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


def of_points(
    points_3d: Array | xr.Dataset, body: Body | str | Path | None, fps: float | None, keypoints: Sequence[str] | None
) -> Movement:
    if isinstance(points_3d, xr.Dataset | xr.DataArray):
        pose = check_pose(points_3d)
        if "individual" in pose.dims:
            raise DatasetError("the pose holds several individuals; select one: pose.isel(individual=0)")
        points_3d, fps = pose["position"].values, fps_of(pose) if fps is None else fps
        keypoints = [str(name) for name in pose["keypoint"].values]
    if body is None or fps is None:
        raise ValueError("points in 3D need body= and fps=: the body is laid into them")
    body = body if isinstance(body, Body) else read_body(body)
    points, names = _checked(points_3d), list(body.marker_names if keypoints is None else keypoints)
    points = of_markers(points, marker_columns(body, names, points.shape[1]))
    points[~np.isfinite(points).all(axis=-1)] = np.nan
    placed = np.isfinite(points[..., 0]).sum(axis=1) >= _FEWEST
    if placed.sum() < _FEWEST:
        raise ValueError(f"{placed.sum()} frames have {_FEWEST} located markers of body '{body.name}'; {_FEWEST} frames"
                         " at least are needed")  # fmt: skip
    angles = angles_in_points(body, points, check_fps(fps))
    return Movement(body.angle_names[FIRST_TURN:], np.gradient(angles, axis=0)[placed, FIRST_TURN:] * fps)


def _checked(points_3d: Array) -> Array:
    """Points in 3D as floats; ValueError or TypeError where they are none."""
    try:
        points = np.asarray(points_3d, dtype=float)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"a recording is {type(points_3d).__name__}; expected what `fit_body` returns, points in 3D, or a pose"
        ) from error
    if points.ndim != 3 or points.shape[2] != 3:
        raise ValueError(f"points have shape {points.shape}; expected (n_frames, n_keypoints, 3)")
    return points


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
