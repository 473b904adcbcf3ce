"""Lens models as plain loops over float64 arrays whose shapes the caller has checked.

A camera is the row `c` of `RigArrays`: `K (n, 3, 3)`, `distortion (n, 14)`, `fisheye (n,)`, `R (n, 3, 3)`, `t (n, 3)`
and `limit (n,)`, the radius (pinhole: tan of the angle from the optical axis; fisheye: the angle) up to which the lens
model is one-to-one. Beyond it, and behind the camera, a projection is NaN: the polynomial folds back there and would
put a point that the camera cannot see in the middle of the image.

Distortion in OpenCV's order: k1 k2 p1 p2 k3 | k4 k5 k6 | s1 s2 s3 s4 | tau_x tau_y; fisheye k1 k2 k3 k4 (Kannala and
Brandt 2006, the equidistant form of OpenCV).
"""

import math

import numpy as np

from ..numerics._kernels_options import helper, inlined_kernel, kernel

_STEPS = 16  # in which a lens is followed from its axis to a pixel: each starts near enough for Newton
_HALVINGS = 20  # of a step of Newton that would leave the domain
_MAX_ITERATIONS = 50  # of Newton, with bisection as the fallback of the fisheye
_TOLERANCE = 1e-15  # normalised coordinates: round-off
_ON_THE_WAY = 1e-6  # as near is a point between axis and pixel followed: Newton from there converges quadratically


@helper
def _radial_tangential(x, y, radial, slope, p1, p2):
    """Radial factor (`slope`: twice its derivative by r2) and tangential terms: (xd, yd, dxd/dx, dxd/dy, dyd/dy).

    dyd/dx equals dxd/dy: both terms are gradients.
    """
    xx, xy, yy = x * x, x * y, y * y
    return (
        x * radial + 2.0 * p1 * xy + p2 * (3.0 * xx + yy),
        y * radial + p1 * (xx + 3.0 * yy) + 2.0 * p2 * xy,
        radial + xx * slope + 2.0 * p1 * y + 6.0 * p2 * x,
        xy * slope + 2.0 * p1 * x + 2.0 * p2 * y,
        radial + yy * slope + 6.0 * p1 * y + 2.0 * p2 * x,
    )


@kernel
def distort_five(x, y, k1, k2, p1, p2, k3):
    """As `distort_pinhole` for five coefficients, without division and branch, so that loops over points vectorise.

    `triangulate_dlt` takes 9 ms for 40,000 points in 6 cameras with it and 41 ms with `distort_pinhole`,
    `triangulate_ransac` 83 and 154 ms. Returns (xd, yd, dxd/dx, dxd/dy = dyd/dx, dyd/dy).
    """
    r2 = x * x + y * y
    radial = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))
    slope = 2.0 * (k1 + r2 * (2.0 * k2 + r2 * 3.0 * k3))
    return _radial_tangential(x, y, radial, slope, p1, p2)


@helper
def rational(r2, d):
    """Radial factor of the rational model, twice its derivative by r2, and its denominator."""
    bottom = 1.0 + r2 * (d[5] + r2 * (d[6] + r2 * d[7]))
    radial = (1.0 + r2 * (d[0] + r2 * (d[1] + r2 * d[4]))) / bottom
    top_slope = d[0] + r2 * (2.0 * d[1] + r2 * 3.0 * d[4])
    bottom_slope = d[5] + r2 * (2.0 * d[6] + r2 * 3.0 * d[7])
    return radial, 2.0 * (top_slope - radial * bottom_slope) / bottom, bottom


@inlined_kernel
def _distort_untilted(x, y, d):
    """As `distort_pinhole`, before the tilted sensor; inlined, else `triangulate_dlt` takes 19 % longer."""
    r2 = x * x + y * y
    radial, slope, _ = rational(r2, d)
    xd, yd, xx, xy, yy = _radial_tangential(x, y, radial, slope, d[2], d[3])
    prism_x = 2.0 * (d[8] + 2.0 * r2 * d[9])
    prism_y = 2.0 * (d[10] + 2.0 * r2 * d[11])
    xd += r2 * (d[8] + r2 * d[9])
    yd += r2 * (d[10] + r2 * d[11])
    return xd, yd, xx + prism_x * x, xy + prism_x * y, xy + prism_y * x, yy + prism_y * y


@helper
def distort_pinhole(x, y, d):
    """Distorted normalised coordinates and their Jacobian: (xd, yd, dxd/dx, dxd/dy, dyd/dx, dyd/dy)."""
    xd, yd, xx, xy, yx, yy = _distort_untilted(x, y, d)
    if d[12] == 0.0 and d[13] == 0.0:
        return xd, yd, xx, xy, yx, yy
    u, v, ux, uy, vx, vy = _tilt(xd, yd, d[12], d[13])
    return u, v, ux * xx + uy * yx, ux * xy + uy * yy, vx * xx + vy * yx, vx * xy + vy * yy


@helper
def _tilt(x, y, tau_x, tau_y):
    """Image on the tilted sensor (Scheimpflug; OpenCV's matTilt), and its Jacobian: (u, v, ux, uy, vx, vy).

    (x, y, 1) is rotated by R = Ry Rx, projected, scaled by R[2, 2] and shifted back by R[:2, 2].
    """
    cx, sx, cy, sy = math.cos(tau_x), math.sin(tau_x), math.cos(tau_y), math.sin(tau_y)
    w = sy * x - cy * sx * y + cy * cx
    a, b = (cy * x + sy * sx * y - sy * cx) / w, (cx * y + sx) / w
    scale = cy * cx / w
    u, v = cy * cx * a + sy * cx, cy * cx * b - sx
    return u, v, scale * (cy - a * sy), scale * sx * (sy + a * cy), -scale * b * sy, scale * (cx + b * cy * sx)


@helper
def _tilt_by_angles(x, y, tau_x, tau_y):
    """(du/dtau_x, dv/dtau_x, du/dtau_y, dv/dtau_y) of `_tilt`."""
    cx, sx, cy, sy = math.cos(tau_x), math.sin(tau_x), math.cos(tau_y), math.sin(tau_y)
    w = sy * x - cy * sx * y + cy * cx
    a, b = (cy * x + sy * sx * y - sy * cx) / w, (cx * y + sx) / w
    scale, across = cy * cx / w, cx * y + sx
    u = cy * cx * a + sy * cx
    return (
        -cy * sx * a + scale * (sy + a * cy) * across - sy * sx,
        -cy * sx * b + scale * (cx - sx * y + b * cy * across) - cx,
        -a * u,
        -b * u,
    )


@helper
def equidistant(theta, d):
    """theta_d = theta (1 + k1 theta^2 + ... + k4 theta^8) and its derivative."""
    q = theta * theta
    theta_d = theta * (1.0 + q * (d[0] + q * (d[1] + q * (d[2] + q * d[3]))))
    return theta_d, 1.0 + q * (3.0 * d[0] + q * (5.0 * d[1] + q * (7.0 * d[2] + q * 9.0 * d[3])))


@helper
def distort_fisheye(x, y, d):
    """As `distort_pinhole`, for the equidistant model."""
    r = math.sqrt(x * x + y * y)
    if r < 1e-9:
        return x, y, 1.0, 0.0, 0.0, 1.0
    theta_d, theta_slope = equidistant(math.atan(r), d)
    scale = theta_d / r
    slope = (theta_slope / (1.0 + r * r) - scale) / (r * r)
    return x * scale, y * scale, scale + x * x * slope, x * y * slope, x * y * slope, scale + y * y * slope


@kernel
def distort(x, y, d, fisheye):
    """`distort_fisheye` or `distort_pinhole`."""
    if fisheye:
        return distort_fisheye(x, y, d)
    return distort_pinhole(x, y, d)


@kernel
def distort_with_derivatives(x, y, d, fisheye, tilted, D):
    """Distorted normalised coordinates; D (2, 16) receives their derivatives by (x, y) and the 14 coefficients.

    tilted: whether the derivatives by tau_x and tau_y are needed; without it both must be 0.
    """
    D[:] = 0.0
    r2 = x * x + y * y
    if fisheye:
        u, v, D[0, 0], D[0, 1], D[1, 0], D[1, 1] = distort_fisheye(x, y, d)
        r = math.sqrt(r2)
        theta = math.atan(r)
        power = theta / r if r > 1e-9 else 0.0
        for i in range(4):
            power *= theta * theta
            D[0, 2 + i], D[1, 2 + i] = x * power, y * power
        return u, v
    u, v, D[0, 0], D[0, 1], D[1, 0], D[1, 1] = _distort_untilted(x, y, d)
    radial, _, bottom = rational(r2, d)
    power = 1.0 / bottom
    for i in range(3):
        power *= r2
        k, m = 2 + (i if i < 2 else 4), 7 + i
        D[0, k], D[1, k] = x * power, y * power
        D[0, m], D[1, m] = -x * radial * power, -y * radial * power
    D[0, 4], D[1, 4] = 2.0 * x * y, r2 + 2.0 * y * y
    D[0, 5], D[1, 5] = r2 + 2.0 * x * x, 2.0 * x * y
    D[0, 10], D[0, 11], D[1, 12], D[1, 13] = r2, r2 * r2, r2, r2 * r2
    if not tilted:
        return u, v
    D[0, 14], D[1, 14], D[0, 15], D[1, 15] = _tilt_by_angles(u, v, d[12], d[13])
    u, v, ux, uy, vx, vy = _tilt(u, v, d[12], d[13])
    for i in range(14):
        a, b = D[0, i], D[1, i]
        D[0, i], D[1, i] = ux * a + uy * b, vx * a + vy * b
    return u, v


@helper
def inside(x, y, fisheye, limit):
    """Whether normalised coordinates lie where the lens model is one-to-one."""
    r = math.sqrt(x * x + y * y)
    return (math.atan(r) if fisheye else r) <= limit


@helper
def _undistort_fisheye(xd, yd, d, limit):
    """Ideal normalised coordinates by Newton on the angle, held within its bounds; NaN beyond the model's domain."""
    theta_d = math.sqrt(xd * xd + yd * yd)
    if theta_d < 1e-12:
        return xd, yd
    theta = min(theta_d, limit)
    low, high = 0.0, limit
    for _ in range(_MAX_ITERATIONS):
        value, slope = equidistant(theta, d)
        value -= theta_d
        if value > 0.0:
            high = theta
        else:
            low = theta
        new = theta - value / slope if slope > 0.0 else 0.5 * (low + high)
        if new <= low or new >= high:
            new = 0.5 * (low + high)
        step, theta = abs(new - theta), new
        if step < _TOLERANCE:
            break
    if abs(equidistant(theta, d)[0] - theta_d) > 1e-12 * max(1.0, theta_d) or theta >= 0.5 * math.pi:
        return math.nan, math.nan
    scale = math.tan(theta) / theta_d
    return xd * scale, yd * scale


@helper
def _newton(xd, yd, d, limit):
    """Newton on the two-dimensional distortion from the pixel itself; NaN where it leaves the domain or stalls."""
    x, y = xd, yd
    for _ in range(_MAX_ITERATIONS):
        u, v, xx, xy, yx, yy = distort_pinhole(x, y, d)
        determinant = xx * yy - xy * yx
        if not determinant > 0.0:
            return math.nan, math.nan
        du, dv = xd - u, yd - v
        dx = (yy * du - xy * dv) / determinant
        dy = (xx * dv - yx * du) / determinant
        x, y = x + dx, y + dy
        if not x * x + y * y <= limit * limit:
            return math.nan, math.nan
        if abs(dx) + abs(dy) < _TOLERANCE * (1.0 + abs(x) + abs(y)):
            break
    u, v, xx, xy, yx, yy = distort_pinhole(x, y, d)
    if abs(u - xd) + abs(v - yd) > 1e-12 * (1.0 + abs(xd) + abs(yd)):
        return math.nan, math.nan
    return x, y


@helper
def _still_regular(x, y, d, limit):
    """Whether a pinhole is one-to-one about a point within `limit`."""
    if not x * x + y * y <= limit * limit:
        return False
    radial, slope, bottom = rational(x * x + y * y, d)
    _, _, xx, xy, yx, yy = distort_pinhole(x, y, d)
    return bottom > 0.0 and radial + slope * (x * x + y * y) > 0.0 and xx * yy - xy * yx > 0.0


@kernel
def follow_from_axis(xd, yd, d, limit):
    """Ideal normalised coordinates, followed from the axis along a line of the image; NaN where the lens folds before.

    Slower than Newton from the pixel itself, which strong or uneven distortion sends astray.
    """
    x, y = 0.0, 0.0
    for k in range(1, _STEPS + 1):
        goal_x, goal_y = xd * k / _STEPS, yd * k / _STEPS
        smallest, nearest = (10 * _TOLERANCE, 1e-12) if k == _STEPS else (_ON_THE_WAY, _ON_THE_WAY)
        for _ in range(_MAX_ITERATIONS):
            u, v, xx, xy, yx, yy = distort_pinhole(x, y, d)
            determinant = xx * yy - xy * yx
            dx = (yy * (goal_x - u) - xy * (goal_y - v)) / determinant
            dy = (xx * (goal_y - v) - yx * (goal_x - u)) / determinant
            for _ in range(_HALVINGS):
                if _still_regular(x + dx, y + dy, d, limit):
                    break
                dx, dy = 0.5 * dx, 0.5 * dy
            else:
                return math.nan, math.nan
            x, y = x + dx, y + dy
            if abs(dx) + abs(dy) < smallest * (1.0 + abs(x) + abs(y)):
                break
        u, v, _, _, _, _ = distort_pinhole(x, y, d)
        if not abs(u - goal_x) + abs(v - goal_y) < nearest * (1.0 + abs(goal_x) + abs(goal_y)):
            return math.nan, math.nan
    return x, y


@kernel
def undistort_normalised(xd, yd, d, fisheye, limit):
    """Ideal normalised coordinates of distorted ones; NaN where no point inside the model's domain maps there."""
    if not (math.isfinite(xd) and math.isfinite(yd)):
        return math.nan, math.nan
    if fisheye:
        return _undistort_fisheye(xd, yd, d, limit)
    if xd * xd + yd * yd <= limit * limit:
        x, y = _newton(xd, yd, d, limit)
        if not math.isnan(x):
            return x, y
    return follow_from_axis(xd, yd, d, limit)


@helper
def in_camera(R, t, X):
    """Coordinates in the camera's frame of a point X (3,)."""
    return (
        R[0, 0] * X[0] + R[0, 1] * X[1] + R[0, 2] * X[2] + t[0],
        R[1, 0] * X[0] + R[1, 1] * X[1] + R[1, 2] * X[2] + t[1],
        R[2, 0] * X[0] + R[2, 1] * X[1] + R[2, 2] * X[2] + t[2],
    )


@kernel
def project_point(K, d, fisheye, limit, R, t, X):
    """Pixel (u, v) of one world point; NaN behind the camera or outside the lens model's domain."""
    x, y, z = in_camera(R, t, X)
    if not (z > 0.0 and inside(x / z, y / z, fisheye, limit)):
        return math.nan, math.nan
    xd, yd, _, _, _, _ = distort(x / z, y / z, d, fisheye)
    return K[0, 0] * xd + K[0, 1] * yd + K[0, 2], K[1, 1] * yd + K[1, 2]


@kernel
def project_with_jacobian(K, d, fisheye, limit, R, t, X):
    """(u, v, du/dX0, du/dX1, du/dX2, dv/dX0, dv/dX1, dv/dX2) of one world point; NaN as in `project_point`."""
    nan = math.nan
    x, y, z = in_camera(R, t, X)
    if not (z > 0.0 and inside(x / z, y / z, fisheye, limit)):
        return nan, nan, nan, nan, nan, nan, nan, nan
    x, y = x / z, y / z
    xd, yd, xx, xy, yx, yy = distort(x, y, d, fisheye)
    ux, uy = (K[0, 0] * xx + K[0, 1] * yx) / z, (K[0, 0] * xy + K[0, 1] * yy) / z
    vx, vy = K[1, 1] * yx / z, K[1, 1] * yy / z
    uz, vz = -(ux * x + uy * y), -(vx * x + vy * y)
    return (
        K[0, 0] * xd + K[0, 1] * yd + K[0, 2],
        K[1, 1] * yd + K[1, 2],
        ux * R[0, 0] + uy * R[1, 0] + uz * R[2, 0],
        ux * R[0, 1] + uy * R[1, 1] + uz * R[2, 1],
        ux * R[0, 2] + uy * R[1, 2] + uz * R[2, 2],
        vx * R[0, 0] + vy * R[1, 0] + vz * R[2, 0],
        vx * R[0, 1] + vy * R[1, 1] + vz * R[2, 1],
        vx * R[0, 2] + vy * R[1, 2] + vz * R[2, 2],
    )


@helper
def undistort_point(K, d, fisheye, limit, u, v):
    """Pixel of the distortion-free camera with the same K; NaN outside the lens model's domain."""
    yd = (v - K[1, 2]) / K[1, 1]
    xd = (u - K[0, 2] - K[0, 1] * yd) / K[0, 0]
    x, y = undistort_normalised(xd, yd, d, fisheye, limit)
    return K[0, 0] * x + K[0, 1] * y + K[0, 2], K[1, 1] * y + K[1, 2]


@kernel
def project_points(K, d, fisheye, limit, R, t, points_3d):
    """(n_points, 3) -> (n_cameras, n_points, 2)."""
    projected = np.empty((K.shape[0], points_3d.shape[0], 2))
    for c in range(K.shape[0]):
        for i in range(points_3d.shape[0]):
            u, v = project_point(K[c], d[c], fisheye[c], limit[c], R[c], t[c], points_3d[i])
            projected[c, i, 0], projected[c, i, 1] = u, v
    return projected


@kernel
def projection_jacobians(K, d, fisheye, limit, R, t, points_3d):
    """(n_points, 3) -> (n_cameras, n_points, 2, 3), pixels per world unit."""
    jacobians = np.empty((K.shape[0], points_3d.shape[0], 2, 3))
    for c in range(K.shape[0]):
        for i in range(points_3d.shape[0]):
            row = project_with_jacobian(K[c], d[c], fisheye[c], limit[c], R[c], t[c], points_3d[i])
            jacobians[c, i, 0, 0], jacobians[c, i, 0, 1], jacobians[c, i, 0, 2] = row[2], row[3], row[4]
            jacobians[c, i, 1, 0], jacobians[c, i, 1, 1], jacobians[c, i, 1, 2] = row[5], row[6], row[7]
    return jacobians


@kernel
def undistort_points(K, d, fisheye, limit, points_2d):
    """(n_cameras, n_points, 2) -> the same shape."""
    ideal = np.empty_like(points_2d)
    for c in range(points_2d.shape[0]):
        for i in range(points_2d.shape[1]):
            u, v = undistort_point(K[c], d[c], fisheye[c], limit[c], points_2d[c, i, 0], points_2d[c, i, 1])
            ideal[c, i, 0], ideal[c, i, 1] = u, v
    return ideal


@kernel
def distort_points(K, d, fisheye, limit, points_2d):
    """The inverse of `undistort_points`: (n_cameras, n_points, 2) -> the same shape."""
    seen = np.empty_like(points_2d)
    for c in range(points_2d.shape[0]):
        for i in range(points_2d.shape[1]):
            y = (points_2d[c, i, 1] - K[c, 1, 2]) / K[c, 1, 1]
            x = (points_2d[c, i, 0] - K[c, 0, 2] - K[c, 0, 1] * y) / K[c, 0, 0]
            if not inside(x, y, fisheye[c], limit[c]):
                seen[c, i, 0], seen[c, i, 1] = math.nan, math.nan
                continue
            xd, yd, _, _, _, _ = distort(x, y, d[c], fisheye[c])
            seen[c, i, 0] = K[c, 0, 0] * xd + K[c, 0, 1] * yd + K[c, 0, 2]
            seen[c, i, 1] = K[c, 1, 1] * yd + K[c, 1, 2]
    return seen
