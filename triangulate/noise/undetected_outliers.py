"""Outliers that lie near enough to pass for inliers: how much they widen the covariance of a point.

Two views tell an outlier only across the epipolar line. The point's density is a mixture: the views that it rests on
are inliers, or some of them are outliers after all and others, which were rejected, are not, with the posterior
probability that their residuals leave it.
"""

from __future__ import annotations

from math import comb

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from ...cameras import CameraRig
from ...numerics.arrays import Array
from ...numerics.threads import over_rows
from ._kernels_outliers import FEW_VIEWS, add_outlier_covariances
from .detector_noise import DetectorNoise

_LEAST_ODDS = 1e-9  # probability of an outlier, and of an inlier, that is never ruled out


def outlier_covariances(
    points_2d: Array, points_3d: Array, inliers: NDArray[np.bool_], rig: CameraRig, noise: DetectorNoise
) -> Array:
    """What the chance that views are outliers adds to the covariance of points at their least-squares places.

    With the precision of some views changed from an inlier's to an outlier's, or to an inlier's where they were
    rejected, the least-squares point moves and its evidence changes in closed form (one Gauss-Newton step). The second
    moment of the mixture about the point, less the covariance of inliers, is taken as often as the 95 % interval needs
    it: less than once where an outlier is rare and far, more often where one in five points rests on one.

    Parameters
    ----------
    points_2d : ndarray, shape (n_cameras, n_frames n_keypoints, 2), pixels
        Without bias; NaN where a view is missing.
    points_3d : ndarray, shape (n_frames n_keypoints, 3), world units
    inliers : ndarray of bool, shape (n_cameras, n_frames n_keypoints)
        The views that the points rest on.
    noise : DetectorNoise
        Of these cameras and keypoints.

    Returns
    -------
    ndarray, shape (n_frames n_keypoints, 3, 3), world units squared
        Zero where there is no point.
    """
    sigma, outlier = noise.inlier_std.T, noise.outlier_std.T
    odds = logit(np.clip(noise.outlier_probability.T, _LEAST_ODDS, 1 - _LEAST_ODDS)) + 2 * np.log(sigma / outlier)
    precision, far, odds = np.ascontiguousarray([sigma**-2.0, outlier**-2.0, odds])
    most_parts = sum(comb(len(rig), n) for n in range(1, FEW_VIEWS + 1))
    added = np.zeros((len(points_3d), 3, 3))
    fixed = (rig.arrays, np.ascontiguousarray(points_2d), points_3d, inliers, precision, far, odds, most_parts)
    over_rows(lambda start, stop: add_outlier_covariances(*fixed, start, stop, added), len(points_3d), smallest=1024)
    return added
