"""The floor under an animal: the plane on which the lowest points, or planted feet, lie."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...calibration.errors import CalibrationError
from ...numerics.arrays import Array, evenly_spread
from ...numerics.robust_scale import present_median

_POINTS = 1500  # that planes are tried with
_TRIES = 2000  # planes through three points: with 15 % of the points on the floor, one in 300 lies on it
_BELOW = 5.0  # points on the plane that one point below it outweighs
_FEW = 30  # points on the floor, at least
_NARROW = 8.0  # degrees: a vertical known no better is none
_BLOCKS = 8  # stretches of the recording, each left out once


class Floor(NamedTuple):
    """Unit normal, towards the cameras; degrees: standard deviation of its tilt; the middle of its n_points."""

    normal: Array
    degrees: float
    n_points: int
    origin: Array


def find_floor(points_3d: Array, covariances_3d: Array, centers: Array) -> Floor:
    """The plane with most points on it, nearly none below it, and all cameras above.

    Parameters
    ----------
    points_3d, covariances_3d : (n_frames, n_keypoints, 3) and (..., 3, 3), of the keypoints that touch the floor
    centers : (n_cameras, 3)

    Raises
    ------
    CalibrationError : too few points lie on one plane, or they lie along a line
    """
    points = points_3d[np.isfinite(points_3d).all(axis=-1)]
    if len(points) < _FEW:
        raise CalibrationError(f"only {len(points)} points of the floor's keypoints were reconstructed; name others")
    size = np.sqrt(np.trace(np.cov(points.T)))
    noise = float(present_median(np.sqrt(np.trace(covariances_3d, axis1=-2, axis2=-1) / 3)))
    within = max(3 * noise, 0.01 * size)
    plane = _searched(points[evenly_spread(len(points), _POINTS)], centers, within)
    normal, on = _refined(points, *plane, within)
    if on.sum() < _FEW:
        raise CalibrationError(
            f"no plane holds more than {on.sum()} of the points with the others above it; name keypoints that touch the"
            " floor, or give `up`"
        )
    floor, middle = points[on], np.median(points[on], axis=0)
    width = np.linalg.svd(floor - floor.mean(axis=0), compute_uv=False)[1] / np.sqrt(len(floor))
    # each keypoint may be off by its noise for good, and the less tilts the plane the wider the points lie
    lasting = np.degrees(noise / width / np.sqrt(points_3d.shape[1]))
    degrees = float(np.hypot(_tilt_std(points_3d, normal, float(middle @ normal), within), lasting))
    if not degrees < _NARROW:
        raise CalibrationError(
            f"the points on the floor leave its tilt open by ± {degrees:.0f} degrees, as if they lay along a line;"
            " record an animal that walks about, or give `up`"
        )
    return Floor(normal, degrees, int(on.sum()), middle)


def _searched(points: Array, centers: Array, within: float) -> tuple[Array, float]:
    """Normal and height of the best plane through three of the points (RANSAC with fixed random numbers)."""
    rng, best, plane = np.random.default_rng(0), -np.inf, (np.array([0.0, 0.0, 1.0]), 0.0)
    for _ in range(_TRIES):
        a, b, c = points[rng.choice(len(points), 3, replace=False)]
        normal = np.cross(b - a, c - a)
        length = np.linalg.norm(normal)
        if not length > 0:
            continue
        normal = normal / length * (1 if np.median((centers - a) @ normal) > 0 else -1)
        if ((centers - a) @ normal).min() <= 0:
            continue
        height = (points - a) @ normal
        score = (np.abs(height) < within).sum() - _BELOW * (height < -within).sum()
        if score > best:
            best, plane = score, (normal, float(a @ normal))
    return plane


def _refined(points: Array, normal: Array, height: float, within: float) -> tuple[Array, NDArray[np.bool_]]:
    """Normal of the plane fitted to the points on it, and which these are, (n,)."""
    on = np.abs(points @ normal - height) < within
    for _ in range(10):
        if on.sum() < 3:
            break
        middle = points[on].mean(axis=0)
        axis = np.linalg.svd(points[on] - middle, full_matrices=False)[2][2]
        normal = axis * (1 if axis @ normal > 0 else -1)
        before, on = on, np.abs((points - middle) @ normal) < within
        if np.array_equal(before, on):
            break
    return normal, on


def _tilt_std(points_3d: Array, normal: Array, height: float, within: float) -> float:
    """Standard deviation of the normal's direction, degrees, by leaving out stretches of the recording (jackknife)."""
    found = []
    for block in np.array_split(np.arange(len(points_3d)), min(_BLOCKS, len(points_3d))):
        part = np.delete(points_3d, block, axis=0)
        part = part[np.isfinite(part).all(axis=-1)]
        found.append(_refined(part, normal, height, within)[0])
    axes = np.array(found)
    off = axes - axes.mean(axis=0)
    return float(np.degrees(np.sqrt((len(axes) - 1) / len(axes) * (off**2).sum())))
