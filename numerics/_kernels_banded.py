"""Blocks of the inverse of a banded matrix, frame by frame, without the interpreter: windows run in parallel."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def selected_inverse(factor, block, within, lagged):
    """As `banded.selected_inverse`, into within (n_frames, block, block) and lagged (n_frames, block / 3, 2, 3, 3)."""
    n, width = factor.shape[0], factor.shape[1] - 1
    known, following = np.zeros((width, width)), np.zeros((width, width))
    inverse, below = np.zeros((block, block)), np.zeros((width, block))
    for f in range(n // block - 1, -1, -1):
        first = f * block
        invert_corner(factor, first, inverse)
        for j in range(block):
            for i in range(width):
                inside = block + i - j <= width and first + block + i < n
                below[i, j] = factor[first + j, block + i - j] if inside else 0.0
        gain = np.dot(below, inverse)
        cross = -np.dot(known, gain)
        own = np.dot(inverse.T, inverse) - np.dot(gain.T, cross)
        within[f] = 0.5 * (own + own.T)
        for lag in range(min(2, width // block)):
            for k in range(block // 3):
                for a in range(3):
                    for b in range(3):
                        lagged[f, k, lag, a, b] = cross[lag * block + 3 * k + b, 3 * k + a]
        following[block:, block:] = known[: width - block, : width - block]
        following[:block, :block] = within[f]
        following[block:, :block] = cross[: width - block]
        following[:block, block:] = cross[: width - block].T
        known, following = following, known


@njit(cache=True, nogil=True)
def invert_corner(factor, first, inverse):
    """Inverse of the lower triangular block that begins at row `first`, by forward substitution."""
    block = inverse.shape[0]
    for j in range(block):
        inverse[j, j] = 1.0 / factor[first + j, 0]
        for i in range(j + 1, block):
            total = 0.0
            for k in range(j, i):
                total += factor[first + k, i - k] * inverse[k, j]
            inverse[i, j] = -total / factor[first + i, 0]
