"""Block-banded positive definite systems: factor, solve, and the parts of the inverse that a posterior needs.

A frame is a block of `block` rows and is coupled to `reach` frames after it. LAPACK's banded Cholesky does the
work, with one BLAS thread: with two, the small updates of a band spend 30 times as long waiting for each other.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import as_strided
from scipy.linalg import lapack
from threadpoolctl import ThreadpoolController

from ..datasets.arrays import Array


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def one_blas_thread():
    """Context in which BLAS uses one thread."""
    return _controller().limit(limits=1, user_api="blas")


def factorise(band: Array) -> Array:
    """Cholesky factor, in place, of band (n, width + 1) with band[j, i - j] = matrix[i, j].

    Raises
    ------
    np.linalg.LinAlgError : the matrix is not positive definite
    """
    with one_blas_thread():
        factor, info = lapack.dpbtrf(band.T, lower=1, overwrite_ab=1)
    if info != 0:
        raise np.linalg.LinAlgError(f"a banded system of {len(band)} rows is not positive definite at row {info}")
    return factor.T


def solve(factor: Array, vector: Array) -> Array:
    """Solution of L Lᵀ x = vector (n,) or (n, n_right), given the factor of `factorise`."""
    with one_blas_thread():
        solution, _ = lapack.dpbtrs(factor.T, vector, lower=1)
    return solution


def log_determinant(factor: Array) -> float:
    """Of the matrix whose factor is given."""
    return 2.0 * float(np.log(factor[:, 0]).sum())


def selected_inverse(factor: Array, block: int) -> tuple[Array, Array]:
    """Blocks of the inverse within a frame, and between a keypoint and itself one and two frames later.

    Backward recursion over frames (Takahashi; Erisman and Tinney 1975), symmetrised at each step: round-off
    explodes within some hundred frames otherwise.

    Parameters
    ----------
    factor : (n, width + 1) of `factorise`, width a multiple of `block` and at least 2 blocks

    Returns
    -------
    within : (n_frames, block, block)
    lagged : (n_frames, block / 3, 2, 3, 3), zero past the end
    """
    n, width = factor.shape[0], factor.shape[1] - 1
    n_frames, n_keypoints = n // block, block // 3
    within, lagged = np.empty((n_frames, block, block)), np.zeros((n_frames, n_keypoints, 2, 3, 3))
    after = np.zeros((width, width))
    shifted = np.zeros_like(after)
    step = factor.strides[0] - factor.strides[1]  # from matrix[i, j] to matrix[i, j + 1] in band storage
    inside = np.triu(np.ones((block, block), bool))
    with one_blas_thread():
        for f in range(n_frames - 1, -1, -1):
            rows = min(width, n - (f + 1) * block)
            column = as_strided(factor[f * block :], (block + rows, block), (factor.strides[1], step))
            inverse = lapack.dtrtri(np.asfortranarray(np.tril(column[:block])), lower=1)[0]
            below = np.array(column[block:])
            if rows == width:
                below[-block:] *= inside  # beyond the band lie the next columns' values
            gain = below @ inverse
            cross = -after[:rows, :rows] @ gain
            own = inverse.T @ inverse - gain.T @ cross
            within[f] = 0.5 * (own + own.T)
            _diagonal_blocks(cross, block, lagged[f])
            shifted[:block, :block] = within[f]
            keep = width - block
            shifted[block:, :block] = cross[:keep] if rows >= keep else np.pad(cross, ((0, keep - rows), (0, 0)))
            shifted[:block, block:] = shifted[block:, :block].T
            shifted[block:, block:] = after[:keep, :keep]
            after, shifted = shifted, after
    return within, lagged


def _diagonal_blocks(cross: Array, block: int, out: Array) -> None:
    """The covariance of each keypoint at this frame with itself at the next two, into out (n_keypoints, 2, 3, 3)."""
    k = np.arange(block // 3)
    for lag in range(min(2, len(cross) // block)):
        frame = cross[lag * block : (lag + 1) * block].reshape(block // 3, 3, block // 3, 3)
        out[:, lag] = frame[k, :, k, :].swapaxes(-1, -2)
