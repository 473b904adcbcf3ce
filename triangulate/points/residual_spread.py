"""How many pixels an inlier is off, per camera, from residuals of fitted points."""

from __future__ import annotations

from math import erf, exp, pi, sqrt

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array

_TRUNCATION = 2.5  # standard deviations
_ENOUGH = 50  # residuals within the truncation that a root mean square needs


def sample_rows(n_rows: int, n_wanted: int) -> NDArray[np.int64]:
    """Evenly spread row numbers: the same for the same counts."""
    if n_rows <= n_wanted:
        return np.arange(n_rows, dtype=np.int64)
    return np.unique(np.linspace(0, n_rows - 1, n_wanted).astype(np.int64)).astype(np.int64)


def robust_sigma(residuals: Array, leverage: Array, freedom: int = 2) -> Array:
    """Standard deviation of a coordinate per camera from the median residual, which outliers move least.

    Parameters
    ----------
    residuals : (n_cameras, n_points), pixels; NaN where there is none
    leverage : the same shape: share of the squared residual that the view's own pull on the point takes away
    freedom : 2 if residuals point anywhere, 1 if along a line (two views: across the epipolar line)

    Returns
    -------
    (n_cameras,), pixels; NaN for a camera without residuals
    """
    median = sqrt(2 * np.log(2)) if freedom == 2 else 0.67449  # of the length of such a standard normal vector
    sigma = np.full(len(residuals), np.nan)
    for c, row in enumerate(_scaled(residuals, leverage, freedom)):
        row = row[np.isfinite(row)]
        if len(row):
            sigma[c] = np.median(row) / median
    return sigma


def efficient_sigma(residuals: Array, leverage: Array, freedom: int = 2) -> Array:
    """As `robust_sigma`, from the sum of squares of the residuals within 2.5 sigma, corrected for the cut.

    The sum over the sum of what is expected (Förstner 1979): repeated with the new sigma as weights it converges to the
    maximum of the restricted likelihood, however unequal the cameras are.
    """
    sigma = robust_sigma(residuals, leverage, freedom)
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
