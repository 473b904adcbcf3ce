"""The smoother: accuracy, honest error bars, robustness and degenerate input."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import lfilter

from muybridge.datasets import views_dataset
from muybridge.triangulate import smooth, triangulate_ransac
from tests.conftest import make_moving_points
from tests.triangulate.recordings import FPS, coverage, relative_variance, seen


def test_time_alone_halves_the_error_of_each_frame_and_knows_its_own(ring_rig, moving_skeleton):
    points_2d, confidence, wrong = seen(ring_rig, moving_skeleton)
    found = smooth(points_2d, ring_rig, fps=FPS, confidence=confidence)
    error = np.linalg.norm(found.points_3d - moving_skeleton, axis=-1)
    single = triangulate_ransac(points_2d, ring_rig, confidence=confidence).points_3d
    assert np.median(error) < 0.5 * np.nanmedian(np.linalg.norm(single - moving_skeleton, axis=-1))
    assert 0.92 < coverage(found.points_3d, found.covariances_3d, moving_skeleton) < 0.99
    here = np.isfinite(found.inlier_probability)
    assert (found.inlier_probability[here & wrong] < 0.5).mean() > 0.997
    assert (found.inlier_probability[here & ~wrong] > 0.5).mean() > 0.999


def test_velocity_and_acceleration_come_with_their_error_bars(ring_rig, moving_skeleton):
    held, spreads = [], []
    for seed in range(4):
        points_2d, confidence, _ = seen(ring_rig, moving_skeleton, seed=seed)
        found = smooth(points_2d, ring_rig, fps=FPS, confidence=confidence)
        velocity = np.gradient(moving_skeleton, 1 / FPS, axis=0)[2:-2]
        velocities = found.velocities[2:-2], found.velocity_covariances[2:-2], velocity
        acceleration = np.diff(moving_skeleton, 2, axis=0)[1:-1] * FPS**2
        accelerations = found.accelerations[2:-2], found.acceleration_covariances[2:-2], acceleration
        held.append([coverage(*velocities), coverage(*accelerations)])
        spreads.append([relative_variance(*velocities), relative_variance(*accelerations)])
    assert (np.mean(held, axis=0) > 0.9).all()
    assert (np.mean(held, axis=0) < 0.99).all()
    assert (np.abs(np.mean(spreads, axis=0) - 1) < 0.35).all()


def test_without_noise_the_truth_comes_back(ring_rig, moving_skeleton):
    found = smooth(ring_rig.project(moving_skeleton), ring_rig, fps=FPS)
    np.testing.assert_allclose(found.points_3d, moving_skeleton, atol=0.02)


def test_shifting_the_world_shifts_the_answer(ring_rig, moving_skeleton):
    points_2d, confidence, _ = seen(ring_rig, moving_skeleton)
    shift = np.array([300.0, -200.0, 100.0])
    moved = replace(ring_rig, cameras=tuple(replace(c, t=c.t - c.R @ shift) for c in ring_rig))
    here = smooth(points_2d, ring_rig, fps=FPS, confidence=confidence).points_3d
    there = smooth(points_2d, moved, fps=FPS, confidence=confidence).points_3d
    np.testing.assert_allclose(there - shift, here, atol=5e-3)


def test_gaps_and_ends_are_filled_with_error_bars_that_grow(ring_rig, moving_skeleton):
    points_2d, _, _ = seen(ring_rig, moving_skeleton, outliers=0)
    points_2d[:, :20, 0] = points_2d[:, 80:100, 1] = points_2d[:, 170:, 2] = np.nan
    found = smooth(points_2d, ring_rig, fps=FPS)
    assert np.isfinite(found.points_3d).all()
    variance = found.covariances_3d.trace(axis1=2, axis2=3)
    assert variance[0, 0] > variance[10, 0] > variance[30, 0]
    assert variance[90, 1] > variance[81, 1] > variance[60, 1]
    assert variance[199, 2] > variance[180, 2] > variance[150, 2]
    assert 0.9 < coverage(found.points_3d, found.covariances_3d, moving_skeleton) < 0.99


def test_a_single_ray_counts(ring_rig, moving_skeleton):
    points_2d, _, _ = seen(ring_rig, moving_skeleton, outliers=0)
    points_2d[:, 80:110, 1] = np.nan
    blind = smooth(points_2d, ring_rig, fps=FPS)
    points_2d[2, 80:110, 1] = seen(ring_rig, moving_skeleton, outliers=0, missing=0)[0][2, 80:110, 1]
    one = smooth(points_2d, ring_rig, fps=FPS)
    pixels = ring_rig.project(one.points_3d)[2, 80:110, 1] - ring_rig.project(moving_skeleton)[2, 80:110, 1]
    assert np.abs(pixels).max() < 3
    assert (np.linalg.det(one.covariances_3d[80:110, 1]) < 0.6 * np.linalg.det(blind.covariances_3d[80:110, 1])).all()


def test_windows_agree_with_one_piece(ring_rig, moving_skeleton):
    points_2d, confidence, _ = seen(ring_rig, moving_skeleton)
    points_2d, confidence = np.tile(points_2d, (1, 3, 1, 1)), np.tile(confidence, (1, 3, 1))
    short = smooth(points_2d, ring_rig, fps=FPS, confidence=confidence, window=150 / FPS)
    long = smooth(points_2d, ring_rig, fps=FPS, confidence=confidence, window=300 / FPS)
    np.testing.assert_allclose(short.points_3d, long.points_3d, atol=1e-3)
    np.testing.assert_allclose(short.velocities, long.velocities, atol=0.1)


def test_same_input_same_output(ring_rig, moving_skeleton):
    points_2d, confidence, _ = seen(ring_rig, moving_skeleton)
    a, b = (smooth(points_2d, ring_rig, fps=FPS, confidence=confidence) for _ in range(2))
    assert (a.points_3d == b.points_3d).all()
    assert (a.covariances_3d == b.covariances_3d).all()


def test_empty_keypoints_and_frames_stay_where_they_are(ring_rig, moving_skeleton):
    points_2d, confidence, _ = seen(ring_rig, moving_skeleton)
    whole = smooth(points_2d, ring_rig, fps=FPS, confidence=confidence, order=3)
    points_2d[:, :, 4] = np.nan
    points_2d[:, 50] = np.nan
    found = smooth(points_2d, ring_rig, fps=FPS, confidence=confidence, order=3)
    assert np.isnan(found.points_3d[:, 4]).all()
    others = np.delete(np.arange(7), 4)
    assert np.isfinite(found.points_3d[:, others]).all()
    assert np.median(np.abs(found.points_3d - whole.points_3d)[:, others]) < 0.01


@pytest.mark.parametrize("n_frames", [0, 1, 2, 3, 5])
def test_a_few_frames_do_no_harm(ring_rig, moving_skeleton, n_frames):
    points_2d = ring_rig.project(moving_skeleton[:n_frames])
    found = smooth(points_2d, ring_rig, fps=FPS)
    np.testing.assert_allclose(found.points_3d, moving_skeleton[:n_frames], atol=0.2)
    assert found.velocities.shape == found.points_3d.shape


def test_one_camera_gives_no_depth_and_no_crash(ring_rig, moving_skeleton):
    alone = ring_rig.subset(["cam_0"])
    found = smooth(alone.project(moving_skeleton), alone, fps=FPS)
    assert np.isnan(found.points_3d).all()


def test_nothing_seen_gives_nothing(ring_rig):
    found = smooth(np.full((6, 20, 3, 2), np.nan), ring_rig, fps=FPS)
    assert np.isnan(found.points_3d).all()
    assert np.isnan(found.inlier_probability).all()


@pytest.mark.parametrize(
    ("option", "word"),
    [({"fps": 0.0}, "fps"), ({"fps": FPS, "order": 7}, "order"), ({"fps": FPS, "window": -1.0}, "seconds")],
)
def test_wrong_options_are_named(ring_rig, moving_skeleton, option, word):
    with pytest.raises(ValueError, match=word):
        smooth(ring_rig.project(moving_skeleton), ring_rig, **option)


def noisy_views(ring_rig, moving_skeleton, noise):
    return ring_rig.project(moving_skeleton) + noise


def error_with(points_2d, covariances_2d, rig, truth):
    """Median distance from the truth where a detector predicts these covariances of its pixels."""
    names, times = [f"k{i}" for i in range(truth.shape[1])], np.arange(len(truth)) / 100
    views = views_dataset(points_2d, cameras=rig.names, keypoints=names, times=times, covariances_2d=covariances_2d)
    return np.nanmedian(np.linalg.norm(smooth(views, rig).points_3d - truth, axis=-1))


def test_pixels_predicted_to_be_noisier_count_less(ring_rig, moving_skeleton):
    rng = np.random.default_rng(5)
    scale = np.where(rng.uniform(size=(6, *moving_skeleton.shape[:2])) < 0.5, 0.5, 4.0)
    points_2d = noisy_views(ring_rig, moving_skeleton, scale[..., None] * rng.normal(size=(*scale.shape, 2)))
    predicted = (3 * scale[..., None, None]) ** 2 * np.eye(2)  # only the ratio counts, not the size
    without, with_them = (error_with(points_2d, c, ring_rig, moving_skeleton) for c in (None, predicted))
    assert with_them < 0.7 * without


def test_a_keypoint_predicted_to_be_badly_seen_by_some_cameras_all_the_time_counts_less_there(
    ring_rig, moving_skeleton
):
    """Errors that last as long as the recording: residuals of a few cameras hardly tell whose they are."""
    few = moving_skeleton[:40]
    errors = np.zeros(2)
    for seed in range(4, 8):
        rng = np.random.default_rng(seed)
        scale = np.where(rng.uniform(size=(6, 1, few.shape[1])) < 0.4, 6.0, 1.0) * np.ones((6, len(few), 1))
        noise = rng.normal(size=(6, 1, few.shape[1], 2)) + 0.1 * rng.normal(size=(*scale.shape, 2))
        points_2d = noisy_views(ring_rig, few, scale[..., None] * noise)
        errors += [error_with(points_2d, c, ring_rig, few) for c in (None, scale[..., None, None] ** 2 * np.eye(2))]
    assert errors[1] < 0.85 * errors[0], errors


def test_errors_that_last_for_frames_widen_the_error_bars(ring_rig, moving_skeleton):
    rng = np.random.default_rng(6)
    shape = (6, *moving_skeleton.shape[:2], 2)
    slow = lfilter([np.sqrt(1 - 0.9**2)], [1, -0.9], rng.normal(size=shape), axis=1)
    for noise, least in ((rng.normal(size=shape), 0.93), (slow, 0.85)):
        found = smooth(noisy_views(ring_rig, moving_skeleton, noise), ring_rig, fps=100)
        error = found.points_3d - moving_skeleton
        z2 = np.einsum("tki,tkij,tkj->tk", error, np.linalg.inv(found.covariances_3d), error)
        assert least < (z2 < 7.815).mean() < 0.99


def test_the_frame_rate_changes_the_error_as_the_number_of_frames_does(ring_rig, skeleton):
    errors = {}
    for fps in (30, 200):
        truth = make_moving_points(skeleton, 4 * fps, fps=fps)
        points_2d, confidence, _ = seen(ring_rig, truth)
        found = smooth(points_2d, ring_rig, fps=fps, confidence=confidence, skeleton=skeleton)
        assert 0.92 < coverage(found.points_3d, found.covariances_3d, truth) < 0.995
        tenths = slice(None, None, fps // 10)
        errors[fps] = np.sqrt(((found.points_3d - truth)[tenths] ** 2).mean())
        velocity = np.gradient(truth, 1 / fps, axis=0)[2:-2]
        assert np.sqrt(((found.velocities[2:-2] - velocity) ** 2).mean()) < 0.15 * np.sqrt((velocity**2).mean())
    assert 1.0 < errors[30] / errors[200] < np.sqrt(200 / 30)


@pytest.mark.parametrize(("n_cameras", "beside"), [(2, 30.0), (3, 12.0)])
def test_where_few_cameras_see_and_many_pixels_are_wrong_tracks_do_not_follow_these(
    ring_rig, moving_skeleton, n_cameras, beside
):
    """A quarter of the pixels lie beside the keypoint; the answer is nearly that without them."""
    rng, rig = np.random.default_rng(0), ring_rig.subset(ring_rig.names[:n_cameras])
    right = noisy_views(rig, moving_skeleton, rng.normal(size=(n_cameras, *moving_skeleton.shape[:2], 2)))
    wrong = rng.random(right.shape[:-1]) < 0.25
    found = smooth(right + np.where(wrong[..., None], rng.normal(0, beside, right.shape), 0.0), rig, fps=FPS)
    without = smooth(np.where(wrong[..., None], np.nan, right), rig, fps=FPS)
    errors = [np.linalg.norm(own.points_3d - moving_skeleton, axis=-1).mean() for own in (found, without)]
    assert errors[0] < 1.3 * errors[1]
    assert 0.9 < coverage(found.points_3d, found.covariances_3d, moving_skeleton) < 0.99
