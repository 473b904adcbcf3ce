"""The world frame: moving it changes no pixel."""

import numpy as np
import pytest

from muybridge.calibration import (
    CalibrationError,
    calibrate,
    move_world,
    simulate_board_motion,
    simulate_detections,
    up_from_gravity,
    world_from_board,
    world_from_plane,
    world_from_points,
)
from muybridge.cameras.rotations import rotation_matrix
from tests.calibration.synthetic import small_rig


@pytest.fixture(scope="module")
def found():
    return calibrate(
        simulate_detections(small_rig(3), motion=simulate_board_motion(12, reach=60.0), noise=0.0), distortion_model=0
    )


def test_moving_the_world_moves_no_pixel(found):
    points = found.board_points(int(found.frames[2]))
    R, t = rotation_matrix(np.array([0.3, -1.0, 0.5])), np.array([10.0, -200.0, 33.0])
    moved = move_world(found, R, t)
    np.testing.assert_allclose(moved.rig.project(points @ R.T + t), found.rig.project(points), atol=1e-8)
    np.testing.assert_allclose(moved.board_points(int(found.frames[2])), points @ R.T + t, atol=1e-9)
    np.testing.assert_allclose(moved.report.positions, moved.rig.centers)


def test_a_board_frame_becomes_the_floor(found):
    frame = int(found.frames[0])
    placed = world_from_board(found, frame)
    points = placed.board_points(frame)
    np.testing.assert_allclose(points[0], 0, atol=1e-9)
    np.testing.assert_allclose(points[:, 2], 0, atol=1e-6)
    np.testing.assert_allclose(points[5], [200, 0, 0], atol=1e-6)
    np.testing.assert_allclose(placed.rig.up, [0, 0, 1])
    assert (placed.rig.centers[:, 2] > 0).all()
    with pytest.raises(CalibrationError, match="frame 99"):
        world_from_board(found, 99)


def test_points_and_planes_set_the_axes(found):
    floor = found.board_points(int(found.frames[1]))
    placed = world_from_plane(found, np.concatenate([floor, np.full((1, 3), np.nan)]))
    assert np.median(placed.rig.centers[:, 2]) > 0
    again = placed.board_points(int(found.frames[1]))
    np.testing.assert_allclose(again[:, 2], 0, atol=1e-6)
    np.testing.assert_allclose(again.mean(axis=0), 0, atol=1e-6)
    placed = world_from_points(found, floor[0], floor[3], floor[-1])
    assert placed.board_points(int(found.frames[1]))[3, 0] > 0
    with pytest.raises(CalibrationError, match="one line"):
        world_from_points(found, floor[0], floor[1], floor[2])
    with pytest.raises(CalibrationError, match="3 points"):
        world_from_plane(found, floor[:2])


def test_a_plumb_line_sets_up(found):
    hung = up_from_gravity(found, [1.0, 2.0, 5.0], [1.0, 2.0, 3.0])
    np.testing.assert_allclose(hung.rig.up, [0, 0, 1])
    with pytest.raises(CalibrationError, match="same point"):
        up_from_gravity(found, [0.0, 0, 0], [0.0, 0, 0])
