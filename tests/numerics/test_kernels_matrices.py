"""3x3 systems by cofactors against numpy's general solver."""

import numpy as np
import pytest

from muybridge.numerics._kernels_matrices import invert_symmetric_3x3, solve_3x3, solve_symmetric_3x3

UPPER = np.triu_indices(3)


@pytest.mark.parametrize("seed", range(5))
def test_inverse_and_solution_equal_those_of_numpy(seed):
    rng = np.random.default_rng(seed)
    A, b = rng.normal(size=(3, 3)), rng.normal(size=3)
    P = A @ A.T + 0.1 * np.eye(3)
    np.testing.assert_allclose(invert_symmetric_3x3(*P[UPPER]), np.linalg.inv(P)[UPPER], rtol=1e-9)
    np.testing.assert_allclose(solve_symmetric_3x3(*P[UPPER], *b), np.linalg.solve(P, b), rtol=1e-9)
    np.testing.assert_allclose(solve_3x3(A, *b), np.linalg.solve(A, b), rtol=1e-9)


@pytest.mark.parametrize("P", [np.zeros((3, 3)), np.diag([1.0, 1.0, 0.0]), np.diag([1.0, 1.0, -1.0]), np.ones((3, 3))])
def test_a_system_that_is_not_positive_definite_has_no_solution(P):
    assert np.isnan(solve_symmetric_3x3(*P[UPPER], 1.0, 2.0, 3.0)).all()


def test_the_unit_of_a_system_does_not_decide_whether_it_is_singular():
    for unit in (1e-12, 1e12):
        np.testing.assert_allclose(solve_symmetric_3x3(unit, 0.0, 0.0, unit, 0.0, unit, unit, 0.0, 0.0), [1, 0, 0])
