"""Repairs of a pose before its kinematics: bridge short gaps, remove single wrong frames."""

from __future__ import annotations

import xarray as xr

from ..timeseries import gaps, medians
from .pose_access import per_individual, points_of, times_of


@per_individual
def interpolate_gaps(pose: xr.Dataset, max_gap: float) -> xr.Dataset:
    """Bridge short gaps of each keypoint by straight lines.

    Parameters
    ----------
    pose : xarray.Dataset or DataArray
        `position (time, keypoint, space)`, in world units; NaN where missing.
    max_gap : float, seconds
        Longest gap that is bridged; n missing frames of an even recording last n / fps.

    Returns
    -------
    xarray.Dataset
        The pose with `position` filled and `interpolated (time, keypoint)` true there.

    Raises
    ------
    DatasetError
        The pose is malformed.
    ValueError
        `max_gap` is negative.

    See Also
    --------
    velocity : Its default method bridges gaps itself, with standard deviations.

    Notes
    -----
    Nothing is filled before a keypoint's first or after its last observation. Covariances of filled points stay NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import pose_dataset
    >>> from muybridge.kinematics import interpolate_gaps
    >>> points = np.array([0.0, np.nan, 2.0])[:, None, None] * np.ones(3)
    >>> pose = pose_dataset(points, keypoints=["nose"], times=np.arange(len(points)) / 100, unit="mm")
    >>> filled = interpolate_gaps(pose, 0.01)
    >>> filled["position"].values[1, 0], filled["interpolated"].values[:, 0]
    (array([1., 1., 1.]), array([False,  True, False]))
    """
    filled, interpolated = gaps.filled_gaps(points_of(pose), times_of(pose), max_gap)
    position = pose["position"].copy(data=filled)
    return pose.assign(position=position, interpolated=(("time", "keypoint"), interpolated, {"units": "1"}))


@per_individual
def median_filter(pose: xr.Dataset, window: float) -> xr.Dataset:
    """Running median of each coordinate over a window of time.

    Parameters
    ----------
    pose : xarray.Dataset or DataArray
        `position (time, keypoint, space)`, in world units; NaN where missing.
    window : float, seconds
        Width of the centred window; it shrinks at both ends of the recording.

    Returns
    -------
    xarray.Dataset
        The pose with `position` filtered.

    Raises
    ------
    DatasetError
        The pose is malformed.
    ValueError
        `window` is not positive.

    Notes
    -----
    Missing frames neither count nor spread: NaN stays where it was.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import pose_dataset
    >>> from muybridge.kinematics import median_filter
    >>> points = np.array([0.0, 1.0, 90.0, 3.0, 4.0])[:, None, None] * np.ones(3)
    >>> pose = pose_dataset(points, keypoints=["nose"], times=np.arange(len(points)) / 100, unit="mm")
    >>> median_filter(pose, 0.05)["position"].values[:, 0, 0]
    array([1. , 2. , 3. , 3.5, 4. ])
    """
    return pose.assign(position=pose["position"].copy(data=medians.median_filter(pose, window)))
