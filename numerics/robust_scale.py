"""Standard deviation of normal errors of which some are gross: from medians, or from the squares of the small ones.

The median of the absolute value of a normal variable and the median length of a two-dimensional normal vector are known
multiples of the standard deviation; up to half of the values may be gross before a median follows them (Huber 1981).
"""

from __future__ import annotations

from math import erf, exp, pi, sqrt

import numpy as np

from .arrays import Array

MEDIAN_TO_SIGMA = 1.4826  # standard deviation of a normal variable over the median of its absolute value
RAYLEIGH_MEDIAN = 1.17741  # median length of a two-dimensional standard normal vector: the root of 2 ln 2
_TRUNCATION = 2.5  # standard deviations: of normal errors 1.2 % lie beyond, of their lengths in the image 4.4 %
_ENOUGH = 50  # residuals within the truncation: a root mean square of so many is known to 10 %


def robust_std(values: Array) -> float:
    """Standard deviation about the median, from the median absolute deviation; values (n,) without NaN."""
    return MEDIAN_TO_SIGMA * float(np.median(np.abs(values - np.median(values))))


def present_median(values: Array, axis: int | tuple[int, ...] | None = None) -> Array:
    """Median of the values that are not NaN; NaN, without a warning, where there is none."""
    values = np.asarray(values, dtype=float)
    if axis is None:
        axis = tuple(range(values.ndim))
    axes = tuple(i % values.ndim for i in np.atleast_1d(axis))
    kept = [i for i in range(values.ndim) if i not in axes]
    rows = values.transpose(*kept, *axes).reshape(*(values.shape[i] for i in kept), -1)
    if not rows.shape[-1]:
        return np.full(rows.shape[:-1], np.nan)
    ordered = np.sort(rows, axis=-1)  # NaN last
    n = np.isfinite(ordered).sum(axis=-1, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum((n - 1) // 2, 0), axis=-1)
    high = np.take_along_axis(ordered, np.minimum(n // 2, rows.shape[-1] - 1), axis=-1)
    return np.where(n > 0, 0.5 * (low + high), np.nan)[..., 0]


def present_mean(values: Array, axis: int | tuple[int, ...], least: int = 1) -> Array:
    """Mean of the finite values; NaN, without a warning, where there are fewer than `least`."""
    known = np.isfinite(values)
    n = known.sum(axis=axis)
    return np.where(n >= least, np.where(known, values, 0.0).sum(axis=axis) / np.maximum(n, 1), np.nan)


def median_sigma(residuals: Array, leverage: Array, freedom: int = 2) -> Array:
    """Standard deviation of a coordinate per camera from the median residual, which outliers move least.

    Parameters
    ----------
    residuals : ndarray, shape (n_cameras, n_points), pixels
        Lengths of the residuals; NaN where there is none.
    leverage : ndarray, shape (n_cameras, n_points)
        Share of the squared residual by which the fit to the view itself has reduced it.
    freedom : int
        2 if residuals point anywhere, 1 if along a line (two views: across the epipolar line).

    Returns
    -------
    ndarray, shape (n_cameras,), pixels
        NaN for a camera without residuals.
    """
    median = RAYLEIGH_MEDIAN if freedom == 2 else 1 / MEDIAN_TO_SIGMA
    sigma = np.full(len(residuals), np.nan)
    for c, row in enumerate(_scaled(residuals, leverage, freedom)):
        row = row[np.isfinite(row)]
        if len(row):
            sigma[c] = np.median(row) / median
    return sigma


def efficient_sigma(residuals: Array, leverage: Array, freedom: int = 2) -> Array:
    """As `median_sigma`, from the sum of squares of the residuals within 2.5 sigma, corrected for the truncation.

    The sum over the sum of what is expected (Förstner 1979): repeated with the new sigma as weights it converges to the
    maximum of the restricted likelihood, however unequal the cameras are.
    """
    sigma = median_sigma(residuals, leverage, freedom)
    a, q = _TRUNCATION, exp(-0.5 * _TRUNCATION**2)
    # mean square of a standard normal vector shorter than a, per degree of freedom
    if freedom == 2:
        kept = 1 - 0.5 * a**2 * q / (1 - q)
    else:
        kept = 1 - a * sqrt(2 / pi) * q / erf(a / sqrt(2))
    expected = np.clip(2 * (1 - leverage), 1e-6, 2.0)
    for c, row in enumerate(_scaled(residuals, leverage, freedom)):
        within = row < a * sigma[c]
        if within.sum() >= _ENOUGH:
            sigma[c] = np.sqrt((residuals[c, within] ** 2).sum() / (kept * expected[c, within].sum()))
    return sigma


def _scaled(residuals: Array, leverage: Array, freedom: int) -> Array:
    return residuals / np.sqrt(np.clip((1 - leverage) * 2 / freedom, 0.05, 2.0))
