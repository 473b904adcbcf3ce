"""Frames that repeat one view of a standing board count as one, and all of them have its pose."""

import numpy as np

from muybridge.calibration import BoardDetections, calibrate, simulate_board_motion, simulate_detections
from muybridge.calibration.boards.recordings import Timeline, one_recording
from muybridge.calibration.boards.standing_boards import standing_frames, standing_means

MOVING = np.arange(20.0)[None, :, None, None] * np.ones((2, 1, 6, 2))


def standing(first, last, corners=MOVING):
    """The corners with the view of `first` in all frames up to `last`, with errors of a twentieth of a pixel."""
    still = corners.copy()
    noise = np.random.default_rng(0).normal(0, 0.05, still[:, first:last].shape)
    still[:, first:last] = still[:, first : first + 1] + noise
    return still


def test_a_moving_board_stands_for_itself_in_every_frame():
    np.testing.assert_array_equal(standing_frames(MOVING, one_recording(20)), np.arange(20))


def test_the_middle_of_a_stretch_stands_for_it_and_holds_its_mean():
    corners = standing(4, 9)
    corners[0, 5, 2] = np.nan  # a corner that one frame misses
    stands_for = standing_frames(corners, one_recording(20))
    np.testing.assert_array_equal(stands_for[4:9], 6)
    np.testing.assert_array_equal(np.delete(stands_for, slice(4, 9)), np.delete(np.arange(20), slice(4, 9)))
    merged = standing_means(corners, stands_for)
    np.testing.assert_allclose(merged[:, 6], np.nanmean(corners[:, 4:9], axis=1))
    assert np.isnan(merged[:, [4, 5, 7, 8]]).all()


def test_a_board_that_creeps_is_divided_where_it_has_moved_enough():
    corners = MOVING.copy()
    corners[:, 5:] = corners[:, 5:6] + 0.1 * np.arange(15)[None, :, None, None]
    assert len(np.unique(standing_frames(corners, one_recording(20)))) == 5 + 8


def test_a_camera_that_sees_motion_or_starts_to_see_the_board_and_another_recording_end_a_stretch():
    corners = standing(4, 9)
    corners[1, 6:] += 5.0
    np.testing.assert_array_equal(standing_frames(corners, one_recording(20))[4:9], [5, 5, 7, 7, 7])
    corners = standing(4, 9)
    corners[1, :6] = np.nan
    np.testing.assert_array_equal(standing_frames(corners, one_recording(20))[4:9], [5, 5, 7, 7, 7])
    two = Timeline(("one", "two"), np.array([0, 6, 20]))
    np.testing.assert_array_equal(standing_frames(standing(4, 9), two)[4:9], [5, 5, 7, 7, 7])


def test_a_board_that_hardly_ever_moved_is_left_to_the_checks():
    np.testing.assert_array_equal(standing_frames(standing(0, 15), one_recording(20)), np.arange(20))


def test_errors_that_thirty_frames_repeat_weigh_as_those_of_one():
    once = simulate_detections(motion=simulate_board_motion(20), noise=0.1)
    shown = [0] * 30 + list(range(1, 20))
    often = {name: BoardDetections(found.board, found.size, found.corners[shown]) for name, found in once.items()}
    one, many = (calibrate(seen, distortion_model=0, progress=False) for seen in (once, often))
    for a, b in zip(one.rig, many.rig, strict=True):
        np.testing.assert_allclose(b.K, a.K, rtol=1e-5)
    np.testing.assert_allclose(many.parameter_covariance, one.parameter_covariance, rtol=1e-3, atol=1e-12)
    assert any("stood still in 30 of 49 frames" in note for note in many.report.notes)
    np.testing.assert_array_equal(many.frames, np.arange(49))
    np.testing.assert_allclose(many.board_points(0), many.board_points(29))
