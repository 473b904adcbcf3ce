"""Markers that move about their places on the segments, against a dense twin and a known truth."""

from dataclasses import replace

import numpy as np

from muybridge.triangulate import DetectorNoise, fit_body
from muybridge.triangulate.articulated.arrow_system import MarkerTerms
from muybridge.triangulate.articulated.marker_deviations import Deviations
from tests.conftest import make_ring_rig
from tests.triangulate.articulated.test_body_fit import BODY, FPS, course


def test_deviations_are_the_dense_posterior_and_follow_as_it_does():
    n_frames, rng = 12, np.random.default_rng(0)
    information = np.zeros((n_frames, 3, 2, 3, 3))
    information[:, 0] = np.eye(3) * rng.uniform(1, 2, (n_frames, 2, 1, 1)) + 0.2
    information[:-1, 1], information[:-2, 2] = -0.2 * np.eye(3), 0.05 * np.eye(3)
    gradient, cross = rng.normal(size=(n_frames, 2, 3)), rng.normal(size=(n_frames, 2, 3, 4))
    terms = MarkerTerms(information, gradient, cross, np.zeros(8), np.zeros(8))
    std, keep = np.array([2.0, 0.0]), 0.8
    found = Deviations.none(n_frames, 4, std, keep).solved(terms)
    dense = np.zeros((n_frames, 3, n_frames, 3))
    for t in range(n_frames):
        for lag in range(min(3, n_frames - t)):
            dense[t, :, t + lag] = information[t, lag, 0]
            dense[t + lag, :, t] = information[t, lag, 0].T
    lags = np.abs(np.arange(n_frames)[:, None] - np.arange(n_frames))
    prior = np.kron(np.linalg.inv(std[0] ** 2 * keep**lags), np.eye(3))
    covariance = np.linalg.inv(dense.reshape(3 * n_frames, -1) + prior)
    np.testing.assert_allclose(found.mean[:, 0].ravel(), covariance @ gradient[:, 0].ravel(), atol=1e-10)
    blocks = covariance.reshape(n_frames, 3, n_frames, 3)
    np.testing.assert_allclose(found.lagged[1, 3, 0], blocks[3, :, 4], atol=1e-10)
    follows = covariance @ prior @ np.tile(np.eye(3), (n_frames, 1))
    np.testing.assert_allclose(found.follows[:, 0].reshape(-1, 3), follows, atol=1e-10)
    np.testing.assert_allclose(
        found.by_biases[:, 0].reshape(-1, 4), -covariance @ cross[:, 0].reshape(-1, 4), atol=1e-10
    )
    assert not found.mean[:, 1].any()  # a marker without spread stays on its place
    np.testing.assert_array_equal(found.follows[:, 1], np.broadcast_to(np.eye(3), (n_frames, 3, 3)))


def soft_walk():
    """A walk whose markers move by 4 mm about their places, slowly; 1 px of noise."""
    rng, n_frames = np.random.default_rng(3), 80
    rig, keep = make_ring_rig(4), np.exp(-1 / (0.15 * FPS))
    wander = np.zeros((n_frames, 6, 3))
    for t in range(n_frames):
        new = np.sqrt(1 - keep**2) if t else 1.0
        wander[t] = keep * wander[t - 1] + 4 * new * rng.normal(size=(6, 3))
    truth = BODY.markers(course(n_frames)) + wander
    return rig, truth, rig.project(truth) + rng.normal(0, 1, (4, n_frames, 6, 2))


def test_soft_markers_are_found_off_their_places_with_regions_that_hold():
    rig, truth, points_2d = soft_walk()
    rigid = fit_body(points_2d, rig, fps=FPS, body=BODY)
    soft = fit_body(points_2d, rig, fps=FPS, body=replace(BODY, deviation_std=3.0))
    errors, before = (np.linalg.norm(found.points_3d - truth, axis=-1) for found in (soft, rigid))
    assert np.median(errors) < 0.5 * np.median(before)
    off = soft.points_3d - truth
    squares = (off * np.linalg.solve(soft.covariances_3d, off[..., None])[..., 0]).sum(axis=-1)
    assert 0.85 < (squares < 7.81).mean() <= 1.0
    assert not rigid.deviation_std.any()
    assert (soft.deviation_std > 1.5).all()


def test_a_known_noise_takes_out_its_bias_and_leaves_out_what_is_nearly_always_wrong():
    rng, angles, rig = np.random.default_rng(5), course(60), make_ring_rig(4)
    truth = BODY.markers(angles)
    points_2d = rig.project(truth) + rng.normal(0, 1, (4, 60, 6, 2)) + [6.0, 0.0]
    points_2d[:, :, 4] = rig.project(truth[:, 4:5] + [30.0, 0.0, 0.0])[:, :, 0]  # all views take another place for it
    noise = DetectorNoise(
        rig.names, np.broadcast_to([6.0, 0.0], (4, 6, 2)), np.ones((4, 6)),
        np.tile([0.05] * 4 + [0.99, 0.05], (4, 1)), np.full((4, 6), 50.0), np.full(6, 0.1), np.zeros(6),
        BODY.marker_names,
    )  # fmt: skip
    found = fit_body(points_2d, rig, fps=FPS, body=BODY, noise=noise)
    errors = np.linalg.norm(found.points_3d - truth, axis=-1)
    assert np.median(errors[:, [0, 1, 2, 3, 5]]) < 1.5
    assert np.median(errors[:, 4]) < 10
    assert np.isnan(found.inlier_probability[:, :, 4]).all()
    np.testing.assert_array_equal(found.sigma, np.ones((4, 6)))
