"""Straight lines across short gaps of sampled signals."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..datasets import Array
from ..numerics.arrays import for_kernel
from ._kernels_filters import fill_gaps
from .sampling import ROUNDING, frame_interval, values_and_times


def interpolate_gaps(
    points_3d: Array | xr.Dataset | xr.DataArray,
    max_gap: float,
    *,
    fps: float | None = None,
    times: Array | None = None,
) -> Array:
    """Bridge gaps of at most `max_gap` seconds by straight lines; longer gaps and both ends stay missing.

    Parameters
    ----------
    points_3d : ndarray, shape (n_frames, ..., n_axes), any unit, or xarray.Dataset or DataArray of positions
        NaN where missing. A labelled one brings its own times.
    max_gap : float, seconds
        Longest gap that is bridged; n missing frames of an even recording last n / fps. 0 bridges nothing.
    fps : float, hertz, optional
        Frame rate of an array.
    times : ndarray, shape (n_frames,), seconds, optional
        Increasing times of an array's frames, instead of `fps`.

    Returns
    -------
    ndarray, shape (n_frames, ..., n_axes), any unit
        The points with short gaps filled.

    Raises
    ------
    ValueError
        `max_gap` is negative, neither `fps` nor `times` is given for an array, or the times do not increase.

    Notes
    -----
    A point with one NaN coordinate is missing. Between frames at uneven times the gap lasts from its first missing
    frame to the next point, or from the last point to its last missing frame, whichever is longer.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.timeseries import interpolate_gaps
    >>> x = np.array([0.0, np.nan, 2.0, np.nan, np.nan, 5.0])[:, None]
    >>> interpolate_gaps(x, 0.01, fps=100)[:, 0]
    array([ 0.,  1.,  2., nan, nan,  5.])
    """
    if times is None:
        values, times = values_and_times(points_3d, fps)
    else:
        values, times = np.asarray(points_3d, dtype=float), np.asarray(times, dtype=float)
    if times.shape != (len(values),) or (np.diff(times) <= 0).any():
        raise ValueError(f"times must be {len(values)} increasing seconds, got shape {times.shape}")
    return filled_gaps(values, times, max_gap)[0]


def filled_gaps(values: Array, times: Array, max_gap: float) -> tuple[Array, NDArray[np.bool_]]:
    """Values (n_frames, ..., n_axes) with gaps of at most `max_gap` seconds bridged, and where (n_frames, ...)."""
    if not max_gap >= 0:
        raise ValueError(f"max_gap must not be negative (seconds), got {max_gap!r}")
    flat = for_kernel(values).reshape(len(values), math.prod(values.shape[1:-1]), values.shape[-1])
    out, filled = np.empty_like(flat), np.zeros(flat.shape[:2], dtype=np.bool_)
    fill_gaps(flat, for_kernel(times), max_gap + ROUNDING * frame_interval(times), out, filled)
    return out.reshape(values.shape), filled.reshape(values.shape[:-1])
