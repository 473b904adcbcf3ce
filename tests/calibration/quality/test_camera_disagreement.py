"""A camera that moved while the board was recorded is found from board poses alone."""

from dataclasses import replace

import numpy as np
import pytest

from muybridge.calibration import simulate_board_motion, simulate_detections
from muybridge.calibration.quality.camera_disagreement import find_camera_move
from muybridge.calibration.solver.initial_poses import plane_poses
from muybridge.cameras.rotations import rotation_matrix
from tests.calibration.synthetic import BOARD, small_rig


def poses_in(seen, rig):
    """Each camera's own board poses."""
    return [plane_poses(seen[camera.name].corners, BOARD.points, camera)[:2] for camera in rig]


@pytest.fixture(scope="module")
def motion():
    return simulate_board_motion(40, reach=60.0)


@pytest.mark.parametrize("at", [12, 17, 26])
def test_the_camera_and_the_frame_are_found(motion, at):
    rig = small_rig(3)
    camera = rig["cam_1"]
    turn = rotation_matrix(np.radians([0.0, 3.0, 0.0]))
    knocked = replace(rig, cameras=(rig["cam_0"], replace(camera, R=turn @ camera.R, t=turn @ camera.t), rig["cam_2"]))
    before, after = simulate_detections(rig, motion=motion), simulate_detections(knocked, motion=motion)
    corners = np.where(np.arange(40)[:, None, None] < at, before["cam_1"].corners, after["cam_1"].corners)
    move = find_camera_move(poses_in({**before, "cam_1": replace(before["cam_1"], corners=corners)}, rig), BOARD)
    assert move is not None
    assert move.camera == 1
    assert abs(move.frame - at) <= 1
    assert move.degrees == pytest.approx(3.0, abs=0.3)


def test_cameras_that_stand_still_are_left_alone(motion):
    rig = small_rig(3)
    assert find_camera_move(poses_in(simulate_detections(rig, motion=motion, outlier_share=0.02), rig), BOARD) is None
