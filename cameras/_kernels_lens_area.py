"""Whether a lens is one-to-one over an image, and by how much it magnifies there, as plain loops over float64 arrays.

A lens is a row of 18: fx, fy, cx, cy and 14 coefficients. From the axis, where every lens is one-to-one, its inverse is
followed outwards along a straight line of the image; where the Jacobian's determinant stops being positive it folds.
"""

import math

import numpy as np

from ..numerics._kernels_options import helper, kernel
from ._kernels_lenses import distort_pinhole, distort_with_derivatives, equidistant, follow_from_axis, rational

N_LENS = 18  # fx, fy, cx, cy and 14 coefficients
_RADII = 48  # at which the radial part must grow
LEAST = 0.01  # of its slope relative to the middle's: between two of the radii it cannot fall from there to 0
# of a rational lens's denominator, 1 on the axis: below it a pole is so near that derivatives are worthless
_POLE = 0.05
_ANGLES = 64  # steps of a fisheye's angle from the axis to 90 degrees
_STEP = 1e-5  # of the numerical derivative of a logarithm: half the digits


@helper
def _radial_slope(r2, d):
    """By how much the distorted radius of a pinhole grows with the ideal one; 0 at a pole and behind it."""
    radial, slope, bottom = rational(r2, d)
    return radial + slope * r2 if bottom > _POLE else 0.0


@helper
def _flattest(end, d, fisheye):
    """Where the radial part grows least up to `end`, as a share of it, and by how much.

    `end`: the squared radius of a pinhole, the angle of a fisheye.
    """
    share, least = 1.0, math.inf
    for i in range(1, _RADII + 1):
        part = i / _RADII if fisheye else i * i / (_RADII * _RADII)
        slope = equidistant(part * end, d)[1] if fisheye else _radial_slope(part * end, d)
        if not slope >= least:
            share, least = part, slope
    return share, least


@helper
def _angle(radius, d):
    """Angle from the axis of a fisheye's radius, at most 90 degrees; NaN where the lens folds before."""
    low = 0.0
    for i in range(1, _ANGLES + 1):
        high = 0.5 * math.pi * i / _ANGLES
        reached, slope = equidistant(high, d)
        if not slope > LEAST:
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
def _fisheye_magnification(lens, xd, yd, J, S):
    """As `_pinhole_magnification`, of the area relative to that of an equidistant lens."""
    J[:], S[:] = 0.0, 0.0
    d, radius = lens[4:], math.sqrt(xd * xd + yd * yd)
    theta = _angle(radius, d)
    if math.isnan(theta) or theta < 1e-9:
        return (math.nan if math.isnan(theta) else 0.0), 1.0
    reached, slope = equidistant(theta, d)
    ratio = reached / theta
    q, power = theta * theta, 1.0
    inside = theta < 0.5 * math.pi
    second = q * (6.0 * d[0] + q * (20.0 * d[1] + q * (42.0 * d[2] + q * 72.0 * d[3]))) / theta
    by_theta = (second / slope + (slope - ratio) / (theta * ratio)) if inside else 0.0
    share, least = _flattest(theta, d, True)
    if not least > LEAST:
        return math.nan, least
    at = share * share * q
    flat = at * (6.0 * d[0] + at * (20.0 * d[1] + at * (42.0 * d[2] + at * 72.0 * d[3]))) / theta if inside else 0.0
    flat_power = 1.0
    for i in range(4):
        power *= q
        flat_power *= at
        moved = -theta * power / slope
        J[4 + i] = by_theta * moved + (3.0 + 2.0 * i) * power / slope + power / ratio
        S[4 + i] = flat * moved + (3.0 + 2.0 * i) * flat_power
    for i in range(2):
        place = xd if i == 0 else yd
        for k, moved in ((i, -place * place / (radius * lens[i])), (2 + i, -place / (radius * lens[i]))):
            J[k], S[k] = by_theta / slope * moved, flat / slope * moved
    return math.log(slope * ratio), least


@helper
def _pinhole_magnification(lens, xd, yd, wanted, D, J, S):
    """Logarithm of the area's magnification where the distorted point (xd, yd) is seen; NaN where the lens folds.

    Also the least slope of the radial part up to there. J, S (18,) receive both derivatives by the lens at a fixed
    pixel, those that are `wanted`; D (2, 16) is room.
    """
    J[:], S[:] = 0.0, 0.0
    d = lens[4:]
    x, y = follow_from_axis(xd, yd, d, math.inf)
    share, least = _flattest(x * x + y * y, d, False)
    if math.isnan(x) or not least > LEAST:
        return math.nan, least
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
        logs, slopes = 0.0, 0.0
        for side in (-1.0, 1.0):
            h = side * step
            if k >= 4:
                near[k - 4] = d[k - 4] + h
            u, v = x + h * dx, y + h * dy
            _, _, xx, xy, yx, yy = distort_pinhole(u, v, near)
            logs += side * math.log(xx * yy - xy * yx)
            slopes += side * _radial_slope(share * (u * u + v * v), near)
            if k >= 4:
                near[k - 4] = d[k - 4]
        J[k], S[k] = logs / (2.0 * step), slopes / (2.0 * step)
    return math.log(determinant), least


@kernel
def log_magnifications(lens, fisheye, free, pixels, with_derivatives):
    """Logarithm of the magnification of area (n_lenses, n_pixels), and its derivatives (n_lenses, n_pixels, 18).

    Then the least slope of the distorted radius on the way from the axis to the pixel, relative to the middle's, and
    its derivatives, likewise. `lens` (n_lenses, 18), `fisheye` (n_lenses,), `free` (n_lenses, 18), `pixels` (n_lenses,
    n_pixels, 2). NaN where the lens folds between the axis and the pixel; 0 and 1 for lenses of which no coefficient is
    free. Without derivatives these are 0.
    """
    values, slopes = np.zeros(pixels.shape[:2]), np.ones(pixels.shape[:2])
    derivatives = np.zeros((2, pixels.shape[0], pixels.shape[1], N_LENS))
    D = np.empty((2, 16))
    for c in range(pixels.shape[0]):
        if not free[c, 4:].any():
            continue
        for i in range(pixels.shape[1]):
            xd, yd = (pixels[c, i, 0] - lens[c, 2]) / lens[c, 0], (pixels[c, i, 1] - lens[c, 3]) / lens[c, 1]
            J, S = derivatives[0, c, i], derivatives[1, c, i]
            if fisheye[c]:
                values[c, i], slopes[c, i] = _fisheye_magnification(lens[c], xd, yd, J, S)
            else:
                wanted = free[c] & with_derivatives
                values[c, i], slopes[c, i] = _pinhole_magnification(lens[c], xd, yd, wanted, D, J, S)
    return values, derivatives[0], slopes, derivatives[1]
