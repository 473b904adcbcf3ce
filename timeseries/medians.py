"""Running medians over time and the removal of points that jump away from them."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..numerics.arrays import Array
from ..numerics.robust_scale import MEDIAN_TO_SIGMA
from ..numerics.threads import over_rows
from . import _kernels_medians
from .sampling import frame_interval, values_and_times, window_frames

_SMALL_WINDOW = 15  # frames up to which sorting anew is faster than keeping the window sorted


def median_filter(points_3d: Array | xr.Dataset | xr.DataArray, window: float, *, fps: float | None = None) -> Array:
    """Running median over time, each coordinate on its own.

    Parameters
    ----------
    points_3d : ndarray, shape (n_frames, ...), any unit, or xarray.Dataset or DataArray of positions
        NaN where missing. A labelled one brings its own times.
    window : float, seconds
        Width of the centred window, rounded to an odd number of frames; it shrinks at both ends of the recording.
    fps : float, hertz, optional
        Frame rate of an array.

    Returns
    -------
    ndarray, shape (n_frames, ...), any unit
        Median of the values present in the window.

    Raises
    ------
    ValueError
        `window` is not positive, or `fps` is missing for an array.

    Notes
    -----
    NaN where the frame itself is missing: a gap is neither filled nor widened (see `interpolate_gaps`).

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.timeseries import median_filter
    >>> median_filter(np.array([0.0, 1.0, 90.0, 3.0, np.nan])[:, None], 0.03, fps=100)[:, 0]
    array([ 0.5,  1. ,  3. , 46.5,  nan])
    """
    values, times = values_and_times(points_3d, fps)
    return running_median(values, window_frames(window, frame_interval(times)))


def hampel_filter(
    points_3d: Array | xr.Dataset | xr.DataArray,
    window: float,
    *,
    fps: float | None = None,
    n_sigmas: float = 4.0,
    replace: str = "median",
) -> tuple[Array, NDArray[np.bool_]]:
    """Replace points that jump away from the running median, and only those.

    Parameters
    ----------
    points_3d : ndarray, shape (n_frames, ..., n_axes), any unit, or xarray.Dataset or DataArray of positions
        NaN where missing. A labelled one brings its own times.
    window : float, seconds
        Width of the centred window, as in `median_filter`.
    fps : float, hertz, optional
        Frame rate of an array.
    n_sigmas : float
        A point jumps if one of its coordinates differs from the window's median by more than this many times the
        window's robust standard deviation (1.4826 times the median absolute deviation).
    replace : {"median", "nan"}
        What takes the place of a jump: the running median, or NaN.

    Returns
    -------
    points_3d : ndarray, shape (n_frames, ..., n_axes), any unit
        The points without jumps.
    jumps : ndarray of bool, shape (n_frames, ...)
        The points that were replaced.

    Raises
    ------
    ValueError
        `window` is not positive, `fps` is missing for an array, `n_sigmas` is negative, or `replace` is unknown.

    Notes
    -----
    Missing points stay missing and never count as jumps.

    References
    ----------
    Hampel 1974, J. Am. Stat. Assoc. 69, 383; Davies & Gather 1993, J. Am. Stat. Assoc. 88, 782.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.timeseries import hampel_filter
    >>> points, jumps = hampel_filter(np.array([0.0, 1.0, 90.0, 3.0, 4.0])[:, None], 0.05, fps=100)
    >>> points[:, 0], jumps
    (array([0., 1., 3., 3., 4.]), array([False, False,  True, False, False]))
    """
    if replace not in ("median", "nan"):
        raise ValueError(f"replace must be 'median' or 'nan', got {replace!r}")
    if not n_sigmas >= 0:
        raise ValueError(f"n_sigmas must not be negative, got {n_sigmas}")
    values, times = values_and_times(points_3d, fps)
    medians, deviations = _running(values, window_frames(window, frame_interval(times)), deviations=True)
    jumps = np.any(np.abs(values - medians) > n_sigmas * MEDIAN_TO_SIGMA * deviations, axis=-1)
    return np.where(jumps[..., None], medians if replace == "median" else np.nan, values), jumps


def running_median(values: Array, n_frames: int) -> Array:
    """Median over an odd number of frames about each one of values (n_frames, ...); NaN where the frame is missing."""
    return _running(values, n_frames, deviations=False)[0]


def _running(points: Array, window: int, deviations: bool) -> tuple[Array, Array]:
    """Running medians over `window` frames and, if asked for, the median distances from them; both like `points`."""
    points = np.asarray(points, dtype=float)
    values, half = np.ascontiguousarray(points.reshape(len(points), math.prod(points.shape[1:]))), window // 2
    small = window <= _SMALL_WINDOW
    values = values if small else np.ascontiguousarray(values.T)
    kernel = _kernels_medians.small_running_median if small else _kernels_medians.running_median
    medians = np.empty_like(values)
    spread = np.empty_like(values) if deviations else np.empty((len(values), 0))
    over_rows(lambda start, stop: kernel(values, half, start, stop, medians, spread), len(values), smallest=1)
    if not small:
        medians, spread = medians.T, spread.T
    return medians.reshape(points.shape), spread.reshape(points.shape) if deviations else spread
