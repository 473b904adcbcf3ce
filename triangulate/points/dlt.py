"""Linear triangulation, and the covariance of points from the noise of their pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...datasets import check_pose
from ...numerics._kernels_matrices import SINGULAR
from ...numerics.arrays import Array
from ...numerics.threads import over_rows
from ..input_checks import centred_arrays, check_observations
from . import _kernels_dlt


def triangulate_dlt(points_2d: Any, rig: CameraRig, *, confidence: Array | None = None) -> Array:
    """Triangulate points by weighted linear equations in closed form (direct linear transformation).

    Each view gives two equations, scaled to pixels with the depth of a first solution, so that near and far cameras
    count alike. One gross outlier ruins a point: see `triangulate_ransac`.

    Parameters
    ----------
    points_2d : ndarray, shape (n_cameras, ..., 2), pixels, or xarray.Dataset
        Keypoints in the distorted image, the cameras in the order of the rig, NaN where missing; or a views dataset,
        whose cameras are found by name.
    rig : CameraRig
        The calibrated cameras.
    confidence : ndarray, shape (n_cameras, ...), 0-1, optional
        Weights of the squared errors; NaN and 0 leave a view out. None: that of the dataset, or all alike.

    Returns
    -------
    ndarray, shape (..., 3), world units
        Points; NaN where fewer than two views see the point, their rays are parallel, or it lies behind a camera.

    Raises
    ------
    ValueError
        Shapes do not fit the rig, a value is infinite, or a confidence is outside 0-1.

    See Also
    --------
    triangulate_ransac : The same with outliers found and left out.
    point_covariances : Error bars of the points.

    References
    ----------
    Hartley and Zisserman (2003), Multiple View Geometry in Computer Vision, section 12.2; Hartley and Sturm (1997),
    Triangulation, section 4.2 (the scaling).

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.triangulate import triangulate_dlt
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> rig = CameraRig(tuple(Camera(f"cam_{x}", (1280, 1024), K, [], np.eye(3), [x, 0, 1000]) for x in (-200, 200)))
    >>> points_2d = rig.project(np.array([[[10.0, 20.0, 30.0]]]))
    >>> triangulate_dlt(points_2d, rig).round(6)
    array([[[10., 20., 30.]]])
    """
    points_2d, confidence = check_observations(points_2d, rig, confidence)
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
    points_3d: Any, rig: CameraRig, sigma: float | Array, inliers: NDArray[np.bool_] | None = None
) -> Array:
    """Covariance of triangulated points: the inverse of the information that the views give, (Σ JᵀJ / σ²)⁻¹.

    The Cramér-Rao bound of independent Gaussian errors on the exact (distorted) projection, J its Jacobian.

    Parameters
    ----------
    points_3d : ndarray, shape (..., 3), world units, or xarray.Dataset
        Points, NaN where missing; or a pose dataset.
    rig : CameraRig
        The calibrated cameras.
    sigma : float or ndarray, shape (n_cameras,) or (n_cameras, ...), pixels
        Standard deviation of a coordinate: of all, of each camera, or of each observation.
    inliers : ndarray of bool, shape (n_cameras, ...), optional
        The views that count. None: all in which the point projects.

    Returns
    -------
    ndarray, shape (..., 3, 3), world units squared
        Covariances; NaN where the point is missing or fewer than two views count.

    Raises
    ------
    ValueError
        Shapes do not fit, or sigma is not positive.

    Examples
    --------
    A point at 1 m seen from 0.2 m to either side is known worst along the line of sight, the third axis.

    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.triangulate import point_covariances
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> rig = CameraRig(tuple(Camera(f"cam_{x}", (1280, 1024), K, [], np.eye(3), [x, 0, 1000]) for x in (-200, 200)))
    >>> np.sqrt(np.diag(point_covariances(np.zeros(3), rig, sigma=1.0))).round(2)
    array([0.71, 0.71, 3.54])
    """
    if isinstance(points_3d, xr.Dataset | xr.DataArray):
        points_3d = check_pose(points_3d)["position"].values
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
