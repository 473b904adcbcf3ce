"""The evidence is the integral of likelihood times prior, and tells a model from one that only fits as well."""

from dataclasses import replace

import numpy as np
import pytest

from muybridge.calibration import CameraRig, simulate_board_motion, simulate_detections
from muybridge.calibration.model_choice.model_evidence import Yardstick, dispersion, lens_evidences, log_evidence
from muybridge.calibration.solver.problem_setup import make_problem
from muybridge.calibration.solver.robust_solution import resolved, solve
from muybridge.calibration.workflow import chained_start
from tests.calibration.synthetic import BOARD, small_rig


@pytest.fixture(scope="module")
def solutions():
    """Of a rig with two true coefficients: with 1, 2 and 8 of them."""
    rig = CameraRig(tuple(replace(camera, distortion=np.array([-0.3, 0.4])) for camera in small_rig(2)))
    seen = simulate_detections(rig, motion=simulate_board_motion(24, reach=250.0, seed=4), noise=0.1, seed=4)
    problem, rows, kinds, _ = make_problem(seen, BOARD, None, 2, ())
    start = resolved(solve(problem, chained_start(problem, rows, kinds)))
    return {n: solve(problem, replace(start, kinds=(n, n)), warm=True) for n in (1, 2, 8)}


def test_the_true_model_is_the_most_probable_and_a_richer_one_fits_no_worse(solutions):
    measure = Yardstick(0.1, solutions[2].keep)
    evidence = {n: log_evidence(solution, measure) for n, solution in solutions.items()}
    assert evidence[1] < evidence[2] - 100
    assert evidence[8] < evidence[2]
    assert measure.loss.cost(solutions[8].fit.residuals) < measure.loss.cost(solutions[2].fit.residuals) + 1e-3


def test_the_lenses_shares_differ_as_their_sum_does(solutions):
    measure = Yardstick(0.1, solutions[2].keep)
    shares = [lens_evidences(solutions[n], measure).sum() for n in (1, 2)]
    whole = [log_evidence(solutions[n], measure) for n in (1, 2)]
    np.testing.assert_allclose(np.diff(shares), np.diff(whole), rtol=0.1)


def test_independent_corners_have_a_dispersion_of_one_and_corners_that_err_together_a_larger_one(solutions):
    solution = solutions[2]
    alone = dispersion(solution, Yardstick(solution.sigma, solution.keep))
    assert alone < 1.3
    frames = solution.views.frame[solution.views.view_of]
    shifts = np.random.default_rng(0).normal(0, 1, (len(solution.frames), 2))[frames]
    outwards = solution.views.pixels - [320, 240]
    shared = 0.002 * outwards * shifts[:, :1]
    together = replace(solution, fit=replace(solution.fit, residuals=solution.fit.residuals + shared))
    assert dispersion(together, Yardstick(solution.sigma, solution.keep)) > 3 * alone
