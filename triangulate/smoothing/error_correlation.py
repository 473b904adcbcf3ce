"""How the errors of a detector are correlated in time, from what the views of a frame disagree in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...cameras._kernels_lenses import project_points
from ...numerics.arrays import Array
from ...numerics.banded import one_blas_thread
from ...numerics.robust_scale import present_median
from ..noise.lasting_errors import COMMON_CONSTANT, COMMON_SHARE, autocorrelation, constant_variance
from .correlated_noise import LEAST_WHITE, CorrelatedNoise
from .observations import Linearised, Observations

_LONGEST = 0.5  # seconds of lag that correlations are estimated for: longer ones are like a constant error
_ENOUGH = 500.0  # products of residuals that the correlations of all keypoints count as, for one keypoint
_EVIDENCE = 12.0  # twice the log likelihood that errors that last must gain over white ones: two parameters, p = 0.0025
_SHARES = np.linspace(0.0, 1.0, 21)  # of the variance that lasts: candidates
_N_TIMES = 16  # correlation times that are tried, in equal ratios from half a frame on


def estimate_correlation(
    observations: Observations, seen: Linearised, fps: float, lengths: Sequence[int]
) -> CorrelatedNoise:
    """The correlation of the errors, from what the views of a frame disagree in, which no motion explains.

    `seen` are the terms with power one; `lengths` those of the stretches that follow each other in the arrays.
    """
    residuals, leverage, pixels = _residuals(observations, seen)
    total, left = (observations.sigma**2).mean(axis=0), 1 - leverage
    constant, moment = (part / total for part in constant_variance(residuals, left[None]))
    displacement, ratio = np.sqrt(COMMON_CONSTANT * moment * total) / pixels, COMMON_SHARE
    if observations.shared_std is not None:  # given; a bias that was subtracted may be another one here
        displacement, ratio = np.maximum(displacement, observations.shared_std), 0.0
    varying, counted = (
        # beyond the inliers' variance lie tails, which count less in a point
        np.maximum(np.minimum(share / left, 1.0), np.clip(1 - constant, LEAST_WHITE, 1.0))
        for share in _varying_shares(residuals, observations.sigma)
    )
    longest = min(int(np.ceil(_LONGEST * fps)), min(lengths) // 4)
    if longest < 1:
        nothing = np.zeros_like(constant)
        return CorrelatedNoise(counted, nothing, nothing, moment, displacement, nothing)
    correlation, n_products = _drawn_to_common(*autocorrelation(residuals, longest, lengths))
    keeps = np.exp(-1 / np.geomspace(0.5, max(longest, 1.0), _N_TIMES))
    products = keeps[:, None] ** np.arange(1.0, longest + 1)
    with one_blas_thread():
        fits = [
            _fit_share(correlation[k], n_products[k], products, constant[k], varying[k], keeps)
            for k in range(len(constant))
        ]
    lasting, keep = np.array(fits).reshape(-1, 2).T
    common = np.sqrt(ratio * lasting * total) / pixels
    lasting = lasting / varying * counted
    return CorrelatedNoise(counted - lasting, lasting, keep, moment, displacement, common)


def _varying_shares(residuals: Array, sigma: Array) -> tuple[Array, Array]:
    """(n_keypoints,) twice: variance of residuals (n_cameras, n_frames, n_keypoints, 2) about their mean in each
    camera over sigma (n_cameras, n_keypoints) squared; of all cameras alike, and of each as it counts in a point."""
    known = np.isfinite(residuals)
    n = known.sum(axis=1)
    mean = np.where(known, residuals, 0.0).sum(axis=1) / np.maximum(n, 1)
    squares = np.where(known, (residuals - mean[:, None]) ** 2, 0.0).sum(axis=(1, 3))
    free = np.maximum(n - 1, 0).sum(axis=2)
    alike = squares.sum(axis=0) / np.maximum(free.sum(axis=0), 1) / (sigma**2).mean(axis=0)
    return alike, (squares / sigma**4).sum(axis=0) / np.maximum((free / sigma**2).sum(axis=0), 1e-300)


def _drawn_to_common(correlation: Array, n_products: Array) -> tuple[Array, Array]:
    """Correlations (n_keypoints, n_lags) drawn towards those of all keypoints where they rest on few products, and how
    many they count as then."""
    pooled = (correlation * n_products).sum(axis=0) / np.maximum(n_products.sum(axis=0), 1.0)
    weight = n_products / (n_products + _ENOUGH)
    return weight * correlation + (1 - weight) * pooled, n_products + _ENOUGH


def _fit_share(
    correlation: Array, n_products: Array, products: Array, constant: float, varying: float, keeps: Array
) -> tuple[float, float]:
    """Share of the variance that lasts, and its correlation from frame to frame: least squares on a grid, or zeros.

    Parameters
    ----------
    correlation, n_products : (n_lags,) of a keypoint's residuals
    products : (n_times, n_lags) correlations of errors that last so long
    constant, varying : variances of errors that never change and of all others
    keeps : (n_times,) correlations from frame to frame that are tried
    """
    shares = _SHARES * varying
    expected = (shares[:, None] * products[:, None] + constant) / (varying + constant)
    errors = (n_products * (correlation - expected) ** 2).sum(axis=-1)
    i, j = np.unravel_index(np.argmin(errors), errors.shape)
    if errors[0, 0] - errors[i, j] <= _EVIDENCE:
        return 0.0, 0.0
    return float(shares[j]), float(keeps[i])


def _residuals(observations: Observations, seen: Linearised) -> tuple[Array, Array, Array]:
    """Inliers' residuals (n_cameras, n_frames, n_keypoints, 2) about the point of their frame alone, over their own
    scale, NaN elsewhere and where a frame has fewer than two; (n_keypoints,) the share that the point takes away, and
    the pixels per world unit."""
    inlier = (seen.weights > 0.5) & np.isfinite(observations.points_2d).all(axis=-1)
    views = inlier.sum(axis=0)
    # views along one line of sight show no depth, where the weak prior about the centre decides
    information = seen.information + observations.anchor * np.eye(3)
    points_3d = np.linalg.solve(information, seen.vector[..., None])[..., 0]
    projected = project_points(*observations.arrays, np.ascontiguousarray(points_3d.reshape(-1, 3)))
    residuals = observations.points_2d - projected.reshape(observations.points_2d.shape)
    residuals = np.where((inlier & (views > 1))[..., None], residuals / observations.scale[..., None], np.nan)
    n_views = present_median(np.where(views > 1, views, np.nan), axis=0)
    # three coordinates from two of each view: three quarters of the residuals of two views
    leverage = np.minimum(1.5 / np.where(np.isfinite(n_views), n_views, 2.0), 0.75)
    # one view of noise sigma gives two of three axes the information (pixels per unit / sigma)²
    per_view = seen.information.trace(axis1=2, axis2=3) / 2
    per_view = per_view / np.maximum((inlier / observations.sigma[:, None] ** 2).sum(axis=0), 1e-300)
    pixels = np.sqrt(present_median(np.where(views > 0, per_view, np.nan), axis=0))
    return residuals, leverage, np.where(pixels > 0, pixels, np.inf)
