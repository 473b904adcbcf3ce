"""Block tridiagonal systems against dense linear algebra."""

import numpy as np
import pytest

from muybridge.numerics import block_tridiagonal


@pytest.fixture
def system():
    rng, n, b = np.random.default_rng(0), 5, 4
    root = np.zeros((n * b, n * b))
    for i in range(n):
        own = slice(i * b, (i + 1) * b)
        root[own, own] = np.tril(rng.normal(size=(b, b))) + 4 * np.eye(b)
        if i:
            root[own, (i - 1) * b : i * b] = rng.normal(size=(b, b))
    dense = root @ root.T
    blocks = dense.reshape(n, b, n, b)
    diagonal = np.stack([blocks[i, :, i] for i in range(n)])
    below = np.stack([blocks[i + 1, :, i] for i in range(n - 1)])
    return dense, diagonal, below


def test_solution_and_determinant_are_the_dense_ones(system):
    dense, *blocks = system
    factor = block_tridiagonal.factorise(*blocks)
    right = np.random.default_rng(1).normal(size=(5, 4, 3))
    np.testing.assert_allclose(
        block_tridiagonal.solve(factor, right).reshape(-1, 3), np.linalg.solve(dense, right.reshape(-1, 3)), atol=1e-12
    )
    assert block_tridiagonal.log_determinant(factor) == pytest.approx(np.linalg.slogdet(dense)[1])


def test_the_selected_inverse_holds_the_blocks_of_the_inverse(system):
    dense, *blocks = system
    within, below = block_tridiagonal.selected_inverse(block_tridiagonal.factorise(*blocks))
    inverse = np.linalg.inv(dense).reshape(5, 4, 5, 4)
    for i in range(5):
        np.testing.assert_allclose(within[i], inverse[i, :, i], atol=1e-13)
    for i in range(4):
        np.testing.assert_allclose(below[i], inverse[i + 1, :, i], atol=1e-13)


def test_a_matrix_that_is_not_positive_definite_is_refused(system):
    _, diagonal, below = system
    with pytest.raises(np.linalg.LinAlgError, match="block 2"):
        block_tridiagonal.factorise(np.where(np.arange(5)[:, None, None] == 2, -diagonal, diagonal), below)
