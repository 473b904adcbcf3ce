"""A board's pose that began as the wrong one of two is found by its error and put right."""

from dataclasses import replace

import numpy as np

from muybridge.calibration import CameraRig, simulate_board_motion, simulate_detections
from muybridge.calibration.solver.pose_ambiguity import repaired
from muybridge.calibration.solver.problem_setup import make_problem
from muybridge.calibration.solver.robust_solution import solve
from muybridge.calibration.solver.single_camera import frame_errors, own_poses
from muybridge.calibration.workflow import chained_start
from tests.calibration.synthetic import BOARD, small_rig


def test_frames_that_began_with_the_other_pose_are_put_right():
    # long lenses: both poses of a far plane give almost the same image, and the wrong one is a minimum of its own
    rig = CameraRig(
        tuple(replace(camera, K=camera.K * [[2.5, 1, 1], [1, 2.5, 1], [1, 1, 1]]) for camera in small_rig(2))
    )
    seen = simulate_detections(rig, motion=simulate_board_motion(14, reach=50.0, tilt=0.4, seed=5), noise=0.3)
    problem, rows, kinds, _ = make_problem(seen, BOARD, None, 1, ())
    start = chained_start(problem, rows, kinds)
    good = solve(problem, start)
    R, t, _ = own_poses(good, good.state.lens, 0)
    frame_R, frame_t = start.frame_R.copy(), start.frame_t.copy()
    frame_R[[2, 7]], frame_t[[2, 7]] = R[start.frames[[2, 7]], 1], t[start.frames[[2, 7]], 1]
    stuck = solve(problem, replace(start, frame_R=frame_R, frame_t=frame_t))
    assert np.nanmax(frame_errors(stuck)[:, [2, 7]]) > 3
    again = repaired(stuck)
    np.testing.assert_allclose(frame_errors(again), frame_errors(good), atol=0.02)
    np.testing.assert_allclose(again.state.t, good.state.t, rtol=1e-3, atol=0.1)
    assert repaired(good) is good
