"""Whether a lens is one-to-one over an image, and by how much it magnifies there, as plain loops over float64 arrays.

A lens is a row of 18: fx, fy, cx, cy and 14 coefficients. From the axis, where every lens is one-to-one, its inverse is
followed outwards along a straight line of the image; where the Jacobian's determinant stops being positive it folds.
Radius and area of solid angle are measured relative to those of a stereographic lens (radius 2 tan(angle / 2)): real
lenses lie about it, between the pinhole, which magnifies more and more outwards, and the equidistant, which does less.
"""

import math

import numpy as np
from numba import njit

from ._kernels_lenses import (
    distort_pinhole,
    distort_with_derivatives,
    equidistant,
    follow_from_axis,
    rational,
    undistort_normalised,
)

N_LENS = 18
_ANGLES = 24  # from the axis to a point, at which the radius must grow with the angle
_LEAST = 0.03  # growth relative to a stereographic lens: between two of the angles it cannot fall from there to 0
_FISHEYE_ANGLES = 64  # steps of a fisheye's angle from the axis to 90 degrees
_STIFFNESS = 2.0  # of the barrier, which rises from about a third of a stereographic lens's growth
_AXIS = 1e-6  # normalised radius nearer than which every lens is the same
_FLAT = 1.0 / (1.0 - _LEAST)  # of a stereographic lens
_STEP = 1e-5  # of the numerical derivative of a logarithm: half the digits


@njit(cache=True, error_model="numpy")
def _flatness(x, y, d):
    """Mean of 1 / (growth - least) of a pinhole's radial part at angles from the axis to a point; NaN where it folds.

    The growth is that of the radius with the angle, relative to a stereographic lens.
    """
    turn, total = math.atan(math.sqrt(x * x + y * y)) / _ANGLES, 0.0
    turn_cosine, turn_sine, cosine, sine = math.cos(turn), math.sin(turn), 1.0, 0.0
    for _ in range(_ANGLES):
        cosine, sine = cosine * turn_cosine - sine * turn_sine, cosine * turn_sine + sine * turn_cosine
        r2 = (sine / cosine) ** 2
        radial, slope, bottom = rational(r2, d)
        growth = (radial + slope * r2) * (1.0 + r2) * 0.5 * (1.0 + cosine)
        if not (bottom > 0.0 and growth > _LEAST):
            return math.nan
        total += 1.0 / (growth - _LEAST)
    return total / _ANGLES


@njit(cache=True, error_model="numpy")
def _stereographic(x, y):
    """Logarithms of a stereographic lens's magnification of area, relative to a pinhole's, and of its radius."""
    square = 1.0 + x * x + y * y
    cosine = 1.0 / math.sqrt(square)
    radius = 2.0 * math.sqrt(max(1.0 - cosine, 0.0) / (1.0 + cosine))
    return 2.0 * math.log(2.0 / (1.0 + cosine)) - 1.5 * math.log(square), math.log(radius)


@njit(cache=True, error_model="numpy")
def _angle(radius, d):
    """Angle from the axis of a fisheye's radius, at most 90 degrees; NaN where the lens folds before."""
    low = 0.0
    for i in range(1, _FISHEYE_ANGLES + 1):
        high = 0.5 * math.pi * i / _FISHEYE_ANGLES
        reached, slope = equidistant(high, d)
        if not slope * math.cos(0.5 * high) ** 2 > _LEAST:
            return math.nan
        if reached >= radius:
            break
        low = high
    else:
        return high
    for _ in range(60):
        middle = 0.5 * (low + high)
        if equidistant(middle, d)[0] < radius:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@njit(cache=True, error_model="numpy")
def _fisheye_magnification(lens, xd, yd, J):
    """As `_pinhole_magnification`."""
    J[:] = 0.0
    d, radius = lens[4:], math.sqrt(xd * xd + yd * yd)
    theta = _angle(radius, d)
    if math.isnan(theta):
        return math.nan, math.nan
    if theta < _AXIS:
        return 0.0, 0.0
    reached, slope = equidistant(theta, d)
    ratio = reached / theta
    q, power = theta * theta, 1.0
    inside = theta < 0.5 * math.pi
    second = q * (6.0 * d[0] + q * (20.0 * d[1] + q * (42.0 * d[2] + q * 72.0 * d[3]))) / theta
    sine, cosine = math.sin(theta), math.cos(theta)
    by_theta = second / slope + (slope - ratio) / (theta * ratio)
    by_theta += 1.0 / theta - cosine / sine - 2.0 * sine / (1.0 + cosine)
    by_theta *= inside
    for i in range(4):
        power *= q
        moved = -theta * power / slope
        J[0, 4 + i] = by_theta * moved + (3.0 + 2.0 * i) * power / slope + power / ratio
        J[1, 4 + i] = -moved / sine if inside else power / ratio
    for i in range(2):
        place = xd if i == 0 else yd
        for row in range(2):
            by_radius = by_theta / slope if row == 0 else inside * (1.0 / radius - 1.0 / (sine * slope))
            J[row, i] = -by_radius * place * place / (radius * lens[i])
            J[row, 2 + i] = -by_radius * place / (radius * lens[i])
    area = math.log(slope * ratio * theta / sine) - 2.0 * math.log(2.0 / (1.0 + cosine))
    return area, math.log(reached / (2.0 * math.tan(0.5 * theta)))


@njit(cache=True, error_model="numpy")
def _pinhole_magnification(lens, xd, yd, free, D, J, derivatives):
    """Logarithms of area and radius where the distorted point (xd, yd) is seen; NaN where the lens folds before.

    The first is lowered by a barrier where the radius hardly grows on the way.

    J (2, 18) receives their derivatives by the lens at a fixed pixel, those that are `free`; D (2, 16) is room.
    """
    J[:] = 0.0
    d = lens[4:]
    if xd * xd + yd * yd < _AXIS * _AXIS:
        return 0.0, 0.0
    x, y = undistort_normalised(xd, yd, d, False, math.inf)
    flatness = math.nan if math.isnan(x) else _flatness(x, y, d)
    if math.isnan(flatness):  # it may be a point beyond a fold, and another lie before
        x, y = follow_from_axis(xd, yd, d, math.inf)
        flatness = math.nan if math.isnan(x) else _flatness(x, y, d)
    if math.isnan(flatness):
        return math.nan, math.nan
    _, _, xx, xy, yx, yy = distort_pinhole(x, y, d)
    determinant = xx * yy - xy * yx
    if not determinant > 0.0:
        return math.nan, math.nan
    area, radius = _stereographic(x, y)
    area = math.log(determinant) - area - _STIFFNESS * (flatness - _FLAT)
    radius = 0.5 * math.log(xd * xd + yd * yd) - radius
    if not derivatives:
        return area, radius
    distort_with_derivatives(x, y, d, False, True, D)
    near = lens[4:].copy()
    for k in range(N_LENS):
        if not free[k]:
            continue
        goal_x = -xd / lens[0] if k == 0 else (-1.0 / lens[0] if k == 2 else 0.0)
        goal_y = -yd / lens[1] if k == 1 else (-1.0 / lens[1] if k == 3 else 0.0)
        du, dv = (goal_x, goal_y) if k < 4 else (-D[0, k - 2], -D[1, k - 2])
        dx = (D[1, 1] * du - D[0, 1] * dv) / determinant
        dy = (D[0, 0] * dv - D[1, 0] * du) / determinant
        step = _STEP * min(1.0, determinant) / (abs(dx) + abs(dy) + (1.0 if k >= 4 else 0.0) + 1e-300)
        J[1, k] = (xd * goal_x + yd * goal_y) / (xd * xd + yd * yd)
        for side in (-1.0, 1.0):
            h = side * step
            if k >= 4:
                near[k - 4] = d[k - 4] + h
            _, _, xx, xy, yx, yy = distort_pinhole(x + h * dx, y + h * dy, near)
            by_area, by_radius = _stereographic(x + h * dx, y + h * dy)
            barrier = _STIFFNESS * _flatness(x + h * dx, y + h * dy, near)
            J[0, k] += side * (math.log(xx * yy - xy * yx) - by_area - barrier) / (2.0 * step)
            J[1, k] -= side * by_radius / (2.0 * step)
            if k >= 4:
                near[k - 4] = d[k - 4]
    return area, radius


@njit(cache=True, error_model="numpy")
def log_magnifications(lens, fisheye, free, pixels, derivatives):
    """Logarithms of area and radius (n_lenses, n_pixels, 2), and if asked for their derivatives (..., 2, 18).

    `lens` (n_lenses, 18), `fisheye` (n_lenses,), `free` (n_lenses, 18), `pixels` (n_lenses, n_pixels, 2). NaN where the
    lens folds between the axis and the pixel; 0 for lenses of which no coefficient is free.
    """
    values = np.zeros((pixels.shape[0], pixels.shape[1], 2))
    J = np.zeros((pixels.shape[0], pixels.shape[1], 2, N_LENS))
    D = np.empty((2, 16))
    for c in range(pixels.shape[0]):
        if not free[c, 4:].any():
            continue
        for i in range(pixels.shape[1]):
            xd, yd = (pixels[c, i, 0] - lens[c, 2]) / lens[c, 0], (pixels[c, i, 1] - lens[c, 3]) / lens[c, 1]
            if fisheye[c]:
                area, radius = _fisheye_magnification(lens[c], xd, yd, J[c, i])
            else:
                area, radius = _pinhole_magnification(lens[c], xd, yd, free[c], D, J[c, i], derivatives)
            values[c, i, 0], values[c, i, 1] = area, radius
    return values, J
