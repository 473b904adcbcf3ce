"""Statistics of a detector's errors: inliers and outliers apart, the error of a mean, what views share."""

from __future__ import annotations

import numpy as np

from ...cameras import CameraRig
from ...numerics.arrays import Array
from ...numerics.robust_scale import RAYLEIGH_MEDIAN, present_median

_MOST_CORRELATION = 0.98  # of the errors of consecutive frames: they last 50 frames, beyond is taken for constant
_ITERATIONS = 50  # of expectation-maximisation; it settles within some ten
PRIOR_WEIGHT = 20.0  # independent residuals that the pooled value of a camera or keypoint counts as
LEAST_STD = 1e-3  # pixels


def two_gaussians(residuals: Array) -> tuple[Array, Array, Array, Array, Array]:
    """(bias, inlier std, outlier share, outlier std, inlier probability) of residuals (C, n_frames, K, 2), by EM."""
    known = np.asarray(np.isfinite(residuals).all(axis=-1))
    values = np.where(known[..., None], residuals, 0.0)
    n = known.sum(axis=1)
    bias = np.nan_to_num(present_median(np.where(known[..., None], residuals, np.nan), axis=1))
    away = np.where(known, np.linalg.norm(values - bias[:, None], axis=-1), np.nan)
    inlier = np.nan_to_num(present_median(away, axis=1)) / RAYLEIGH_MEDIAN
    pooled = max(float(present_median(away)) / RAYLEIGH_MEDIAN, LEAST_STD)
    inlier = np.where(n > 0, np.maximum(inlier, 0.1 * pooled), pooled)
    outlier, share = np.full_like(inlier, 10 * pooled), np.full_like(inlier, 0.1)
    weight = known.astype(float)
    for _ in range(_ITERATIONS):
        square = ((values - bias[:, None]) ** 2).sum(axis=-1)
        log_in = np.log1p(-share)[:, None] - 2 * np.log(inlier)[:, None] - 0.5 * square / inlier[:, None] ** 2
        log_out = np.log(share)[:, None] - 2 * np.log(outlier)[:, None] - 0.5 * square / outlier[:, None] ** 2
        weight = np.where(known, 1 / (1 + np.exp(np.clip(log_out - log_in, -700, 700))), 0.0)
        total = weight.sum(axis=1)
        bias = (weight[..., None] * values).sum(axis=1) / (total + 1e-9)[..., None]
        square = ((values - bias[:, None]) ** 2).sum(axis=-1)
        inlier = np.sqrt((PRIOR_WEIGHT * pooled**2 + (weight * square).sum(axis=1)) / (PRIOR_WEIGHT + 2 * total))
        far = (np.where(known, 1 - weight, 0.0) * square).sum(axis=1)
        outlier = np.sqrt((PRIOR_WEIGHT * (10 * pooled) ** 2 + far) / (PRIOR_WEIGHT + 2 * (n - total)))
        outlier = np.maximum(outlier, 2 * inlier)
        share = np.clip((1 + n - total) / (PRIOR_WEIGHT + n), 1e-3, 1 - 1e-3)
    return bias, np.maximum(inlier, LEAST_STD), share, outlier, weight


def variance_of_mean(n_frames: Array, correlation: Array) -> Array:
    """Variance of the mean error of n_frames (n_cameras, n_keypoints), over that of one, of an autoregressive process.

    correlation : (n_keypoints,) of consecutive errors about their own mean, which makes it too small: by (1 + 3 r) / n
    (Kendall 1954, Note on bias in the estimation of autocorrelation, Biometrika 41)
    """
    n = np.maximum(n_frames, 1.0)
    r = np.nan_to_num(correlation)
    r = np.clip(r + (1 + 3 * r) / n, 0.0, _MOST_CORRELATION)
    mean = ((1 + r) / (1 - r) - 2 * r * (1 - r**n) / (n * (1 - r) ** 2)) / n
    return np.clip(mean, 0.0, 0.98)


def common_displacement(residuals: Array, points_3d: Array, rig: CameraRig) -> Array:
    """(n_keypoints,) standard deviation along an axis of the displacement in space that residuals of all views share.

    The least-squares displacement of each point, less what independent errors of the views explain of it.
    """
    jacobian = rig.project_jacobian(points_3d)
    known = np.asarray(np.isfinite(residuals).all(axis=-1)) & np.isfinite(jacobian).all(axis=(-1, -2))
    J, r = np.where(known[..., None, None], jacobian, 0.0), np.where(known[..., None], residuals, 0.0)
    H = np.einsum("ctkai,ctkaj->tkij", J, J)
    enough = (known.sum(axis=0) >= 3) & (np.linalg.det(H) > 0)
    inverse = np.linalg.inv(np.where(enough[..., None, None], H, np.eye(3)))
    displacement = np.einsum("tkij,ctkai,ctka->tki", inverse, J, r)
    left = np.where(known[..., None], r - np.einsum("ctkai,tki->ctka", J, displacement), 0.0)
    n_free = np.maximum(2 * known.sum(axis=0) - 3, 1)
    own = (left**2).sum(axis=(0, 3)) / n_free  # pixels squared
    explained = own * inverse.trace(axis1=-2, axis2=-1) / 3
    size = np.where(enough, np.linalg.norm(displacement, axis=-1) / (np.sqrt(3) * 0.888), np.nan)  # median of chi (3)
    excess = present_median(size, axis=0) ** 2 - present_median(np.where(enough, explained, np.nan), axis=0)
    return np.sqrt(np.maximum(np.nan_to_num(excess), 0.0))
