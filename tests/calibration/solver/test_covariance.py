"""The covariance against boards that are really left out."""

import numpy as np

from muybridge.calibration import simulate_board_motion, simulate_detections
from muybridge.calibration.solver.covariance import global_covariance
from muybridge.calibration.solver.problem_setup import make_problem
from muybridge.calibration.solver.robust_solution import frames_of, resolved, solve
from muybridge.calibration.workflow import chained_start
from tests.calibration.synthetic import BOARD, small_rig


def test_the_variance_of_the_lenses_is_that_of_solutions_with_one_board_left_out():
    seen = simulate_detections(small_rig(2), motion=simulate_board_motion(20, reach=150.0, seed=4), noise=0.2, seed=4)
    problem, rows, kinds, _ = make_problem(seen, BOARD, None, 2, ())
    whole = solve(problem, chained_start(problem, rows, kinds))
    start, n = resolved(whole), len(whole.frames)
    without = [solve(problem, frames_of(start, np.arange(n) != left), warm=True).state.lens for left in range(n)]
    moved = np.array([lens[:, :4] - whole.state.lens[:, :4] for lens in without])  # fx, fy, cx, cy of both cameras
    ours = np.diag(global_covariance(whole))[:12].reshape(2, 6)[:, :4]
    # of 22 parts 19 are the boards' own, 3 the covariance of independent corners
    np.testing.assert_allclose(ours, (1 - 1 / n) * (moved**2).sum(axis=0), rtol=0.25)
