"""Loops over frames for angles and their error bars: float64 arrays whose shapes the caller has checked.

Each kernel works on the rows ``start:stop`` and releases the interpreter's lock, so that `threads.over_rows` can run
parts of a recording on all cores. Angles are made in two steps, block by block: sines and cosines frame by frame, then
all arctangents at once by arithmetic that the processor does on four or eight numbers at a time (half the time of
calling atan2).
"""

import math

import numpy as np

from ...numerics._kernels_options import helper, kernel

UNSIGNED, ABOUT_PAIR, ABOUT_AXIS = 0, 1, 2  # kinds of angles
TINY = 1e-28  # squared sine to the axis below which a bone's direction across it is round-off
BLOCK = 128  # frames at a time, so that they fit into the first cache

# arctan(x) = x p(x²) for |x| <= tan(π/8), p by interpolation at Chebyshev nodes: relative error 2e-16
EIGHTH = math.tan(math.pi / 8)
_NODES = (np.cos(np.pi * (np.arange(14) + 0.5) / 14) + 1) / 2 * EIGHTH**2  # Chebyshev's, where the polynomial is fitted
# degree 13 in the square, up to an eighth of the circle
ARCTAN = np.polynomial.Polynomial.fit(_NODES, np.arctan(np.sqrt(_NODES)) / np.sqrt(_NODES), 13).convert().coef


@helper
def arctangents(sines, cosines, angles, base, square):
    """atan2 of sines (m,) and cosines (m,) into angles (m,); base and square (m,) are scratch. NaN stays NaN."""
    m = sines.shape[0]
    for i in range(m):
        y, x = abs(sines[i]), abs(cosines[i])
        less = x if y > x else y
        more = y if y > x else x
        turned = less > EIGHTH * more
        ratio = (less - more if turned else less) / (less + more if turned else more)
        base[i] = 0.25 * math.pi if turned else 0.0
        angles[i], square[i] = ratio, ratio * ratio
    for i in range(m):
        angles[i] = base[i] + angles[i] * _polynomial(square[i])
    for i in range(m):
        angle = angles[i]
        angle = 0.5 * math.pi - angle if abs(sines[i]) > abs(cosines[i]) else angle
        angle = math.pi - angle if cosines[i] < 0.0 else angle
        angles[i] = -angle if sines[i] < 0.0 else angle


@helper
def _polynomial(z):
    total = ARCTAN[13]
    for k in range(12, -1, -1):
        total = total * z + ARCTAN[k]
    return total


@helper
def _axis(points, kind, ends, axes, j, t):
    """Unit vector of the axis of joint j (0 where it has none, NaN where it is undefined), and the axis' length."""
    if kind == UNSIGNED:
        return 0.0, 0.0, 0.0, 1.0
    if kind == ABOUT_PAIR:
        x, y, z = _difference(points, t, ends[j, 4], ends[j, 5])
    else:
        row = t if axes.shape[1] > 1 else 0
        x, y, z = axes[j, row, 0], axes[j, row, 1], axes[j, row, 2]
    length = math.sqrt(x * x + y * y + z * z)
    return x / length, y / length, z / length, length


@helper
def _difference(points, t, a, b):
    return points[t, a, 0] - points[t, b, 0], points[t, a, 1] - points[t, b, 1], points[t, a, 2] - points[t, b, 2]


@kernel
def angle_rows(points, kinds, ends, axes, out, start, stop):
    """Angles of many joints; NaN where a point is missing or a bone has no length (across the axis).

    points (n_frames, n_keypoints, 3); kinds (n_joints,); ends (n_joints, 6): u = ends 0 − 1, v = ends 2 − 3,
    k = ends 4 − 5, or axes (n_joints, 1 or n_frames, 3); out (n_frames, n_joints): the angle from u to v, unsigned or
    about k, radians.
    """
    # one by one: of rows of one array the compiler does not see that they are apart, and loops twice as long
    sines, cosines, angles = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    base, square = np.empty(BLOCK), np.empty(BLOCK)
    used = np.zeros(points.shape[1], dtype=np.bool_)
    for j in range(kinds.shape[0]):
        if kinds[j] == UNSIGNED:
            for e in range(4):
                used[ends[j, e]] = True
    columns = np.empty((points.shape[1], 3, BLOCK))
    for first in range(start, stop, BLOCK):
        m = min(BLOCK, stop - first)
        for k in range(points.shape[1]):
            if used[k]:
                for i in range(m):
                    for x in range(3):
                        columns[k, x, i] = points[first + i, k, x]
        for j in range(kinds.shape[0]):
            if kinds[j] == UNSIGNED:
                a, b, c, d = ends[j, 0], ends[j, 1], ends[j, 2], ends[j, 3]
                _unsigned(columns[a], columns[b], columns[c], columns[d], sines[:m], cosines)
            else:
                for i in range(m):
                    sines[i], cosines[i] = _about(points, kinds[j], ends, axes, j, first + i)
            arctangents(sines[:m], cosines[:m], angles, base, square)
            for i in range(m):
                out[first + i, j] = angles[i]


@helper
def _unsigned(a, b, c, d, sines, cosines):
    for i in range(sines.shape[0]):
        ux, uy, uz = a[0, i] - b[0, i], a[1, i] - b[1, i], a[2, i] - b[2, i]
        vx, vy, vz = c[0, i] - d[0, i], c[1, i] - d[1, i], c[2, i] - d[2, i]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        sines[i] = math.sqrt(nx * nx + ny * ny + nz * nz)
        known = (ux * ux + uy * uy + uz * uz) * (vx * vx + vy * vy + vz * vz) > 0.0
        cosines[i] = ux * vx + uy * vy + uz * vz if known else math.nan


@helper
def _about(points, kind, ends, axes, j, t):
    """Sine and cosine, times the bones' lengths across the axis, of the angle about it."""
    kx, ky, kz, _ = _axis(points, kind, ends, axes, j, t)
    ux, uy, uz = _difference(points, t, ends[j, 0], ends[j, 1])
    vx, vy, vz = _difference(points, t, ends[j, 2], ends[j, 3])
    uu, vv = ux * ux + uy * uy + uz * uz, vx * vx + vy * vy + vz * vz
    ku, kv = kx * ux + ky * uy + kz * uz, kx * vx + ky * vy + kz * vz
    if not (uu - ku * ku > TINY * uu and vv - kv * kv > TINY * vv):
        return math.nan, math.nan
    sine = kx * (uy * vz - uz * vy) + ky * (uz * vx - ux * vz) + kz * (ux * vy - uy * vx)
    return sine, ux * vx + uy * vy + uz * vz - ku * kv


@kernel
def std_rows(points, kinds, ends, axes, members, shares, covariances, cross, pairs, std, start, stop):
    """First-order standard deviations of the angles of `angle_rows`, (n_frames, n_joints) radians.

    As there, and: members (n_joints, 5): the joint's keypoints, −1 beyond the last; shares (n_joints, 5, 3): how often
    each keypoint enters u, v and k; covariances (n_frames, n_keypoints, 3, 3); cross (n_frames, n_pairs, 3, 3);
    pairs (n_joints, 5, 5): 1 + row of `cross` for members (i, j), negative when stored as (j, i), 0 when absent.
    """
    by_u, by_v, by_k = np.empty((3, BLOCK)), np.empty((3, BLOCK)), np.empty((3, BLOCK))
    by_member, variance = np.empty((5, 3, BLOCK)), np.empty(BLOCK)
    for first in range(start, stop, BLOCK):
        m = min(BLOCK, stop - first)
        for j in range(kinds.shape[0]):
            variance[:] = 0.0
            if kinds[j] == UNSIGNED:
                _unsigned_gradients(points[first : first + m], ends[j], by_u, by_v)
                by_k[:] = 0.0
            else:
                _gradients_about(points, kinds[j], ends, axes, j, first, m, by_u, by_v, by_k)
            for i in range(5):
                k = members[j, i]
                if k < 0:
                    break
                share = shares[j, i]
                for x in range(3):
                    for f in range(m):
                        by_member[i, x, f] = share[0] * by_u[x, f] + share[1] * by_v[x, f] + share[2] * by_k[x, f]
                _add_forms(by_member[i], covariances, k, by_member[i], first, 1.0, variance[:m])
                for h in range(i):
                    row = pairs[j, h, i]
                    if row > 0:
                        _add_forms(by_member[h], cross, row - 1, by_member[i], first, 2.0, variance[:m])
                    elif row < 0:
                        _add_forms(by_member[i], cross, -row - 1, by_member[h], first, 2.0, variance[:m])
            for f in range(m):
                std[first + f, j] = math.sqrt(variance[f]) if variance[f] >= 0.0 else math.nan


@helper
def _add_forms(a, matrices, k, b, first, factor, variance):
    """variance (m,) += factor aᵀ M b of a, b (3, m) and M = matrices[first:, k]."""
    for f in range(variance.shape[0]):
        M = matrices[first + f, k]
        x = M[0, 0] * b[0, f] + M[0, 1] * b[1, f] + M[0, 2] * b[2, f]
        y = M[1, 0] * b[0, f] + M[1, 1] * b[1, f] + M[1, 2] * b[2, f]
        z = M[2, 0] * b[0, f] + M[2, 1] * b[1, f] + M[2, 2] * b[2, f]
        variance[f] += factor * (a[0, f] * x + a[1, f] * y + a[2, f] * z)


@helper
def _unsigned_gradients(points, ends, by_u, by_v):
    """Derivatives (3, m) of unsigned angles by u and v; NaN where the angle is."""
    a, b, c, d = ends[0], ends[1], ends[2], ends[3]
    for t in range(points.shape[0]):
        ux, uy, uz = _difference(points, t, a, b)
        vx, vy, vz = _difference(points, t, c, d)
        uu, vv = ux * ux + uy * uy + uz * uz, vx * vx + vy * vy + vz * vz
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        square = nx * nx + ny * ny + nz * nz
        if not square > TINY * uu * vv:
            # straight: every plane through the bone is as good; take one that is surely perpendicular
            nx, ny, nz = (-uy, ux, 0.0) if uz * uz < 0.5 * uu else (0.0, -uz, uy)
            square = nx * nx + ny * ny + nz * nz
        scale = 1.0 / (math.sqrt(square) * uu * vv)
        by_u[0, t], by_u[1, t], by_u[2, t] = _across(nx, ny, nz, ux, uy, uz, -scale * vv)
        by_v[0, t], by_v[1, t], by_v[2, t] = _across(nx, ny, nz, vx, vy, vz, scale * uu)


@helper
def _gradients_about(points, kind, ends, axes, j, first, m, by_u, by_v, by_k):
    """Derivatives (3, m) of angles about an axis by u, v and (of a pair's axis) k; NaN where the angle is."""
    for i in range(m):
        t = first + i
        kx, ky, kz, length = _axis(points, kind, ends, axes, j, t)
        ux, uy, uz = _difference(points, t, ends[j, 0], ends[j, 1])
        vx, vy, vz = _difference(points, t, ends[j, 2], ends[j, 3])
        uu, vv = ux * ux + uy * uy + uz * uz, vx * vx + vy * vy + vz * vz
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        ku, kv = kx * ux + ky * uy + kz * uz, kx * vx + ky * vy + kz * vz
        u_flat, v_flat = uu - ku * ku, vv - kv * kv
        known = u_flat > TINY * uu and v_flat > TINY * vv
        by_u[0, i], by_u[1, i], by_u[2, i] = _across(kx, ky, kz, ux, uy, uz, -1.0 / u_flat if known else math.nan)
        by_v[0, i], by_v[1, i], by_v[2, i] = _across(kx, ky, kz, vx, vy, vz, 1.0 / v_flat if known else math.nan)
        by_k[0, i], by_k[1, i], by_k[2, i] = 0.0, 0.0, 0.0
        if kind == ABOUT_PAIR:
            s = kx * nx + ky * ny + kz * nz
            c = ux * vx + uy * vy + uz * vz - ku * kv
            scale = 1.0 / ((s * s + c * c) * length)
            gx, gy, gz = (
                c * nx + s * (ux * kv + vx * ku),
                c * ny + s * (uy * kv + vy * ku),
                c * nz + s * (uz * kv + vz * ku),
            )
            along = gx * kx + gy * ky + gz * kz
            by_k[0, i], by_k[1, i], by_k[2, i] = (
                (gx - along * kx) * scale, (gy - along * ky) * scale, (gz - along * kz) * scale
            )  # fmt: skip


@helper
def _across(ax, ay, az, bx, by, bz, scale):
    return (ay * bz - az * by) * scale, (az * bx - ax * bz) * scale, (ax * by - ay * bx) * scale
