"""Velocity, acceleration and jerk of every keypoint by a choice of methods.

"auto" takes the derivatives that the reconstruction carries, where it has them (they come from the pixels), and
otherwise smooths the positions with a model tuned by its evidence. "central", "savgol" and "butterworth" are the
field's usual filters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import xarray as xr

from ..datasets import Array, DatasetError
from ..datasets.names import nearest
from ..timeseries.derivative_filters import butterworth_derivative, central_difference, lengths, local_polynomial
from ..timeseries.sampling import frame_interval
from ..timeseries.state_space import SmoothedMotion, smooth_motion
from .pose_access import per_individual, points_of, times_of, unit_of

NAMES = {1: "velocity", 2: "acceleration", 3: "jerk"}  # by order of the derivative
WINDOW = 0.09  # seconds, of "savgol": the usual 11 frames at 120 Hz


@per_individual
def velocity(
    pose: xr.Dataset,
    *,
    method: str = "auto",
    window: float | None = None,
    polyorder: int | None = None,
    cutoff: float | None = None,
    order: int | None = None,
) -> xr.Dataset:
    """Velocity of every keypoint, with its standard deviation and the speed.

    Parameters
    ----------
    pose : xarray.Dataset or DataArray
        `position (time, keypoint, space)`, in world units, at even or uneven times in seconds; NaN where missing.
    method : {"auto", "state", "evidence", "central", "savgol", "butterworth"}
        "state": the pose's own `velocity`; "evidence": a smoother tuned by its evidence (`smooth_motion`); "auto":
        "state" where the pose has it, else "evidence"; "central": central differences; "savgol": local polynomials,
        for evenly spaced frames the filter of Savitzky and Golay; "butterworth": zero-phase low-pass filter, then
        central differences.
    window : float, seconds, optional
        Of "savgol": width of the window; None: 0.09 s, and at least 2 polyorder + 1 frames.
    polyorder : int, optional
        Of "savgol": degree of the polynomial; None: 3.
    cutoff : float, hertz, optional
        Of "butterworth", which needs it: cutoff frequency of one pass.
    order : int, optional
        Of "butterworth": order of one pass; None: 4.

    Returns
    -------
    xarray.Dataset
        `velocity (time, keypoint, space)` in world units per second, `velocity_std` where the method computes it, and
        `speed (time, keypoint)`. The attribute `method` says which method was used.

    Raises
    ------
    DatasetError
        Unknown method or option, an option of another method, "state" of a pose without velocity, "butterworth"
        without a cutoff, or fewer than two frames.

    Notes
    -----
    NaN where it cannot be computed: for differences and polynomials only the missing frames themselves, for the
    smoother before the first and after the last observation.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import pose_dataset
    >>> from muybridge.kinematics import velocity
    >>> times = np.arange(5) / 100
    >>> pose = pose_dataset(times[:, None, None] * [[[3.0, 0.0, 4.0]]], keypoints=["nose"], times=times, unit="mm")
    >>> velocity(pose, method="central")["speed"].values[:, 0].round(6)
    array([5., 5., 5., 5., 5.])
    """
    result = _derivative(pose, 1, method, window=window, polyorder=polyorder, cutoff=cutoff, order=order)
    speed = lengths(result["velocity"].values)
    return result.assign(speed=(("time", "keypoint"), speed, {"units": f"{unit_of(pose)}/s"}))


@per_individual
def acceleration(
    pose: xr.Dataset,
    *,
    method: str = "auto",
    window: float | None = None,
    polyorder: int | None = None,
    cutoff: float | None = None,
    order: int | None = None,
) -> xr.Dataset:
    """Acceleration of every keypoint, with its standard deviation.

    Parameters
    ----------
    pose : xarray.Dataset or DataArray
        `position (time, keypoint, space)`, in world units, at even or uneven times in seconds; NaN where missing.
    method : str
        As in `velocity`.
    window, polyorder, cutoff, order : float or int, optional
        Options of the method, as in `velocity`.

    Returns
    -------
    xarray.Dataset
        `acceleration (time, keypoint, space)` in world units per second squared, and `acceleration_std` where the
        method computes it.

    Raises
    ------
    DatasetError
        As in `velocity`.

    Notes
    -----
    NaN as in `velocity`.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import pose_dataset
    >>> from muybridge.kinematics import acceleration
    >>> times = np.arange(9) / 100
    >>> pose = pose_dataset(3 * times[:, None, None] ** 2 * np.ones(3), keypoints=["nose"], times=times, unit="mm")
    >>> acceleration(pose, method="savgol", window=0.07)["acceleration"].values[4, 0].round(3)
    array([6., 6., 6.])
    """
    return _derivative(pose, 2, method, window=window, polyorder=polyorder, cutoff=cutoff, order=order)


@per_individual
def jerk(
    pose: xr.Dataset,
    *,
    method: str = "auto",
    window: float | None = None,
    polyorder: int | None = None,
    cutoff: float | None = None,
    order: int | None = None,
) -> xr.Dataset:
    """Jerk of every keypoint, with its standard deviation.

    Parameters
    ----------
    pose : xarray.Dataset or DataArray
        `position (time, keypoint, space)`, in world units, at even or uneven times in seconds; NaN where missing.
    method : str
        As in `velocity`.
    window, polyorder, cutoff, order : float or int, optional
        Options of the method, as in `velocity`.

    Returns
    -------
    xarray.Dataset
        `jerk (time, keypoint, space)` in world units per second cubed, and `jerk_std` where the method
        computes it.

    Raises
    ------
    DatasetError
        As in `velocity`.

    Notes
    -----
    NaN as in `velocity`.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import pose_dataset
    >>> from muybridge.kinematics import jerk
    >>> times = np.arange(9) / 100
    >>> pose = pose_dataset(times[:, None, None] ** 3 * np.ones(3), keypoints=["nose"], times=times, unit="mm")
    >>> jerk(pose, method="savgol", window=0.07)["jerk"].values[4, 0].round(3)
    array([6., 6., 6.])
    """
    return _derivative(pose, 3, method, window=window, polyorder=polyorder, cutoff=cutoff, order=order)


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


def _derivative(pose: xr.Dataset, degree: int, method: str, **options: float | None) -> xr.Dataset:
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
