"""Calibration against rigs with known truth, and against real recordings."""

import numpy as np
import pandas as pd
import pytest

from muybridge.calibration import CharucoBoard, Checkerboard, calibrate, simulate_board_motion, simulate_detections
from muybridge.calibration.boards.detection import detect_boards
from tests.helpers import SHARED, needs_shared


def relative(rig):
    """Camera poses relative to the first."""
    first = rig[0]
    return [(c.R @ first.R.T, c.t - c.R @ first.R.T @ first.t) for c in rig]


def test_a_noiseless_rig_is_found_exactly(ring_rig):
    found = calibrate(simulate_detections(ring_rig, motion=simulate_board_motion(25), noise=0.0), distortion_model=5)
    for (R, t), (R_true, t_true) in zip(relative(found.rig), relative(ring_rig), strict=True):
        np.testing.assert_allclose(R, R_true, atol=1e-6)
        np.testing.assert_allclose(t, t_true, atol=1e-3)
    np.testing.assert_allclose([c.K for c in found.rig], [c.K for c in ring_rig], atol=1e-2)


def test_the_same_corners_give_the_same_rig_to_the_last_bit(ring_rig):
    found = simulate_detections(ring_rig, motion=simulate_board_motion(15))
    board = next(iter(found.values())).board
    one, two = (calibrate(found, board, distortion_model=4, progress=False) for _ in range(2))
    for a, b in zip(one.rig, two.rig, strict=True):
        assert (a.K == b.K).all()
        assert (a.R == b.R).all()
        assert (a.t == b.t).all()
    assert (one.covariance.values == two.covariance.values).all()


@needs_shared
@pytest.mark.shared
def test_the_rat_rig_predicts_held_out_boards_within_its_marks(rat_boards):
    row = calibrate(rat_boards, progress=False).report.table().loc["all"]
    assert row.heldout_median_px <= 0.072
    assert row.heldout_rms_px <= 0.145


WEBCAMS = SHARED / "data" / "charuco_4cam" / "calibration" / "extrinsic"


def webcam_boards(frame_step=1):
    sources = {f"cam_{i}": WEBCAMS / f"cam_{i}.mp4" for i in range(4)}
    board = CharucoBoard(4, 5, 54.0, 40.5, inverted=True)
    return detect_boards(sources, board, frame_step=frame_step, progress=False)


@needs_shared
@pytest.mark.shared
@pytest.mark.long  # shorter: the same webcams without times, made-up boards with times (delays/test_exposure_times.py)
def test_exposure_times_and_delays_explain_most_of_the_webcams_error():
    stamps = pd.read_csv(WEBCAMS / "timestamps.csv")
    times = {f"cam_{c}": part.sort_values("sync_index").frame_time for c, part in stamps.groupby("cam_id")}
    found = calibrate(webcam_boards(), times=times, distortion_model=4, progress=False)
    row = found.report.table().loc["all"]
    assert row.heldout_median_px <= 0.17
    assert row.heldout_rms_px <= 0.33
    assert any("cam_1" in note and "ms" in note for note in found.report.notes)


@needs_shared
@pytest.mark.shared
@pytest.mark.long  # shorter: a real board shifted (delays/test_frame_offsets.py), made-up delays (test_exposure_times)
def test_webcams_more_than_half_a_frame_apart_are_brought_together_by_a_whole_one():
    """Of every second picture."""
    found = calibrate(webcam_boards(2), distortion_model=4, progress=False)
    row = found.report.table().loc["all"]
    assert row.heldout_median_px <= 0.24
    assert row.heldout_rms_px <= 0.42
    assert any("cam_1 +0.7" in text for text in found.report.warnings)
    assert abs(found.rig["cam_1"].K[0, 0] - 760) < 25


@needs_shared
@pytest.mark.shared
def test_the_stereo_rig_has_the_reference_focal_lengths():
    folder = SHARED / "data" / "stereo_checker"
    sources = {side: sorted(folder.glob(f"{side}*.jpg")) for side in ("left", "right")}
    found = calibrate(sources, Checkerboard(9, 6, 1.0), progress=False)
    focal = np.array([camera.K[0, 0] for camera in found.rig])
    np.testing.assert_allclose(focal, [533.0, 537.0], rtol=0.005)
    row = found.report.table().loc["all"]
    assert row.heldout_median_px <= 0.19
    assert row.heldout_rms_px <= 0.23
