"""Two steps of Gauss-Newton for a block of points at once, on the exact projections, in loops that vectorise.

Most points have no outlier and need no more than this; the others go on in `_kernels_consensus` one by one.
"""

import math

import numpy as np

from ...cameras._kernels_lenses import distort_five, project_with_jacobian
from ...numerics._kernels_matrices import solve_symmetric_3x3
from ...numerics._kernels_options import helper

FAR = 1e6  # energy of a point that a view cannot see
_STEPS = 2  # from the linear solution: the second is far below the noise unless a view is an outlier


@helper
def _project_plain(K, d, limit, R, t, X, n, rows):
    """(u, v, du/dX, dv/dX) of n points X (3, n) into rows (8, n); five-coefficient lens; u NaN outside its domain."""
    fx, skew, cx, fy, cy = K[0, 0], K[0, 1], K[0, 2], K[1, 1], K[1, 2]
    k1, k2, p1, p2, k3 = d[0], d[1], d[2], d[3], d[4]
    for i in range(n):
        z = R[2, 0] * X[0, i] + R[2, 1] * X[1, i] + R[2, 2] * X[2, i] + t[2]
        per_z = 1.0 / z
        x = (R[0, 0] * X[0, i] + R[0, 1] * X[1, i] + R[0, 2] * X[2, i] + t[0]) * per_z
        y = (R[1, 0] * X[0, i] + R[1, 1] * X[1, i] + R[1, 2] * X[2, i] + t[1]) * per_z
        xd, yd, xx, xy, yy = distort_five(x, y, k1, k2, p1, p2, k3)
        ux, uy = (fx * xx + skew * xy) * per_z, (fx * xy + skew * yy) * per_z
        vx, vy = fy * xy * per_z, fy * yy * per_z
        uz, vz = -(ux * x + uy * y), -(vx * x + vy * y)
        inside = z > 0.0 and x * x + y * y <= limit * limit
        rows[0, i] = fx * xd + skew * yd + cx if inside else math.nan
        rows[1, i] = fy * yd + cy
        for k in range(3):
            rows[2 + k, i] = ux * R[0, k] + uy * R[1, k] + uz * R[2, k]
            rows[5 + k, i] = vx * R[0, k] + vy * R[1, k] + vz * R[2, k]


@helper
def _project_block(K, d, fisheye, limit, R, t, X, n, rows):
    plain = not fisheye
    for j in range(5, 14):
        plain = plain and d[j] == 0.0
    if plain:
        _project_plain(K, d, limit, R, t, X, n, rows)
        return
    point = np.empty(3)
    for i in range(n):
        point[0], point[1], point[2] = X[0, i], X[1, i], X[2, i]
        row = project_with_jacobian(K, d, fisheye, limit, R, t, point)
        rows[0, i], rows[1, i], rows[2, i], rows[3, i] = row[0], row[1], row[2], row[3]
        rows[4, i], rows[5, i], rows[6, i], rows[7, i] = row[4], row[5], row[6], row[7]


@helper
def _accumulate(rows, uv, seen, precision, n, h, g, energy):
    """Add one camera to the information h (6, n) and gradient g (3, n); its energies (n,), FAR where it cannot see."""
    for i in range(n):
        ok = seen[i] > 0.0 and rows[0, i] == rows[0, i]
        w = precision if ok else 0.0
        ru = uv[i, 0] - rows[0, i] if ok else 0.0
        rv = uv[i, 1] - rows[1, i] if ok else 0.0
        a0, a1, a2 = rows[2, i], rows[3, i], rows[4, i]
        b0, b1, b2 = rows[5, i], rows[6, i], rows[7, i]
        h[0, i] += w * (a0 * a0 + b0 * b0) if ok else 0.0
        h[1, i] += w * (a0 * a1 + b0 * b1) if ok else 0.0
        h[2, i] += w * (a0 * a2 + b0 * b2) if ok else 0.0
        h[3, i] += w * (a1 * a1 + b1 * b1) if ok else 0.0
        h[4, i] += w * (a1 * a2 + b1 * b2) if ok else 0.0
        h[5, i] += w * (a2 * a2 + b2 * b2) if ok else 0.0
        g[0, i] += w * (a0 * ru + b0 * rv) if ok else 0.0
        g[1, i] += w * (a1 * ru + b1 * rv) if ok else 0.0
        g[2, i] += w * (a2 * ru + b2 * rv) if ok else 0.0
        energy[i] = 0.5 * w * (ru * ru + rv * rv) if ok else FAR


@helper
def _step(h, g, X, n, change):
    """One Newton step of X (3, n) in place; its squared length in standard deviations into change, NaN if singular."""
    for i in range(n):
        p, q, r = g[0, i], g[1, i], g[2, i]
        s0, s1, s2 = solve_symmetric_3x3(h[0, i], h[1, i], h[2, i], h[3, i], h[4, i], h[5, i], p, q, r)
        X[0, i] += s0
        X[1, i] += s1
        X[2, i] += s2
        change[i] = s0 * p + s1 * q + s2 * r


@helper
def refine_block(rig, points_2d, start, n, seen, precision, X, h, g, rows, energy, change):
    """Refine X (3, n) with every seen view, in place; information h (6, n), energies (n_cameras, n), last change (n,).

    rig is a RigArrays; points_2d (n_cameras, n_points, 2), of which n from `start`; seen (n_cameras, n): positive where
    a view counts.
    """
    for _ in range(_STEPS):
        h[:], g[:] = 0.0, 0.0
        for c in range(rig.K.shape[0]):
            d = rig.distortion[c]
            _project_block(rig.K[c], d, rig.fisheye[c], rig.limit[c], rig.R[c], rig.t[c], X, n, rows)
            _accumulate(rows, points_2d[c, start : start + n], seen[c], precision[c], n, h, g, energy[c])
        _step(h, g, X, n, change)
