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
from scipy.linalg import cython_lapack, lapack
from threadpoolctl import ThreadpoolController

from . import _kernels_banded
from .arrays import Array


@cache
def _blas_libraries() -> ThreadpoolController:
    """The BLAS of numpy and scipy, which are loaded above; looking for them takes milliseconds in a large process."""
    return ThreadpoolController().select(user_api="blas")


class _OneThread:
    """Counts who needs BLAS to use one thread: contexts of several threads overlap, and the last one out restores."""

    def __init__(self):
        self.lock, self.users, self.limiter = threading.Lock(), 0, None

    def enter(self) -> None:
        with self.lock:
            if self.users == 0:
                self.limiter = _blas_libraries().limit(limits=1)
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
    """LAPACK's banded Cholesky as a foreign function.

    scipy.linalg.lapack.dpbtrf holds the interpreter's lock meanwhile, so that windows cannot be factorised side by
    side: `smooth` with a skeleton (2,000 frames, 20 keypoints, 2 processors) takes 2.6 s instead of 2.0 s with it
    (`python benchmarks/banded_factor.py`).
    """
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
    n_frames = len(factor) // block
    within, lagged = np.empty((n_frames, block, block)), np.zeros((n_frames, block // 3, 2, 3, 3))
    with one_blas_thread():
        _kernels_banded.selected_inverse(np.ascontiguousarray(factor), block, within, lagged)
    return within, lagged
