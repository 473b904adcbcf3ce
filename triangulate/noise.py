"""How many pixels an inlier is off, per camera, from the recording itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..datasets.arrays import Array

_RAYLEIGH_MEDIAN = np.sqrt(2 * np.log(2))  # median length of a vector of two standard normals
_TRUNCATION = 2.5  # standard deviations, of the final rms


def sample_rows(n_rows: int, n_wanted: int) -> NDArray[np.int64]:
    """Evenly spread row numbers: the same for the same counts."""
    if n_rows <= n_wanted:
        return np.arange(n_rows, dtype=np.int64)
    return np.unique(np.linspace(0, n_rows - 1, n_wanted).astype(np.int64)).astype(np.int64)


def robust_sigma(residuals: Array, leverage: Array) -> Array:
    """Standard deviation of a coordinate per camera from residual lengths (n_cameras, n_points) of fitted points.

    The median is what outliers move least; a residual shrinks by sqrt(1 - leverage) because its own view pulled the
    point. NaN for a camera without residuals.
    """
    scaled = residuals / np.sqrt(np.clip(1 - leverage, 0.05, 1.0)) / _RAYLEIGH_MEDIAN
    sigma = np.full(len(scaled), np.nan)
    for c, row in enumerate(scaled):
        row = row[np.isfinite(row)]
        if len(row):
            sigma[c] = np.median(row)
    return sigma


def efficient_sigma(residuals: Array, leverage: Array) -> Array:
    """The median's sigma made exact: root mean square of the residuals within 2.5 sigma, corrected for the cut."""
    sigma = robust_sigma(residuals, leverage)
    scaled = residuals / np.sqrt(np.clip(1 - leverage, 0.05, 1.0))
    # of r²/2σ² exponential: E[r² | r < aσ] = 2σ² (1 - a²/2 · q / (1 - q)), q = exp(-a²/2)
    q = np.exp(-0.5 * _TRUNCATION**2)
    shrink = 1 - 0.5 * _TRUNCATION**2 * q / (1 - q)
    refined = sigma.copy()
    for c, row in enumerate(scaled):
        within = row[row < _TRUNCATION * sigma[c]]
        if len(within) >= 50:
            refined[c] = np.sqrt((within**2).mean() / (2 * shrink))
    return refined
