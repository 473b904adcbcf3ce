"""Where a rig looks, and rigid motions and similarities: move one, lay one on another by its images or its cameras."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..numerics.arrays import Array
from .rig import CameraRig
from .rotations import orthonormal, rotation_matrix

_N_POINTS = 400  # used at most: seven unknowns need no more


def scene_distance(rig: CameraRig) -> float:
    """About how far the cameras are from what they look at, the point nearest to all optical axes; world units."""
    axes = np.stack([camera.R[2] for camera in rig])
    across = np.eye(3) - axes[:, :, None] * axes[:, None, :]
    middle = np.linalg.lstsq(across.sum(axis=0), np.einsum("cij,cj->i", across, rig.centers), rcond=None)[0]
    return float(np.median(np.linalg.norm(rig.centers - middle, axis=1)))


def move_rig(rig: CameraRig, R: Array, t: Array, up: Array | None = None, *, scale: float = 1.0) -> CameraRig:
    """The rig in another world.

    Parameters
    ----------
    rig : CameraRig
        The cameras in the old world.
    R : ndarray, shape (3, 3)
        Rotation, with x_new = scale * R @ x_old + t.
    t : ndarray, shape (3,), world units
        Translation.
    up : ndarray, shape (3,), optional
        Direction against gravity in the new world. None: the old one, rotated.
    scale : float
        New world units per old one.

    Returns
    -------
    CameraRig
        The same cameras; a moved point appears at the same pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig, move_rig
    >>> K = [[600, 0, 320], [0, 600, 240], [0, 0, 1]]
    >>> rig = CameraRig((Camera("left", (640, 480), K, [], np.eye(3), [0, 0, 500]),))
    >>> move_rig(rig, np.eye(3), [100, 0, 0])["left"].center
    array([ 100.,    0., -500.])
    """
    R, t = np.asarray(R, float), np.asarray(t, float)
    cameras = []
    for camera in rig:
        turned = orthonormal(camera.R @ R.T)
        cameras.append(replace(camera, R=turned, t=scale * camera.t - turned @ t))
    rotated = None if rig.up is None else R @ rig.up
    return replace(rig, cameras=tuple(cameras), up=rotated if up is None else up)


def align_cameras(rig: CameraRig, other: CameraRig) -> tuple[Array, Array]:
    """The rigid motion of a rig on another one of the same cameras that fits their places and directions best.

    The rotation is that of Kabsch [1]_ on the cameras' centres and, seen from each camera, on the ends of its three
    axes, as long as the rig is wide: places and directions weigh alike. No scale: a wrong one is an error to be seen.

    Parameters
    ----------
    rig, other : CameraRig
        The same cameras in the same order.

    Returns
    -------
    R : ndarray, shape (3, 3)
        Rotation, with x_other = R @ x + t.
    t : ndarray, shape (3,), world units
        Translation.

    References
    ----------
    .. [1] Kabsch, A solution for the best rotation to relate two sets of vectors, Acta Cryst. A32, 922 (1976).
    """
    reach = np.linalg.norm(other.centers - other.centers.mean(axis=0), axis=1).mean() or 1.0
    source, target = (
        np.concatenate([r.centers - r.centers.mean(axis=0), *(reach * camera.R for camera in r)]) for r in (rig, other)
    )
    R = orthonormal(target.T @ source)
    return R, other.centers.mean(axis=0) - R @ rig.centers.mean(axis=0)


def align_images(result: CameraRig, points_3d: Array, rig: CameraRig) -> tuple[CameraRig, Array]:
    """A rig and points brought by a similarity to where most cameras of another rig see the points alike.

    The similarity minimises the sum over cameras of the root mean square distance in pixels between the images of the
    points in both rigs (of distances, not of their squares: one camera that moved does not attract the others).

    Parameters
    ----------
    result : CameraRig
        The rig to move.
    points_3d : ndarray, shape (n, 3), world units
        Points in its world.
    rig : CameraRig
        The rig that stays, the same cameras in the same order.

    Returns
    -------
    CameraRig
        The moved rig; its vertical stays that of `result`.
    ndarray, shape (n, 3), world units
        The moved points.
    """
    use = np.unique(np.linspace(0, len(points_3d) - 1, _N_POINTS).astype(int))
    target, middle = result.project(points_3d[use]), points_3d[use].mean(axis=0)
    R, t, scale = np.eye(3), np.zeros(3), 1.0
    for _ in range(50):
        world = scale * (points_3d[use] - middle) @ R.T + middle + t
        residuals = target - rig.project(world)
        J = rig.project_jacobian(world)
        good = np.asarray(np.isfinite(residuals).all(-1) & np.isfinite(J).all((-2, -1)))
        residuals, J = np.where(good[..., None], residuals, 0), np.where(good[..., None, None], J, 0)
        size = np.sqrt((residuals**2).sum(axis=(1, 2)) / np.maximum(good.sum(axis=1), 1))
        weights = 1 / np.maximum(size, 0.02) / np.maximum(good.sum(axis=1), 1)
        offset = world - middle - t
        basis = np.zeros((len(use), 3, 7))
        basis[:, :, :3] = np.eye(3)
        basis[:, :, 3:6] = -np.stack([np.cross(offset, axis) for axis in np.eye(3)], axis=-1)
        basis[:, :, 6] = offset
        G = np.einsum("cnij,njk->cnik", J, basis)
        A = np.einsum("c,cnik,cnil->kl", weights, G, G)
        step = np.linalg.solve(
            A + 1e-12 * np.trace(A) * np.eye(7) / 7, np.einsum("c,cnik,cni->k", weights, G, residuals)
        )
        t, R, scale = t + step[:3], rotation_matrix(step[3:6]) @ R, scale * np.exp(step[6])
        if np.abs(step).max() < 1e-10 * (1 + np.abs(t).max()):
            break
    moved_points = scale * (points_3d - middle) @ R.T + middle + t
    return move_rig(result, R, t + middle - scale * R @ middle, result.up, scale=scale), moved_points
