"""Blocks of the inverse of a banded matrix, frame by frame, without the interpreter: windows run in parallel."""

from __future__ import annotations

import numpy as np

from ._kernels_options import helper, kernel


@kernel
def selected_inverse(factor, block, within, lagged):
    """As `banded.selected_inverse`, into within (n_frames, block, block) and lagged (n_frames, block / 3, 2, 3, 3)."""
    n, width = factor.shape[0], factor.shape[1] - 1
    known, following = np.zeros((width, width)), np.zeros((width, width))
    below, own = np.zeros((width, block)), np.zeros((block, block))
    # below the inverse of the frame's own corner stand its gain, and minus its covariance with the frames after it
    gains, minus = np.zeros((block + width, block)), np.zeros((block + width, block))
    for f in range(n // block - 1, -1, -1):
        first = f * block
        invert_corner(factor, first, gains)
        for j in range(block):
            for i in range(block):
                minus[i, j] = gains[i, j]
            for i in range(width):
                inside = block + i - j <= width and first + block + i < n
                below[i, j] = factor[first + j, block + i - j] if inside else 0.0
        np.dot(below, gains[:block], gains[block:])
        np.dot(known, gains[block:], minus[block:])
        np.dot(gains.T, minus, own)
        for lag in range(min(2, width // block)):
            for k in range(block // 3):
                for a in range(3):
                    for b in range(3):
                        lagged[f, k, lag, a, b] = -minus[block + lag * block + 3 * k + b, 3 * k + a]
        for i in range(block):
            for j in range(block):
                within[f, i, j] = 0.5 * (own[i, j] + own[j, i])
                following[i, j] = within[f, i, j]
        for i in range(width - block):
            for j in range(block):
                following[block + i, j] = -minus[block + i, j]
                following[j, block + i] = -minus[block + i, j]
            for j in range(width - block):
                following[block + i, block + j] = known[i, j]
        known, following = following, known


@helper
def invert_corner(factor, first, inverse):
    """Inverse of the lower triangular block that begins at row `first`, into the first rows of `inverse`."""
    block = inverse.shape[1]
    for j in range(block):
        inverse[j, j] = 1.0 / factor[first + j, 0]
        for i in range(j + 1, block):
            total = 0.0
            for k in range(j, i):
                total += factor[first + k, i - k] * inverse[k, j]
            inverse[i, j] = -total / factor[first + i, 0]
