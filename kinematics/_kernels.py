"""Loops over frames for angles and their error bars: float64 arrays whose shapes the caller has checked.

Each kernel works on the rows ``start:stop`` and releases the interpreter's lock, so that `parallel.over_frames` can run
halves of a recording on two cores.
"""

import math

from numba import njit

UNSIGNED, ABOUT_PAIR, ABOUT_AXIS = 0, 1, 2
TINY = 1e-28  # squared sine below which a projected vector is no direction any more


@njit(cache=True, nogil=True)
def joint_angle(kind, u, v, k, gradient):
    """Angle from u to v, unsigned or about k, and its derivatives (3, 3) by u, v and k; NaN where undefined."""
    ux, uy, uz = u
    vx, vy, vz = v
    uu = ux * ux + uy * uy + uz * uz
    vv = vx * vx + vy * vy + vz * vz
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    dot = ux * vx + uy * vy + uz * vz
    if not uu * vv > 0.0:
        return math.nan
    if kind == UNSIGNED:
        sine = math.sqrt(nx * nx + ny * ny + nz * nz)
        if gradient.size > 0:
            if sine > 1e-14 * math.sqrt(uu * vv):
                nx, ny, nz = nx / sine, ny / sine, nz / sine
            else:  # straight: every plane through the bone is as good; take one that is surely perpendicular
                nx, ny, nz = (-uy, ux, 0.0) if abs(uz) < 0.7 * math.sqrt(uu) else (0.0, -uz, uy)
                length = math.sqrt(nx * nx + ny * ny + nz * nz)
                nx, ny, nz = nx / length, ny / length, nz / length
            _cross_over(nx, ny, nz, ux, uy, uz, -uu, gradient[0])
            _cross_over(nx, ny, nz, vx, vy, vz, vv, gradient[1])
        return math.atan2(sine, dot)
    kx, ky, kz = k
    length = math.sqrt(kx * kx + ky * ky + kz * kz)
    if not length > 0.0:
        return math.nan
    kx, ky, kz = kx / length, ky / length, kz / length
    ku = kx * ux + ky * uy + kz * uz
    kv = kx * vx + ky * vy + kz * vz
    u_flat, v_flat = uu - ku * ku, vv - kv * kv
    if not (u_flat > TINY * uu and v_flat > TINY * vv):
        return math.nan
    s = kx * nx + ky * ny + kz * nz
    c = dot - ku * kv
    if gradient.size > 0:
        _cross_over(kx, ky, kz, ux, uy, uz, -u_flat, gradient[0])
        _cross_over(kx, ky, kz, vx, vy, vz, v_flat, gradient[1])
        scale = 1.0 / ((s * s + c * c) * length)
        gx = c * nx + s * (ux * kv + vx * ku)
        gy = c * ny + s * (uy * kv + vy * ku)
        gz = c * nz + s * (uz * kv + vz * ku)
        along = gx * kx + gy * ky + gz * kz
        gradient[2, 0] = (gx - along * kx) * scale
        gradient[2, 1] = (gy - along * ky) * scale
        gradient[2, 2] = (gz - along * kz) * scale
    return math.atan2(s, c)


@njit(cache=True, nogil=True)
def _cross_over(ax, ay, az, bx, by, bz, divisor, out):
    out[0] = (ay * bz - az * by) / divisor
    out[1] = (az * bx - ax * bz) / divisor
    out[2] = (ax * by - ay * bx) / divisor


@njit(cache=True, nogil=True)
def _difference(points, t, i, j):
    return points[t, i, 0] - points[t, j, 0], points[t, i, 1] - points[t, j, 1], points[t, i, 2] - points[t, j, 2]


@njit(cache=True, nogil=True)
def angle_rows(points, kinds, ends, axes, gradient, out, start, stop):
    """Angles of many joints.

    points (n_frames, n_keypoints, 3); kinds (n_joints,); ends (n_joints, 6): u = ends 0 − 1, v = ends 2 − 3,
    k = ends 4 − 5, or axes (n_joints, 1 or n_frames, 3); gradient: empty (0, 3); out (n_frames, n_joints) radians.
    """
    moving = axes.shape[1] > 1
    k = (0.0, 0.0, 0.0)
    for t in range(start, stop):
        for j in range(kinds.shape[0]):
            e = ends[j]
            if kinds[j] == ABOUT_PAIR:
                k = _difference(points, t, e[4], e[5])
            elif kinds[j] == ABOUT_AXIS:
                a = axes[j, t if moving else 0]
                k = (a[0], a[1], a[2])
            out[t, j] = joint_angle(
                kinds[j], _difference(points, t, e[0], e[1]), _difference(points, t, e[2], e[3]), k, gradient
            )


@njit(cache=True, nogil=True)
def angle_std_rows(points, kinds, ends, axes, members, shares, covariances, cross, pairs, out, std, start, stop):
    """Angles and their first-order standard deviations.

    As `angle_rows`, and: members (n_joints, 5): the joint's keypoints, −1 beyond the last; shares (n_joints, 5, 3): how
    often each keypoint enters u, v and k; covariances (n_frames, n_keypoints, 3, 3); cross (n_frames, n_pairs, 3, 3);
    pairs (n_joints, 5, 5): 1 + row of `cross` for members (i, j), negative when stored as (j, i), 0 when absent.
    """
    moving = axes.shape[1] > 1
    k = (0.0, 0.0, 0.0)
    gradient = covariances[0, 0] * 0.0
    g = shares[0] * 0.0
    for t in range(start, stop):
        for j in range(kinds.shape[0]):
            e = ends[j]
            if kinds[j] == ABOUT_PAIR:
                k = _difference(points, t, e[4], e[5])
            elif kinds[j] == ABOUT_AXIS:
                a = axes[j, t if moving else 0]
                k = (a[0], a[1], a[2])
            gradient[2] = 0.0
            out[t, j] = joint_angle(
                kinds[j], _difference(points, t, e[0], e[1]), _difference(points, t, e[2], e[3]), k, gradient
            )
            if not math.isfinite(out[t, j]):
                std[t, j] = math.nan
                continue
            variance = 0.0
            for i in range(5):
                m = members[j, i]
                if m < 0:
                    break
                for x in range(3):
                    g[i, x] = shares[j, i, 0] * gradient[0, x]
                    g[i, x] += shares[j, i, 1] * gradient[1, x] + shares[j, i, 2] * gradient[2, x]
                variance += _form(g[i], covariances[t, m], g[i])
                for h in range(i):
                    p = pairs[j, h, i]
                    if p > 0:
                        variance += 2.0 * _form(g[h], cross[t, p - 1], g[i])
                    elif p < 0:
                        variance += 2.0 * _form(g[i], cross[t, -p - 1], g[h])
            std[t, j] = math.sqrt(variance) if variance >= 0.0 else math.nan


@njit(cache=True, nogil=True)
def _form(a, M, b):
    total = 0.0
    for x in range(3):
        total += a[x] * (M[x, 0] * b[0] + M[x, 1] * b[1] + M[x, 2] * b[2])
    return total
