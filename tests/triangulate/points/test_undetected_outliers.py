"""Outliers that pass for inliers: the error bars hold with few views, too, and are not wider than that takes."""

from itertools import combinations

import numpy as np
import pytest

from muybridge.triangulate import DetectorNoise, estimate_noise, triangulate_ransac
from muybridge.triangulate.points.consensus_solver import outlier_covariances
from tests.conftest import make_ring_rig
from tests.triangulate.recordings import coverage

SIGMA, OUTLIER, SHARE = 1.0, 12.0, 0.15


def detections(n_cameras: int, seed: int, share: float = SHARE):
    rig, rng = make_ring_rig(n_cameras), np.random.default_rng(seed)
    truth = rng.uniform(-100, 100, (1500, 4, 3))
    size = np.where(rng.random((n_cameras, 1500, 4, 1)) < share, OUTLIER, SIGMA)
    return rig, truth, rig.project(truth) + size * rng.normal(0, 1, (n_cameras, 1500, 4, 2))


def detector(rig, n_keypoints: int, share: float) -> DetectorNoise:
    sizes = (np.full((len(rig), n_keypoints), size) for size in (SIGMA, share, OUTLIER))
    unknown = np.full(n_keypoints, np.nan)
    return DetectorNoise(rig.names, np.zeros((len(rig), n_keypoints, 2)), *sizes, np.zeros(n_keypoints), unknown)


def held(found, truth) -> float:
    """Share of the points found whose 95 % region holds the truth."""
    known = np.isfinite(found.points_3d[..., 0])
    return coverage(found.points_3d[known][None], found.covariances_3d[known][None], truth[known][None])


@pytest.mark.parametrize("n_cameras", [2, 3, 5])
def test_the_error_bars_hold_whatever_the_number_of_views(n_cameras):
    rig, truth, points_2d = detections(n_cameras, n_cameras)
    noise = detector(rig, 4, SHARE)
    assert 0.93 < held(triangulate_ransac(points_2d, rig, noise=noise), truth) < 0.97
    if n_cameras == 2:  # one in ten pairs holds an outlier that lies near the epipolar line
        assert held(triangulate_ransac(points_2d, rig, sigma=SIGMA), truth) < 0.90


def test_the_error_bars_of_two_and_three_views_hold_where_every_fourth_is_an_outlier():
    for n_cameras in (2, 3):
        rig, truth, points_2d = detections(n_cameras, 20 + n_cameras, share=0.27)
        assert 0.92 < held(triangulate_ransac(points_2d, rig, noise=detector(rig, 4, 0.27)), truth) < 0.97


@pytest.mark.parametrize("n_cameras", [2, 4])
def test_the_outliers_are_estimated_from_those_that_were_rejected(n_cameras):
    rig, truth, points_2d = detections(n_cameras, 10 + n_cameras)
    noise = estimate_noise(points_2d, rig)
    assert SHARE / 1.6 < noise.outlier_probability.mean() < SHARE * 1.4
    assert OUTLIER / 1.4 < noise.outlier_std.mean() < OUTLIER * 1.6
    assert 0.93 < held(triangulate_ransac(points_2d, rig), truth) < 0.98


@pytest.mark.parametrize("settled", [1.0, 0.8])
def test_the_mixture_equals_the_sum_over_its_parts(settled):
    """One point of three views beside one that was rejected, each part of the mixture by dense least squares.

    A point lies beside the place that its inliers alone give it where some of them are doubtful.
    """
    rig, rng = make_ring_rig(4), np.random.default_rng(0)
    point = np.array([[10.0, -20.0, 30.0]])
    J = rig.project_jacobian(point)
    r = rng.normal(0, 2.5 * SIGMA, (4, 1, 2))
    used = np.array([True, True, False, True])
    H = np.einsum("cai,caj->ij", J[used, 0], J[used, 0])
    place = np.linalg.solve(H, np.einsum("cai,ca->i", J[used, 0], r[used, 0]))  # of the used
    r[:, 0] -= settled * J[:, 0] @ place
    r[2, 0] = [9.0, -7.0]
    found = outlier_covariances(rig.project(point) + r, point, used[:, None], rig, detector(rig, 1, SHARE))[0]
    A, b, log_weights, parts = J[:, 0].reshape(8, 3), r[:, 0].ravel(), [], []
    changes = [views for n in range(4) for views in combinations(range(4), n) if n == 0 or used[list(views)].any()]
    for views in changes:
        inlier = used.copy()
        inlier[list(views)] ^= True
        precision = np.where(inlier, SIGMA**-2.0, np.where(used, OUTLIER**-2.0, 0.0))
        W = np.diag(np.repeat(precision, 2))
        C = np.linalg.inv(A.T @ W @ A)
        moved = C @ A.T @ W @ b
        left = b - A @ moved
        # densities of a pixel: Gaussian, but where it was rejected, on a disc of the same variance
        area = np.where(inlier, 2 * np.pi * SIGMA**2, np.where(used, 2 * np.pi, 4 * np.pi) * OUTLIER**2)
        prior = np.log(np.where(inlier, 1 - SHARE, SHARE) / area).sum()
        log_weights.append(prior + 0.5 * np.linalg.slogdet(C)[1] - 0.5 * left @ W @ left)
        parts.append(C + np.outer(moved, moved))
    weights = np.exp(np.array(log_weights) - max(log_weights))
    excess = np.einsum("p,pij->ij", weights / weights.sum(), np.array(parts) - np.linalg.inv(H))
    share = np.trace(found) / np.trace(excess)
    np.testing.assert_allclose(found, share * excess, atol=0.02 * np.trace(found))  # without parts of one in a thousand
    assert 0 < share < 6


def test_no_covariance_loses_its_positive_definiteness_and_certain_noise_adds_nothing():
    rig, _, points_2d = detections(3, 7, share=0.4)
    plain = triangulate_ransac(points_2d, rig, sigma=SIGMA)
    for share in (0.0, 0.4, 0.9):
        told = triangulate_ransac(points_2d, rig, noise=detector(rig, 4, share))
        known = np.isfinite(told.covariances_3d).all(axis=(-1, -2))
        assert known.mean() > 0.2
        assert (np.linalg.eigvalsh(told.covariances_3d[known]) > 0).all()
        if share == 0.0:
            both = known & told.inliers.all(axis=0) & plain.inliers.all(axis=0)
            np.testing.assert_allclose(told.covariances_3d[both], plain.covariances_3d[both], rtol=1e-6)
