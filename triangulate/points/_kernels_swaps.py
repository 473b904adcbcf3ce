"""Views that exchanged a left and a right keypoint: consensus over both points at once."""

import math

import numpy as np

from ...cameras._kernels_lenses import distort
from ...numerics._kernels_options import helper, kernel
from ._kernels_consensus import midpoint
from ._kernels_dlt import undistort_block
from ._kernels_gauss_newton import FAR


@helper
def _energy(R, t, precision, ideal, lens, X):
    """r² / 2σ² of one observation at X, the lens linear about it; 0 where nothing was seen."""
    if ideal[0] != ideal[0]:
        return 0.0
    z = R[2, 0] * X[0] + R[2, 1] * X[1] + R[2, 2] * X[2] + t[2]
    if not z > 0.0:
        return FAR
    du = (R[0, 0] * X[0] + R[0, 1] * X[1] + R[0, 2] * X[2] + t[0]) / z - ideal[0]
    dv = (R[1, 0] * X[0] + R[1, 1] * X[1] + R[1, 2] * X[2] + t[1]) / z - ideal[1]
    a, b = lens[0] * du + lens[1] * dv, lens[2] * du + lens[3] * dv
    return 0.5 * precision * (a * a + b * b)


@helper
def _assign(R, t, precision, price, swap_cost, ideal, lens, X, swapped):
    """Cost of two points X (2, 3) when every view may swap its two observations; which do into swapped (n_cameras,)."""
    total, n_swapped, n_seen = 0.0, 0, 0
    for c in range(R.shape[0]):
        straight, crossed = 0.0, swap_cost
        for side in range(2):
            straight += min(_energy(R[c], t[c], precision[c], ideal[side, c], lens[side, c], X[side]), price)
            crossed += min(_energy(R[c], t[c], precision[c], ideal[side, c], lens[side, c], X[1 - side]), price)
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
                other = side if flip == 0 else 1 - side
                complete = (
                    complete and ideal[side, i, 0] == ideal[side, i, 0] and ideal[other, j, 0] == ideal[other, j, 0]
                )
                if complete:
                    complete = _two_rays(rays[side, i], rays[other, j], centers[i], centers[j], X[side])
            if not complete:
                continue
            total = _assign(R, t, precision, price, swap_cost, ideal, lens, X, trial)
            if total < lowest:
                lowest = total
                for c in range(R.shape[0]):
                    best[c] = trial[c]


@helper
def _two_rays(a, b, center_a, center_b, X):
    """As `midpoint`, of the rays a and b (3,) from two centres (3,)."""
    rays, centers = np.empty((2, 3)), np.empty((2, 3))
    for k in range(3):
        rays[0, k], rays[1, k], centers[0, k], centers[1, k] = a[k], b[k], center_a[k], center_b[k]
    return midpoint(rays, 0, 1, centers, X)


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
                _, _, xx, xy, yx, yy = distort(x[0], y[0], d[c], rig.fisheye[c])
                lens[side, c, 0], lens[side, c, 1] = (
                    K[c, 0, 0] * xx + K[c, 0, 1] * yx,
                    K[c, 0, 0] * xy + K[c, 0, 1] * yy,
                )
                lens[side, c, 2], lens[side, c, 3] = K[c, 1, 1] * yx, K[c, 1, 1] * yy
                for k in range(3):
                    rays[side, c, k] = x[0] * R[c, 0, k] + y[0] * R[c, 1, k] + R[c, 2, k]
        _best_swaps(R, rig.t, centers, pairs, rays, precision, price, swap_cost, ideal, lens, best, trial)
        for c in range(n_cameras):
            swapped[c, at] = best[c]
