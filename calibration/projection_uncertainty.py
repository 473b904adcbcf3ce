"""Uncertainty that a calibration leaves in images (pixels) and in the working volume (world units).

After mrcal (Kogan, "Projection uncertainty"): the world in which a point stands still is that of all the boards
together, not that of one camera; the cameras' covariance is carried over to that world first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..numerics.arrays import Array
from .calibrated_rig import Calibration
from .solver import _kernels_bundle as kernels
from .solver.covariance import N_CAMERA
from .solver.initial_lenses import lens_row


def projection_covariance(calibration: Calibration, points_3d: Array) -> Array:
    """Covariance of where world points appear, from the calibration's own uncertainty alone, the lens model's included.

    Parameters
    ----------
    calibration : Calibration
        As returned by `calibrate`.
    points_3d : ndarray, shape (n_points, 3), world units
        Points.

    Returns
    -------
    ndarray, shape (n_cameras, n_points, 2, 2), pixels squared
        Covariances; NaN behind a camera or outside the lens model's domain.

    References
    ----------
    Kogan, mrcal: "Projection uncertainty".

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.calibration import calibrate, projection_covariance, simulate_detections
    >>> calibration = calibrate(simulate_detections(), distortion_model=0)
    >>> covariance = projection_covariance(calibration, calibration.board_points(0))
    >>> covariance.shape
    (2, 30, 2, 2)
    >>> bool((np.sqrt(covariance[..., 0, 0]) < 1).all())
    True
    """
    points_3d = np.asarray(points_3d, float)
    J, moved = _jacobians(calibration, points_3d), _model_differences(calibration, points_3d)
    n = len(J)
    own = calibration.rig_covariance[np.arange(n), :, np.arange(n)]
    return np.einsum("cpij,cjk,cplk->cpil", J, own, J) + np.einsum("mcpi,mcpj->cpij", moved, moved)


def image_uncertainty(calibration: Calibration, camera: str, distance: float, grid: tuple[int, int] = (16, 12)):
    """Standard deviation of projection over a camera's image, for points at a distance.

    Parameters
    ----------
    calibration : Calibration
        As returned by `calibrate`.
    camera : str
        Name of the camera.
    distance : float, world units
        Of the points from the camera.
    grid : (int, int)
        Numbers of points across and down the image.

    Returns
    -------
    pixels : ndarray, shape (n_rows, n_columns, 2), pixels
        Where in the image.
    deviation : ndarray, shape (n_rows, n_columns), pixels
        Root of the covariance's largest eigenvalue; NaN outside the lens model's domain.

    Examples
    --------
    >>> from muybridge.calibration import calibrate, image_uncertainty, simulate_detections
    >>> calibration = calibrate(simulate_detections(), distortion_model=0)
    >>> pixels, deviation = image_uncertainty(calibration, "left", 700.0, grid=(4, 3))
    >>> deviation.shape
    (3, 4)
    """
    one = calibration.rig[camera]
    x, y = (np.linspace(0, side - 1, n) for side, n in zip(one.size, grid, strict=True))
    pixels = np.stack(np.meshgrid(x, y), axis=-1)
    points = one.center + distance * one.rays(pixels.reshape(-1, 2))
    covariance = projection_covariance(calibration, points)[calibration.rig.names.index(camera)]
    finite = np.asarray(np.isfinite(covariance).all(axis=(1, 2)))
    largest = np.full(len(points), np.nan)
    largest[finite] = np.sqrt(np.maximum(np.linalg.eigvalsh(covariance[finite])[:, -1], 0))
    return pixels, largest.reshape(grid[1], grid[0])


def volume_uncertainty(calibration: Calibration, points_3d: Array) -> Array:
    """Covariance that the calibration alone gives a triangulated point.

    Parameters
    ----------
    calibration : Calibration
        As returned by `calibrate`.
    points_3d : ndarray, shape (n_points, 3), world units
        Points, taken as seen by all cameras in whose images they lie and triangulated by least squares of the pixels.

    Returns
    -------
    ndarray, shape (n_points, 3, 3), world units squared
        Covariances; NaN where fewer than two cameras see the point.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.calibration import calibrate, simulate_detections, volume_uncertainty
    >>> calibration = calibrate(simulate_detections(), distortion_model=0)
    >>> covariance = volume_uncertainty(calibration, calibration.board_points(0))
    >>> covariance.shape
    (30, 3, 3)
    """
    points_3d = np.asarray(points_3d, float)
    J, by_point, inverse = _triangulation(calibration, points_3d)
    moved = _model_differences(calibration, points_3d)
    pull = np.einsum("pij,cpkj,cpkl->picl", inverse, by_point, J)
    flat = pull.reshape(len(pull), 3, -1)
    size = calibration.rig_covariance.shape[0] * N_CAMERA
    within = flat @ calibration.rig_covariance.reshape(size, size) @ flat.swapaxes(1, 2)
    off = np.einsum("pij,cpkj,mcpk->mpi", inverse, by_point, moved)
    return within + np.einsum("mpi,mpj->pij", off, off)


def noise_covariance(calibration: Calibration, points_3d: Array) -> Array:
    """(n_points, 3, 3) covariance of points, seen as by `volume_uncertainty`, by one pixel of noise in each image."""
    return _triangulation(calibration, np.asarray(points_3d, float))[2]


def _triangulation(calibration: Calibration, points_3d: Array) -> tuple[Array, Array, Array]:
    """Derivatives of the pixels by the cameras' unknowns and by the points, 0 where a camera does not see one, and the
    inverse of the points' normal equations; NaN where fewer than two cameras see a point."""
    J = _jacobians(calibration, points_3d)
    seen = np.asarray(np.isfinite(J).all(axis=(2, 3))) & _shown(calibration, points_3d)
    J = np.where(seen[..., None, None], J, 0.0)
    by_point = J[..., -3:] @ np.stack([camera.R for camera in calibration.rig])[:, None]
    normal = np.einsum("cpij,cpik->pjk", by_point, by_point)
    enough = seen.sum(axis=0) >= 2
    inverse = np.full_like(normal, np.nan)
    inverse[enough] = np.linalg.inv(normal[enough])
    return J, by_point, inverse


def _shown(calibration: Calibration, points_3d: Array) -> NDArray[np.bool_]:
    """(n_cameras, n_points) whether the points lie in the cameras' images; beyond them a lens is a guess."""
    pixels = calibration.rig.project(points_3d)
    last = np.array([camera.size for camera in calibration.rig])[:, None] - 0.5
    return np.asarray(((pixels >= -0.5) & (pixels <= last)).all(axis=-1))


def _jacobians(calibration: Calibration, points_3d: Array) -> Array:
    """(n_cameras, n_points, 2, 24) derivatives of the pixels by each camera's lens and motion; NaN behind a camera."""
    rows = []
    for camera in calibration.rig:
        X = points_3d @ camera.R.T + camera.t
        lens = lens_row(np.abs(camera.K), camera.distortion)
        visible = np.asarray(np.isfinite(camera.project(points_3d)).all(axis=-1))
        X = np.where(visible[:, None], X, np.nan)
        J = kernels.projection_derivatives(lens, camera.model == "fisheye", X)
        J[:, 0] *= -1.0 if camera.mirrored else 1.0
        rows.append(np.where(visible[:, None, None], J, np.nan))
    return np.stack(rows)


def _model_differences(calibration: Calibration, points_3d: Array) -> Array:
    """(n_alternatives, n_cameras, n_points, 2) pixels by which other lens models see the points elsewhere.

    Times the root of their probability; 0 where a model sees nothing.
    """
    rows = [np.zeros((0, len(calibration.rig.cameras), len(points_3d), 2))]
    for other in calibration.alternatives:
        off = other.rig.project(points_3d) - other.chosen.project(points_3d)
        rows.append(np.sqrt(other.probability) * np.nan_to_num(off)[None])
    return np.concatenate(rows)
