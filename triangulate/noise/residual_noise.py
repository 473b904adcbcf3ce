"""The noise of a detector per camera and keypoint from the residuals of robustly triangulated points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc, erfcinv

from ...cameras import CameraRig
from ...numerics.arrays import Array
from ...numerics.robust_scale import present_median
from .detector_noise import DetectorNoise
from .error_statistics import LEAST_STD, PRIOR_WEIGHT
from .lasting_errors import COMMON_CONSTANT, COMMON_SHARE, constant_variance, lag_correlation

# Independent errors that the pooled variance of a camera or keypoint counts as: what a Gaussian prior of the logarithm
# of its standard deviation, of spread 0.4 (0.25 to 0.4 on the rat's and the demo's detector), is worth.
_VARIANCE_WEIGHT = 3.0
_LEAST_RATIO = 5.0  # of an outlier's standard deviation to an inlier's: what is nearer counts as an inlier's tail
_MOST_OUTLIERS = 0.9  # probability: a keypoint that no view shows keeps some
_NEAREST = 0.05  # quantile of the rejected residuals that they begin at


def noise_of_residuals(
    residuals: Array, inliers: NDArray[np.bool_], leverage: Array, pixels_per_unit: Array, sigma: Array, rig: CameraRig
) -> DetectorNoise:
    """The noise that explains the residuals of robustly triangulated points.

    Parameters
    ----------
    residuals : ndarray, shape (n_cameras, n_frames, n_keypoints, 2), pixels
    inliers, leverage : ndarray, shape (n_cameras, n_frames, n_keypoints)
        Which views the points rest on, and the share of its residual that each view takes away.
    pixels_per_unit : ndarray, shape (n_keypoints,)
        Root mean square of the pixels that a displacement by a world unit across the line of sight makes.
    sigma : ndarray, shape (n_cameras,), pixels
        Standard deviation of an inlier's coordinate over all keypoints.
    """
    seen = inliers & np.isfinite(residuals).all(axis=-1)
    leverage = np.clip(np.where(seen, leverage, 0.0), 0.0, 0.95)
    freedom = np.where(seen, 2 * (1 - leverage), 0.0).sum(axis=1)
    squares = np.where(seen, (residuals**2).sum(axis=-1), 0.0).sum(axis=1)
    variance = squares / np.maximum(freedom, 1e-9)
    inlier_residuals = np.where(seen[..., None], residuals, np.nan)
    correlation = lag_correlation(inlier_residuals)
    usual_leverage = present_median(np.where(seen, leverage, np.nan), axis=1)
    constant, moment = constant_variance(inlier_residuals, 1 - usual_leverage)
    independent = freedom * _independent_share(correlation, seen.sum(axis=1), constant, variance)
    own = squares.sum(axis=1) / np.maximum(freedom.sum(axis=1), 1e-9)
    camera = np.where(own > 0, own, sigma**2)[:, None]
    ratio = (_VARIANCE_WEIGHT + (variance / camera * independent).sum(axis=0)) / (
        _VARIANCE_WEIGHT + independent.sum(axis=0)
    )
    pooled = camera * ratio
    variance = (_VARIANCE_WEIGHT * pooled + independent * variance) / (_VARIANCE_WEIGHT + independent)
    constant, moment = (np.minimum(part, variance.mean(axis=0)) for part in (constant, moment))
    lasting = np.clip(np.nan_to_num(correlation), 0.0, 0.98)
    shared = COMMON_CONSTANT * moment + COMMON_SHARE * lasting * (variance.mean(axis=0) - constant)
    # the variance is not known either: the second moment of Student's distribution, which errors have then
    degrees = _VARIANCE_WEIGHT + independent.sum(axis=0)
    std = np.maximum(np.sqrt(variance * degrees / (degrees - 2)), LEAST_STD)
    share, outlier = _outliers(residuals, inliers, std)
    return DetectorNoise(
        cameras=rig.names,
        bias=np.zeros((*std.shape, 2)),
        inlier_std=std,
        outlier_probability=share,
        outlier_std=outlier,
        shared_std=np.sqrt(shared) / pixels_per_unit,
        correlation=correlation,
    )


def _independent_share(correlation: Array, n_frames: Array, constant: Array, variance: Array) -> Array:
    """(n_cameras, n_keypoints) independent errors per frame that a variance rests on, of n_frames of this shape.

    Errors that last count less, by the effective number of an autoregressive process; those that never change count
    as one however many the frames: their variance and that of the others are estimated apart. Which share they are
    is taken of all keypoints: of one keypoint there are hardly more of them than cameras.
    """
    lasting = np.clip(np.nan_to_num(correlation), 0.0, 0.98)
    varying = np.maximum(n_frames * (1 - lasting) / (1 + lasting), 1.0)
    known = n_frames > 0
    total = np.where(known, variance, 0.0).sum() / max(int(known.sum()), 1)
    share = min(float(constant.mean() / max(total, 1e-300)), 1.0) ** 2
    return np.minimum(1 / (share + (1 - share) / varying), n_frames) / np.maximum(n_frames, 1)


def _outliers(residuals: Array, inliers: NDArray[np.bool_], std: Array) -> tuple[Array, Array]:
    """(n_cameras, n_keypoints) probability of an outlier and standard deviation of its coordinate.

    From the residuals of the views that were rejected: a Gaussian cut off where they begin, and the share of it that
    lies nearer. A residual has two axes; of two views, which share it half and half, only the one across the epipolar
    line, and either may be the outlier.
    """
    found = np.isfinite(residuals).all(axis=-1)
    out = found & ~inliers
    two = len(residuals) == 2
    sizes = np.where(out, np.linalg.norm(residuals, axis=-1) * (2 if two else 1), np.nan)
    relative = sizes / std[:, None]
    usual = np.full(std.shape, float(present_median(relative)))  # of all, in standard deviations of an inlier
    n = out.sum(axis=1)
    own = present_median(relative, axis=1)
    weight = n / (n + PRIOR_WEIGHT)
    middle = np.exp(weight * np.log(np.where(n > 0, own, 1.0)) + (1 - weight) * np.log(usual))
    nearest = np.nanquantile(relative, _NEAREST) if out.any() else 0.0
    ratio = np.maximum(np.nan_to_num(_size_beyond(middle, nearest, two)), _LEAST_RATIO)
    far = erfc(nearest / ratio / np.sqrt(2)) if two else np.exp(-0.5 * (nearest / ratio) ** 2)
    far = np.maximum(far, np.finfo(float).tiny)  # 0 where the nearest outlier is far away
    share = (1 + n) / (PRIOR_WEIGHT + found.sum(axis=1)) / far / (2 if two else 1)
    return np.clip(share, 0.0, _MOST_OUTLIERS), ratio * std


def _size_beyond(middle: Array, nearest: float, one_axis: bool) -> Array:
    """Standard deviation of a Gaussian whose sizes beyond `nearest` have this median; NaN as the median."""
    if not one_axis:  # the square of a Rayleigh variable has no memory
        return np.sqrt(np.maximum(middle**2 - nearest**2, 0.0) / (2 * np.log(2)))
    stds = max(nearest, 1e-9) * np.geomspace(0.2, 50.0, 200)
    medians = np.sqrt(2) * stds * erfcinv(erfc(nearest / stds / np.sqrt(2)) / 2)
    return np.interp(middle, medians, stds)


def raised_to_spread(noise: DetectorNoise, std: Array) -> DetectorNoise:
    """The noise of residuals where no inlier is more exact than the spread of an ensemble says.

    The residuals of two cameras are those of both: there the spread tells how much is whose. `std` (n_cameras,
    n_keypoints), pixels; NaN where it is unknown.
    """
    inlier = noise.inlier_std
    if len(inlier) == 2:
        both = np.sqrt((inlier**2).mean(axis=0) / (std**2).mean(axis=0))
        inlier = np.where(np.isfinite(both), std * np.maximum(both, 1.0), inlier)
    inlier = np.fmax(inlier, std)
    return replace(noise, inlier_std=inlier, outlier_std=np.maximum(noise.outlier_std, 5 * inlier))
