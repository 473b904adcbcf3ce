"""Velocity, acceleration and jerk of every keypoint by a choice of methods.

"auto" takes the derivatives that the reconstruction carries, where it has them (they come from the pixels), and
otherwise smooths the positions with a model tuned by its evidence. "central", "savgol" and "butterworth" are the
field's usual filters.
"""

from __future__ import annotations

import xarray as xr

from ..timeseries.derivative_filters import lengths
from .derivative_methods import derivative_of
from .pose_access import per_individual, unit_of


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
    result = derivative_of(pose, 1, method, window=window, polyorder=polyorder, cutoff=cutoff, order=order)
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
    return derivative_of(pose, 2, method, window=window, polyorder=polyorder, cutoff=cutoff, order=order)


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
    return derivative_of(pose, 3, method, window=window, polyorder=polyorder, cutoff=cutoff, order=order)
