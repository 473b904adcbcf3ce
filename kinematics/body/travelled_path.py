"""Path length and speed of keypoints, with the errors of the positions taken into account."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ...datasets import Array
from ..angles.segment_frames import unit
from ..derivatives import velocity
from ..pose_access import of_keypoints, per_individual, times_of, unit_of


@per_individual
def path_length(
    pose: xr.Dataset,
    *,
    method: str = "auto",
    window: float | None = None,
    polyorder: int | None = None,
    cutoff: float | None = None,
    order: int | None = None,
) -> xr.Dataset:
    """Distance that each keypoint has travelled: the integral of its speed.

    Parameters
    ----------
    pose : xarray.Dataset or DataArray
        `position (time, keypoint, space)`, in world units; NaN where missing.
    method : str
        Method of the velocities, as in `velocity`.
    window, polyorder, cutoff, order : float or int, optional
        Options of the method, as in `velocity`.

    Returns
    -------
    xarray.Dataset
        `path_length (time, keypoint)` in world units, 0 at the first frame.

    Raises
    ------
    DatasetError
        As in `velocity`.

    Notes
    -----
    Frames without a velocity add nothing. The sum of the steps between noisy positions would count the noise as travel
    (at 120 Hz and 5 mm about 0.8 m every second).

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import pose_dataset
    >>> from muybridge.kinematics import path_length
    >>> times = np.arange(5) / 100
    >>> pose = pose_dataset(times[:, None, None] * [[[3.0, 0.0, 4.0]]], keypoints=["nose"], times=times, unit="mm")
    >>> path_length(pose, method="central")["path_length"].values[:, 0].round(6)
    array([0.  , 0.05, 0.1 , 0.15, 0.2 ])
    """
    result = velocity(pose, method=method, window=window, polyorder=polyorder, cutoff=cutoff, order=order)
    return xr.Dataset(
        {"path_length": (("time", "keypoint"), _travelled(result["speed"].values, times_of(pose)), length_unit(pose))},
        coords={"time": pose["time"], "keypoint": pose["keypoint"]},
        attrs=result.attrs,
    )


@per_individual
def speed_profile(
    pose: xr.Dataset,
    keypoint: str,
    *,
    method: str = "auto",
    window: float | None = None,
    polyorder: int | None = None,
    cutoff: float | None = None,
    order: int | None = None,
) -> xr.Dataset:
    """One keypoint's speed over time, with its standard deviation and the distance travelled.

    Parameters
    ----------
    pose : xarray.Dataset or DataArray
        `position (time, keypoint, space)`, in world units; NaN where missing.
    keypoint : str
        Name of the keypoint.
    method : str
        Method of the velocities, as in `velocity`.
    window, polyorder, cutoff, order : float or int, optional
        Options of the method, as in `velocity`.

    Returns
    -------
    xarray.Dataset
        `speed (time)` in world units per second; `speed_std (time)`, to first order, where the method computes the
        velocity's; `path_length (time)` in world units. `.to_dataframe()` makes a table of it.

    Raises
    ------
    DatasetError
        Unknown keypoint, or as in `velocity`.

    Notes
    -----
    NaN where the velocity is; such frames add nothing to the path.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import pose_dataset
    >>> from muybridge.kinematics import speed_profile
    >>> times = np.arange(5) / 100
    >>> pose = pose_dataset(times[:, None, None] * [[[3.0, 0.0, 4.0]]], keypoints=["nose"], times=times, unit="mm")
    >>> speed_profile(pose, "nose", method="central")["speed"].values.round(6)
    array([5., 5., 5., 5., 5.])
    """
    options = {"window": window, "polyorder": polyorder, "cutoff": cutoff, "order": order}
    result = velocity(of_keypoints(pose, [keypoint]), method=method, **options).isel(keypoint=0)
    speed, per_second = result["speed"].values, result["speed"].attrs
    variables = {"speed": ("time", speed, per_second)}
    if "velocity_std" in result:
        direction = unit(result["velocity"].values)
        variance = np.einsum("ti,ti->t", direction**2, result["velocity_std"].values ** 2)
        variables["speed_std"] = ("time", np.sqrt(variance), per_second)
    variables["path_length"] = ("time", _travelled(speed[:, None], times_of(pose))[:, 0], length_unit(pose))
    return xr.Dataset(variables, coords={"time": pose["time"]}, attrs={**result.attrs, "keypoint": keypoint})


def _travelled(speed: Array, times: Array) -> Array:
    """(n_frames, n_keypoints) integral of the speed, 0 at the first frame; NaN counts as 0."""
    known = np.nan_to_num(speed)
    steps = np.diff(times)[:, None] * (known[1:] + known[:-1]) / 2
    return np.concatenate([np.zeros((1, speed.shape[1])), np.cumsum(steps, axis=0)])


def length_unit(pose: xr.Dataset) -> dict:
    """Attributes of a variable that is a length in the pose's unit."""
    return {"units": unit_of(pose)}
