"""Views that exchanged a left and a right keypoint: consensus over both points at once."""

import math

import numpy as np

from ...numerics._kernels_options import helper, kernel
from ._kernels_consensus import linear_energy, linear_lens, midpoint
from ._kernels_dlt import undistort_block


@helper
def _cost(R, t, precision, price, ideal, lens, X):
    """Energy of one observation at X, or the price of an outlier if that is less; 0 where nothing was seen."""
    return min(linear_energy(R, t, precision, ideal, lens, X), price) if ideal[0] == ideal[0] else 0.0


@helper
def _assign(R, t, precision, price, swap_cost, ideal, lens, X, swapped):
    """Cost of two points X (2, 3) when every view may swap its two observations; which do into swapped (n_cameras,)."""
    total, n_swapped, n_seen = 0.0, 0, 0
    for c in range(R.shape[0]):
        straight, crossed = 0.0, swap_cost
        for side in range(2):
            straight += _cost(R[c], t[c], precision[c], price, ideal[side, c], lens[side, c], X[side])
            crossed += _cost(R[c], t[c], precision[c], price, ideal[side, c], lens[side, c], X[1 - side])
        swapped[c] = crossed < straight
        n_swapped += swapped[c]
        n_seen += ideal[0, c, 0] == ideal[0, c, 0] or ideal[1, c, 0] == ideal[1, c, 0]
        total += min(straight, crossed)
    if 2 * n_swapped > n_seen:
        return math.inf  # the same solution with the names exchanged costs less
    return total


@helper
def _best_swaps(R, t, centers, pairs, rays, precision, price, swap_cost, ideal, lens, best, trial):
    """The views to swap, into best (n_cameras,): over mid-points of both points from all pairs of views, either way."""
    X, lowest = np.empty((2, 3)), math.inf
    best[:] = False
    for p in range(pairs.shape[0]):
        i, j = pairs[p, 0], pairs[p, 1]
        for flip in range(2):
            complete = True
            for side in range(2):
                other = side if flip == 0 else 1 - side  # rays that are missing are NaN and meet nowhere
                complete = complete and midpoint(rays[side, i], rays[other, j], centers[i], centers[j], X[side])
            if not complete:
                continue
            total = _assign(R, t, precision, price, swap_cost, ideal, lens, X, trial)
            if total < lowest:
                lowest = total
                for c in range(R.shape[0]):
                    best[c] = trial[c]


@kernel
def find_swaps(rig, centers, pairs, points_2d, precision, price, swap_cost, start, stop, swapped):
    """Fill swapped (n_cameras, n)[:, start:stop] from points_2d (2 sides, n_cameras, n, 2); rig is a RigArrays."""
    K, d, R, n_cameras = rig.K, rig.distortion, rig.R, rig.K.shape[0]
    ideal, lens, rays = np.empty((2, n_cameras, 2)), np.empty((2, n_cameras, 4)), np.empty((2, n_cameras, 3))
    xd, yd, step, x, y = np.empty(1), np.empty(1), np.empty(1), np.empty(1), np.empty(1)
    best, trial = np.zeros(n_cameras, np.bool_), np.zeros(n_cameras, np.bool_)
    for at in range(start, stop):
        for side in range(2):
            for c in range(n_cameras):
                undistort_block(K[c], d[c], rig.fisheye[c], rig.limit[c], points_2d[side, c], at, 1, xd, yd, step, x, y)
                ideal[side, c, 0], ideal[side, c, 1] = x[0], y[0]
                linear_lens(K[c], d[c], rig.fisheye[c], ideal[side, c], lens[side, c])
                for k in range(3):
                    rays[side, c, k] = x[0] * R[c, 0, k] + y[0] * R[c, 1, k] + R[c, 2, k]
        _best_swaps(R, rig.t, centers, pairs, rays, precision, price, swap_cost, ideal, lens, best, trial)
        for c in range(n_cameras):
            swapped[c, at] = best[c]
