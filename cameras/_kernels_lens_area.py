"""Whether a lens is one-to-one over an image, and by how much it magnifies there, as plain loops over float64 arrays.

A lens is a row of 18: fx, fy, cx, cy and 14 coefficients. From the axis, where every lens is one-to-one, its inverse is
followed outwards along a straight line of the image; where the Jacobian's determinant stops being positive it folds.
"""

import math

import numpy as np

from ..numerics._kernels_options import helper, kernel
from ._kernels_lenses import (
    distort_pinhole,
    distort_with_derivatives,
    equidistant,
    follow_from_axis,
    rational,
)

N_LENS = 18  # fx, fy, cx, cy and 14 coefficients
_RADII = 48  # at which the radial part must grow
_LEAST = 0.01  # of its slope relative to the middle's: between two of the radii it cannot fall from there to 0
_ANGLES = 64  # steps of a fisheye's angle from the axis to 90 degrees
_STEP = 1e-5  # of the numerical derivative of a logarithm: half the digits


@helper
def _grows_up_to(r2, d):
    """Whether the radial part of a pinhole's distortion grows at all radii up to this one, clear of rounding."""
    for i in range(1, _RADII + 1):
        radial, slope, bottom = rational(r2 * i * i / (_RADII * _RADII), d)
        if not (bottom > 0.0 and radial + slope * r2 * i * i / (_RADII * _RADII) > _LEAST):
            return False
    return True


@helper
def _angle(radius, d):
    """Angle from the axis of a fisheye's radius, at most 90 degrees; NaN where the lens folds before."""
    low = 0.0
    for i in range(1, _ANGLES + 1):
        high = 0.5 * math.pi * i / _ANGLES
        reached, slope = equidistant(high, d)
        if not slope > _LEAST:
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


@helper
def _fisheye_magnification(lens, xd, yd, J):
    """As `_pinhole_magnification`, of the area relative to that of an equidistant lens."""
    J[:] = 0.0
    d, radius = lens[4:], math.sqrt(xd * xd + yd * yd)
    theta = _angle(radius, d)
    if math.isnan(theta) or theta < 1e-9:
        return math.nan if math.isnan(theta) else 0.0
    reached, slope = equidistant(theta, d)
    ratio = reached / theta
    q, power = theta * theta, 1.0
    inside = theta < 0.5 * math.pi
    second = q * (6.0 * d[0] + q * (20.0 * d[1] + q * (42.0 * d[2] + q * 72.0 * d[3]))) / theta
    by_theta = (second / slope + (slope - ratio) / (theta * ratio)) if inside else 0.0
    for i in range(4):
        power *= q
        moved = -theta * power / slope
        J[4 + i] = by_theta * moved + (3.0 + 2.0 * i) * power / slope + power / ratio
    for i in range(2):
        place = xd if i == 0 else yd
        J[i] = -by_theta / slope * place * place / (radius * lens[i])
        J[2 + i] = -by_theta / slope * place / (radius * lens[i])
    return math.log(slope * ratio)


@helper
def _pinhole_magnification(lens, xd, yd, wanted, D, J):
    """Logarithm of the area's magnification where the distorted point (xd, yd) is seen; NaN where the lens folds.

    J (18,) receives its derivatives by the lens at a fixed pixel, those that are `wanted`; D (2, 16) is room.
    """
    J[:] = 0.0
    d = lens[4:]
    x, y = follow_from_axis(xd, yd, d, math.inf)
    if math.isnan(x) or not _grows_up_to(x * x + y * y, d):
        return math.nan
    distort_with_derivatives(x, y, d, False, True, D)
    _, _, xx, xy, yx, yy = distort_pinhole(x, y, d)
    determinant = xx * yy - xy * yx
    near = lens[4:].copy()
    for k in range(N_LENS):
        if not wanted[k]:
            continue
        du, dv = 0.0, 0.0
        if k == 0:
            du = -xd / lens[0]
        elif k == 1:
            dv = -yd / lens[1]
        elif k == 2:
            du = -1.0 / lens[0]
        elif k == 3:
            dv = -1.0 / lens[1]
        else:
            du, dv = -D[0, k - 2], -D[1, k - 2]
        dx = (D[1, 1] * du - D[0, 1] * dv) / determinant
        dy = (D[0, 0] * dv - D[1, 0] * du) / determinant
        step = _STEP * min(1.0, determinant) / (abs(dx) + abs(dy) + (1.0 if k >= 4 else 0.0) + 1e-300)
        logs = 0.0
        for side in (-1.0, 1.0):
            h = side * step
            if k >= 4:
                near[k - 4] = d[k - 4] + h
            _, _, xx, xy, yx, yy = distort_pinhole(x + h * dx, y + h * dy, near)
            logs += side * math.log(xx * yy - xy * yx)
            if k >= 4:
                near[k - 4] = d[k - 4]
        J[k] = logs / (2.0 * step)
    return math.log(determinant)


@kernel
def log_magnifications(lens, fisheye, free, pixels, with_derivatives):
    """Logarithm of the magnification of area (n_lenses, n_pixels), and its derivatives (n_lenses, n_pixels, 18).

    `lens` (n_lenses, 18), `fisheye` (n_lenses,), `free` (n_lenses, 18), `pixels` (n_lenses, n_pixels, 2). NaN where the
    lens folds between the axis and the pixel; 0 for lenses of which no coefficient is free. Without derivatives
    these are 0.
    """
    values = np.zeros(pixels.shape[:2])
    derivatives = np.zeros((pixels.shape[0], pixels.shape[1], N_LENS))
    D = np.empty((2, 16))
    for c in range(pixels.shape[0]):
        if not free[c, 4:].any():
            continue
        for i in range(pixels.shape[1]):
            xd, yd = (pixels[c, i, 0] - lens[c, 2]) / lens[c, 0], (pixels[c, i, 1] - lens[c, 3]) / lens[c, 1]
            if fisheye[c]:
                values[c, i] = _fisheye_magnification(lens[c], xd, yd, derivatives[c, i])
            else:
                values[c, i] = _pinhole_magnification(lens[c], xd, yd, free[c] & with_derivatives, D, derivatives[c, i])
    return values, derivatives
