"""Velocity, acceleration and jerk of every keypoint: the labelled doors, and which method stands behind them.

``"auto"`` takes the pose's own state where the reconstruction carries it (a smoother that saw the pixels knows best),
else smooths the positions with a model tuned by its evidence. ``"central"``, ``"savgol"`` and ``"butterworth"`` are
the field's usual ways, by name.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr

from ..datasets import Array, DatasetError
from ..datasets.names import nearest
from ..timeseries.derivative_filters import butterworth_derivative, central_difference, lengths, local_polynomial
from ..timeseries.state_space import SmoothedMotion, smooth_motion
from .pose_access import per_individual, points_of, times_of, unit_of

NAMES = {1: "velocity", 2: "acceleration", 3: "jerk"}
METHODS = ("auto", "state", "evidence", "central", "savgol", "butterworth")


@per_individual
def velocity(pose: xr.Dataset, *, method: str = "auto", **options) -> xr.Dataset:
    """Velocity of every keypoint, with its standard deviation and the speed.

    Parameters
    ----------
    pose : `position (time, keypoint, space)`, seconds on `time`, evenly spaced or not
    method : "auto": the pose's own `velocity` where it has one, else "evidence"; "evidence": a smoother tuned by its
        evidence; "central" differences; "savgol" (window=11 frames, degree=3): local polynomials, which for evenly
        spaced frames is Savitzky & Golay's filter; "butterworth" (cutoff in Hz, order=4): zero-phase low-pass, then
        central differences

    Returns
    -------
    `velocity (time, keypoint, space)` in world units per second, `velocity_std` where the method knows it,
    `speed (time, keypoint)`. NaN where it cannot be known: with differences only the missing frames themselves,
    with the smoother before the first and after the last observation. Attributes say which method was used.

    Raises
    ------
    DatasetError : an unknown method, "state" of a pose without velocity, fewer than two frames
    """
    result = _derivative(pose, 1, method, options)
    speed = lengths(result["velocity"].values)
    return result.assign(speed=(("time", "keypoint"), speed, {"units": f"{unit_of(pose)}/s"}))


@per_individual
def acceleration(pose: xr.Dataset, *, method: str = "auto", **options) -> xr.Dataset:
    """Acceleration of every keypoint; as `velocity`, in world units per second squared."""
    return _derivative(pose, 2, method, options)


@per_individual
def jerk(pose: xr.Dataset, *, method: str = "auto", **options) -> xr.Dataset:
    """Jerk of every keypoint; as `velocity`, in world units per second cubed."""
    return _derivative(pose, 3, method, options)


class Motion(NamedTuple):
    """Positions and their derivatives, (n_frames, n_keypoints, 3) each, their standard deviations or None."""

    values: list[Array]
    stds: list[Array | None]
    method: str


def motion_of(pose: xr.Dataset, degree: int, method: str, options: dict) -> Motion:
    """Positions and derivatives up to `degree` by one method, so that they belong together."""
    method = _choose(pose, degree, method)
    if method == "evidence":
        motion = _smoothed(pose, **options)
        return Motion(list(motion.states[: degree + 1]), [np.sqrt(v) for v in motion.variances[: degree + 1]], method)
    values: list[Array] = [points_of(pose)]
    stds: list[Array | None] = [None]
    for d in range(1, degree + 1):
        found = _METHODS[method](pose, d, **options)
        values.append(found[0])
        stds.append(found[1])
    return Motion(values, stds, method)


def _choose(pose: xr.Dataset, degree: int, method: str) -> str:
    """The method by name, "auto" resolved.

    Raises
    ------
    DatasetError : unknown, or not possible with this pose
    """
    name = NAMES[degree]
    if method not in METHODS:
        raise DatasetError(f"there is no method '{method}'{nearest(method, METHODS)} for the {name}; known: {METHODS}")
    if method == "auto":
        method = "state" if "velocity" in pose else "evidence"
    if method == "state" and "velocity" not in pose:
        raise DatasetError("the pose carries no 'velocity'; reconstruct with method 'smooth', or take another method")
    if method != "state" and pose.sizes["time"] < 2:
        raise DatasetError(f"the {name} needs at least two frames, got {pose.sizes['time']}")
    return method


def _derivative(pose: xr.Dataset, degree: int, method: str, options: dict) -> xr.Dataset:
    name = NAMES[degree]
    method = _choose(pose, degree, method)
    values, std = _METHODS[method](pose, degree, **options)
    unit = f"{unit_of(pose)}/s^{degree}" if degree > 1 else f"{unit_of(pose)}/s"
    dims = ("time", "keypoint", "space")
    variables = {name: (dims, values, {"units": unit})}
    if std is not None:
        variables[f"{name}_std"] = (dims, std, {"units": unit})
    coords = {dim: pose[dim] for dim in dims if dim in pose.coords}
    return xr.Dataset(variables, coords=coords, attrs={"method": method, "position_units": unit_of(pose)})


def _from_state(pose: xr.Dataset, degree: int) -> tuple[Array, Array | None]:
    """The pose's own derivative; a higher one than it carries by differences of the highest, without error bars."""
    carried = max(d for d, name in NAMES.items() if d <= degree and name in pose)
    name, std = NAMES[carried], None
    values = pose[name].values
    if f"{name}_covariance" in pose and carried == degree:
        std = np.sqrt(np.diagonal(pose[f"{name}_covariance"].values, axis1=-2, axis2=-1))
    for _ in range(degree - carried):
        values = central_difference(values, times_of(pose))
    return values, std


def _evidence(pose: xr.Dataset, degree: int) -> tuple[Array, Array]:
    motion = _smoothed(pose)
    return motion.states[degree], np.sqrt(motion.variances[degree])


def _smoothed(pose: xr.Dataset) -> SmoothedMotion:
    relative = None
    if "covariance" in pose:
        relative = np.trace(pose["covariance"].values, axis1=-2, axis2=-1) / 3
    return smooth_motion(points_of(pose), times_of(pose), relative_variance=relative)


def _central(pose: xr.Dataset, degree: int) -> tuple[Array, None]:
    values = points_of(pose)
    for _ in range(degree):
        values = central_difference(values, times_of(pose))
    return values, None


def _savgol(pose: xr.Dataset, degree: int, window: int = 11, polynomial: int = 3) -> tuple[Array, None]:
    return local_polynomial(points_of(pose), times_of(pose), window, max(polynomial, degree), degree), None


def _butterworth(pose: xr.Dataset, degree: int, cutoff: float | None = None, order: int = 4) -> tuple[Array, None]:
    if cutoff is None:
        raise DatasetError("the Butterworth filter needs cutoff=..., in Hz; no cutoff suits every movement")
    return butterworth_derivative(points_of(pose), times_of(pose), cutoff, order, degree), None


_METHODS = {
    "state": _from_state,
    "evidence": _evidence,
    "central": _central,
    "savgol": _savgol,
    "butterworth": _butterworth,
}
