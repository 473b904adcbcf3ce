"""The consensus kernel over arrays of points, and how much outliers that pass for inliers widen its covariances."""

from __future__ import annotations

import itertools
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from ...cameras import CameraRig
from ...numerics.arrays import Array, isotropic
from ...numerics.threads import over_rows
from ..input_checks import centred_arrays
from ..noise._kernels_outliers import FEW_VIEWS, add_outlier_covariances
from ..noise.detector_noise import DetectorNoise
from . import _kernels_consensus

_LEAST_ODDS = 1e-9  # probability of an outlier, and of an inlier, that is never ruled out

_ALL_PAIRS_UP_TO = 16  # cameras: 120 pairs
_PAIRS_BEYOND = 160  # pairs, a fixed choice: some of them are pairs of inliers even where most views are outliers
DEFAULT_THRESHOLD = 4.5  # standard deviations: of 25,000 inliers one lies beyond


def per_camera(values: float | Array, rig: CameraRig, what: str) -> Array:
    """(n_cameras,) positive pixels from one number or one per camera; `what` names them in the error."""
    values = np.asarray(values, dtype=float)
    if values.ndim > 1 or (values.ndim == 1 and len(values) != len(rig)) or not (values > 0).all():
        raise ValueError(
            f"{what} must be positive pixels, one number or one for each of {len(rig)} cameras; got {values}"
        )
    return np.array(np.broadcast_to(values, len(rig)))


class Solution(NamedTuple):
    """The kernel's outputs over flat points: (n, 3), (n, 3, 3), (n_cameras, n), (n_cameras, n), (n,), (n,)."""

    points_3d: Array
    covariances_3d: Array
    residuals: Array
    inliers: NDArray[np.bool_]
    support: Array
    cosine: Array


def solve(flat: Array, prior: Array, rig: CameraRig, sigma: Array, threshold: Array, least: float) -> Solution:
    arrays, origin = centred_arrays(rig)
    flat, prior = np.ascontiguousarray(flat), np.ascontiguousarray(prior)  # one layout: the kernel is compiled once
    n_cameras, n_points = flat.shape[:2]
    found = Solution(
        np.full((n_points, 3), np.nan),
        np.full((n_points, 3, 3), np.nan),
        np.full((n_cameras, n_points), np.nan),
        np.zeros((n_cameras, n_points), dtype=bool),
        np.full(n_points, -np.inf),
        np.full(n_points, np.nan),
    )
    least_support = np.log(least / (1 - least)) if least > 0 else -np.inf
    fixed = (rig.centers - origin, camera_pairs(n_cameras), flat, prior, sigma**-2.0, 0.5 * (threshold / sigma) ** 2)
    over_rows(
        lambda start, stop: _kernels_consensus.triangulate_robust(arrays, *fixed, least_support, start, stop, found),
        n_points,
        smallest=256,
    )
    found.points_3d[:] += origin
    return found


def solve_by_keypoint(
    flat: Array, prior: Array, rig: CameraRig, noise: DetectorNoise, threshold: Array | None, least: float, whole=True
) -> Solution:
    """As `solve` for points (n_cameras, n_frames n_keypoints, 2), each keypoint with its own noise; the `whole`
    covariance includes the displacement that views share and outliers among the inliers."""
    n_keypoints = noise.inlier_std.shape[1]
    parts = []
    for k in range(n_keypoints):
        sigma = np.ascontiguousarray(noise.inlier_std[:, k])
        limit = DEFAULT_THRESHOLD * sigma if threshold is None else threshold
        own = prior[:, k::n_keypoints] if prior.size else prior
        parts.append(solve(flat[:, k::n_keypoints], own, rig, sigma, limit, least))
    points_3d, covariances_3d, residuals, inliers, support, cosine = zip(*parts, strict=True)
    n_cameras, n_points = flat.shape[:2]
    found = Solution(
        np.stack(points_3d, axis=1).reshape(n_points, 3),
        np.stack(covariances_3d, axis=1).reshape(n_points, 3, 3),
        np.stack(residuals, axis=2).reshape(n_cameras, n_points),
        np.stack(inliers, axis=2).reshape(n_cameras, n_points),
        np.stack(support, axis=1).reshape(n_points),
        np.stack(cosine, axis=1).reshape(n_points),
    )
    if whole:
        found.covariances_3d[:] += outlier_covariances(flat, found.points_3d, found.inliers, rig, noise)
        found.covariances_3d.reshape(-1, n_keypoints, 3, 3)[:] += isotropic(noise.shared_std**2)
    return found


def camera_pairs(n_cameras: int) -> NDArray[np.int64]:
    """(n_pairs, 2) the pairs that consensus tries: all up to 16 cameras, 160 fixed ones beyond."""
    pairs = np.array(list(itertools.combinations(range(n_cameras), 2)), dtype=np.int64).reshape(-1, 2)
    if n_cameras <= _ALL_PAIRS_UP_TO:
        return pairs
    return pairs[np.random.default_rng(0).permutation(len(pairs))[:_PAIRS_BEYOND]]


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
