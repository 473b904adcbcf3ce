"""Covariance of cameras that were fitted to points, in the frame that the points themselves or one camera define.

Keypoints do not tell place, direction and scale of the world (the gauge; Triggs et al. 2000, section 9): what of the
cameras' motions is uncertain depends on what is said to stand still.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...cameras import CameraRig
from ...cameras.rotations import hat, motion_matrix
from ...numerics.arrays import Array, evenly_spread
from ..rig_refinement import _kernels_bundle
from ..rig_refinement.bundle_adjustment import cauchy_weights

_GAUGE_POINTS = 500  # that define the frame of the points


class Equations(NamedTuple):
    """Normal equations S (6 C, 6 C) of the cameras' small motions, and how points (n, 3) follow them (n, 3, 6 C)."""

    S: Array
    points_3d: Array
    response: Array


def equations(rig: CameraRig, points_3d: Array, points_2d: Array, sigma: Array, inflation: float) -> Equations:
    """The equations at a solution; points_3d (n, 3), points_2d (n_cameras, n, 2), sigma (n_cameras,) pixels."""
    points_2d = np.ascontiguousarray(points_2d)
    weights = cauchy_weights(points_2d - rig.project(points_3d), sigma) / inflation
    S, _, _, V, _, W = _kernels_bundle.reduced_equations(
        *rig.arrays, np.ascontiguousarray(points_3d), points_2d, weights, 0.0, False
    )
    return Equations(S, points_3d, -np.einsum("nij,npj->nip", V, W))


def gauge_motions(rig: CameraRig) -> Array:
    """(6 C, 7) the cameras' small motions when the world turns about its origin, shifts and grows."""
    R, t = np.stack([c.R for c in rig]), np.stack([c.t for c in rig])
    growth = np.concatenate([np.zeros_like(t), t], axis=1)
    return np.concatenate([motion_matrix(R, t), growth[..., None]], axis=2).reshape(-1, 7)


def points_stand_still(equations: Equations) -> Array:
    """(7, 6 C) constraints that hold turn, place and size of the points' cloud."""
    few = evenly_spread(len(equations.points_3d), _GAUGE_POINTS)
    from_middle, moved = equations.points_3d[few], equations.response[few]
    from_middle = from_middle - from_middle.mean(axis=0)
    turn = np.einsum("nij,njp->ip", hat(from_middle), moved)
    return np.concatenate([turn, moved.sum(axis=0), np.einsum("ni,nip->p", from_middle, moved)[None]])


def camera_stands_still(n_cameras: int) -> Array:
    """(6, 6 C) constraints that hold the first camera."""
    return np.eye(6 * n_cameras)[:6]


def camera_distance_change(rig: CameraRig, one: int, other: int) -> Array:
    """(6 C,) derivative of the logarithm of two cameras' distance by the cameras' motions."""
    apart = rig[one].center - rig[other].center
    row = np.zeros((len(rig), 6))
    for c, sign in ((one, -1.0), (other, 1.0)):
        row[c, 3:] = sign * rig[c].R @ apart / (apart @ apart)
    return row.ravel()


def bone_length_change(ends: Equations) -> Array:
    """(6 C,) mean derivative of the logarithm of a bone's length by the cameras' motions.

    ends : the equations of one end in all frames, and then of the other
    """
    n = len(ends.points_3d) // 2
    bone = ends.points_3d[n:] - ends.points_3d[:n]
    moved = ends.response[n:] - ends.response[:n]
    return np.einsum("ni,nip,n->p", bone, moved, 1 / (bone**2).sum(axis=1)) / n


def pose_covariance(S: Array, rig: CameraRig, constraints: Array, fixed: Array, scale_std: float) -> Array:
    """(6 C, 6 C) covariance of the small motions under which the constraints (7, 6 C) hold, and of the scale.

    scale_std : relative standard deviation of the world's size, which grows about the point `fixed` (3,)
    """
    units = np.tile(np.repeat([1.0, np.linalg.norm(rig.centers - fixed, axis=1).mean()], 3), len(rig))
    G = gauge_motions(rig) / units[:, None]
    Q = np.linalg.qr(G)[0]
    scaled = S * np.outer(units, units)
    weight = np.trace(scaled) / len(scaled)
    free = np.linalg.inv(scaled + weight * Q @ Q.T) - Q @ Q.T / weight
    H = constraints * units
    project = np.eye(len(S)) - G @ np.linalg.solve(H @ G, H)
    covariance = project @ free @ project.T * np.outer(units, units)
    growth = np.concatenate([np.zeros((len(rig), 3)), [c.t + c.R @ fixed for c in rig]], axis=1).ravel()
    return covariance + scale_std**2 * np.outer(growth, growth)
