"""Which camera disagrees, which keypoint is mostly missing."""

import numpy as np
import pytest

from benchmarks.rings import make_recording
from muybridge.datasets import views_dataset
from muybridge.triangulate import diagnose

NAMES = [f"point_{i}" for i in range(20)]


def test_all_is_well_where_all_is_well():
    recording = make_recording(seed=3, n_frames=100)
    found = diagnose(recording.points_2d, recording.rig, keypoints=NAMES, confidence=recording.confidence)
    assert found.messages == ()
    assert found.cameras.index.tolist() == list(recording.rig.names)
    np.testing.assert_allclose(found.cameras["sigma_px"], 1.0, rtol=0.1)
    np.testing.assert_allclose(found.keypoints["sigma_px"], 1.0, rtol=0.3)
    np.testing.assert_allclose(found.cameras["outlier_share"], 0.05, atol=0.02)
    assert found.table.shape == (6, 20)
    assert "All views agree" in str(found)


@pytest.mark.parametrize("shift", [(3.0, 0.0), (12.0, -7.0), (0.0, 90.0)])
def test_a_camera_that_moved_is_named_with_its_shift(shift):
    recording = make_recording(seed=4, n_frames=150)
    points_2d = recording.points_2d.copy()
    points_2d[4] += shift
    found = diagnose(points_2d, recording.rig, keypoints=NAMES, confidence=recording.confidence)
    assert len(found.messages) == 1
    assert "Camera 'cam_4' disagrees" in found.messages[0]
    assert "as if it had moved" in found.messages[0]
    row = found.cameras.loc["cam_4"]
    np.testing.assert_allclose([row["shift_x_px"], row["shift_y_px"]], shift, atol=0.6)
    warning, distance = found.warnings.iloc[0], np.hypot(*shift)
    assert (warning["kind"], warning["name"]) == ("camera", "cam_4")
    np.testing.assert_allclose(warning["off_px"], distance, atol=1.0)
    camera, centre = recording.rig[4], recording.truth.reshape(-1, 3).mean(axis=0)
    pixels = np.linalg.norm(camera.project(np.add(centre, np.eye(3))) - camera.project(centre), axis=-1)
    expected = distance / np.sqrt((pixels**2).sum() / 2)
    np.testing.assert_allclose(warning["off"], expected, rtol=0.15)


def _two_late(points_2d):
    points_2d[1:3, 3:] = points_2d[1:3, :-3].copy()


def _moved_midway(points_2d):
    points_2d[3, 20:] += [40.0, 20.0]


def _drifting(points_2d):
    points_2d[3] += np.linspace(0, 60, 40)[:, None, None]


def _alternating(points_2d):
    points_2d[3, ::2] = points_2d[0, 1::2]


def _fractions(points_2d):
    points_2d[3] /= [1280, 1024]


def _noisy(points_2d):
    points_2d[3] += np.random.default_rng(2).normal(0, 8, points_2d[3].shape)


@pytest.mark.parametrize("spoil", [_two_late, _moved_midway, _drifting, _alternating, _fractions, _noisy])
def test_a_movement_is_named_only_where_it_explains_the_errors(spoil):
    recording = make_recording(seed=4, n_cameras=4, n_frames=40)
    points_2d = recording.points_2d.copy()
    spoil(points_2d)
    said = diagnose(points_2d, recording.rig, keypoints=NAMES).messages
    assert said
    assert not any("moved" in message for message in said)
    assert any("which one movement of it does not explain" in message or "not those of" in message for message in said)


def test_a_camera_that_was_turned_about_its_axis_has_moved():
    recording = make_recording(seed=4, n_cameras=4, n_frames=40)
    points_2d, angle = recording.points_2d.copy(), np.radians(4.0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points_2d[3] = (points_2d[3] - [640, 512]) @ turn.T + [640, 512]
    said = diagnose(points_2d, recording.rig, keypoints=NAMES).messages
    assert "Camera 'cam_3' disagrees" in said[0]
    assert "in all directions, as if it had moved: calibrate it again or refine the rig" in said[0]


def test_a_camera_of_nonsense_and_a_keypoint_of_nonsense_are_named():
    recording = make_recording(seed=5, n_frames=150)
    points_2d, rng = recording.points_2d.copy(), np.random.default_rng(0)
    points_2d[1] = rng.uniform(0, 1000, points_2d[1].shape)
    points_2d[:, :, 7] = rng.uniform(0, 1000, points_2d[:, :, 7].shape)
    words = diagnose(points_2d, recording.rig, keypoints=NAMES).messages
    assert "Camera 'cam_1' disagrees" in words[0]
    assert "in all directions" in words[0]
    assert any("Keypoint 'point_7' is mostly missing" in word for word in words)
    assert len(words) == 2


def test_outliers_that_the_detector_is_not_sure_of_are_no_warning_and_warnings_go_by_size():
    recording = make_recording(seed=6, n_frames=150)
    points_2d, rng = recording.points_2d.copy(), np.random.default_rng(1)
    for k, size in ((3, 40.0), (8, 120.0)):
        wrong = rng.random((3, 150)) < 0.6
        points_2d[:3, :, k][wrong] += rng.normal(0, size, (int(wrong.sum()), 2))
    found = diagnose(points_2d, recording.rig, keypoints=NAMES)
    assert found.warnings["name"].tolist() == ["point_8", "point_3"]
    assert "most in 'cam_" in found.messages[0]
    assert "label more frames of it there" in found.messages[0]
    row = found.keypoints.loc["point_8"]
    np.testing.assert_allclose(found.warnings["off"][0], row["sure_outliers"] * row["outlier_off"])
    unsure = np.where(np.isfinite(points_2d[..., 0]), 0.9, 0.0)
    unsure[:3, :, [3, 8]] = 0.1
    assert diagnose(points_2d, recording.rig, keypoints=NAMES, confidence=unsure).messages == ()


def test_nothing_seen_two_cameras_and_wrong_names():
    recording = make_recording(n_cameras=2, n_frames=40)
    found = diagnose(recording.points_2d, recording.rig)
    assert np.isnan(found.cameras["left_out_px"]).all()
    nothing = diagnose(np.full((2, 4, 20, 2), np.nan), recording.rig)
    assert "shares fewer than 30 points" in nothing.messages[0]
    with pytest.raises(ValueError, match="keypoint names"):
        diagnose(recording.points_2d, recording.rig, keypoints=["a"])


def test_a_views_dataset_names_keypoints_and_all_individuals_are_judged_together():
    recording = make_recording(n_cameras=4, seed=9, n_frames=60)
    points_2d = recording.points_2d.copy()
    points_2d[3] += 15.0
    cameras = list(recording.rig.names)
    common = {"keypoints": NAMES, "times": np.arange(60) / 100}
    views = views_dataset(points_2d[::-1], cameras=cameras[::-1], confidence=recording.confidence[::-1], **common)
    assert "Camera 'cam_3' disagrees" in diagnose(views, recording.rig).messages[0]
    two = views_dataset(np.stack([recording.points_2d, points_2d]), cameras=cameras, **common)
    found = diagnose(two, recording.rig)
    assert found.keypoints["n_frames"].tolist() == [120] * 20
    assert found.keypoints.index.tolist() == NAMES
