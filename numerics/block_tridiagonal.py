"""Positive definite block tridiagonal systems with few large blocks, and many right-hand sides.

A trajectory whose frames are tied to the next `reach` frames becomes one when `reach` frames make a block. Beside
`banded`, because the constants of a recording are hundreds of right-hand sides, which dense blocks solve in
half the time of a band (300 for 50 frames of 45 angles: 26 ms against 50 ms; the factor alone takes as long).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import blas, lapack

from .arrays import Array
from .banded import one_blas_thread


class BlockFactor(NamedTuple):
    """Cholesky factor: its lower triangular diagonal blocks (n, b, b), and the blocks below them (n - 1, b, b)."""

    diagonal: Array
    below: Array


def factorise(diagonal: Array, below: Array) -> BlockFactor:
    """Of the symmetric matrix with these diagonal blocks (n, b, b) and blocks below them (n - 1, b, b).

    Raises
    ------
    np.linalg.LinAlgError : the matrix is not positive definite
    """
    factor, under = np.empty_like(diagonal), np.empty_like(below)
    with one_blas_thread():
        for i, block in enumerate(diagonal):
            if i > 0:
                under[i - 1] = blas.dtrsm(1.0, factor[i - 1].T, below[i - 1].T, side=0, lower=0, trans_a=1).T
                block = block - under[i - 1] @ under[i - 1].T
            upper, info = lapack.dpotrf(block.T, lower=0)
            if info != 0:
                raise np.linalg.LinAlgError(f"block {i} of {len(diagonal)} is not positive definite")
            factor[i] = upper.T
    return BlockFactor(factor, under)


def forward(factor: BlockFactor, right: Array) -> Array:
    """Solution of L x = right (n, b, n_right)."""
    x = np.empty_like(right)
    with one_blas_thread():
        for i, own in enumerate(right):
            x[i] = _lower(factor.diagonal[i], own if i == 0 else own - factor.below[i - 1] @ x[i - 1])
    return x


def backward(factor: BlockFactor, right: Array) -> Array:
    """Solution of Lᵀ x = right (n, b, n_right)."""
    x = np.empty_like(right)
    with one_blas_thread():
        for i in range(len(right) - 1, -1, -1):
            rest = right[i] if i == len(right) - 1 else right[i] - factor.below[i].T @ x[i + 1]
            x[i] = _lower(factor.diagonal[i], rest, transposed=True)
    return x


def _lower(L: Array, right: Array, transposed: bool = False) -> Array:
    """Solution of L x = right or of Lᵀ x = right, all row-major: BLAS, which is column-major, sees their transposes."""
    return blas.dtrsm(1.0, L.T, right.T, side=1, lower=0, trans_a=int(transposed)).T


def solve(factor: BlockFactor, right: Array) -> Array:
    """Solution of L Lᵀ x = right (n, b, n_right)."""
    return backward(factor, forward(factor, right))


def log_determinant(factor: BlockFactor) -> float:
    """Of the matrix whose factor is given."""
    return 2.0 * float(np.log(np.diagonal(factor.diagonal, axis1=1, axis2=2)).sum())


def selected_inverse(factor: BlockFactor) -> tuple[Array, Array]:
    """Of the inverse, the diagonal blocks (n, b, b) and those below them (n - 1, b, b) (Takahashi; Erisman and Tinney
    1975), symmetrised at each step: round-off grows otherwise."""
    n, size, _ = factor.diagonal.shape
    within, below = np.empty_like(factor.diagonal), np.empty_like(factor.below)
    with one_blas_thread():
        for i in range(n - 1, -1, -1):
            root = _lower(factor.diagonal[i], np.eye(size))
            own = root.T @ root
            if i < n - 1:
                gain = factor.below[i] @ root  # of the next block on this one, with the opposite sign
                below[i] = -within[i + 1] @ gain
                own = own - gain.T @ below[i]
            within[i] = 0.5 * (own + own.T)
    return within, below
