import numpy as np
import pytest

from muybridge.calibration import calibrate, simulate_board_motion, simulate_detections
from tests.calibration.synthetic import BOARD, small_rig


def test_simulated_outliers_and_shape_are_as_asked_for():
    motion = simulate_board_motion(6, reach=10.0)
    plain, wrong = (simulate_detections(motion=motion, noise=0.0, outlier_share=share) for share in (0.0, 0.2))
    moved = np.concatenate([np.abs(wrong[c].corners - plain[c].corners).max(axis=-1).ravel() for c in plain])
    assert 0.1 < np.mean(moved > 0) < 0.3
    assert moved.max() < 40
    bent = simulate_detections(motion=motion, noise=0.0, board_shape=np.add(BOARD.points, [0, 0, 5.0]))
    assert 0 < np.nanmax(np.abs(bent["left"].corners - plain["left"].corners)) < 20


def test_a_simulated_recording_gives_its_cameras_back():
    rig = small_rig(3)
    found = calibrate(simulate_detections(rig, noise=0.0), distortion_model=0).rig
    assert found.names == rig.names
    for camera, true in zip(found, rig, strict=True):
        np.testing.assert_allclose(camera.K, true.K, atol=1e-3)
        np.testing.assert_allclose(camera.R @ found[0].R.T, true.R @ rig[0].R.T, atol=1e-6)


def test_the_board_is_waved_within_reach_with_its_face_up():
    R, t = simulate_board_motion(400, tilt=0.3, reach=50.0)
    np.testing.assert_allclose(R @ R.swapaxes(1, 2), np.broadcast_to(np.eye(3), R.shape), atol=1e-12)
    assert (np.abs(t) <= [50, 50, 30]).all()
    tilts = np.arccos(-R[:, 2, 2])
    assert np.sqrt((tilts**2).mean() / 2) == pytest.approx(0.3, rel=0.1)
