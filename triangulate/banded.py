"""Block-banded positive definite systems: factor, solve, and the parts of the inverse that a posterior needs.

A frame is a block of `block` rows and is coupled to `reach` frames after it. LAPACK's banded Cholesky does the
work, with one BLAS thread: with two, the small updates of a band spend 30 times as long waiting for each other.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import as_strided
from scipy.linalg import cython_lapack, lapack
from threadpoolctl import ThreadpoolController

from ..datasets.arrays import Array

_ROOM = 8  # frames that the recursion's matrix grows by before it is moved back


class _OneThread:
    """Counts who needs BLAS to use one thread: contexts of several threads overlap, and the last one out restores."""

    def __init__(self):
        self.lock, self.users, self.limiter = threading.Lock(), 0, None

    def enter(self) -> None:
        with self.lock:
            if self.users == 0:
                self.limiter = ThreadpoolController().limit(limits=1, user_api="blas")
                self.limiter.__enter__()
            self.users += 1

    def leave(self) -> None:
        with self.lock:
            self.users -= 1
            if self.users == 0 and self.limiter is not None:
                self.limiter.__exit__(None, None, None)


_one_thread = _OneThread()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Context in which BLAS uses one thread."""
    _one_thread.enter()
    try:
        yield
    finally:
        _one_thread.leave()


@cache
def _dpbtrf():
    """LAPACK's banded Cholesky as a foreign function: unlike scipy's wrapper it lets other threads run meanwhile."""
    capsule = cython_lapack.__pyx_capi__["dpbtrf"]
    name, pointer = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    integer = ctypes.POINTER(ctypes.c_int)
    signature = ctypes.CFUNCTYPE(None, ctypes.c_char_p, integer, integer, ctypes.c_void_p, integer, integer)
    return signature(pointer(capsule, name(capsule)))


def factorise(band: Array) -> Array:
    """Cholesky factor, in place, of band (n, width + 1) with band[j, i - j] = matrix[i, j]; C-contiguous float64.

    Raises
    ------
    np.linalg.LinAlgError : the matrix is not positive definite
    """
    n, width, rows, info = (ctypes.c_int(v) for v in (len(band), band.shape[1] - 1, band.shape[1], 0))
    references = ctypes.byref(n), ctypes.byref(width)
    with one_blas_thread():
        _dpbtrf()(b"L", *references, band.ctypes.data, ctypes.byref(rows), ctypes.byref(info))
    if info.value != 0:
        raise np.linalg.LinAlgError(f"a banded system of {len(band)} rows is not positive definite at row {info.value}")
    return band


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
    step = factor.strides[0] - factor.strides[1]  # from matrix[i, j] to matrix[i, j + 1] in band storage
    inside = np.triu(np.ones((block, block)))
    matrix, corner = _fresh_corner(np.zeros((0, 0)), width, block)
    with one_blas_thread():
        for f in range(n_frames - 1, -1, -1):
            rows = min(width, n - (f + 1) * block)
            column = as_strided(factor[f * block :], (block + rows, block), (factor.strides[1], step))
            inverse = lapack.dtrtri(np.asfortranarray(np.tril(column[:block])), lower=1)[0]
            below = np.array(column[block:])
            if rows == width:
                below[-block:] *= inside  # beyond the band lie the next columns' values
            gain = below @ inverse
            after = slice(corner, corner + rows)
            cross = -(matrix[after, after] @ gain)
            own = inverse.T @ inverse - gain.T @ cross
            within[f] = 0.5 * (own + own.T)
            _diagonal_blocks(cross, block, lagged[f])
            if corner < block:
                matrix, corner = _fresh_corner(matrix[: corner + rows, : corner + rows][corner:, corner:], width, block)
                after = slice(corner, corner + rows)
            here = slice(corner - block, corner)
            matrix[here, here], matrix[after, here], matrix[here, after] = within[f], cross, cross.T
            corner -= block
    return within, lagged


def _fresh_corner(known: Array, width: int, block: int) -> tuple[Array, int]:
    """A matrix with room for more frames before the known one, and where the known one begins."""
    corner = _ROOM * block
    matrix = np.zeros((corner + width, corner + width))
    matrix[corner : corner + len(known), corner : corner + len(known)] = known
    return matrix, corner


def _diagonal_blocks(cross: Array, block: int, out: Array) -> None:
    """The covariance of each keypoint at this frame with itself at the next two, into out (n_keypoints, 2, 3, 3)."""
    k = np.arange(block // 3)
    for lag in range(min(2, len(cross) // block)):
        frame = cross[lag * block : (lag + 1) * block].reshape(block // 3, 3, block // 3, 3)
        out[:, lag] = frame[k, :, k, :].swapaxes(-1, -2)
