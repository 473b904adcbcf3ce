"""First poses of cameras whose lenses are known, from the points that they share: one pair, then one camera at a time.

The pair starts from its essential matrix (Nister 2004); every further camera is placed by the points that the cameras
before it have triangulated (perspective n-point), and a bundle adjustment follows each. The scale is arbitrary.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np

from ...cameras import CameraRig, _kernels_epipolar
from ...cameras.epipolar import camera_pair_indices
from ...cameras.rotations import orthonormal
from ...numerics.arrays import Array, evenly_spread
from ...numerics.clustering import connected_groups
from ..points.consensus import robust_points
from ..rig_refinement.bundle_adjustment import adjust

FEW_SHARED = 20  # points: four times what the five unknowns of a pair need, so that outliers show
FREE = 1.0  # radians, and share of the distance: prior of poses about which nothing is known
_PAIR_POINTS = 2000  # of an essential matrix, and of a camera's first pose
_STEP_POINTS = 600  # of the bundle adjustment after each camera
SHARE = 0.01  # of the focal length: residual beyond which a view has no part in a camera's first pose


class PairStart(NamedTuple):
    """Relative pose x_b = R x_a + t, |t| = 1, of two cameras, and how well it serves to start from."""

    a: int
    b: int
    R: Array
    t: Array
    angle: float  # radians, median between the two rays of a point
    parallax: float  # what a mere turn of the camera leaves over, in median distances from the epipolar constraint
    worth: float  # points in front of both cameras, times the sine of the angle


Poses = dict[int, tuple[Array, Array]]


def viewing_tangents(points_2d: Array, rig: CameraRig) -> Array:
    """(n_cameras, n, 2) x/z and y/z of the rays through pixels, in each camera's frame; NaN where missing."""
    ideal = rig.undistort(points_2d)
    rays = np.concatenate([ideal, np.ones((*ideal.shape[:-1], 1))], axis=-1)
    inverse = np.linalg.inv(np.stack([camera.K for camera in rig]))
    return np.ascontiguousarray(np.einsum("cij,cnj->cni", inverse, rays)[..., :2])


def pair_starts(tangents: Array) -> list[PairStart]:
    """Relative poses of all pairs of cameras that share enough points, the most useful first.

    Parameters
    ----------
    tangents : (n_cameras, n, 2), as of `viewing_tangents`
    """
    found = []
    for a, b in camera_pair_indices(len(tangents)):
        rows = np.flatnonzero(np.isfinite(tangents[[a, b], :, 0]).all(axis=0))
        if len(rows) >= FEW_SHARED:
            rows = rows[evenly_spread(len(rows), _PAIR_POINTS)]
            found.append(_pair(int(a), int(b), tangents[a, rows], tangents[b, rows]))
    return sorted((pair for pair in found if pair is not None), key=lambda pair: -pair.worth)


def _pair(a: int, b: int, one: Array, other: Array) -> PairStart | None:
    """The relative pose of least median squared epipolar distance; None where no point lies in front of both."""
    found, inliers = cv2.findEssentialMat(one, other, np.eye(3), method=cv2.LMEDS, prob=0.9999)
    E = np.asarray(found, dtype=float)
    if E.shape != (3, 3):
        return None
    n_front, turn, shift, front = cv2.recoverPose(E, one, other, np.eye(3), mask=inliers.copy())
    if not n_front:
        return None
    R, t, front = np.asarray(turn, dtype=float), np.ravel(shift).astype(float), front.ravel() > 0
    rays = [np.column_stack([xy[front], np.ones(n_front)]) for xy in (one, other)]
    rays = [ray / np.linalg.norm(ray, axis=1, keepdims=True) for ray in (rays[0], rays[1] @ R)]
    angle = float(np.median(np.arccos(np.clip((rays[0] * rays[1]).sum(axis=1), -1, 1))))
    return PairStart(a, b, R, t, angle, _parallax(one, other, E), n_front * np.sin(angle))


def _parallax(one: Array, other: Array, E: Array) -> float:
    """Median change of direction that no rotation explains, over the median distance from the epipolar constraint."""
    a, b = (np.column_stack([xy, np.ones(len(xy))]) for xy in (one, other))
    a, b = (rays / np.linalg.norm(rays, axis=1, keepdims=True) for rays in (a, b))
    weights = np.ones(len(a))
    for _ in range(10):  # least absolute deviations
        R = orthonormal((b * weights[:, None]).T @ a)
        off = np.linalg.norm(a @ R.T - b, axis=1)
        weights = 1 / np.maximum(off, 1e-6)
    noise = np.median(np.abs(_kernels_epipolar.sampson_distances(E, one, other)))
    return float(np.median(off) / max(noise, 1e-12))


def place_from(pair: PairStart, points_2d: Array, tangents: Array, rig: CameraRig) -> Poses:
    """Poses of as many cameras as the points allow, beginning with a pair.

    Parameters
    ----------
    points_2d, tangents : (n_cameras, n, 2), pixels, and as of `viewing_tangents`
    rig : the lenses; its poses are not used

    Returns
    -------
    {camera: (R, t)}; empty where the pair itself has no points
    """
    poses = {pair.a: (np.eye(3), np.zeros(3)), pair.b: (pair.R, pair.t)}
    while True:
        fitted = _adjusted(poses, points_2d, rig)
        if fitted is None or len(fitted) == len(rig):
            return fitted or {}
        poses, placed = fitted, list(fitted)
        points_3d = robust_points(points_2d[placed], part_rig(rig, poses)).points_3d
        new = next_camera(placed, tangents, points_3d)
        pose = None if new is None else resected(tangents[new], points_3d)
        if new is None or pose is None:
            return poses
        poses[new] = pose


def _adjusted(poses: Poses, points_2d: Array, rig: CameraRig) -> Poses | None:
    """The poses after a bundle adjustment of the cameras that have one; None where they see too few points alike."""
    placed, part = list(poses), part_rig(rig, poses)
    rows = np.flatnonzero(np.isfinite(points_2d[placed, :, 0]).sum(axis=0) >= 2)
    rows = rows[evenly_spread(len(rows), _STEP_POINTS)]
    seen = points_2d[placed][:, rows]
    points_3d = robust_points(seen, part, min_confidence=0.5).points_3d
    known = np.isfinite(points_3d[:, 0])
    if known.sum() < FEW_SHARED:
        return None
    fit = adjust(np.ascontiguousarray(seen[:, known]), points_3d[known], part, focal=False, spread=FREE)
    return {c: (camera.R, camera.t) for c, camera in zip(placed, fit.rig, strict=True)}


def next_camera(placed: list[int], tangents: Array, points_3d: Array) -> int | None:
    """The camera without a pose that sees most of the triangulated points; None where none sees enough."""
    counts = np.isfinite(tangents[:, np.isfinite(points_3d[:, 0]), 0]).sum(axis=1)
    counts[placed] = 0
    new = int(np.argmax(counts))
    return new if counts[new] >= FEW_SHARED else None


def resected(view: Array, points_3d: Array) -> tuple[Array, Array] | None:
    """(R, t) of the camera that sees points (n, 3) at tangents (n, 2); None where too few agree on one."""
    rows = np.flatnonzero(np.isfinite(view[:, 0]) & np.isfinite(points_3d[:, 0]))
    rows = rows[evenly_spread(len(rows), _PAIR_POINTS)]
    try:
        good, turn, t, inliers = cv2.solvePnPRansac(
            points_3d[rows], view[rows], np.eye(3), None, reprojectionError=SHARE, iterationsCount=500,
            confidence=0.9999, flags=cv2.SOLVEPNP_SQPNP,
        )  # fmt: skip
    except cv2.error:  # a camera close to orthographic sees all points in one direction
        return None
    if not good or inliers is None or len(inliers) < max(FEW_SHARED, 0.5 * len(rows)):
        return None
    return np.asarray(cv2.Rodrigues(turn)[0], dtype=float), np.ravel(t).astype(float)


def part_rig(rig: CameraRig, poses: Poses) -> CameraRig:
    """The rig of the cameras that have a pose, in the order of the poses."""
    cameras = (replace(rig[c], R=R, t=t) for c, (R, t) in poses.items())
    return replace(rig, cameras=tuple(cameras))


def connected(tangents: Array) -> list[list[int]]:
    """Groups of cameras linked by pairs that share enough points, the largest first."""
    seen = np.isfinite(tangents[..., 0]).astype(int)
    return sorted(connected_groups(seen @ seen.T >= FEW_SHARED), key=len, reverse=True)
