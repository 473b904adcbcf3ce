"""Robust triangulation: which views agree, the point with its covariance, and its posterior probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...numerics.arrays import Array
from ..input_checks import check_observations, from_views
from ..noise.detector_noise import DetectorNoise, without_bias
from . import _kernels_consensus
from .consensus_solver import DEFAULT_THRESHOLD, per_camera, solve, solve_by_keypoint
from .recording_noise import estimate_noise, estimate_sigma


@dataclass(frozen=True, eq=False)
class Triangulation:
    """Robustly triangulated points with their error bars.

    Parameters
    ----------
    points_3d : ndarray, shape (n_frames, n_keypoints, 3), world units
        Points; NaN where no two views agree.
    covariances_3d : ndarray, shape (n_frames, n_keypoints, 3, 3), world units squared
        Their covariances.
    inliers : ndarray of bool, shape (n_cameras, n_frames, n_keypoints)
        The views that the point rests on.
    reprojection_error : ndarray, shape (n_cameras, n_frames, n_keypoints), pixels
        Of every view that saw the point, outliers included.
    n_cameras : ndarray of int, shape (n_frames, n_keypoints)
        Number of inliers.
    confidence : ndarray, shape (n_frames, n_keypoints), 0-1
        Posterior probability against the best rival set of views and against chance agreement; 0 where there is no
        point.
    ray_angle : ndarray, shape (n_frames, n_keypoints), radians
        Of the angles between two inlier rays the one nearest to a right angle.
    sigma : ndarray, shape (n_cameras,), pixels
        Standard deviation of an inlier's coordinate, all keypoints together.
    threshold : ndarray, shape (n_cameras,), pixels
        Residual beyond which no view is an inlier, all keypoints together.
    noise : DetectorNoise, optional
        The noise per camera and keypoint that the covariances rest on; None: one sigma per camera.

    Examples
    --------
    See `triangulate_ransac`, which returns it.

    >>> from muybridge.triangulate import Triangulation
    >>> "covariances_3d" in Triangulation.__dataclass_fields__
    True
    """

    points_3d: Array
    covariances_3d: Array
    inliers: NDArray[np.bool_]
    reprojection_error: Array
    n_cameras: NDArray[np.int64]
    confidence: Array
    ray_angle: Array
    sigma: Array
    threshold: Array
    noise: DetectorNoise | None = None

    @property
    def two_views(self) -> NDArray[np.bool_]:
        """Points that rest on two views only, (n_frames, n_keypoints): an outlier among them may stay undetected."""
        return self.n_cameras == 2


def triangulate_ransac(
    points_2d: Any,
    rig: CameraRig,
    *,
    confidence: Array | None = None,
    threshold: float | Array | None = None,
    sigma: float | Array | None = None,
    noise: DetectorNoise | None = None,
    min_confidence: float = 0.9,
) -> Triangulation:
    """Triangulate robustly by consensus of camera pairs and refinement on the exact projection.

    Where all views agree, they are all used. Else the mid-point of each pair of rays is tried (all pairs up to 16
    cameras, a fixed choice of 160 beyond) under a truncated cost (MSAC) whose cut-off is the log-odds of an outlier,
    with the confidence as prior; the best is refined by Gauss-Newton with the posterior inlier probability as weight.
    Nothing is random.

    Parameters
    ----------
    points_2d : ndarray, shape (n_cameras, ..., 2), pixels, or xarray.Dataset
        Keypoints in the distorted image, the cameras in the order of the rig, NaN where missing; or a views dataset,
        whose cameras are found by name.
    rig : CameraRig
        The calibrated cameras.
    confidence : ndarray, shape (n_cameras, ...), 0-1, optional
        Prior probability that a view is right, clipped to 0.02-0.98 (detectors are confident of gross errors, too);
        NaN and 0 leave a view out. None: that of the dataset, or all alike.
    threshold : float or ndarray, shape (n_cameras,), pixels, optional
        Residual beyond which a view is an outlier (a smaller one where its confidence is below 0.8). None: 4.5 `sigma`.
    sigma : float or ndarray, shape (n_cameras,), pixels, optional
        Standard deviation of an inlier's coordinate. None: from the recording, see `noise`.
    noise : DetectorNoise, optional
        The detector's noise per camera and keypoint, with what all views have in common: learned from a truth
        (`DetectorNoise.fit`). None: estimated from the recording (`estimate_noise`), but where `sigma` is given or
        the points are not of frames and keypoints: one `sigma` per camera then, which takes a quarter of the time and
        holds where errors are white and alike for all keypoints.
    min_confidence : float, 0-1
        Points with a smaller posterior probability become NaN.

    Returns
    -------
    Triangulation
        Points, covariances and inliers; a point is NaN where fewer than two views agree or where another set of views
        explains it as well.

    Raises
    ------
    ValueError
        Shapes do not fit the rig, a value is infinite, a confidence is outside 0-1, or a threshold is not positive.

    References
    ----------
    Torr and Zisserman (2000), MLESAC: a new robust estimator with application to estimating image geometry.

    Examples
    --------
    One of three cameras is 60 pixels off.

    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.triangulate import triangulate_ransac
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> rig = CameraRig(tuple(Camera(f"cam_{x}", (1280, 1024), K, [], np.eye(3), [x, 0, 1000]) for x in (-200, 0, 200)))
    >>> points_2d = rig.project(np.array([[[10.0, 20.0, 30.0]]]))
    >>> points_2d[1] += [0.0, 60.0]
    >>> found = triangulate_ransac(points_2d, rig, sigma=1.0, min_confidence=0.0)
    >>> found.inliers[:, 0, 0], found.points_3d.round(3)
    (array([ True, False,  True]), array([[[10., 20., 30.]]]))
    """
    array, keypoints = from_views(points_2d, rig, keypoints=None)
    if noise is None and sigma is None and np.ndim(array) == 4:
        noise = estimate_noise(points_2d, rig, confidence=confidence)
    points_2d, confidence = check_observations(points_2d, rig, confidence)
    if not 0 <= min_confidence < 1:
        raise ValueError(f"min_confidence must be a probability of at least 0 and below 1, got {min_confidence}")
    shape = points_2d.shape[1:-1]
    flat = points_2d.reshape(len(rig), -1, 2)
    prior = np.empty((len(rig), 0)) if confidence is None else confidence.reshape(flat.shape[:2])
    if noise is not None and (sigma is not None or points_2d.ndim != 4):
        raise ValueError("noise= needs points_2d of shape (n_cameras, n_frames, n_keypoints, 2) and no sigma=")
    own = None
    if noise is not None:
        noise = noise.for_recording(rig, points_2d.shape[2], keypoints)
        corrected, own = without_bias(points_2d, noise)
        spread = np.sqrt((own.inlier_std**2).mean(axis=1))
        if confidence is None:
            prior = np.array(np.broadcast_to(1 - noise.outlier_probability[:, None], points_2d.shape[:3]))
        flat, prior = corrected.reshape(flat.shape), prior.reshape(len(rig), -1)
    elif sigma is None:
        spread = estimate_sigma(points_2d, rig, confidence=confidence)
    else:
        spread = per_camera(sigma, rig, "sigma")
    limit = per_camera(DEFAULT_THRESHOLD * spread if threshold is None else threshold, rig, "threshold")
    if own is None:
        found = solve(flat, prior, rig, spread, limit, min_confidence)
    else:
        found = solve_by_keypoint(flat, prior, rig, own, None if threshold is None else limit, min_confidence)
    return Triangulation(
        points_3d=found.points_3d.reshape(*shape, 3),
        covariances_3d=found.covariances_3d.reshape(*shape, 3, 3),
        inliers=found.inliers.reshape(len(rig), *shape),
        reprojection_error=found.residuals.reshape(len(rig), *shape),
        n_cameras=found.inliers.sum(axis=0).reshape(shape),
        confidence=(0.5 * (1 + np.tanh(0.5 * found.support))).reshape(shape),
        ray_angle=np.arccos(np.minimum(found.cosine, 1.0)).reshape(shape),
        sigma=spread,
        threshold=limit,
        noise=noise,
    )


def robust_points(
    points_2d: Any,
    rig: CameraRig,
    *,
    confidence: Array | None = None,
    sigma: float | Array | None = None,
    noise: DetectorNoise | None = None,
    **options: Any,
) -> Triangulation:
    """`triangulate_ransac` with one sigma per camera where no noise is given: for points without their error bars."""
    if noise is None and sigma is None:
        sigma = estimate_sigma(points_2d, rig, confidence=confidence)
    return triangulate_ransac(points_2d, rig, confidence=confidence, sigma=sigma, noise=noise, **options)


def inlier_gate(confidence: Array) -> Array:
    """Half of the squared residual, in standard deviations, below which `triangulate_ransac` by its own threshold takes
    a view of this confidence as an inlier; as in the kernel."""
    p = np.clip(np.nan_to_num(confidence), *_kernels_consensus.PRIOR_RANGE)
    usual = 0.5 * DEFAULT_THRESHOLD**2
    return np.clip(usual + np.log(p / (1 - p)) - _kernels_consensus.TYPICAL, _kernels_consensus.LEAST, usual)
