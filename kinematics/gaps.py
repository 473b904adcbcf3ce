"""Small repairs before the kinematics: short gaps bridged, single wild frames taken out."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ..datasets import Array, DatasetError
from ..numerics.threads import over_rows
from ..timeseries._kernels_filters import fill_columns, long_median_rows, median_rows
from .pose_access import per_individual, points_of, times_of

SHORT = 9  # frames; up to here sorting every window anew is the faster way


@per_individual
def interpolate_gaps(pose: xr.Dataset, longest: float) -> xr.Dataset:
    """Bridge short gaps of each keypoint by straight lines.

    Parameters
    ----------
    pose : `position (time, keypoint, space)`
    longest : seconds from the last frame before a gap to the first after it; longer gaps stay open

    Returns
    -------
    The pose with `position` filled and `interpolated (time, keypoint)` true there. Nothing is invented before the first
    or after the last observation; covariances of filled points stay NaN. (`velocity`, tuned by its evidence, needs no
    filled gaps: it bridges them itself, with error bars.)

    Raises
    ------
    DatasetError : `longest` is not positive
    """
    if not longest > 0:
        raise DatasetError(f"the longest gap to bridge must be a positive time in seconds, got {longest!r}")
    points = points_of(pose)
    filled = fill_gaps(points, times_of(pose), longest)
    interpolated = np.isnan(points[..., 0]) & np.isfinite(filled[..., 0])
    position = pose["position"].copy(data=filled)
    return pose.assign(position=position, interpolated=(("time", "keypoint"), interpolated, {"units": "1"}))


@per_individual
def median_filter(pose: xr.Dataset, window: int = 5) -> xr.Dataset:
    """Running median of each coordinate over an odd number of frames; missing frames neither count nor spread.

    Raises
    ------
    DatasetError : the window is not an odd positive number
    """
    return pose.assign(position=pose["position"].copy(data=running_median(points_of(pose), window)))


def fill_gaps(values: Array, times: Array, longest: float) -> Array:
    """Values (n_frames, ...) with straight lines over gaps of at most `longest` seconds."""
    flat = np.ascontiguousarray(values, float).reshape(len(values), -1)
    out = np.empty_like(flat)
    fill_columns(flat, np.asarray(times, float), float(longest), out, 0, flat.shape[1])
    return out.reshape(values.shape)


def running_median(values: Array, window: int) -> Array:
    """Median over `window` frames about each one, (n_frames, ...); the window is cut short at the ends."""
    if window < 1 or window % 2 == 0:
        raise DatasetError(f"the median's window must be an odd number of frames, got {window}")
    flat = np.ascontiguousarray(values, float).reshape(len(values), -1)
    out = np.empty_like(flat)
    over_rows(median_rows if window <= SHORT else long_median_rows, len(flat), flat, window // 2, out)
    return out.reshape(values.shape)
