"""Small rotations and rigid motions as matrices; leading axes broadcast."""

from __future__ import annotations

import numpy as np

from ..numerics.arrays import Array


def hat(vectors: Array) -> Array:
    """(..., 3) -> (..., 3, 3) with hat(a) @ b = a x b."""
    vectors = np.asarray(vectors, float)
    matrices = np.zeros((*vectors.shape[:-1], 3, 3))
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    matrices[..., 0, 1], matrices[..., 0, 2], matrices[..., 1, 2] = -z, y, -x
    matrices[..., 1, 0], matrices[..., 2, 0], matrices[..., 2, 1] = z, -y, x
    return matrices


def rotation_matrix(vectors: Array) -> Array:
    """(..., 3) rotation vectors (axis times angle, radians) -> (..., 3, 3), Rodrigues' formula."""
    vectors = np.asarray(vectors, float)
    angles = np.linalg.norm(vectors, axis=-1)[..., None, None]
    cross = hat(vectors)
    small = angles < 1e-6
    safe = np.where(small, 1.0, angles)
    a = np.where(small, 1 - angles**2 / 6, np.sin(safe) / safe)
    b = np.where(small, 0.5 - angles**2 / 24, (1 - np.cos(safe)) / safe**2)
    return np.eye(3) + a * cross + b * cross @ cross


def left_jacobian(vectors: Array) -> Array:
    """(..., 3) -> J (..., 3, 3): rotation_matrix(v + dv) is rotation_matrix(J dv) rotation_matrix(v) to first order."""
    vectors = np.asarray(vectors, float)
    angles = np.linalg.norm(vectors, axis=-1)[..., None, None]
    cross, small = hat(vectors), angles < 1e-4
    safe = np.where(small, 1.0, angles)
    a = np.where(small, 0.5 - angles**2 / 24, (1 - np.cos(safe)) / safe**2)
    b = np.where(small, 1 / 6 - angles**2 / 120, (safe - np.sin(safe)) / safe**3)
    return np.eye(3) + a * cross + b * cross @ cross


def rotation_vector(matrices: Array) -> Array:
    """(..., 3, 3) -> (..., 3), the inverse of `rotation_matrix`, angles in [0, pi]."""
    R = np.asarray(matrices, float)
    # through the unit quaternion, from its largest component: accurate near 0 and near pi alike
    trace = np.trace(R, axis1=-2, axis2=-1)
    Q = np.empty((*R.shape[:-2], 4, 4))
    skew = np.stack([R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]], axis=-1)
    Q[..., 0, 0], Q[..., 0, 1:], Q[..., 1:, 0] = 1 + trace, skew, skew
    Q[..., 1:, 1:] = R + np.swapaxes(R, -1, -2) + (1 - trace)[..., None, None] * np.eye(3)
    diagonal = np.diagonal(Q, axis1=-2, axis2=-1)
    best = np.argmax(diagonal, axis=-1)
    q = np.take_along_axis(Q, best[..., None, None], axis=-2)[..., 0, :]
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    q = np.where(q[..., :1] < 0, -q, q)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., :1])
    return q[..., 1:] * np.where(sine > 1e-12, angle / np.where(sine > 1e-12, sine, 1), 2.0)


def orthonormal(matrices: Array) -> Array:
    """The rotations nearest to (..., 3, 3) matrices."""
    U, _, V = np.linalg.svd(matrices)
    sign = np.linalg.det(U @ V)
    U[..., :, 2] *= sign[..., None]
    return U @ V


def mean_rotation(matrices: Array, weights: Array | None = None) -> Array:
    """The chordal mean (3, 3) of (n, 3, 3) rotations."""
    return orthonormal(np.average(matrices, axis=0, weights=weights))


def motion_matrix(R: Array, t: Array) -> Array:
    """(..., 6, 6): matrix of a small motion (rotation, translation) of the world as seen after x -> R x + t."""
    R, t = np.asarray(R, float), np.asarray(t, float)
    matrix = np.zeros((*R.shape[:-2], 6, 6))
    matrix[..., :3, :3] = matrix[..., 3:, 3:] = R
    matrix[..., 3:, :3] = hat(t) @ R
    return matrix


def moved(R: Array, t: Array, motion: Array) -> tuple[Array, Array]:
    """The poses after small left motions (..., 6): x -> rotation(motion[:3]) (R x + t) + motion[3:]."""
    turn = rotation_matrix(motion[..., :3])
    return turn @ R, np.einsum("...ij,...j->...i", turn, t) + motion[..., 3:]


def look_at(position, target=(0.0, 0.0, 0.0), up=(0.0, 0.0, 1.0)) -> tuple[Array, Array]:
    """Rotation (3, 3) and translation (3,), world to camera, of a camera at `position` that looks at `target`.

    up : the direction in the world that the image shows upright
    """
    position = np.asarray(position, dtype=float)
    forward = np.asarray(target, dtype=float) - position
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    R = np.stack([right, np.cross(forward, right), forward])
    return R, -R @ position
