"""Outliers that pass for inliers: the error bars hold with few views, too, and are not wider than that takes."""

import numpy as np
import pytest

from muybridge.triangulate import DetectorNoise, estimate_noise, triangulate_ransac
from muybridge.triangulate.noise.undetected_outliers import outlier_covariances
from tests.conftest import make_ring_rig
from tests.triangulate.recordings import coverage

SIGMA, OUTLIER, SHARE = 1.0, 12.0, 0.15


def detections(n_cameras: int, seed: int):
    rig, rng = make_ring_rig(n_cameras), np.random.default_rng(seed)
    truth = rng.uniform(-100, 100, (1500, 4, 3))
    size = np.where(rng.random((n_cameras, 1500, 4, 1)) < SHARE, OUTLIER, SIGMA)
    return rig, truth, rig.project(truth) + size * rng.normal(0, 1, (n_cameras, 1500, 4, 2))


def held(found, truth) -> float:
    """Share of the points found whose 95 % region holds the truth."""
    known = np.isfinite(found.points_3d[..., 0])
    return coverage(found.points_3d[known][None], found.covariances_3d[known][None], truth[known][None])


@pytest.mark.parametrize("n_cameras", [2, 3, 5])
def test_the_error_bars_hold_whatever_the_number_of_views(n_cameras):
    rig, truth, points_2d = detections(n_cameras, n_cameras)
    shape = (n_cameras, 4)
    noise = DetectorNoise(rig.names, np.zeros((*shape, 2)), np.full(shape, SIGMA), np.full(shape, SHARE),
                          np.full(shape, OUTLIER), np.zeros(4), np.full(4, np.nan))  # fmt: skip
    assert 0.93 < held(triangulate_ransac(points_2d, rig, noise=noise), truth) < 0.97
    if n_cameras == 2:  # one in ten pairs holds an outlier that lies near the epipolar line
        assert held(triangulate_ransac(points_2d, rig, sigma=SIGMA), truth) < 0.90


@pytest.mark.parametrize("n_cameras", [2, 4])
def test_the_outliers_are_estimated_from_those_that_were_rejected(n_cameras):
    rig, truth, points_2d = detections(n_cameras, 10 + n_cameras)
    noise = estimate_noise(points_2d, rig)
    assert SHARE / 1.6 < noise.outlier_probability.mean() < SHARE * 1.4
    assert OUTLIER / 1.4 < noise.outlier_std.mean() < OUTLIER * 1.6
    assert 0.93 < held(triangulate_ransac(points_2d, rig, noise=noise), truth) < 0.98


def test_the_mixture_equals_the_sum_over_its_parts():
    """One point of three views, each part of the mixture by dense least squares."""
    rig, rng = make_ring_rig(3), np.random.default_rng(0)
    point = np.array([[10.0, -20.0, 30.0]])
    J = rig.project_jacobian(point)
    r = rng.normal(0, SIGMA, (3, 1, 2))
    H = np.einsum("cai,caj->ij", J[:, 0], J[:, 0])
    r[:, 0] -= J[:, 0] @ np.linalg.solve(H, np.einsum("cai,ca->i", J[:, 0], r[:, 0]))  # at the least-squares place
    ones = np.ones(3)
    found = outlier_covariances(r, J, ones[:, None] > 0, SIGMA * ones, SHARE * ones, OUTLIER * ones)[0]
    A, b, log_weights, parts = J[:, 0].reshape(6, 3), r[:, 0].ravel(), [], []
    for c in (None, 0, 1, 2):
        stds = np.full(6, SIGMA)
        if c is not None:
            stds[2 * c : 2 * c + 2] = OUTLIER
        W = np.diag(stds**-2.0)
        C = np.linalg.inv(A.T @ W @ A)
        moved = C @ A.T @ W @ b
        left = b - A @ moved
        prior = 0.0 if c is None else np.log(SHARE / (1 - SHARE))
        log_weights.append(prior - np.log(stds).sum() + 0.5 * np.linalg.slogdet(C)[1] - 0.5 * left @ W @ left)
        parts.append(C + np.outer(moved, moved))
    weights = np.exp(np.array(log_weights) - max(log_weights))
    excess = np.einsum("p,pij->ij", weights / weights.sum(), np.array(parts)) - np.linalg.inv(H)
    share = np.trace(found) / np.trace(excess)
    np.testing.assert_allclose(found, share * excess, rtol=1e-9)
    assert 0 < share <= 1
