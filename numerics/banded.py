"""Block-banded positive definite systems: factor, solve, and the parts of the inverse that a posterior needs.

A frame is a block of `block` rows and is coupled to `reach` frames after it. LAPACK's banded Cholesky does the
work, with one BLAS thread: with two, the small updates of a band spend 30 times as long waiting for each other.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
from scipy.linalg import cython_lapack
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
def _lapack(name: str, n_arguments: int) -> Callable[..., None]:
    """A subroutine of LAPACK as a foreign function of addresses.

    Those of scipy.linalg.lapack hold the interpreter's lock meanwhile, so that windows cannot be solved side by side:
    `smooth` with a skeleton (2,000 frames, 20 keypoints, 2 processors) takes 2.6 s instead of 2.0 s with dpbtrf from
    there (`python benchmarks/banded_factor.py`).
    """
    capsule = cython_lapack.__pyx_capi__[name]
    signature, address = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    signature.restype, signature.argtypes = ctypes.c_char_p, [ctypes.py_object]
    address.restype, address.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * n_arguments)(address(capsule, signature(capsule)))


def _on_lower_triangle(name: str, *values: int | Array) -> int:
    """Call a subroutine on the lower triangle of a band with these arguments, arrays in place: its error code."""
    held = [np.array(value, np.intc) if isinstance(value, int) else value for value in (*values, 0)]
    with one_blas_thread():
        _lapack(name, 1 + len(held))(b"L", *(value.ctypes.data for value in held))
    return int(held[-1])


def factorise(band: Array) -> Array:
    """Cholesky factor, in place, of band (n, width + 1) with band[j, i - j] = matrix[i, j]; C-contiguous float64.

    Raises
    ------
    np.linalg.LinAlgError : the matrix is not positive definite
    """
    n, rows = band.shape
    error = _on_lower_triangle("dpbtrf", n, rows - 1, band, rows)
    if error:
        raise np.linalg.LinAlgError(f"a banded system of {n} rows is not positive definite at row {error}")
    return band


def solve(factor: Array, vector: Array) -> Array:
    """Solution of L Lᵀ x = vector (n,) or (n, n_right), given the factor of `factorise`."""
    (n, rows), factor = factor.shape, np.ascontiguousarray(factor)
    solution = np.array(vector, float, order="F")
    n_right = 1 if vector.ndim == 1 else vector.shape[1]
    _on_lower_triangle("dpbtrs", n, rows - 1, n_right, factor, rows, solution, n)
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
