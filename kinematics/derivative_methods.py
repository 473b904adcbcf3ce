"""Motion of keypoints and its derivatives by each of the methods that a user may choose."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import xarray as xr

from ..datasets import Array, DatasetError
from ..datasets.names import nearest
from ..timeseries.derivative_filters import butterworth_derivative, central_difference, local_polynomial
from ..timeseries.sampling import frame_interval
from ..timeseries.state_space import SmoothedMotion, smooth_motion
from .pose_access import points_of, times_of, unit_of

NAMES = {1: "velocity", 2: "acceleration", 3: "jerk"}  # by order of the derivative
WINDOW = 0.09  # seconds, of "savgol": the usual 11 frames at 120 Hz


class Motion(NamedTuple):
    """Positions and their derivatives, (n_frames, n_keypoints, 3) each, their standard deviations or None."""

    values: list[Array]
    stds: list[Array | None]
    method: str


def motion_of(pose: xr.Dataset, degree: int, method: str, **options: float | None) -> Motion:
    """Positions and derivatives up to `degree` by one method, so that they belong together."""
    method, given = _choose(pose, degree, method, options)
    if method == "evidence":
        motion = _smoothed(pose)
        return Motion(list(motion.states[: degree + 1]), [np.sqrt(v) for v in motion.variances[: degree + 1]], method)
    values: list[Array] = [points_of(pose)]
    stds: list[Array | None] = [None]
    for d in range(1, degree + 1):
        found = _METHODS[method].function(pose, d, **given)
        values.append(found[0])
        stds.append(found[1])
    return Motion(values, stds, method)


def _choose(pose: xr.Dataset, degree: int, method: str, options: dict) -> tuple[str, dict]:
    """The method by name, "auto" resolved, and the options that are not None.

    Raises
    ------
    DatasetError : an unknown method, one that is not possible with this pose, or an option of another method
    """
    name, known = NAMES[degree], ("auto", *_METHODS)
    if method not in known:
        raise DatasetError(f"there is no method '{method}'{nearest(method, known)} for the {name}; known: {known}")
    given = {option: value for option, value in options.items() if value is not None}
    for option in given:
        if method == "auto" or option not in _METHODS[method].options:
            owners = " and ".join(repr(other) for other, entry in _METHODS.items() if option in entry.options)
            raise DatasetError(f"method '{method}' has no option '{option}', which belongs to {owners}")
    if method == "auto":
        method = "state" if "velocity" in pose else "evidence"
    if method == "state" and "velocity" not in pose:
        raise DatasetError("the pose carries no 'velocity'; reconstruct with method 'smooth', or take another method")
    if method != "state" and pose.sizes["time"] < 2:
        raise DatasetError(f"the {name} needs at least two frames, got {pose.sizes['time']}")
    return method, given


def derivative_of(pose: xr.Dataset, degree: int, method: str, **options: float | None) -> xr.Dataset:
    """The derivative of a degree as a dataset, with its standard deviation where the method computes one."""
    name = NAMES[degree]
    method, given = _choose(pose, degree, method, options)
    values, std = _METHODS[method].function(pose, degree, **given)
    unit = f"{unit_of(pose)}/s^{degree}" if degree > 1 else f"{unit_of(pose)}/s"
    dims = ("time", "keypoint", "space")
    variables = {name: (dims, values, {"units": unit})}
    if std is not None:
        variables[f"{name}_std"] = (dims, std, {"units": unit})
    coords = {dim: pose[dim] for dim in dims if dim in pose.coords}
    return xr.Dataset(variables, coords=coords, attrs={"method": method, "position_units": unit_of(pose)})


def _from_state(pose: xr.Dataset, degree: int) -> tuple[Array, Array | None]:
    """The pose's own derivative; one that it does not carry by differences of the next lower one, without std."""
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


def _savgol(pose: xr.Dataset, degree: int, window: float | None = None, polyorder: int = 3) -> tuple[Array, None]:
    times, polyorder = times_of(pose), max(polyorder, degree)
    if window is None:
        window = max(WINDOW, (2 * polyorder + 1) * frame_interval(times))  # at the ends a half window must do
    return local_polynomial(points_of(pose), times, window, polyorder, degree), None


def _butterworth(pose: xr.Dataset, degree: int, cutoff: float | None = None, order: int = 4) -> tuple[Array, None]:
    if cutoff is None:
        raise DatasetError("the Butterworth filter needs cutoff=..., in Hz; no cutoff suits every movement")
    return butterworth_derivative(points_of(pose), times_of(pose), cutoff, order, degree), None


class _Method(NamedTuple):
    """How a derivative is computed, and the options that this takes."""

    function: Callable
    options: tuple[str, ...] = ()


_METHODS = {
    "state": _Method(_from_state),
    "evidence": _Method(_evidence),
    "central": _Method(_central),
    "savgol": _Method(_savgol, ("window", "polyorder")),
    "butterworth": _Method(_butterworth, ("cutoff", "order")),
}
