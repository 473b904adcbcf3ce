"""Linear triangulation as loops over blocks of points: one plain array per quantity, so that the compiler vectorises.

`error_model="numpy"` matters: the check for division by zero would keep every inner loop scalar. `nogil` lets the
caller run blocks on threads.
"""

import math

import numpy as np

from ...cameras._kernels_lenses import distort_five, undistort_normalised
from ...numerics._kernels_matrices import solve_symmetric_3x3
from ...numerics._kernels_options import helper, kernel

BLOCK = 128  # points: their arrays stay in the fastest cache
_NEWTON_STEPS = 4  # enough for the lenses of most cameras; others are iterated further one by one
_SETTLED = 1e-7  # Newton doubles the digits: a last step below this leaves an error below 1e-13


@helper
def _newton_block(xd, yd, x, y, step, n, k1, k2, p1, p2, k3):
    """Undistorted (x, y) of n distorted points by a fixed number of Newton steps, without branches."""
    for i in range(n):
        a, b, last = xd[i], yd[i], 0.0
        for _ in range(_NEWTON_STEPS):
            ad, bd, xx, xy, yy = distort_five(a, b, k1, k2, p1, p2, k3)
            du, dv = xd[i] - ad, yd[i] - bd
            inverse = 1.0 / (xx * yy - xy * xy)
            da = (yy * du - xy * dv) * inverse
            db = (xx * dv - xy * du) * inverse
            a += da
            b += db
            last = abs(da) + abs(db)
        x[i], y[i], step[i] = a, b, last


@helper
def undistort_block(K, d, fisheye, limit, points_2d, start, n, xd, yd, step, x, y):
    """Ideal normalised coordinates x, y (n,) of one camera's points_2d[start : start + n]; NaN where there are none."""
    fx, skew, cx, fy, cy = K[0, 0], K[0, 1], K[0, 2], K[1, 1], K[1, 2]
    for i in range(n):
        yd[i] = (points_2d[start + i, 1] - cy) / fy
        xd[i] = (points_2d[start + i, 0] - cx - skew * yd[i]) / fx
    plain = not fisheye
    for j in range(5, 14):
        plain = plain and d[j] == 0.0
    if plain:
        _newton_block(xd, yd, x, y, step, n, d[0], d[1], d[2], d[3], d[4])
    for i in range(n):
        if xd[i] != xd[i] or yd[i] != yd[i]:
            x[i], y[i] = math.nan, math.nan
        elif not (plain and step[i] < _SETTLED and x[i] * x[i] + y[i] * y[i] < limit * limit):
            x[i], y[i] = undistort_normalised(xd[i], yd[i], d, fisheye, limit)


@helper
def _accumulate(R, t, fx, fy, x, y, weight, solution, deep, n, normal):
    """Add one camera's two equations per point, (x r3 - r1) X = t1 - x t3 and likewise y, to the normal equations.

    Scaled to pixels: by the focal length and, where the depth is known from `solution` (`deep`), by one over the depth.
    """
    for i in range(n):
        seen = weight[i] > 0.0 and x[i] == x[i]
        u = x[i] if seen else 0.0
        v = y[i] if seen else 0.0
        w = weight[i] if seen else 0.0
        if deep:
            z = R[2, 0] * solution[0, i] + R[2, 1] * solution[1, i] + R[2, 2] * solution[2, i] + t[2]
            w = w / (z * z) if w > 0.0 else 0.0
        wx, wy = w * fx * fx, w * fy * fy
        a0, a1, a2 = u * R[2, 0] - R[0, 0], u * R[2, 1] - R[0, 1], u * R[2, 2] - R[0, 2]
        b0, b1, b2 = v * R[2, 0] - R[1, 0], v * R[2, 1] - R[1, 1], v * R[2, 2] - R[1, 2]
        a, b = t[0] - u * t[2], t[1] - v * t[2]
        normal[0, i] += wx * a0 * a0 + wy * b0 * b0
        normal[1, i] += wx * a0 * a1 + wy * b0 * b1
        normal[2, i] += wx * a0 * a2 + wy * b0 * b2
        normal[3, i] += wx * a1 * a1 + wy * b1 * b1
        normal[4, i] += wx * a1 * a2 + wy * b1 * b2
        normal[5, i] += wx * a2 * a2 + wy * b2 * b2
        normal[6, i] += wx * a0 * a + wy * b0 * b
        normal[7, i] += wx * a1 * a + wy * b1 * b
        normal[8, i] += wx * a2 * a + wy * b2 * b


@helper
def _solve(normal, solution, n):
    """Solve n systems (9, n) into solution (3, n); NaN where the rays are parallel or fewer than two."""
    for i in range(n):
        solution[0, i], solution[1, i], solution[2, i] = solve_symmetric_3x3(
            normal[0, i], normal[1, i], normal[2, i], normal[3, i], normal[4, i], normal[5, i],
            normal[6, i], normal[7, i], normal[8, i],
        )  # fmt: skip


@helper
def _reject_behind(R, t, x, weight, solution, n):
    for i in range(n):
        z = R[2, 0] * solution[0, i] + R[2, 1] * solution[1, i] + R[2, 2] * solution[2, i] + t[2]
        if weight[i] > 0.0 and x[i] == x[i] and not z > 0.0:
            solution[0, i] = solution[1, i] = solution[2, i] = math.nan


@helper
def solve_block(K, R, t, x, y, weight, n, normal, solution):
    """Solution (3, n) from ideal coordinates x, y (n_cameras, n): as it is, then scaled by the depths found."""
    for deep in (False, True):
        normal[:] = 0.0
        for c in range(K.shape[0]):
            _accumulate(R[c], t[c], K[c, 0, 0], K[c, 1, 1], x[c], y[c], weight[c], solution, deep, n, normal)
        _solve(normal, solution, n)


@kernel
def triangulate_linear(K, d, fisheye, limit, R, t, points_2d, weights, start, stop, points_3d):
    """Fill points_3d[start:stop] from points_2d (n_cameras, n, 2) and weights (n_cameras, n; or 0 columns: ones)."""
    n_cameras = K.shape[0]
    xd, yd, step = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    x, y = np.empty((n_cameras, BLOCK)), np.empty((n_cameras, BLOCK))
    normal, solution, weight = np.empty((9, BLOCK)), np.empty((3, BLOCK)), np.ones((n_cameras, BLOCK))
    for first in range(start, stop, BLOCK):
        n = min(BLOCK, stop - first)
        for c in range(n_cameras):
            undistort_block(K[c], d[c], fisheye[c], limit[c], points_2d[c], first, n, xd, yd, step, x[c], y[c])
            if weights.shape[1] > 0:
                for i in range(n):
                    weight[c, i] = weights[c, first + i]
        solve_block(K, R, t, x, y, weight, n, normal, solution)
        for c in range(n_cameras):
            _reject_behind(R[c], t[c], x[c], weight[c], solution, n)
        for i in range(n):
            for axis in range(3):
                points_3d[first + i, axis] = solution[axis, i]
