"""The noise of a detector: learned from a truth, estimated from a recording, and what it does to error bars."""

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import chi2

from benchmarks.real import MISPLACED
from benchmarks.real_recordings import rat
from muybridge.datasets import frame_times, views_dataset
from muybridge.triangulate import DetectorNoise, estimate_noise, reconstruct, smooth, triangulate_ransac
from tests.helpers import needs_shared
from tests.triangulate.recordings import FPS


def coverage(found, truth, level):
    errors = found.points_3d - truth
    known = np.isfinite(errors).all(axis=-1)
    weighted = np.linalg.solve(found.covariances_3d[known], errors[known][..., None])[..., 0]
    return (np.einsum("ni,ni->n", errors[known], weighted) < chi2.ppf(level, 3)).mean()


@pytest.fixture(scope="module")
def filmed(ring_rig):
    """400 frames of five keypoints; the noise of the last is three times that of the others."""
    rng = np.random.default_rng(5)
    truth = rng.uniform(-80, 80, (400, 5, 3))
    std = np.array([1.0, 1.0, 1.0, 1.0, 3.0])
    return truth, ring_rig.project(truth) + std[:, None] * rng.standard_normal((6, 400, 5, 2)), std


def test_planted_noise_is_learned_from_a_truth(ring_rig):
    rng = np.random.default_rng(1)
    truth = rng.uniform(-80, 80, (600, 3, 3))
    bias, std = rng.normal(0, 4, (6, 3, 2)), rng.uniform(1, 3, (6, 3))
    points_2d = ring_rig.project(truth) + bias[:, None] + std[:, None, :, None] * rng.standard_normal((6, 600, 3, 2))
    wrong = rng.random((6, 600, 3)) < 0.1
    points_2d[wrong] += rng.normal(0, 60, (wrong.sum(), 2))
    noise = DetectorNoise.fit(points_2d, truth, ring_rig)
    np.testing.assert_allclose(noise.bias, bias, atol=0.4)
    np.testing.assert_allclose(noise.inlier_std, std, rtol=0.12)
    np.testing.assert_allclose(noise.outlier_probability, 0.1, atol=0.04)
    assert np.abs(noise.correlation).max() < 0.1


@pytest.mark.parametrize("keep", [0.0, 0.9])
def test_regions_know_that_a_bias_learned_on_few_frames_is_badly_known(ring_rig, keep):
    """Forty frames, whose errors last or do not: the mean error is as wrong as `bias_std` says, and so are points."""
    rng, shape = np.random.default_rng(7), (6, 80, 30, 2)
    truth = rng.uniform(-80, 80, (80, 30, 3))
    errors, new = np.empty(shape), rng.standard_normal(shape)
    errors[:, 0] = new[:, 0]
    for t in range(1, 80):
        errors[:, t] = keep * errors[:, t - 1] + np.sqrt(1 - keep**2) * new[:, t]
    bias = rng.normal(0, 4, (6, 30, 2))
    points_2d = ring_rig.project(truth) + bias[:, None] + errors
    noise = DetectorNoise.fit(points_2d[:, :40], truth[:40], ring_rig)
    z = (noise.bias - bias) / noise.bias_std[..., None]
    assert 0.8 < np.sqrt((z**2).mean()) < 1.2
    found = triangulate_ransac(points_2d[:, 60:], ring_rig, noise=noise)  # of errors that no longer last from there
    assert 0.92 < coverage(found, truth[60:], 0.95) < 0.98
    linear = reconstruct(_views(points_2d[:, 60:], ring_rig), ring_rig, method="dlt", noise=noise)
    assert np.abs(linear["position"].values - truth[60:]).mean() < 1.1 * np.nanmean(
        np.abs(found.points_3d - truth[60:])
    )


def _views(points_2d, rig):
    names = [f"keypoint_{k}" for k in range(points_2d.shape[2])]
    return views_dataset(points_2d, cameras=rig.names, keypoints=names, times=frame_times(points_2d.shape[1], 100))


def test_a_displacement_that_all_views_share_is_learned_from_a_truth(ring_rig):
    rng = np.random.default_rng(2)
    truth = rng.uniform(-80, 80, (2000, 1, 3))
    labelled = truth + rng.normal(0, 4.0, truth.shape)
    points_2d = ring_rig.project(labelled) + rng.standard_normal((6, 2000, 1, 2))
    noise = DetectorNoise.fit(points_2d, truth, ring_rig)
    np.testing.assert_allclose(noise.shared_std, 4.0, rtol=0.1)
    found = triangulate_ransac(points_2d, ring_rig, noise=noise)
    assert 0.92 < coverage(found, truth, 0.95) < 0.98
    assert coverage(triangulate_ransac(points_2d, ring_rig), truth, 0.95) < 0.5


def test_the_noise_of_each_keypoint_is_estimated_from_the_recording(filmed, ring_rig):
    truth, points_2d, std = filmed
    noise = estimate_noise(points_2d, ring_rig)
    np.testing.assert_allclose(noise.inlier_std, np.broadcast_to(std, (6, 5)), rtol=0.12)
    assert noise.shared_std.max() < 0.1
    assert 0.93 < coverage(triangulate_ransac(points_2d, ring_rig, noise=noise), truth, 0.95) < 0.97


def test_a_constant_error_per_view_counts_for_what_all_views_may_share(ring_rig):
    rng = np.random.default_rng(3)
    truth = rng.uniform(-80, 80, (300, 4, 3))
    points_2d = ring_rig.project(truth) + rng.normal(0, 3, (6, 1, 4, 2)) + rng.standard_normal((6, 300, 4, 2))
    plain, known = (estimate_noise(points_2d - offset, ring_rig) for offset in (0.0, rng.normal(0, 1e-9, (6, 1, 4, 2))))
    np.testing.assert_allclose(plain.shared_std, known.shared_std, rtol=1e-3)
    assert (plain.shared_std > 0.5).all()  # mm; 3 px are about 2.5 mm there


def test_noise_survives_its_file_and_follows_the_cameras(filmed, ring_rig, tmp_path):
    _, points_2d, _ = filmed
    noise = estimate_noise(points_2d, ring_rig)
    noise.save(tmp_path / "noise.npz")
    again = DetectorNoise.load(tmp_path / "noise.npz")
    for name in ("bias", "bias_std", "inlier_std", "outlier_probability", "outlier_std", "shared_std", "correlation"):
        np.testing.assert_array_equal(getattr(again, name), getattr(noise, name))
    part = noise.for_recording(ring_rig.subset(["cam_4", "cam_1"]), 5)
    np.testing.assert_array_equal(part.inlier_std, noise.inlier_std[[4, 1]])


def test_what_is_wrong_with_a_noise_is_said(filmed, ring_rig, tmp_path):
    truth, points_2d, _ = filmed
    noise = estimate_noise(points_2d, ring_rig)
    with pytest.raises(ValueError, match="is that of 5 keypoints, the recording has 2"):
        triangulate_ransac(points_2d[:, :, :2], ring_rig, noise=noise)
    with pytest.raises(ValueError, match="noise= needs points_2d of shape"):
        triangulate_ransac(points_2d, ring_rig, noise=noise, sigma=1.0)
    other = DetectorNoise(
        ("a", "b"), *(np.ones((2, 5, *extra)) for extra in ((2,), (), (), ())), np.ones(5), np.ones(5)
    )
    with pytest.raises(ValueError, match=r"knows the cameras \['a', 'b'\]"):
        triangulate_ransac(points_2d, ring_rig, noise=other)
    with pytest.raises(ValueError, match="in more than 0 frames, where its mean error and spread need 3"):
        DetectorNoise.fit(points_2d, np.full_like(truth, np.nan), ring_rig)
    with pytest.raises(ValueError, match="do not fit together"):
        DetectorNoise.fit(points_2d, truth[:10], ring_rig)
    (tmp_path / "empty.npz").write_bytes(b"")
    with pytest.raises(ValueError, match="does not hold the noise of a detector"):
        DetectorNoise.load(tmp_path / "empty.npz")


@pytest.mark.shared
@needs_shared
def test_regions_of_a_real_rat_hold_the_motion_capture():
    recording = rat()
    parts = (recording.points_2d, recording.rig)
    found = triangulate_ransac(*parts)  # with the noise that it estimates
    np.testing.assert_array_equal(
        found.covariances_3d, triangulate_ransac(*parts, noise=estimate_noise(*parts)).covariances_3d
    )
    counted = [k for k, name in enumerate(recording.skeleton.keypoints) if name not in MISPLACED]
    errors = found.points_3d[:, counted] - recording.truth[:, counted]
    known = np.isfinite(errors).all(axis=-1)
    spread = found.covariances_3d[:, counted][known]
    squares = np.einsum("ni,ni->n", errors[known], np.linalg.solve(spread, errors[known][..., None])[..., 0])
    assert 0.86 < (squares < chi2.ppf(0.95, 3)).mean() < 0.98
    assert 0.4 < (squares < chi2.ppf(0.5, 3)).mean() < 0.72


def test_reconstruct_takes_the_noise(filmed, ring_rig):
    _, points_2d, _ = filmed
    views = _views(points_2d, ring_rig)
    noise = estimate_noise(views, ring_rig)
    pose = reconstruct(views, ring_rig, method="ransac", noise=noise)
    found = triangulate_ransac(views, ring_rig, noise=noise)
    np.testing.assert_array_equal(pose["covariance"].values, found.covariances_3d)


def test_keypoints_of_the_noise_are_matched_by_name(filmed, ring_rig):
    truth, points_2d, _ = filmed
    times, names = frame_times(len(truth), 100), list("abcde")
    views = views_dataset(points_2d, cameras=ring_rig.names, keypoints=names, times=times)
    noise = estimate_noise(views, ring_rig)
    turned = views.isel(keypoint=[4, 2, 0])
    expected = triangulate_ransac(views, ring_rig, noise=noise).covariances_3d[:, [4, 2, 0]]
    np.testing.assert_array_equal(triangulate_ransac(turned, ring_rig, noise=noise).covariances_3d, expected)
    pose = reconstruct(turned, ring_rig, method="ransac", noise=noise)
    np.testing.assert_array_equal(pose["covariance"].values, expected)
    with pytest.raises(ValueError, match=r"knows the keypoints .* not \['tail'\]"):
        triangulate_ransac(turned.assign_coords(keypoint=["e", "c", "tail"]), ring_rig, noise=noise)


def test_one_frame_is_enough_for_an_estimate_of_the_noise(filmed, ring_rig):
    _, points_2d, _ = filmed
    assert (estimate_noise(points_2d[:, :1], ring_rig).shared_std == 0).all()


@pytest.mark.parametrize("outlier_std", [5.0, 50.0])
def test_where_outliers_lie_near_a_view_that_agrees_may_still_be_one(ring_rig, skeleton, moving_skeleton, outlier_std):
    shape, n_keypoints = (len(ring_rig), len(skeleton.keypoints)), len(skeleton.keypoints)
    own = np.ones(shape), np.full(shape, 0.9), np.full(shape, outlier_std)
    noise = DetectorNoise(ring_rig.names, np.zeros((*shape, 2)), *own, np.zeros(n_keypoints), np.zeros(n_keypoints))
    found = smooth(ring_rig.project(moving_skeleton[:40]), ring_rig, fps=FPS, noise=noise)
    odds = (0.1 / 0.9) * (4 * np.pi * outlier_std**2) / (2 * np.pi)  # a disc of that variance, the inlier's peak
    # the points' own uncertainty takes a part of it
    assert odds / (1 + odds) - 0.25 < found.inlier_probability.mean() < odds / (1 + odds)


def test_how_errors_last_is_found_in_recordings_of_any_length(ring_rig):
    """Of the 20,000 frames of two keypoints a part is looked at."""
    rng, keep = np.random.default_rng(2), 0.7
    truth = rng.uniform(-80, 80, (20_000, 2, 3))
    errors = lfilter([np.sqrt(1 - keep**2)], [1.0, -keep], rng.standard_normal((4, 20_000, 2, 2)), axis=1)
    rig = ring_rig.subset(ring_rig.names[:4])
    noise = estimate_noise(rig.project(truth) + errors, rig)
    np.testing.assert_allclose(noise.correlation, keep, atol=0.06)
