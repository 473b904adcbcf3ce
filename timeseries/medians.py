"""Filters over time that need no camera: medians against jumps, straight lines across short gaps."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..numerics.arrays import Array
from ..numerics.robust_scale import MEDIAN_TO_SIGMA
from ..numerics.threads import over_rows
from . import _kernels_medians

_SMALL_WINDOW = 15  # frames up to which sorting anew is faster than keeping the window sorted


def median_filter(points_3d: Array, window: int) -> Array:
    """Running median over time, each coordinate on its own.

    Parameters
    ----------
    points_3d : (n_frames, ...), NaN where missing
    window : odd number of frames; it shrinks at both ends of the recording

    Returns
    -------
    the same shape; the median of the values present in the window, NaN where the frame itself is missing (a gap is
    neither filled nor widened: see `interpolate_gaps`)

    Raises
    ------
    ValueError : `window` is no odd positive number
    """
    return _running(points_3d, window, deviations=False)[0]


def hampel_filter(
    points_3d: Array, window: int, n_sigmas: float = 4.0, replace: str = "median"
) -> tuple[Array, NDArray[np.bool_]]:
    """Replace points that jump away from the running median, and only those (Hampel 1974; Davies and Gather 1993).

    A point jumps if one of its coordinates differs from the window's median by more than `n_sigmas` times the window's
    robust standard deviation (1.4826 times the median absolute deviation).

    Parameters
    ----------
    points_3d : (n_frames, ..., n_axes), NaN where missing
    window : odd number of frames
    replace : "median" puts the running median in place of a jump, "nan" leaves it missing

    Returns
    -------
    points of the same shape, and the jumps (n_frames, ...) bool

    Raises
    ------
    ValueError : `window` is no odd positive number, `n_sigmas` negative, or `replace` unknown
    """
    if replace not in ("median", "nan"):
        raise ValueError(f"replace must be 'median' or 'nan', got {replace!r}")
    if not n_sigmas >= 0:
        raise ValueError(f"n_sigmas must not be negative, got {n_sigmas}")
    points_3d = np.asarray(points_3d, dtype=float)
    medians, deviations = _running(points_3d, window, deviations=True)
    jumps = np.any(np.abs(points_3d - medians) > n_sigmas * MEDIAN_TO_SIGMA * deviations, axis=-1)
    return np.where(jumps[..., None], medians if replace == "median" else np.nan, points_3d), jumps


def interpolate_gaps(points_3d: Array, max_gap: int, times: Array | None = None) -> Array:
    """Straight lines across gaps of at most `max_gap` frames; longer gaps and both ends stay missing.

    Parameters
    ----------
    points_3d : (n_frames, ..., n_axes), NaN where missing
    max_gap : frames; 0 fills nothing
    times : (n_frames,), seconds, increasing; None: evenly spaced

    Returns
    -------
    the same shape

    Raises
    ------
    ValueError : `max_gap` is negative, or `times` does not fit or increase
    """
    points_3d = np.asarray(points_3d, dtype=float)
    n_frames = len(points_3d)
    times = np.arange(n_frames, dtype=float) if times is None else np.asarray(times, dtype=float)
    if max_gap < 0:
        raise ValueError(f"max_gap must not be negative, got {max_gap}")
    if times.shape != (n_frames,) or (np.diff(times) <= 0).any():
        raise ValueError(f"times must be {n_frames} increasing seconds, got shape {times.shape}")
    filled = points_3d.reshape(n_frames, math.prod(points_3d.shape[1:-1]), points_3d.shape[-1]).copy()
    missing = np.asarray(np.isnan(filled).any(axis=-1))
    for k in range(filled.shape[1]):
        present = np.flatnonzero(~missing[:, k])
        before, after = present[:-1], present[1:]
        short = (after - before > 1) & (after - before - 1 <= max_gap)
        for a, b in zip(before[short], after[short], strict=True):
            share = ((times[a + 1 : b] - times[a]) / (times[b] - times[a]))[:, None]
            filled[a + 1 : b, k] = (1 - share) * filled[a, k] + share * filled[b, k]
    return filled.reshape(points_3d.shape)


def _running(points: Array, window: int, deviations: bool) -> tuple[Array, Array]:
    if window != int(window) or window < 1 or window % 2 == 0:
        raise ValueError(f"window must be an odd positive number of frames, got {window}")
    points = np.asarray(points, dtype=float)
    values, half = np.ascontiguousarray(points.reshape(len(points), math.prod(points.shape[1:]))), int(window) // 2
    small = window <= _SMALL_WINDOW
    values = values if small else np.ascontiguousarray(values.T)
    kernel = _kernels_medians.small_running_median if small else _kernels_medians.running_median
    medians = np.empty_like(values)
    spread = np.empty_like(values) if deviations else np.empty((len(values), 0))
    over_rows(lambda start, stop: kernel(values, half, start, stop, medians, spread), len(values), smallest=1)
    if not small:
        medians, spread = medians.T, spread.T
    return medians.reshape(points.shape), spread.reshape(points.shape) if deviations else spread
