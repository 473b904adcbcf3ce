"""Ray casting of the demo: round cones (the animal) and one plane with a picture on it (the board).

A pixel's ray is ``centre + t * (Rᵀ (x, y, 1))`` with the pixel's normalised, undistorted coordinates (x, y): the lens
is exact because each pixel was undistorted once beforehand. Each sub-frame of the exposure looks through its own corner
of the pixel, so that motion blur and anti-aliasing come from the same samples.

A part is a round cone: the hull of two spheres, a row `ax ay az ra bx by bz rb`. With the unit axis, the length L,
sin β = (ra - rb) / L and (ρ, s) the distance from the axis and along it, its side is ρ cos β + s sin β = ra.
"""

import math
from typing import NamedTuple

import numpy as np

from ..numerics._kernels_options import helper, kernel

_FAR = 1e30  # millimetres: no hit
_BLEND = 14.0  # mm over which parts grow together: about the radius of a lower leg, so that joints show no crease


class Rays(NamedTuple):
    """The rays of a window of a camera's image."""

    x: np.ndarray  # (height, width) normalised, undistorted coordinates of each pixel of the whole image
    y: np.ndarray  # (height, width)
    basis: np.ndarray  # (3, 3) rows are the camera's axes in the world
    centre: np.ndarray  # (3,) of the camera, world units
    top: int  # row and column of the image where the window begins
    left: int


class Nearest(NamedTuple):
    """The z-buffer of a window, or several of them: what each ray meets first."""

    depth: np.ndarray  # ([n,] rows, columns) along the camera's axis, world units
    which: np.ndarray  # ([n,] rows, columns) index of the part, -1 where there is none


class Body(NamedTuple):
    """The animal's parts at one instant, or several."""

    parts: np.ndarray  # ([n,] n_parts, 14) round cones, `prepared`
    dorsal: np.ndarray  # ([n,] n_parts, 3) unit direction across the axis that is up on the resting animal


def prepared(parts):
    """(n, 14) of parts (n, 8): start, end, radii, unit axis, length, sin β, cos² β."""
    start, end, radii = parts[:, :3], parts[:, 4:7], parts[:, [3, 7]]
    length = np.sqrt(np.sum((end - start) ** 2, axis=1, keepdims=True))
    sine = (radii[:, :1] - radii[:, 1:]) / length
    return np.hstack([start, end, radii, (end - start) / length, length, sine, 1.0 - sine * sine])


@helper
def _ball(od, oo, dd, r):
    """Nearest entry of a ray into a sphere: od = o·d, oo = o·o, dd = d·d, where o leads from its centre to the eye."""
    disc = od * od - dd * (oo - r * r)
    if disc < 0.0:
        return _FAR
    t = (-od - math.sqrt(disc)) / dd
    return t if t > 0.0 else _FAR


@helper
def _entry(part, along, square, dd, ds, od):
    """Nearest entry of the ray centre + t d into a prepared round cone, `_FAR` where it misses.

    along, square: (centre - start)·axis and |centre - start|², which do not depend on the ray; dd, ds, od: d·d, d·axis
    and d·(centre - start).
    """
    ra, rb, length, sin, cos2 = part[6], part[7], part[11], part[12], part[13]
    a = cos2 * dd - ds * ds
    b = cos2 * od - along * ds + ra * sin * ds
    c = cos2 * square - along * along + 2.0 * ra * sin * along - ra * ra
    disc = b * b - a * c
    if disc > 0.0 and a > 1e-12:
        t = (-b - math.sqrt(disc)) / a
        s = along + t * ds
        if t > 0.0 and s > ra * sin and s < length + rb * sin:
            return t
    start = _ball(od, square, dd, ra)
    end = _ball(od - length * ds, square - 2.0 * length * along + length * length, dd, rb)
    return min(start, end)


@helper
def _outside(part, px, py, pz):
    """Signed distance of a point to a prepared round cone, the outward normal, and the place along the axis (0-1)."""
    qx, qy, qz = px - part[0], py - part[1], pz - part[2]
    s = qx * part[8] + qy * part[9] + qz * part[10]
    rho = math.sqrt(max(qx * qx + qy * qy + qz * qz - s * s, 0.0))
    foot = min(max(s - rho * part[12] / math.sqrt(part[13]), 0.0), part[11])
    nx, ny, nz = qx - foot * part[8], qy - foot * part[9], qz - foot * part[10]
    norm = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9
    return norm - (part[6] - part[12] * foot), nx / norm, ny / norm, nz / norm, foot / part[11]


@helper
def _turned(basis, x, y, z):
    """A world direction in the camera's frame."""
    return (
        basis[0, 0] * x + basis[0, 1] * y + basis[0, 2] * z,
        basis[1, 0] * x + basis[1, 1] * y + basis[1, 2] * z,
        basis[2, 0] * x + basis[2, 1] * y + basis[2, 2] * z,
    )


@helper
def _direction(x, y, basis):
    """World direction of the ray through normalised coordinates."""
    return (
        basis[0, 0] * x + basis[1, 0] * y + basis[2, 0],
        basis[0, 1] * x + basis[1, 1] * y + basis[2, 1],
        basis[0, 2] * x + basis[1, 2] * y + basis[2, 2],
    )


@helper
def _between(picture, a, b):
    """Bilinear value at column a and row b, which lie inside the picture."""
    p, q = int(a), int(b)
    fa, fb = a - p, b - q
    value = (picture[q, p] * (1 - fa) + picture[q, p + 1] * fa) * (1 - fb)
    return value + (picture[q + 1, p] * (1 - fa) + picture[q + 1, p + 1] * fa) * fb


@kernel
def part_depths(parts, boxes, rays, offset, nearest):
    """Fill the z-buffer `nearest` of one sub-frame, which looks `offset` (2,) beside each pixel's centre.

    parts (n_parts, 14): `prepared`; boxes (n_parts, 4): top, left, bottom, right of each part's reach in the image.
    """
    x, y, basis, centre, top, left = rays
    depth, which = nearest
    offset_x, offset_y = offset[0], offset[1]
    depth[:] = _FAR
    which[:] = -1
    for k in range(len(parts)):
        part = parts[k]
        ox, oy, oz = centre[0] - part[0], centre[1] - part[1], centre[2] - part[2]
        along, square = ox * part[8] + oy * part[9] + oz * part[10], ox * ox + oy * oy + oz * oz
        # axis and way from the start in the camera's own frame, in which a ray's direction is (x, y, 1)
        ax, ay, az = _turned(basis, part[8], part[9], part[10])
        ox, oy, oz = _turned(basis, ox, oy, oz)
        for i in range(boxes[k, 0], boxes[k, 2]):
            for j in range(boxes[k, 1], boxes[k, 3]):
                px, py = x[i, j] + offset_x, y[i, j] + offset_y
                dd, ds, od = px * px + py * py + 1.0, px * ax + py * ay + az, px * ox + py * oy + oz
                t = _entry(part, along, square, dd, ds, od)
                if t < depth[i - top, j - left]:
                    depth[i - top, j - left] = t
                    which[i - top, j - left] = k


@kernel
def hidden_by(parts, centre, points):
    """(n,) how far before each point (n, 3) its ray first meets a part, world units; 0 where nothing is in front.

    parts (n_parts, 14): `prepared`.
    """
    hidden = np.zeros(len(points))
    for k in range(len(parts)):
        part = parts[k]
        ox, oy, oz = centre[0] - part[0], centre[1] - part[1], centre[2] - part[2]
        along, square = ox * part[8] + oy * part[9] + oz * part[10], ox * ox + oy * oy + oz * oz
        for i in range(len(points)):
            dx, dy, dz = points[i, 0] - centre[0], points[i, 1] - centre[1], points[i, 2] - centre[2]
            dd, ds = dx * dx + dy * dy + dz * dz, dx * part[8] + dy * part[9] + dz * part[10]
            t = _entry(part, along, square, dd, ds, dx * ox + dy * oy + dz * oz)
            hidden[i] = max(hidden[i], (1.0 - t) * math.sqrt(dd))
    return hidden


@helper
def _step(value, edge, width):
    """0 below the edge, 1 above it, smooth over `width`."""
    u = min(max((value - edge) / width + 0.5, 0.0), 1.0)
    return u * u * (3.0 - 2.0 * u)


@helper
def _look_up(volume, x, y, z):
    """Trilinear value of a periodic volume, whose side is a power of two, at a position in voxels."""
    mask = volume.shape[0] - 1
    i, j, k = math.floor(x), math.floor(y), math.floor(z)
    fx, fy, fz = x - i, y - j, z - k
    i0, j0, k0 = i & mask, j & mask, k & mask
    i1, j1, k1 = (i + 1) & mask, (j + 1) & mask, (k + 1) & mask
    low = (volume[i0, j0, k0] * (1 - fx) + volume[i1, j0, k0] * fx) * (1 - fy)
    low += (volume[i0, j1, k0] * (1 - fx) + volume[i1, j1, k0] * fx) * fy
    high = (volume[i0, j0, k1] * (1 - fx) + volume[i1, j0, k1] * fx) * (1 - fy)
    high += (volume[i0, j1, k1] * (1 - fx) + volume[i1, j1, k1] * fx) * fy
    return low * (1 - fz) + high * fz


@helper
def _blended_normal(k, point, normal, ready, near):
    """The normal of part k, blended over the parts that grow together with it, so that joints show no crease."""
    px, py, pz = point
    nx, ny, nz = normal
    for m in range(near.shape[1]):
        j = near[k, m]
        if j < 0:
            break
        part = ready[j]
        qx, qy, qz = px - part[0], py - part[1], pz - part[2]
        s = qx * part[8] + qy * part[9] + qz * part[10]
        reach = max(part[6], part[7]) + _BLEND
        # most are too far away to matter, which is seen without a square root
        if s < -reach or s > part[11] + reach or qx * qx + qy * qy + qz * qz - s * s > reach * reach:
            continue
        gap, mx, my, mz, _ = _outside(part, px, py, pz)
        weight = max(1.0 - max(gap, 0.0) / _BLEND, 0.0) ** 2
        nx, ny, nz = nx + weight * mx, ny + weight * my, nz + weight * mz
    norm = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9
    return nx / norm, ny / norm, nz / norm


@helper
def _shade(k, point, body, coat, light, view, colour):
    """Colour (BGR, 0-255) of a point on part k of a body.

    The texture is painted on the resting animal: the point's place along and around its part is looked up there, so
    that spots move with the skin.
    """
    ready, dorsal = body
    colours, near, rest, spots = coat.colours, coat.near, coat.rest, coat.spots
    part = ready[k]
    _, nx, ny, nz, along = _outside(part, point[0], point[1], point[2])
    sx, sy, sz = _blended_normal(k, point, (nx, ny, nz), ready, near)
    # the frame of the part: its axis, its dorsal direction, and their cross product
    ax, ay, az = part[8], part[9], part[10]
    ux, uy, uz = dorsal[k, 0], dorsal[k, 1], dorsal[k, 2]
    up = nx * ux + ny * uy + nz * uz
    side = nx * (ay * uz - az * uy) + ny * (az * ux - ax * uz) + nz * (ax * uy - ay * ux)
    front = nx * ax + ny * ay + nz * az
    radius = part[6] + (part[7] - part[6]) * along
    u, v, w = radius * up, radius * side, radius * front
    r = rest[k]
    qx = r[0, 0] + along * r[1, 0] + u * r[2, 0] + v * r[3, 0] + w * r[4, 0]
    qy = r[0, 1] + along * r[1, 1] + u * r[2, 1] + v * r[3, 1] + w * r[4, 1]
    qz = r[0, 2] + along * r[1, 2] + u * r[2, 2] + v * r[3, 2] + w * r[4, 2]
    spot = 0.0
    if colours[k, 10] > 0.0 and up > -0.7:
        spot = _look_up(spots[0], qx / 3.0, qy / 3.0, qz / 3.0) * colours[k, 10] * _step(up, -0.45, 0.5)
    mask = spots.shape[1] - 1
    fur = spots[1, int(qx * 0.8) & mask, int(qy * 0.8) & mask, int(qz * 0.8) & mask]
    belly = 1.0 - _step(up, -0.45, 0.7)
    soft = colours[k, 16]
    last, first = _step(along, colours[k, 9], soft), 1.0 - _step(along, colours[k, 15], soft)
    if soft < 0.1:
        spot *= (1.0 - last) * (1.0 - first)
    diffuse = sx * light[0] + sy * light[1] + sz * light[2]
    bright = 0.34 + 0.22 * sz + 0.62 * max(0.75 * diffuse + 0.25, 0.0)
    facing = max(-(sx * view[0] + sy * view[1] + sz * view[2]), 0.0)
    bright *= (0.72 + 0.28 * math.sqrt(facing)) * (0.94 + 0.12 * fur)
    hx, hy, hz = light[0] - view[0], light[1] - view[1], light[2] - view[2]
    shine = max((sx * hx + sy * hy + sz * hz) / math.sqrt(hx * hx + hy * hy + hz * hz + 1e-9), 0.0)
    shine = shine**24 * colours[k, 11]
    for c in range(3):
        base = colours[k, c] + (colours[k, 3 + c] - colours[k, c]) * belly
        base += (colours[k, 6 + c] - base) * last
        base += (colours[k, 12 + c] - base) * first
        base *= 1.0 - 0.78 * spot
        colour[c] = base * bright + shine


@kernel
def add_animal(total, under, bodies, coat, light, rays, offsets, nearest):
    """Add the sub-frames to `total` (window, BGR float): the animal where their z-buffers have it, `under` elsewhere.

    bodies: the prepared parts (n, n_parts, 14) and dorsal directions (n, n_parts, 3) of n sub-frames; coat is a
    `render_coat.Coat`; light (3,) the unit direction towards the light; offsets (n, 2) as for `part_depths`; nearest
    holds the z-buffers (n, rows, columns). Where all sub-frames meet one part, its colour in the middle of the pixel
    and of the exposure stands for all: their mean depth is that of the middle.
    """
    x, y, basis, centre, top, left = rays
    depth, which = nearest
    n = len(offsets)
    colour, view = np.empty(3), np.empty(3)
    for i in range(total.shape[0]):
        for j in range(total.shape[1]):
            alike, mean = True, 0.0
            for k in range(n):
                alike = alike and which[k, i, j] == which[0, i, j]
                mean += depth[k, i, j] / n
            first, last, weight = (n // 2, n // 2 + 1, n) if alike else (0, n, 1)
            for k in range(first, last):
                if which[k, i, j] < 0:
                    for c in range(3):
                        total[i, j, c] += weight * under[i, j, c]
                    continue
                px, py, t = x[top + i, left + j], y[top + i, left + j], mean
                if not alike:
                    px, py, t = px + offsets[k, 0], py + offsets[k, 1], depth[k, i, j]
                # one by one: a tuple into view[:] costs two seconds of compilation
                view[0], view[1], view[2] = _direction(px, py, basis)
                norm = math.sqrt(view[0] ** 2 + view[1] ** 2 + view[2] ** 2)
                hx, hy, hz = centre[0] + t * view[0], centre[1] + t * view[1], centre[2] + t * view[2]
                view /= norm
                body = Body(bodies.parts[k], bodies.dorsal[k])
                _shade(which[k, i, j], (hx, hy, hz), body, coat, light, view, colour)
                for c in range(3):
                    total[i, j, c] += weight * colour[c]


@kernel
def add_board(total, under, picture, texel, maps, corners, bright, rays, offsets):
    """Average of samples of a picture on a plane; `under` where a ray misses it.

    picture (rows, columns) grey; texel: its size in world units; maps (n_samples, 3, 3): normalised coordinates to the
    ray's direction along the plane's x, y and normal; corners (n_samples, 3): from the camera to the picture's corner,
    likewise; bright (n_samples, 2): of front and back; offsets (n_samples, 2) in normalised coordinates. Seen from
    behind, the board is plain.
    """
    x, y, top, left = rays.x, rays.y, rays.top, rays.left
    rows, columns = picture.shape
    n = len(maps)
    for i in range(total.shape[0]):
        for j in range(total.shape[1]):
            grey, n_missed = 0.0, 0
            for k in range(n):
                px, py = x[top + i, left + j] + offsets[k, 0], y[top + i, left + j] + offsets[k, 1]
                slope = maps[k, 2, 0] * px + maps[k, 2, 1] * py + maps[k, 2, 2]
                t = corners[k, 2] / slope
                a = (t * (maps[k, 0, 0] * px + maps[k, 0, 1] * py + maps[k, 0, 2]) - corners[k, 0]) / texel - 0.5
                b = (t * (maps[k, 1, 0] * px + maps[k, 1, 1] * py + maps[k, 1, 2]) - corners[k, 1]) / texel - 0.5
                # also where the plane is seen from its edge: infinite, or not a number
                if t <= 0.0 or not (a >= 0.0 and b >= 0.0 and a < columns - 1 and b < rows - 1):
                    n_missed += 1
                elif slope < 0.0:
                    grey += _between(picture, a, b) * bright[k, 0]
                else:
                    grey += 96.0 * bright[k, 1]
            for c in range(3):
                total[i, j, c] += (under[i, j, c] * n_missed + grey) / n
