"""Cameras as the arrays that kernels take, and what the kernels compute from these: projection and its inverse."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..numerics.arrays import Array
from . import _kernels_lenses


class RigArrays(NamedTuple):
    """A rig as the arrays that kernels take; `distortion` is padded to 14, `limit` bounds the lens model's domain."""

    K: Array
    distortion: Array
    fisheye: NDArray[np.bool_]
    limit: Array
    R: Array
    t: Array


def project(arrays: RigArrays, points_3d: Array) -> Array:
    """(..., 3) world units -> (n_cameras, ..., 2) pixels."""
    points_3d = _points(points_3d, 3)
    projected = _kernels_lenses.project_points(*arrays, points_3d.reshape(-1, 3))
    return projected.reshape(len(arrays.K), *points_3d.shape[:-1], 2)


def project_jacobian(arrays: RigArrays, points_3d: Array) -> Array:
    """(..., 3) world units -> (n_cameras, ..., 2, 3) pixels per world unit."""
    points_3d = _points(points_3d, 3)
    jacobians = _kernels_lenses.projection_jacobians(*arrays, points_3d.reshape(-1, 3))
    return jacobians.reshape(len(arrays.K), *points_3d.shape[:-1], 2, 3)


def undistort(arrays: RigArrays, points_2d: Array) -> Array:
    """Pixels (n_cameras, ..., 2) -> pixels of the distortion-free cameras."""
    return _map_pixels(_kernels_lenses.undistort_points, arrays, points_2d)


def distort(arrays: RigArrays, points_2d: Array) -> Array:
    """The inverse of `undistort`."""
    return _map_pixels(_kernels_lenses.distort_points, arrays, points_2d)


def _map_pixels(kernel: Callable, arrays: RigArrays, points_2d: Array) -> Array:
    """Apply a kernel to pixels (n_cameras, ..., 2), camera by camera."""
    points_2d, n = _points(points_2d, 2), len(arrays.K)
    if points_2d.ndim < 2 or points_2d.shape[0] != n:
        raise ValueError(
            f"points of shape {points_2d.shape} do not fit the rig: the first axis must be its {n} cameras"
        )
    flat = np.ascontiguousarray(points_2d.reshape(n, -1, 2))
    return kernel(*arrays[:4], flat).reshape(points_2d.shape)


def _points(points: Array, size: int) -> Array:
    """Points (..., size) as a contiguous float array; raises ValueError for another last axis."""
    points = np.ascontiguousarray(points, dtype=float)
    if points.ndim == 0 or points.shape[-1] != size:
        raise ValueError(f"points of shape {points.shape} need {size} coordinates on the last axis")
    return points
