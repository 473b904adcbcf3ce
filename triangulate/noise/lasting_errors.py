"""How long errors last: the part of residuals that never changes, and how those of different frames correlate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from ...numerics.arrays import Array
from ...numerics.robust_scale import present_mean

# Variance of the displacement that all views share over that of one view's errors that last. Residuals show nothing
# of it. Measured against the truth: 0.1 (errors that last a frame) to 0.6 (32 frames) on the demo's rendered animal,
# 0.7 to 1 on the rat with motion capture; simulated detectors usually have none.
COMMON_SHARE = 0.2
COMMON_CONSTANT = 0.5  # likewise, of what never changes: 0.3 on the demo, 0.6 and more on the rat
_PRIOR_MEANS = 4.0  # mean residuals, one per camera and axis, that the pooled constant part counts as
FEWEST = 3  # residuals whose mean is used


def constant_variance(residuals: Array, kept: Array) -> tuple[Array, Array]:
    """Variance over the cameras of the error of each keypoint that never changes.

    The product of the mean residuals of both halves of the recording: what does not last has no part in it. A keypoint
    with few means borrows from all. The variance of few means is little known itself: errors have the second moment of
    Student's distribution then.

    Parameters
    ----------
    residuals : ndarray, shape (n_cameras, n_frames, n_keypoints, 2), pixels; NaN where missing
    kept : ndarray, shape (n_cameras or 1, n_keypoints)
        Share of an error that the residual shows: what the fit to the view itself has not taken away.

    Returns
    -------
    variance, second moment : ndarray, shape (n_keypoints,), pixels squared
    """
    middle = residuals.shape[1] // 2
    first, second = (_means(part) for part in (residuals[:, :middle], residuals[:, middle:]))
    product = first * second / kept[..., None]
    known = np.isfinite(product)
    n, total = known.sum(axis=(0, 2)), np.where(known, product, 0.0).sum(axis=(0, 2))
    pooled = max(float(total.sum()) / max(int(n.sum()), 1), 0.0)
    variance = np.maximum((_PRIOR_MEANS * pooled + total) / (_PRIOR_MEANS + n), 0.0)
    degrees = _PRIOR_MEANS + np.where(known, kept[..., None], 0.0).sum(axis=(0, 2))
    return variance, variance * degrees / (degrees - 2)


def _means(residuals: Array) -> Array:
    """(n_cameras, n_keypoints, 2) means over the frames; NaN of too few."""
    return present_mean(residuals, 1, FEWEST)


def lag_correlation(residuals: Array) -> Array:
    """(n_keypoints,) correlation of residuals (n_cameras, n_frames, n_keypoints, 2) with those a frame later.

    Over the power of the same pairs, not of all residuals as in `autocorrelation`: of few frames it stays within 1.
    NaN where there is no pair.
    """
    now, after = residuals[:, :-1], residuals[:, 1:]
    both = np.isfinite(now) & np.isfinite(after)
    product = np.where(both, now * after, 0.0).sum(axis=(0, 1, 3))
    power = 0.5 * np.where(both, now**2 + after**2, 0.0).sum(axis=(0, 1, 3))
    return np.where(power > 0, product / np.where(power > 0, power, 1.0), np.nan)


def autocorrelation(residuals: Array, n_lags: int, lengths: Sequence[int]) -> tuple[Array, Array]:
    """Correlation of residuals with those 1 to n_lags frames later, over the variance of all.

    Parameters
    ----------
    residuals : ndarray, shape (n_cameras, n_frames, n_keypoints, n_axes); all axes NaN where missing
    n_lags : int
    lengths : sequence of int
        Frames of the stretches that follow each other in the array: no product is taken across their ends.

    Returns
    -------
    correlation, n_products : ndarray, shape (n_keypoints, n_lags)
        Zero correlation where there are no products.
    """
    present = np.isfinite(residuals[..., 0])
    values = np.where(present[..., None], residuals, 0.0)
    n_keypoints, n_axes = residuals.shape[2:]
    products, counts = np.zeros((n_lags, n_keypoints)), np.zeros((n_lags, n_keypoints))
    start = 0
    for length in lengths:
        part = slice(start, start + length)
        start += length
        products += _lagged_sums(values[:, part], n_lags).sum(axis=(1, 3))
        counts += n_axes * _lagged_sums(present[:, part].astype(float), n_lags).sum(axis=1)
    counts = np.round(counts)
    variance = (values**2).sum(axis=(0, 1, 3)) / np.maximum(n_axes * present.sum(axis=(0, 1)), 1)
    return (products / np.maximum(counts, 1) / np.maximum(variance, 1e-300)).T, counts.T


def _lagged_sums(values: Array, n_lags: int) -> Array:
    """(n_lags, n_cameras, ...) sums over frames of values (n_cameras, n_frames, ...) times those 1 to n_lags later."""
    size = next_fast_len(values.shape[1] + n_lags, real=True)
    power = np.abs(np.asarray(rfft(values, size, axis=1))) ** 2
    return np.moveaxis(np.asarray(irfft(power, size, axis=1))[:, 1 : n_lags + 1], 1, 0)
