"""Epipolar distances of pairs of cameras, pixels: how far observations are from being images of one point."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ..numerics.arrays import Array
from . import _kernels_epipolar
from .camera import Camera
from .rig import CameraRig
from .rotations import hat


def fundamental_matrix(rig: CameraRig, one: int, other: int) -> Array:
    """(3, 3) F of the distortion-free cameras: other' F one = 0 for pixels of the same point.

    Hartley and Zisserman 2003, eq. 9.1.
    """
    return fundamental_of(rig[one], rig[other])


def fundamental_of(a: Camera, b: Camera) -> Array:
    """`fundamental_matrix` of two cameras that need not be of one rig."""
    R = b.R @ a.R.T
    t = b.t - R @ a.t
    F = np.linalg.inv(b.K).T @ hat(t) @ R @ np.linalg.inv(a.K)
    return F / np.linalg.norm(F)


def camera_pair_indices(n_cameras: int) -> NDArray[np.int64]:
    """(n_pairs, 2)"""
    return np.array(list(combinations(range(n_cameras), 2)), dtype=np.int64).reshape(-1, 2)


def epipolar_distances(ideal: Array, rig: CameraRig, pairs: NDArray[np.int64] | None = None) -> Array:
    """Signed first-order distance from the epipolar constraint of every pair of cameras.

    Parameters
    ----------
    ideal : (n_cameras, ..., 2), pixels without distortion (`rig.undistort`), NaN where missing
    pairs : (n_pairs, 2) positions of cameras; None: all

    Returns
    -------
    (n_pairs, ...), pixels; NaN where one of the two misses the point
    """
    pairs = camera_pair_indices(len(rig)) if pairs is None else pairs
    shape = ideal.shape[1:-1]
    flat = ideal.reshape(len(rig), -1, 2)
    matrices = [fundamental_matrix(rig, int(a), int(b)) for a, b in pairs]
    distances = _kernels_epipolar.sampson_distances
    found = [distances(F, flat[a], flat[b]) for F, (a, b) in zip(matrices, pairs, strict=True)]
    return np.stack(found).reshape(len(pairs), *shape)
