"""Robust triangulation: as good as knowing the outliers, honest about what it does not know, and deterministic."""

import numpy as np
import pytest

from benchmarks.rings import errors, known_inliers, make_recording, make_rig
from muybridge.calibration import Camera, CameraRig
from muybridge.triangulate import estimate_sigma, point_covariances, triangulate_ransac
from muybridge.triangulate.points.consensus_solver import camera_pairs
from muybridge.triangulate.points.recording_noise import residuals_of
from tests.helpers import SHARED, needs_shared


def oracle(recording):
    """Error of the maximum-likelihood points of the known inliers."""
    found = triangulate_ransac(
        known_inliers(recording),
        recording.rig,
        sigma=recording.noise,
        threshold=1e3 * recording.noise,
        min_confidence=0,
    )
    return errors(found.points_3d, recording.truth)


def covered(found, truth, level=7.815):
    """Share of the points whose 95 % ellipsoid holds the truth."""
    ok = np.isfinite(found.points_3d).all(axis=-1)
    off = found.points_3d[ok] - truth[ok]
    return (np.einsum("ni,nij,nj->n", off, np.linalg.inv(found.covariances_3d[ok]), off) < level).mean()


@pytest.mark.parametrize(
    ("options", "reconstructed", "wrong"),
    [
        ({"noise": 0.3}, 0.999, 1e-3),
        ({"noise": 8.0}, 0.999, 1e-3),
        ({"n_cameras": 4, "outliers": 0.1}, 0.998, 2e-3),
        ({"n_cameras": 6, "outliers": 0.3}, 0.995, 4e-3),
        ({"n_cameras": 12, "outliers": 0.3}, 0.999, 1e-3),
        ({"n_cameras": 24, "outliers": 0.3, "n_frames": 60}, 0.999, 1e-3),
        ({"noise": 12.0, "outliers": 0.1, "model": "fisheye"}, 0.996, 3e-3),
    ],
)
def test_it_is_as_accurate_as_knowing_the_outliers(options, reconstructed, wrong):
    recording = make_recording(**{"seed": 21, "n_frames": 200, **options})
    found = triangulate_ransac(recording.points_2d, recording.rig, confidence=recording.confidence)
    error, best = errors(found.points_3d, recording.truth), oracle(recording)
    both = np.isfinite(error) & np.isfinite(best)
    assert np.isfinite(error).sum() > reconstructed * np.isfinite(best).sum()
    assert np.median(error[both]) < 1.015 * np.median(best[both])  # each keypoint's noise is estimated, too
    assert np.percentile(error[both], 95) < 1.03 * np.percentile(best[both], 95)
    assert (error[both] > 5 * max(1.0, recording.noise)).mean() < wrong + (
        best[both] > 5 * max(1.0, recording.noise)
    ).mean()
    assert 0.93 < covered(found, recording.truth) < 0.97
    np.testing.assert_allclose(found.sigma, recording.noise, rtol=0.12)
    views = {"points_2d": recording.points_2d, "rig": recording.rig, "confidence": recording.confidence}
    alike = triangulate_ransac(**views, sigma=estimate_sigma(**views))
    error = errors(alike.points_3d, recording.truth)
    both = np.isfinite(error) & np.isfinite(best)
    assert np.median(error[both]) < 1.01 * np.median(best[both])


@needs_shared
@pytest.mark.shared
def test_the_shared_recording_reaches_the_floor():
    ring = np.load(SHARED / "data" / "synthetic_ring" / "base.npz")
    rig = CameraRig(
        tuple(
            Camera(f"cam_{c}", tuple(ring["wh"]), ring["K"][c], ring["dist"][c], ring["R"][c], ring["t"][c])
            for c in range(6)
        )
    )
    found = triangulate_ransac(ring["points2d"], rig, confidence=ring["confidence"])
    error = errors(found.points_3d, ring["truth"])
    assert np.nanmedian(error) < 0.605
    assert np.nanpercentile(error, 95) < 1.16
    assert np.isfinite(error).mean() > 0.999
    assert (error > 5).mean() < 1e-4
    assert 0.93 < covered(found, ring["truth"]) < 0.97


def test_the_outliers_are_the_outliers():
    recording = make_recording(seed=4, n_frames=200)
    found = triangulate_ransac(recording.points_2d, recording.rig, confidence=recording.confidence)
    firm = found.n_cameras >= 3
    seen = np.isfinite(recording.points_2d[..., 0]) & firm
    assert (found.inliers[seen & recording.outliers]).mean() < 0.01
    assert (~found.inliers[seen & ~recording.outliers]).mean() < 0.001
    np.testing.assert_array_equal(found.n_cameras, found.inliers.sum(axis=0))
    np.testing.assert_array_equal(
        np.isfinite(found.reprojection_error),
        seen | (np.isfinite(recording.points_2d[..., 0]) & np.isfinite(found.points_3d[..., 0])),
    )


def test_the_same_input_gives_the_same_output_and_points_do_not_know_their_neighbours():
    recording = make_recording(n_cameras=5, seed=6, n_frames=30)
    options = {"sigma": 1.0, "confidence": recording.confidence}
    found = triangulate_ransac(recording.points_2d, recording.rig, **options)
    again = triangulate_ransac(recording.points_2d, recording.rig, **options)
    np.testing.assert_array_equal(found.points_3d, again.points_3d)
    options["confidence"] = recording.confidence[:, 7:9]
    part = triangulate_ransac(recording.points_2d[:, 7:9], recording.rig, **options)
    np.testing.assert_array_equal(part.points_3d, found.points_3d[7:9])
    np.testing.assert_array_equal(part.covariances_3d, found.covariances_3d[7:9])


def test_covariances_are_those_of_the_inliers():
    recording = make_recording(n_cameras=5, seed=7, n_frames=20)
    found = triangulate_ransac(recording.points_2d, recording.rig, sigma=recording.noise)
    expected = point_covariances(found.points_3d, recording.rig, found.sigma, found.inliers)
    np.testing.assert_allclose(found.covariances_3d, expected, rtol=0.05, atol=0.01)


def test_two_views_that_disagree_give_no_point_and_two_that_agree_are_flagged():
    rig, truth = make_rig(2), np.zeros((40, 1, 3))
    rng = np.random.default_rng(0)
    points_2d = rig.project(truth) + rng.normal(0, 0.5, (2, 40, 1, 2))
    points_2d[1, ::2, 0, 1] += 60
    found = triangulate_ransac(points_2d, rig, sigma=0.5)
    assert np.isnan(found.points_3d[::2]).all()
    assert not found.inliers[:, ::2].any()
    assert np.isfinite(found.points_3d[1::2]).all()
    assert found.two_views[1::2].all()


def test_three_views_of_which_two_agree_rest_on_two_and_say_so():
    rig, truth = make_rig(3), np.random.default_rng(0).uniform(-80, 80, (200, 1, 3))
    points_2d = rig.project(truth) + np.random.default_rng(1).normal(0, 1, (3, 200, 1, 2))
    points_2d[2] = np.random.default_rng(2).uniform(0, 1000, (200, 1, 2))
    found = triangulate_ransac(points_2d, rig, sigma=1.0)
    right = errors(found.points_3d, truth) < 8
    assert right.mean() > 0.9
    assert (found.two_views[right]).mean() > 0.97
    assert (np.isnan(found.points_3d[..., 0]) | right).mean() > 0.99


def test_confidence_is_calibrated_where_it_matters():
    recording = make_recording(n_cameras=3, outliers=0.15, seed=31, n_frames=1000)
    found = triangulate_ransac(recording.points_2d, recording.rig, confidence=recording.confidence, min_confidence=0.0)
    right = errors(found.points_3d, recording.truth) < 6
    there = np.isfinite(found.points_3d[..., 0])
    sure, unsure = there & (found.confidence > 0.99), there & (found.confidence < 0.9)
    assert right[sure].mean() > 0.98
    assert 0.3 < right[unsure].mean() < 0.9


def test_a_threshold_is_never_exceeded_and_doubtful_views_are_dropped_sooner():
    recording = make_recording(n_cameras=5, seed=8, noise=3.0, outliers=0.0, n_frames=50)
    found = triangulate_ransac(recording.points_2d, recording.rig, confidence=recording.confidence, threshold=7.0)
    assert found.reprojection_error[found.inliers].max() <= 7.0
    np.testing.assert_array_equal(found.threshold, 7.0)
    doubt = np.full(recording.confidence.shape, 0.1)
    doubtful = triangulate_ransac(recording.points_2d, recording.rig, confidence=doubt, threshold=7.0, min_confidence=0)
    assert doubtful.inliers.sum() < found.inliers.sum()


def test_the_noise_is_found_per_camera_however_many_see_the_animal():
    rig, rng = make_rig(5), np.random.default_rng(0)
    truth, sigma = rng.uniform(-90, 90, (600, 4, 3)), np.array([0.7, 1.0, 2.0, 1.0, 3.0])
    points_2d = rig.project(truth) + rng.normal(0, 1, (5, 600, 4, 2)) * sigma[:, None, None, None]
    np.testing.assert_allclose(estimate_sigma(points_2d, rig), sigma, rtol=0.15)
    two = CameraRig(rig.cameras[1:4:2])
    np.testing.assert_allclose(estimate_sigma(points_2d[1:4:2], two), 1.0, rtol=0.1)
    exact = estimate_sigma(rig.project(truth), rig)
    np.testing.assert_allclose(exact, 1e-3)


def test_noiseless_points_are_exact():
    rig, truth = make_rig(4), np.random.default_rng(0).uniform(-90, 90, (20, 3, 3))
    found = triangulate_ransac(rig.project(truth), rig)
    assert np.abs(found.points_3d - truth).max() < 1e-8
    assert found.inliers.all()


def test_nothing_seen_gives_nothing_and_raises_nothing():
    rig = make_rig(3)
    found = triangulate_ransac(np.full((3, 5, 2, 2), np.nan), rig)
    assert np.isnan(found.points_3d).all()
    assert np.isnan(found.covariances_3d).all()
    assert (found.confidence == 0).all()
    assert triangulate_ransac(np.empty((3, 0, 2, 2)), rig).points_3d.shape == (0, 2, 3)
    one = np.full((3, 5, 2, 2), np.nan)
    one[0] = 500.0
    assert np.isnan(triangulate_ransac(one, rig).points_3d).all()


def test_an_all_missing_keypoint_leaves_its_neighbours_alone():
    recording = make_recording(n_cameras=4, n_frames=30)
    points_2d = recording.points_2d.copy()
    points_2d[:, :, 3] = np.nan
    found = triangulate_ransac(points_2d, recording.rig, sigma=1.0)
    whole = triangulate_ransac(recording.points_2d, recording.rig, sigma=1.0)
    assert np.isnan(found.points_3d[:, 3]).all()
    np.testing.assert_array_equal(np.delete(found.points_3d, 3, 1), np.delete(whole.points_3d, 3, 1))


def test_pairs_beyond_sixteen_cameras_are_a_fixed_choice():
    assert len(camera_pairs(16)) == 120
    np.testing.assert_array_equal(camera_pairs(24), camera_pairs(24))
    assert len(np.unique(camera_pairs(24), axis=0)) == 160


@pytest.mark.parametrize(
    "options", [{"sigma": 0.0}, {"threshold": -1.0}, {"sigma": np.ones(3)}, {"min_confidence": 1.0}]
)
def test_impossible_options_are_refused(options):
    recording = make_recording(n_cameras=4, n_frames=5)
    with pytest.raises(ValueError, match="must be"):
        triangulate_ransac(recording.points_2d, recording.rig, **options)


def test_leverages_and_residuals_equal_their_definition():
    rig, rng = make_rig(3), np.random.default_rng(0)
    truth, sigma = rng.uniform(-90, 90, (8, 3)), np.full((3, 1), 2.0) * [[1.0, 3.0]]  # two keypoints take turns
    covariances = point_covariances(truth, rig, 2.0) * np.tile([1.0, 9.0], 4)[:, None, None]
    points_2d = rig.project(truth) + rng.normal(0, 2, (3, 8, 2))
    residuals, leverages, sizes = residuals_of(points_2d, truth, covariances, rig, sigma)
    jacobians = rig.project_jacobian(truth)
    expected = np.einsum("cnij,njk,cnik->cn", jacobians, covariances, jacobians) / (2 * np.tile(sigma, 4) ** 2)
    np.testing.assert_allclose(leverages, expected, rtol=1e-9)
    np.testing.assert_allclose(leverages.sum(axis=0), 1.5)
    np.testing.assert_allclose(residuals, points_2d - rig.project(truth), atol=1e-9)
    np.testing.assert_allclose(sizes, (jacobians**2).sum(axis=(2, 3)) / 2, rtol=1e-9)
