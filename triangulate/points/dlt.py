"""Linear triangulation, and what an error of so many pixels means in the world."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...numerics._kernels_matrices import SINGULAR
from ...numerics.arrays import Array
from ...numerics.threads import over_rows
from . import _kernels_dlt
from .input_checks import centred_arrays, check_confidence, check_points_2d


def triangulate_dlt(points_2d: Array, rig: CameraRig, *, confidence: Array | None = None) -> Array:
    """The point nearest to all rays, by weighted linear equations in closed form (Hartley and Zisserman 2003, 12.2).

    Each view gives two equations, scaled to pixels with the depth of a first solution (Hartley and Sturm 1997, 4.2),
    so that near and far cameras count alike. One gross outlier ruins a point: see `triangulate_ransac`.

    Parameters
    ----------
    points_2d : (n_cameras, ..., 2), pixels as the lens shows them, NaN where missing
    confidence : (n_cameras, ...), 0-1, weights of the squared errors; NaN and 0 leave a view out; None: all alike

    Returns
    -------
    (..., 3) world units; NaN where fewer than two views see the point, their rays are parallel, or it lies behind one

    Raises
    ------
    ValueError : shapes do not fit the rig, a value is infinite, or a confidence is outside 0-1
    """
    points_2d = check_points_2d(points_2d, rig)
    confidence = check_confidence(confidence, points_2d, rig)
    shape = points_2d.shape[1:-1]
    flat = points_2d.reshape(len(rig), -1, 2)
    weights = np.empty((len(rig), 0)) if confidence is None else confidence.reshape(flat.shape[:2])
    arrays, origin = centred_arrays(rig)
    points_3d = np.empty((flat.shape[1], 3))
    over_rows(
        lambda start, stop: _kernels_dlt.triangulate_linear(*arrays, flat, weights, start, stop, points_3d),
        len(points_3d),
        smallest=1024,
    )
    points_3d += origin
    return points_3d.reshape(*shape, 3)


def point_covariances(
    points_3d: Array, rig: CameraRig, sigma: float | Array, inliers: NDArray[np.bool_] | None = None
) -> Array:
    """Covariance of triangulated points: the inverse of the information that the views give, (Σ JᵀJ / σ²)⁻¹.

    The Cramér-Rao bound of independent Gaussian errors on the exact (distorted) projection.

    Parameters
    ----------
    points_3d : (..., 3), world units
    sigma : pixels, standard deviation of a coordinate: a number, (n_cameras,), or (n_cameras, ...) per observation
    inliers : (n_cameras, ...), bool: the views that count; None: all in which the point projects

    Returns
    -------
    (..., 3, 3), world units squared; NaN where the point is missing or fewer than two views count

    Raises
    ------
    ValueError : shapes do not fit, or sigma is not positive
    """
    points_3d = np.asarray(points_3d, dtype=float)
    jacobians = rig.project_jacobian(points_3d)
    shape = jacobians.shape[:-2]
    sigma = np.asarray(sigma, dtype=float)
    if sigma.shape == (len(rig),):
        sigma = sigma.reshape(-1, *[1] * (len(shape) - 1))
    if sigma.ndim not in (0, len(shape)) or (sigma <= 0).any():
        raise ValueError(f"sigma must be positive pixels: a number, one per camera or of shape {shape}; got {sigma}")
    counts = np.isfinite(jacobians).all(axis=(-2, -1)) & np.isfinite(sigma)
    if inliers is not None:
        if np.shape(inliers) != shape:
            raise ValueError(f"inliers has shape {np.shape(inliers)}, expected {shape}")
        counts &= np.asarray(inliers, dtype=bool)
    scaled = np.where(counts[..., None, None], jacobians / sigma[..., None, None], 0.0)
    information = np.einsum("c...ij,c...ik->...jk", scaled, scaled, optimize=True)
    return _inverse(information, counts.sum(axis=0) >= 2)


def _inverse(information: Array, valid: NDArray[np.bool_]) -> Array:
    """Inverse of symmetric 3x3 matrices; NaN where not `valid` or not positive definite."""
    scale = np.trace(information, axis1=-2, axis2=-1) / 3
    valid = valid & (np.linalg.det(information) > SINGULAR * scale**3)
    covariances = np.full(information.shape, np.nan)
    covariances[valid] = np.linalg.inv(information[valid])
    return 0.5 * (covariances + np.swapaxes(covariances, -1, -2))
