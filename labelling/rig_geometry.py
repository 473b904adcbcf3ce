"""What the calibrated cameras say about points set by hand: epipolar lines, the 3D point, its place in every view.

The 95 % ellipse of a view is that of the triangulated point's covariance in its pixels: where the point itself lies,
without the error of a further click.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cameras import CameraRig
from ..cameras.alignment import scene_distance
from ..numerics.arrays import Array
from ..triangulate import estimate_sigma, point_covariances, triangulate_dlt, triangulate_ransac

_ELLIPSE = float(np.sqrt(-2 * np.log(0.05)))  # standard deviations: 95 % of a Gaussian in two dimensions
_STARTING_SIGMA = 1 / 640  # of the image's width: 2 px at 1280
_ENOUGH = 30  # points of two views or more, from which the spread of a person's clicks is estimated
_DEPTHS = np.geomspace(0.02, 50.0, 400)  # of an epipolar line, in units of the cameras' distance from the scene
_BEYOND = 0.1  # of the image's size: lines are followed that far outside


def first_sigma(rig: CameraRig) -> float:
    """Standard deviation of a click, pixels, before there are enough to estimate it from."""
    return _STARTING_SIGMA * float(np.median([camera.size[0] for camera in rig]))


def click_sigma(points_2d: Array, rig: CameraRig) -> float:
    """Standard deviation of a click, pixels, by the points set so far (n_cameras, n_instants, n_keypoints, 2)."""
    seen = np.isfinite(points_2d).all(axis=-1).sum(axis=0)
    if (seen >= 2).sum() < _ENOUGH:
        return first_sigma(rig)
    return float(max(0.5, np.median(estimate_sigma(points_2d, rig))))


def check_points(
    points: Mapping[str, Mapping[str, tuple[float, float]]], rig: CameraRig, keypoints: Sequence[str], sigma: float
) -> dict[str, dict[str, Any]]:
    """Triangulate the keypoints that two views or more have, and hold the 3D point against every view.

    Parameters
    ----------
    points : {camera: {keypoint: (x, y)}}, pixels; cameras that the rig does not have are left out
    sigma : standard deviation of a click, pixels

    Returns
    -------
    {keypoint: entry} of the keypoints with two views or more. entry["point"], entry["spread"] : the 3D point and the
    largest standard deviation along an axis, world units; both None where no two views agree. entry["views"] :
    {camera: place}, of the views that show the point, with x, y (pixels) and the ellipse's half axes a, b (pixels) and
    angle (radians; None where no two views agree); of those in which it was set also px and mm (world units), its
    distances from the 3D point in the image and across the line of sight, and whether it is `wrong`: not among the
    views that agree.
    """
    points_2d = _as_array(points, rig, keypoints)
    chosen = np.flatnonzero(np.isfinite(points_2d).all(axis=-1).sum(axis=0) >= 2)
    if not len(chosen):
        return {}
    points_2d = points_2d[:, chosen]
    points_3d, inliers = _agreed(points_2d, rig, sigma)
    covariances = np.full((len(chosen), 3, 3), np.nan)
    sound = np.flatnonzero(inliers.sum(axis=0) >= 2)
    covariances[sound] = point_covariances(points_3d[sound], rig, sigma, inliers[:, sound])
    projected, jacobians = rig.project(points_3d), rig.project_jacobian(points_3d)
    spreads = np.einsum("ckai,kij,ckbj->ckab", jacobians, covariances, jacobians)
    pixels = np.linalg.norm(points_2d - projected, axis=-1)
    across = _distances_from_rays(points_3d, points_2d, rig)
    found = {}
    for k, at in enumerate(chosen.tolist()):
        views: dict[str, dict[str, Any]] = {}
        for c, camera in enumerate(rig):
            was_set = bool(np.isfinite(points_2d[c, k]).all())
            if np.isfinite(projected[c, k]).all() and (was_set or _is_inside(projected[c, k], camera.size)):
                views[camera.name] = _place(projected[c, k], spreads[c, k])
                if was_set:
                    px, mm = _rounded(pixels[c, k]), _rounded(across[c, k])
                    views[camera.name] |= {"px": px, "mm": mm, "wrong": not inliers[c, k]}
        found[keypoints[at]] = _point(points_3d[k], covariances[k]) | {"views": views}
    return found


def _as_array(
    points: Mapping[str, Mapping[str, tuple[float, float]]], rig: CameraRig, keypoints: Sequence[str]
) -> Array:
    """(n_cameras, n_keypoints, 2) the points of the rig's cameras; NaN where there is none."""
    place, row = {name: k for k, name in enumerate(keypoints)}, {name: c for c, name in enumerate(rig.names)}
    points_2d = np.full((len(rig), len(keypoints), 2), np.nan)
    for camera, own in points.items():
        for name, xy in own.items():
            if camera in row and name in place:
                points_2d[row[camera], place[name]] = xy
    return points_2d


def _point(point_3d: Array, covariance: Array) -> dict[str, Any]:
    if not np.isfinite(covariance).all():
        return {"point": None, "spread": None}
    largest = np.sqrt(np.linalg.eigvalsh(covariance)[-1])
    return {"point": [_rounded(value, 3) for value in point_3d], "spread": _rounded(largest, 3)}


def _agreed(points_2d: Array, rig: CameraRig, sigma: float) -> tuple[Array, NDArray[np.bool_]]:
    """(n, 3) points and (n_cameras, n) the views that agree; where no two do, the compromise of all and no view."""
    found = triangulate_ransac(points_2d[:, None], rig, sigma=sigma, min_confidence=0.0)
    points_3d, inliers = found.points_3d[0], found.inliers[:, 0]
    lost = ~np.isfinite(points_3d).all(axis=-1)
    points_3d[lost] = triangulate_dlt(points_2d[:, lost], rig)
    return points_3d, inliers & ~lost & np.isfinite(points_2d).all(axis=-1)


def _place(at: Array, covariance: Array) -> dict[str, Any]:
    place: dict[str, Any] = {"x": _rounded(at[0]), "y": _rounded(at[1])}
    if not np.isfinite(covariance).all():
        return place | {"angle": None}
    variances, axes = np.linalg.eigh(covariance)
    small, large = _ELLIPSE * np.sqrt(np.maximum(variances, 0))
    turn = float(np.arctan2(axes[1, 1], axes[0, 1]))
    return place | {"a": _rounded(large), "b": _rounded(small), "angle": _rounded(turn, 4)}


def _is_inside(at: Array, size: tuple[int, int]) -> bool:
    return bool((at >= -0.5).all() and (at < np.array(size) - 0.5).all())


def _directions(points_2d: Array, rig: CameraRig) -> Array:
    """(n_cameras, n, 3) unit vectors of the lines of sight in the world."""
    return np.stack([camera.rays(own) for camera, own in zip(rig, points_2d, strict=True)])


def _distances_from_rays(points_3d: Array, points_2d: Array, rig: CameraRig) -> Array:
    """(n_cameras, n) distance of each point from the line of sight of each view, world units."""
    offsets = points_3d - rig.centers[:, None]
    return np.linalg.norm(np.cross(_directions(points_2d, rig), offsets), axis=-1)


def epipolar_lines(
    points: Mapping[str, tuple[float, float]], rig: CameraRig
) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Where in the other images the point set in one image can lie: curved where a lens bends the line of sight.

    Parameters
    ----------
    points : {camera: (x, y)}, pixels

    Returns
    -------
    {camera: {other camera: [(x, y), ...]}} corners of the line within the other image and a little beyond
    """
    row = {name: c for c, name in enumerate(rig.names)}
    points_2d = np.full((len(rig), 1, 2), np.nan)
    for camera, xy in points.items():
        if camera in row:
            points_2d[row[camera], 0] = xy
    directions, distance, lines = _directions(points_2d, rig)[:, 0], scene_distance(rig) or 1.0, {}
    for camera in points:
        if camera in row and np.isfinite(directions[row[camera]]).all():
            c = row[camera]
            along = rig.centers[c] + _DEPTHS[:, None] * distance * directions[c]
            seen = rig.project(along)
            lines[camera] = {other.name: _visible_part(seen[o], other.size) for o, other in enumerate(rig) if o != c}
    return {camera: {name: line for name, line in own.items() if line} for camera, own in lines.items()}


def _visible_part(line: Array, size: tuple[int, int]) -> list[tuple[float, float]]:
    """The corners (n, 2) of a line in and around an image, the same place twice left out; NaN ends it."""
    margin = _BEYOND * np.array(size)
    inside = ((line > -margin) & (line < np.array(size) + margin)).all(axis=-1)
    # a neighbour of a corner inside belongs to the line, too: it leaves the image between them
    kept = inside | np.roll(inside, 1) | np.roll(inside, -1)
    corners = line[kept & np.isfinite(line).all(axis=-1)]
    part: list[tuple[float, float]] = []
    for x, y in corners.round(1).tolist():
        if not part or abs(part[-1][0] - x) + abs(part[-1][1] - y) > 2:
            part.append((x, y))
    return part if len(part) > 1 else []


def _rounded(value: float, digits: int = 2) -> float | None:
    return round(float(value), digits) if np.isfinite(value) else None
