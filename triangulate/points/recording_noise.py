"""The noise of a recording from what is left over by robust triangulation: of each camera, or camera and keypoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...numerics.arrays import Array, evenly_spread
from ...numerics.robust_scale import efficient_sigma, median_sigma, present_median
from ...numerics.threads import over_rows
from ..input_checks import check_observations, from_views
from ..noise.detector_noise import DetectorNoise
from ..noise.residual_noise import noise_of_residuals, raised_to_spread
from . import _kernels_consensus
from .consensus_solver import DEFAULT_THRESHOLD, solve, solve_by_keypoint
from .dlt import triangulate_dlt

_COARSE, _FINE = 400, 3000  # points that the noise is estimated from, at first and at last
# Points that the noise per camera and keypoint is estimated from, round by round; a third one moves it by some percent.
# Where errors are new in every frame that tells unequal cameras better apart (points 0.3 to 1.4 % better at a spread of
# 0.25 to 0.4 of the logarithms); where they last, a camera that seems good by few independent ones pulls the points
# (0.1 to 1.1 % worse).
_NOISE_POINTS = (5_000, 20_000)
_RUN = 20  # frames that follow each other, in which it is seen how errors last from one frame to the next
_START = 0.02  # first guess of the noise, as a share of the image's width
_LEAST_SIGMA = 1e-3  # pixels: of points without noise
# No camera is taken to be more than twice as good as the middle one: where keypoints are labelled a little differently
# from each side, two similar views would otherwise agree with each other alone and outweigh all others.
_LEAST_SHARE = 0.5


def estimate_noise(points_2d: Any, rig: CameraRig, *, confidence: Array | None = None) -> DetectorNoise:
    """Estimate the noise of a detector per camera and keypoint from a recording alone.

    From the residuals of robust triangulation: their size per camera and keypoint, drawn towards that of all where
    there are few independent frames; and the part of them that never changes. Errors that all views share leave no
    residual: they are taken for a share of the part that never changes and of the part that lasts, as measured on real
    recordings (`lasting_errors`). The noise of an ensemble of detectors is at least their spread: it tells the cameras
    apart, which the residuals of two cameras do not. Outliers are estimated from the residuals that were rejected.

    Parameters
    ----------
    points_2d : ndarray, shape (n_cameras, n_frames, n_keypoints, 2), pixels, or xarray.Dataset
        Keypoints, the cameras in the order of the rig, NaN where missing; or a views dataset.
    rig : CameraRig
        The calibrated cameras.
    confidence : ndarray, shape (n_cameras, n_frames, n_keypoints), 0-1, optional
        As in `triangulate_ransac`. None: that of the dataset, or all alike.

    Returns
    -------
    DetectorNoise
        Without bias: a constant error is part of the inliers' spread.

    Raises
    ------
    ValueError
        As `triangulate_ransac`.

    See Also
    --------
    DetectorNoise.fit : Learns it from a truth, bias and shared errors included.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.triangulate import estimate_noise
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> rig = CameraRig(tuple(Camera(f"cam_{x}", (1280, 1024), K, [], np.eye(3), [x, 0, 1000]) for x in (-200, 0, 200)))
    >>> rng = np.random.default_rng(0)
    >>> points_2d = rig.project(rng.uniform(-100, 100, (500, 2, 3)))
    >>> points_2d += rng.normal(0, 1, points_2d.shape) * [[1.0], [3.0]]
    >>> estimate_noise(points_2d, rig).inlier_std.mean(axis=0).round()
    array([1., 3.])
    """
    _, keypoints, least = from_views(points_2d, rig, keypoints=None, ensemble_std=None)
    points_2d, confidence = check_observations(points_2d, rig, confidence, by_frame=True)
    noise = _estimated(points_2d, confidence, rig, estimate_sigma(points_2d, rig, confidence=confidence))
    return replace(noise if least is None else raised_to_spread(noise, least), keypoints=keypoints)


def _estimated(points_2d: Array, confidence: Array | None, rig: CameraRig, sigma: Array) -> DetectorNoise:
    """The noise of a recording whose cameras' sigma (n_cameras,) is known, by rounds of triangulation and estimate."""
    n_frames, n_keypoints = points_2d.shape[1:3]
    noise = None
    for n_points in _NOISE_POINTS:
        rows = evenly_spread(n_frames, max(2, n_points // max(n_keypoints, 1)), _RUN)
        part = None if confidence is None else confidence[:, rows]
        noise = _next_estimate(points_2d[:, rows], part, rig, sigma, noise)
    assert noise is not None
    return noise


def _next_estimate(
    points_2d: Array, confidence: Array | None, rig: CameraRig, sigma: Array, noise: DetectorNoise | None
) -> DetectorNoise:
    """The noise from the residuals of the points that the noise so far (None: one sigma for all) leads to."""
    n_cameras, *shape = points_2d.shape[:3]
    flat = points_2d.reshape(n_cameras, -1, 2)
    prior = np.empty((n_cameras, 0)) if confidence is None else confidence.reshape(n_cameras, -1)
    if noise is None:
        # one value for all: a camera with too small a sigma, which few independent errors make, pulls the points
        start = np.full(n_cameras, np.sqrt((sigma**2).mean()))
        found, std = solve(flat, prior, rig, start, DEFAULT_THRESHOLD * start, 0.9), start[:, None]
    else:
        found, std = solve_by_keypoint(flat, prior, rig, noise, None, 0.9, whole=False), noise.inlier_std
    # a pair that was rejected leaves no point: its residuals are those of the best one there is
    of_all = triangulate_dlt(flat, rig) if n_cameras == 2 else np.nan
    points_3d = np.where(np.isfinite(found.points_3d), found.points_3d, of_all)
    described = residuals_of(flat, points_3d, found.covariances_3d, rig, std)
    residuals, leverage, size = (values.reshape(n_cameras, *shape, *values.shape[2:]) for values in described)
    size = present_median(np.where(np.isfinite(leverage), size, np.nan), axis=(0, 1))
    pixels_per_unit = np.sqrt(np.where(size > 0, size, 1.0))
    inliers = found.inliers.reshape(n_cameras, *shape)
    return noise_of_residuals(residuals, inliers, leverage, pixels_per_unit, sigma, rig)


def residuals_of(flat: Array, points_3d: Array, covariances_3d: Array, rig: CameraRig, sigma: Array) -> list[Array]:
    """Residuals (n_cameras, n, 2) pixels of points (n, 3), their leverages and pixels² per unit² (n_cameras, n).

    flat : (n_cameras, n, 2) pixels; sigma : (n_cameras, n_keypoints) pixels, of which the points take turns
    """
    n_cameras, n_points = flat.shape[:2]
    described = [np.empty((n_cameras, n_points, *axes)) for axes in ((2,), (), ())]
    fixed = (rig.arrays, np.ascontiguousarray(flat), points_3d, covariances_3d, np.ascontiguousarray(sigma.T**-2.0))
    over_rows(
        lambda start, stop: _kernels_consensus.describe_residuals(*fixed, start, stop, *described),
        n_points,
        smallest=1024,
    )
    return described


def estimate_sigma(points_2d: Any, rig: CameraRig, *, confidence: Array | None = None) -> Array:
    """Estimate the standard deviation of an inlier's pixel coordinate per camera.

    From a generous start, robust triangulation and the residuals' median take turns until they agree; points that most
    views see, evenly spread over the recording, are used.

    Parameters
    ----------
    points_2d : ndarray, shape (n_cameras, ..., 2), pixels, or xarray.Dataset
        Keypoints, the cameras in the order of the rig, NaN where missing; or a views dataset.
    rig : CameraRig
        The calibrated cameras.
    confidence : ndarray, shape (n_cameras, ...), 0-1, optional
        As in `triangulate_ransac`. None: that of the dataset, or all alike.

    Returns
    -------
    ndarray, shape (n_cameras,), pixels
        At least 0.001; the others' median where a camera has no inliers, 1 where none has.

    Raises
    ------
    ValueError
        As `triangulate_ransac`.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.triangulate import estimate_sigma
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> rig = CameraRig(tuple(Camera(f"cam_{x}", (1280, 1024), K, [], np.eye(3), [x, 0, 1000]) for x in (-200, 0, 200)))
    >>> rng = np.random.default_rng(0)
    >>> points_2d = rig.project(rng.uniform(-100, 100, (500, 10, 3)))
    >>> estimate_sigma(points_2d + rng.normal(0, 0.5, points_2d.shape), rig).round(1)
    array([0.5, 0.5, 0.5])
    """
    points_2d, confidence = check_observations(points_2d, rig, confidence)
    flat = points_2d.reshape(len(rig), -1, 2)
    rows = judgeable_rows(flat)
    if not len(rows):
        return np.ones(len(rig))
    prior = np.empty((len(rig), 0)) if confidence is None else confidence.reshape(flat.shape[:2])
    start = _START * np.array([camera.size[0] for camera in rig], dtype=float)
    coarse, fine = rows[evenly_spread(len(rows), _COARSE)], rows[evenly_spread(len(rows), _FINE)]
    # one value for all cameras at first: a camera with too small a sigma would pull the points and seem even better
    sigma = _settled(start, lambda sigma: _common(_one_estimate(flat, prior, rig, sigma, coarse, median_sigma)))
    return refined_sigma(flat, prior, rig, sigma, fine)


def refined_sigma(flat: Array, prior: Array, rig: CameraRig, sigma: Array, rows: NDArray[np.int64]) -> Array:
    """The cameras' sigma (n_cameras,) from these rows of flat (n_cameras, n_points, 2), started from a rough one."""
    sigma = _settled(sigma, lambda sigma: _one_estimate(flat, prior, rig, sigma, rows[::3], efficient_sigma))
    return _one_estimate(flat, prior, rig, sigma, rows, efficient_sigma)


def _settled(sigma: Array, estimate: Callable[[Array], Array]) -> Array:
    """The estimate repeated until it changes by less than 5 %, twelve times at most."""
    for _ in range(12):
        before, sigma = sigma, estimate(sigma)
        if np.all(np.abs(sigma - before) < 0.05 * before):
            break
    return sigma


def _common(sigma: Array) -> Array:
    return np.full(len(sigma), np.median(sigma))


def judgeable_rows(flat: Array) -> NDArray[np.int64]:
    """Rows of (n_cameras, n_points, 2) seen by three views or more; by two where there are none."""
    candidates = evenly_spread(flat.shape[1], 8 * _FINE)
    n_seen = np.isfinite(flat[:, candidates, 0]).sum(axis=0)
    return candidates[n_seen >= min(3, n_seen.max(initial=2))] if len(candidates) else candidates


def _one_estimate(flat: Array, prior: Array, rig: CameraRig, sigma: Array, rows: NDArray[np.int64], estimator) -> Array:
    """The cameras' sigma (n_cameras,) from the residuals of these rows, triangulated with the `sigma` given."""
    flat, prior = flat[:, rows], prior[:, rows] if prior.size else prior
    found = solve(flat, prior, rig, sigma, DEFAULT_THRESHOLD * sigma, 0.9)
    _, leverage, _ = residuals_of(flat, found.points_3d, found.covariances_3d, rig, sigma[:, None])
    two_views = found.inliers.sum(axis=0).max(initial=0) == 2
    estimate = estimator(np.where(found.inliers, found.residuals, np.nan), leverage, 1 if two_views else 2)
    if np.isnan(estimate).all():
        return sigma
    middle = np.nanmedian(estimate)
    return np.maximum(np.where(np.isnan(estimate), middle, estimate), max(_LEAST_SIGMA, _LEAST_SHARE * middle))
