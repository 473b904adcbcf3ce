"""Banded systems against dense ones."""

import numpy as np
import pytest

from muybridge.numerics.banded import factorise, log_determinant, selected_inverse, solve
from muybridge.triangulate.smoothing import _kernels_smooth


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


def test_the_track_kernels_equal_dense_algebra():
    rng = np.random.default_rng(1)
    n_frames, order, precision, anchor = 12, 3, 40.0, 1e-3
    half = rng.normal(size=(n_frames, 3, 3))
    information = half @ half.swapaxes(1, 2)
    information[4:7] = 0
    vector = np.einsum("tij,tj->ti", information, rng.normal(size=(n_frames, 3)))
    differences = np.diff(np.eye(n_frames), order, axis=0)
    gram_dense = precision * differences.T @ differences + anchor * np.eye(n_frames)
    matrix = np.kron(gram_dense, np.eye(3))
    for f in range(n_frames):
        matrix[3 * f : 3 * f + 3, 3 * f : 3 * f + 3] += information[f]
    from muybridge.triangulate.smoothing.difference_prior import difference_gram, stencil

    gram = difference_gram(n_frames, order)
    mean, covariances, squares = _kernels_smooth.smooth_track(
        information, vector, gram, precision, anchor, stencil(order)
    )
    expected = np.linalg.solve(matrix, vector.reshape(-1))
    np.testing.assert_allclose(mean.reshape(-1), expected, rtol=1e-8)
    inverse = np.linalg.inv(matrix).reshape(n_frames, 3, n_frames, 3)
    for f in range(n_frames):
        for lag in range(3):
            wanted = inverse[f, :, f + lag] if f + lag < n_frames else np.zeros((3, 3))
            np.testing.assert_allclose(covariances[f, lag], wanted, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(squares[: n_frames - order, 0], (np.diff(mean, order, axis=0) ** 2).sum(axis=1))
    spread = np.einsum("rt,tiui,su->rs", differences, inverse, differences).diagonal() / 3
    np.testing.assert_allclose(squares[: n_frames - order, 1], spread, rtol=1e-6)
    evidence = _kernels_smooth.track_evidence(information, vector, gram, precision, anchor)
    dense = (
        1.5 * np.linalg.slogdet(gram_dense)[1]
        - 0.5 * np.linalg.slogdet(matrix)[1]
        + 0.5 * vector.reshape(-1) @ expected
    )
    assert evidence == pytest.approx(dense, rel=1e-9)
