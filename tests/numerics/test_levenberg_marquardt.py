"""Levenberg-Marquardt against problems whose minima are known."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from muybridge.numerics.levenberg_marquardt import Linearised, minimise_with_damping


def least_squares_problem(residuals, jacobian):
    """`linearise` of half a sum of squares."""

    def cost(x):
        return 0.5 * float((residuals(x) ** 2).sum())

    def linearise(x):
        J, r = jacobian(x), residuals(x)
        H = J.T @ J

        def step(damping):
            trial = x - np.linalg.solve(H + damping * np.diag(np.diag(H)), J.T @ r)
            return trial, cost(trial)

        return Linearised(cost(x), step)

    return linearise


def rosenbrock(x):
    return np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]])


def rosenbrock_jacobian(x):
    return np.array([[-20 * x[0], 10.0], [-1.0, 0.0]])


def test_a_linear_problem_is_solved():
    rng = np.random.default_rng(0)
    A, b = rng.normal(size=(20, 4)), rng.normal(size=20)
    problem = least_squares_problem(lambda x: A @ x - b, lambda x: A)
    found = minimise_with_damping(np.zeros(4), problem, max_iterations=10, tolerance=1e-15)
    assert found.converged
    np.testing.assert_allclose(found.state, np.linalg.lstsq(A, b, rcond=None)[0], rtol=0, atol=1e-7)


def test_a_curved_valley_is_followed_to_its_end_as_scipy_does():
    problem = least_squares_problem(rosenbrock, rosenbrock_jacobian)
    found = minimise_with_damping(np.array([-1.2, 1.0]), problem, max_iterations=100, tolerance=1e-12)
    assert found.converged
    expected = least_squares(rosenbrock, [-1.2, 1.0], rosenbrock_jacobian, method="lm", xtol=1e-12).x
    np.testing.assert_allclose(found.state, expected, rtol=0, atol=1e-8)


def test_the_cost_never_rises():
    seen, problem = [], least_squares_problem(rosenbrock, rosenbrock_jacobian)

    def recorded(x):
        seen.append(problem(x).cost)
        return problem(x)

    minimise_with_damping(np.array([-1.2, 1.0]), recorded, max_iterations=100, tolerance=1e-12)
    assert (np.diff(seen) < 0).all()


def test_iterations_that_do_not_suffice_are_reported():
    problem = least_squares_problem(rosenbrock, rosenbrock_jacobian)
    found = minimise_with_damping(np.array([-1.2, 1.0]), problem, max_iterations=2, tolerance=1e-12)
    assert not found.converged
    assert found.n_iterations == 2


def test_singular_equations_are_damped_until_they_can_be_solved():
    def linearise(x):
        def step(damping):
            if damping < 1e-2:
                raise np.linalg.LinAlgError
            return 0.5 * x, float((0.5 * x) ** 2)

        return Linearised(x**2, step)

    found = minimise_with_damping(1.0, linearise, max_iterations=5, tolerance=0.0)
    assert found.state == 0.5**5


def test_a_minimum_stays_where_it_is():
    found = minimise_with_damping(
        3.0, lambda x: Linearised(1.0, lambda damping: (x + 1, 2.0)), max_iterations=5, tolerance=0
    )
    assert found == (3.0, True, 1)


def test_a_small_gain_does_not_end_the_steps_while_the_cost_function_changes():
    def linearise(n):
        return Linearised(1.0, lambda damping: (n + 1, 1.0 - 1e-12), comparable=n > 3)

    assert minimise_with_damping(0, linearise, max_iterations=10, tolerance=1e-6).state == 5


@pytest.mark.parametrize("cost", [np.nan, np.inf])
def test_a_step_to_an_undefined_cost_is_rejected(cost):
    def linearise(x):
        return Linearised(x, lambda damping: (x - 1, cost if damping < 1e-3 else x - 1.0))

    assert minimise_with_damping(2.0, linearise, max_iterations=1, tolerance=0.0).state == 1.0
