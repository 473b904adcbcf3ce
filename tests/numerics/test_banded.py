"""Banded systems against dense ones."""

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from muybridge.numerics.banded import factorise, log_determinant, one_blas_thread, selected_inverse, solve


def random_system(n_frames, n_keypoints, reach, seed=0):
    """A dense positive definite matrix with block band `reach`, and its band storage."""
    block = 3 * n_keypoints
    n, width = n_frames * block, reach * block
    rng = np.random.default_rng(seed)
    lower = np.tril(rng.normal(size=(n, n)))
    lower[np.subtract.outer(np.arange(n), np.arange(n)) > width] = 0
    matrix = lower @ lower.T + n * np.eye(n)
    band = np.zeros((n, width + 1))
    for j in range(n):
        column = matrix[j : j + width + 1, j]
        band[j, : len(column)] = column
    return matrix, band


@pytest.mark.parametrize(("n_frames", "n_keypoints", "reach"), [(8, 2, 2), (7, 3, 3), (2, 2, 3), (1, 4, 2), (9, 1, 4)])
def test_factor_solution_and_inverse_equal_the_dense_ones(n_frames, n_keypoints, reach):
    matrix, band = random_system(n_frames, n_keypoints, reach)
    factor = factorise(band.copy())
    vector = np.arange(len(matrix), dtype=float)
    np.testing.assert_allclose(solve(factor, vector), np.linalg.solve(matrix, vector), rtol=1e-9)
    several = np.random.default_rng(1).normal(size=(len(matrix), 3))
    np.testing.assert_allclose(solve(factor, several), np.linalg.solve(matrix, several), rtol=1e-9, atol=1e-12)
    assert log_determinant(factor) == pytest.approx(np.linalg.slogdet(matrix)[1])
    inverse = np.linalg.inv(matrix).reshape(n_frames, n_keypoints, 3, n_frames, n_keypoints, 3)
    within, lagged = selected_inverse(factor, 3 * n_keypoints)
    for f in range(n_frames):
        np.testing.assert_allclose(within[f], inverse[f, :, :, f].reshape(within[f].shape), atol=1e-12)
        for lag in (1, 2):
            for k in range(n_keypoints):
                expected = inverse[f, k, :, f + lag, k] if f + lag < n_frames else 0
                np.testing.assert_allclose(lagged[f, k, lag - 1], expected, atol=1e-12)


def test_the_inverse_stays_exact_over_many_frames():
    matrix, band = random_system(400, 1, 3)
    within, _ = selected_inverse(factorise(band), 3)
    inverse = np.linalg.inv(matrix)
    np.testing.assert_allclose(within[0], inverse[:3, :3], rtol=1e-8)


def test_a_matrix_that_is_not_positive_definite_is_refused():
    _, band = random_system(3, 1, 2)
    band[4, 0] = -1
    with pytest.raises(np.linalg.LinAlgError, match="row 5"):
        factorise(band)


def blas_threads():
    """Threads that numpy's and scipy's own BLAS use."""
    found = ThreadpoolController().select(user_api="blas").info()
    return {library["num_threads"] for library in found if "scipy_openblas" in library["filepath"]}


def test_blas_uses_one_thread_within_overlapping_contexts_and_as_many_as_before_afterwards():
    if not blas_threads():
        pytest.skip("numpy and scipy come without a BLAS of their own")
    with threadpool_limits(2, user_api="blas"):
        for _ in range(2):
            with one_blas_thread():
                with one_blas_thread():
                    assert blas_threads() == {1}
                assert blas_threads() == {1}
            assert blas_threads() == {2}
