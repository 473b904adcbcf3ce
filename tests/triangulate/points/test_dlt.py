"""Linear triangulation against the truth, a textbook twin, and bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.rings import make_recording, make_rig
from muybridge.calibration import Camera, CameraRig
from muybridge.triangulate import point_covariances, triangulate_dlt


def textbook_dlt(points_2d, rig):
    """Homogeneous DLT by SVD, one point at a time, rows divided by the depth of a first solution."""
    ideal = rig.undistort(points_2d)
    answer = np.full((points_2d.shape[1], 3), np.nan)
    for i in range(points_2d.shape[1]):
        seen = [c for c in range(len(rig)) if np.isfinite(ideal[c, i]).all()]
        if len(seen) < 2:
            continue
        depth = np.ones(len(rig))
        for _ in range(2):
            rows = []
            for c in seen:
                P = rig.projection_matrices[c]
                rows += [(ideal[c, i, 0] * P[2] - P[0]) / depth[c], (ideal[c, i, 1] * P[2] - P[1]) / depth[c]]
            A = np.array(rows)
            X = np.linalg.lstsq(A[:, :3], -A[:, 3], rcond=None)[0]
            depth = np.array([P[2, :3] @ X + P[2, 3] for P in rig.projection_matrices])
        answer[i] = X
    return answer


@pytest.mark.parametrize("n_cameras", [2, 3, 6])
def test_projecting_then_triangulating_is_the_identity(ring_rig, moving_skeleton, n_cameras):
    rig = CameraRig(ring_rig.cameras[:n_cameras])
    assert np.abs(triangulate_dlt(rig.project(moving_skeleton), rig) - moving_skeleton).max() < 1e-8


def test_fisheye_and_rational_lenses_are_undistorted_as_well():
    fisheye, pinhole = make_rig(3, 1, "fisheye"), make_rig(2, 2)
    lens = np.array([0.1, 0.02, 1e-3, -1e-3, 0.01, 0.05, 0.01, 0.0, 1e-3, 0, -1e-3, 0, 0.01, -0.02])
    cameras = [Camera(c.name + "r", c.size, c.K, lens, c.R, c.t) for c in pinhole]
    rig = CameraRig((*fisheye.cameras, *cameras))
    truth = np.random.default_rng(0).uniform(-100, 100, (50, 3))
    assert np.abs(triangulate_dlt(rig.project(truth), rig) - truth).max() < 1e-7


def test_the_kernel_equals_the_textbook():
    recording = make_recording(n_cameras=4, seed=3, outliers=0.0, missing=0.3, n_frames=20)
    flat = recording.points_2d.reshape(4, -1, 2)
    np.testing.assert_allclose(
        triangulate_dlt(flat, recording.rig), textbook_dlt(flat, recording.rig), atol=1e-8, rtol=0
    )


def test_a_weight_of_zero_leaves_a_view_out_and_equal_weights_change_nothing():
    recording = make_recording(n_cameras=4, outliers=0.0, missing=0.0, n_frames=10)
    weights = np.full(recording.points_2d.shape[:-1], 0.3)
    plain = triangulate_dlt(recording.points_2d, recording.rig)
    np.testing.assert_allclose(
        triangulate_dlt(recording.points_2d, recording.rig, confidence=weights), plain, atol=1e-9
    )
    weights[1], weights[2, 3] = 0, np.nan
    without = recording.points_2d.copy()
    without[1], without[2, 3] = np.nan, np.nan
    np.testing.assert_allclose(
        triangulate_dlt(recording.points_2d, recording.rig, confidence=weights),
        triangulate_dlt(without, recording.rig),
        atol=1e-9,
    )


@settings(max_examples=20, deadline=None)
@given(st.floats(-1e5, 1e5), st.floats(-1e5, 1e5), st.floats(-3, 3))
def test_shifting_and_turning_the_world_moves_the_answer_alike(x, y, angle):
    recording = make_recording(n_cameras=3, outliers=0.0, missing=0.1, n_frames=4)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    shift = np.array([x, y, 50.0])
    moved = CameraRig(
        tuple(
            Camera(c.name, c.size, c.K, c.distortion, c.R @ turn.T, c.t - c.R @ turn.T @ shift) for c in recording.rig
        )
    )
    expected = triangulate_dlt(recording.points_2d, recording.rig) @ turn.T + shift
    np.testing.assert_allclose(triangulate_dlt(recording.points_2d, moved), expected, atol=1e-6)


def test_a_missing_view_makes_nothing_missing_and_one_view_makes_only_its_point_missing():
    recording = make_recording(n_cameras=3, outliers=0.0, missing=0.0, n_frames=6)
    points_2d = recording.points_2d.copy()
    points_2d[0, 2, 1], points_2d[1:, 4, 3] = np.nan, np.nan
    answer = triangulate_dlt(points_2d, recording.rig)
    assert np.isnan(answer[4, 3]).all()
    assert np.isfinite(np.delete(answer.reshape(-1, 3), 4 * 20 + 3, axis=0)).all()
    np.testing.assert_array_equal(answer[0], triangulate_dlt(recording.points_2d, recording.rig)[0])


def test_a_point_behind_a_camera_and_parallel_rays_are_missing():
    rig = make_rig(2)
    behind = 2 * rig.centers[0] - np.zeros(3)
    ideal = np.stack([c.K[:2] @ (z := c.R @ behind + c.t) / z[2] for c in rig])
    assert np.isnan(triangulate_dlt(rig.distort(ideal[:, None]), rig)).all()
    twins = CameraRig(
        (rig["cam_0"], Camera("twin", *(getattr(rig["cam_0"], f) for f in ("size", "K", "distortion", "R", "t"))))
    )
    assert np.isnan(triangulate_dlt(twins.project(np.zeros((5, 3))), twins)).all()


def test_leading_axes_and_empty_recordings():
    recording = make_recording(n_cameras=3, n_frames=4)
    assert triangulate_dlt(recording.points_2d[:, 0, 0], recording.rig).shape == (3,)
    assert triangulate_dlt(np.empty((3, 0, 5, 2)), recording.rig).shape == (0, 5, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, c: (p[:2], c), "3 cameras"),
        (lambda p, c: (p[..., :1], c), "expected"),
        (lambda p, c: (np.where(p == p[1, 2, 3, 0], np.inf, p), c), "infinite value in camera 'cam_1'"),
        (lambda p, c: (p, c[:, 1:]), "confidence has shape"),
        (lambda p, c: (p, np.where(c == c[2, 1, 0], 1.5, c)), "confidence is 1.5 in camera 'cam_2'"),
    ],
)
def test_bad_input_is_named(change, message):
    recording = make_recording(n_cameras=3, n_frames=4, missing=0.0)
    points_2d, confidence = change(recording.points_2d, recording.confidence)
    with pytest.raises(ValueError, match=message):
        triangulate_dlt(points_2d, recording.rig, confidence=confidence)


def test_one_camera_is_refused():
    rig = CameraRig(make_rig(2).cameras[:1])
    with pytest.raises(ValueError, match="at least two views"):
        triangulate_dlt(np.zeros((1, 5, 2, 2)), rig)


def test_covariances_are_the_spread_of_repeated_measurements():
    rig, truth, rng = make_rig(4), np.array([20.0, -40.0, 60.0]), np.random.default_rng(0)
    views = rig.project(truth)[:, None] + rng.normal(0, 0.5, (4, 20_000, 2))
    spread = np.cov(triangulate_dlt(views, rig).T)
    predicted = point_covariances(truth, rig, 0.5)
    np.testing.assert_allclose(predicted, spread, rtol=0.05, atol=0.02 * np.trace(predicted) / 3)


def test_covariances_take_sigma_in_every_form_and_only_the_inliers():
    rig, truth = make_rig(4), np.random.default_rng(0).uniform(-90, 90, (6, 3))
    each = point_covariances(truth, rig, 2.0)
    np.testing.assert_allclose(point_covariances(truth, rig, np.full(4, 2.0)), each)
    np.testing.assert_allclose(point_covariances(truth, rig, np.full((4, 6), 2.0)), each)
    inliers = np.ones((4, 6), dtype=bool)
    inliers[:, 0], inliers[:2, 0] = False, True
    inliers[1:, 1] = False
    fewer = point_covariances(truth, rig, 2.0, inliers)
    np.testing.assert_allclose(fewer[0], point_covariances(truth[0], CameraRig(rig.cameras[:2]), 2.0))
    assert np.isnan(fewer[1]).all()
    np.testing.assert_allclose(fewer[2:], each[2:])
    with pytest.raises(ValueError, match="sigma must be positive"):
        point_covariances(truth, rig, -1.0)
