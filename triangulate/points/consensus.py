"""Robust triangulation: which views agree, the point with its covariance, and its posterior probability."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...numerics.arrays import Array, evenly_spread, isotropic
from ...numerics.robust_scale import efficient_sigma, median_sigma, present_median
from ...numerics.threads import over_rows
from . import _kernels_consensus
from .detector_noise import DetectorNoise, noise_of_residuals, raised_to_spread
from .dlt import triangulate_dlt
from .input_checks import centred_arrays, check_observations, from_views
from .undetected_outliers import outlier_covariances

_ALL_PAIRS_UP_TO = 16  # cameras: 120 pairs
_PAIRS_BEYOND = 160  # pairs, a fixed choice: some of them are pairs of inliers even where most views are outliers
DEFAULT_THRESHOLD = 4.5  # standard deviations: of 25,000 inliers one lies beyond
_COARSE, _FINE = 400, 3000  # points that the noise is estimated from, at first and at last
_NOISE_POINTS = 20_000  # points that the noise per camera and keypoint is estimated from
_NOISE_ROUNDS = 3  # the estimate changes by a few percent in the third
_START = 0.02  # first guess of the noise, as a share of the image's width
_LEAST_SIGMA = 1e-3  # pixels: of points without noise
# No camera is taken to be more than twice as good as the middle one: where keypoints are labelled a little differently
# from each side, two similar views would otherwise agree with each other alone and outweigh all others.
_LEAST_SHARE = 0.5


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
        Standard deviation of an inlier's coordinate. None: from the recording, see `estimate_sigma`.
    noise : DetectorNoise, optional
        The detector's noise per camera and keypoint, with what all views have in common: learned from a truth
        (`DetectorNoise.fit`) or from the recording (`estimate_noise`). None: one `sigma` per camera; of an ensemble of
        detectors `estimate_noise`.
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
    _, keypoints, spread = from_views(points_2d, rig, keypoints=None, ensemble_std=None)
    if spread is not None and noise is None and sigma is None:
        noise = estimate_noise(points_2d, rig, confidence=confidence)
    points_2d, confidence = check_observations(points_2d, rig, confidence)
    if not 0 <= min_confidence < 1:
        raise ValueError(f"min_confidence must be a probability of at least 0 and below 1, got {min_confidence}")
    shape = points_2d.shape[1:-1]
    flat = points_2d.reshape(len(rig), -1, 2)
    prior = np.empty((len(rig), 0)) if confidence is None else confidence.reshape(flat.shape[:2])
    if noise is not None and (sigma is not None or points_2d.ndim != 4):
        raise ValueError("noise= needs points_2d of shape (n_cameras, n_frames, n_keypoints, 2) and no sigma=")
    if noise is not None:
        noise = noise.for_recording(rig, points_2d.shape[2], keypoints)
        spread = np.sqrt((noise.inlier_std**2).mean(axis=1))
        if confidence is None:
            prior = np.array(np.broadcast_to(1 - noise.outlier_probability[:, None], points_2d.shape[:3]))
        flat, prior = (points_2d - noise.bias[:, None]).reshape(flat.shape), prior.reshape(len(rig), -1)
    elif sigma is None:
        spread = estimate_sigma(points_2d, rig, confidence=confidence)
    else:
        spread = per_camera(sigma, rig, "sigma")
    limit = per_camera(DEFAULT_THRESHOLD * spread if threshold is None else threshold, rig, "threshold")
    if noise is None:
        found = _solve(flat, prior, rig, spread, limit, min_confidence)
    else:
        found = _solve_by_keypoint(flat, prior, rig, noise, None if threshold is None else limit, min_confidence)
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


def inlier_gate(confidence: Array) -> Array:
    """Half of the squared residual, in standard deviations, below which `triangulate_ransac` by its own threshold takes
    a view of this confidence as an inlier; as in the kernel."""
    p = np.clip(np.nan_to_num(confidence), *_kernels_consensus.PRIOR_RANGE)
    usual = 0.5 * DEFAULT_THRESHOLD**2
    return np.clip(usual + np.log(p / (1 - p)) - _kernels_consensus.TYPICAL, _kernels_consensus.LEAST, usual)


def estimate_noise(points_2d: Any, rig: CameraRig, *, confidence: Array | None = None) -> DetectorNoise:
    """Estimate the noise of a detector per camera and keypoint from a recording alone.

    From the residuals of robust triangulation: their size per camera and keypoint, drawn towards that of all where
    there are few independent frames; and the part of them that never changes. Errors that all views share leave no
    residual: they are taken to be as large as the part that never changes. The noise of an ensemble of detectors is at
    least what their spread says: it tells the cameras apart, which the residuals of two cameras do not.

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
    n_cameras, n_frames, n_keypoints = points_2d.shape[:3]
    rows = evenly_spread(n_frames, max(2, _NOISE_POINTS // max(n_keypoints, 1)))
    part = points_2d[:, rows]
    prior = np.empty((n_cameras, 0)) if confidence is None else confidence[:, rows].reshape(n_cameras, -1)
    flat, shape = part.reshape(n_cameras, -1, 2), (len(rows), n_keypoints)
    noise = None
    for _ in range(_NOISE_ROUNDS):
        if noise is None:
            found = _solve(flat, prior, rig, sigma, DEFAULT_THRESHOLD * sigma, 0.9)
            std = np.repeat(sigma[:, None], n_keypoints, axis=1)
        else:
            found, std = _solve_by_keypoint(flat, prior, rig, noise, None, 0.9, whole=False), noise.inlier_std
        jacobian = rig.project_jacobian(found.points_3d)
        spread = np.einsum("cnai,nij,cnaj->cn", jacobian, found.covariances_3d, jacobian)
        leverage = np.nan_to_num(spread.reshape(n_cameras, *shape) / (2 * std[:, None] ** 2))
        size = (jacobian**2).sum(axis=(2, 3)).reshape(n_cameras, *shape) / 2
        pixels = np.sqrt(np.nan_to_num(present_median(size, axis=(0, 1)), nan=1.0))
        points_3d = found.points_3d
        if n_cameras == 2:  # a pair that was rejected leaves no point: its residuals are those of the best one there is
            anyway = triangulate_dlt(flat, rig)
            points_3d = np.where(np.isfinite(points_3d), points_3d, anyway)
        residuals = (flat - rig.project(points_3d)).reshape(n_cameras, *shape, 2)
        inliers = found.inliers.reshape(n_cameras, *shape)
        noise = noise_of_residuals(residuals, inliers, leverage, np.where(pixels > 0, pixels, 1.0), sigma, rig)
    assert noise is not None
    return noise


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
    found = _solve(flat, prior, rig, sigma, DEFAULT_THRESHOLD * sigma, 0.9)
    leverage = _kernels_consensus.leverages(rig.arrays, sigma**-2.0, found.points_3d, found.covariances_3d)
    two_views = found.inliers.sum(axis=0).max(initial=0) == 2
    estimate = estimator(np.where(found.inliers, found.residuals, np.nan), leverage, 1 if two_views else 2)
    if np.isnan(estimate).all():
        return sigma
    middle = np.nanmedian(estimate)
    return np.maximum(np.where(np.isnan(estimate), middle, estimate), max(_LEAST_SIGMA, _LEAST_SHARE * middle))


class _Solution(NamedTuple):
    """The kernel's outputs over flat points: (n, 3), (n, 3, 3), (n_cameras, n), (n_cameras, n), (n,), (n,)."""

    points_3d: Array
    covariances_3d: Array
    residuals: Array
    inliers: NDArray[np.bool_]
    support: Array
    cosine: Array


def _solve(flat: Array, prior: Array, rig: CameraRig, sigma: Array, threshold: Array, least: float) -> _Solution:
    arrays, origin = centred_arrays(rig)
    flat, prior = np.ascontiguousarray(flat), np.ascontiguousarray(prior)  # one layout: the kernel is compiled once
    n_cameras, n_points = flat.shape[:2]
    found = _Solution(
        np.full((n_points, 3), np.nan),
        np.full((n_points, 3, 3), np.nan),
        np.full((n_cameras, n_points), np.nan),
        np.zeros((n_cameras, n_points), dtype=bool),
        np.full(n_points, -np.inf),
        np.full(n_points, np.nan),
    )
    least_support = np.log(least / (1 - least)) if least > 0 else -np.inf
    fixed = (rig.centers - origin, camera_pairs(n_cameras), flat, prior, sigma**-2.0, 0.5 * (threshold / sigma) ** 2)
    over_rows(
        lambda start, stop: _kernels_consensus.triangulate_robust(arrays, *fixed, least_support, start, stop, found),
        n_points,
        smallest=256,
    )
    found.points_3d[:] += origin
    return found


def _solve_by_keypoint(
    flat: Array, prior: Array, rig: CameraRig, noise: DetectorNoise, threshold: Array | None, least: float, whole=True
) -> _Solution:
    """As `_solve` for points (n_cameras, n_frames n_keypoints, 2), each keypoint with its own noise; the `whole`
    covariance includes the displacement that views share and outliers among the inliers."""
    n_keypoints = noise.inlier_std.shape[1]
    parts = []
    for k in range(n_keypoints):
        sigma = np.ascontiguousarray(noise.inlier_std[:, k])
        limit = DEFAULT_THRESHOLD * sigma if threshold is None else threshold
        own = prior[:, k::n_keypoints] if prior.size else prior
        part = _solve(flat[:, k::n_keypoints], own, rig, sigma, limit, least)
        if whole:
            residuals, jacobians = (
                flat[:, k::n_keypoints] - rig.project(part.points_3d),
                rig.project_jacobian(part.points_3d),
            )
            outliers = (
                np.broadcast_to(v[:, k, None], residuals.shape[:2])
                for v in (noise.inlier_std, noise.outlier_probability, noise.outlier_std)
            )
            part.covariances_3d[:] += outlier_covariances(residuals, jacobians, part.inliers, *outliers)
            part.covariances_3d[:] += isotropic(noise.shared_std[k] ** 2)
        parts.append(part)
    points_3d, covariances_3d, residuals, inliers, support, cosine = zip(*parts, strict=True)
    n_cameras, n_points = flat.shape[:2]
    return _Solution(
        np.stack(points_3d, axis=1).reshape(n_points, 3),
        np.stack(covariances_3d, axis=1).reshape(n_points, 3, 3),
        np.stack(residuals, axis=2).reshape(n_cameras, n_points),
        np.stack(inliers, axis=2).reshape(n_cameras, n_points),
        np.stack(support, axis=1).reshape(n_points),
        np.stack(cosine, axis=1).reshape(n_points),
    )


def camera_pairs(n_cameras: int) -> NDArray[np.int64]:
    """(n_pairs, 2) the pairs that consensus tries: all up to 16 cameras, 160 fixed ones beyond."""
    pairs = np.array(list(itertools.combinations(range(n_cameras), 2)), dtype=np.int64).reshape(-1, 2)
    if n_cameras <= _ALL_PAIRS_UP_TO:
        return pairs
    return pairs[np.random.default_rng(0).permutation(len(pairs))[:_PAIRS_BEYOND]]


def per_camera(values: float | Array, rig: CameraRig, what: str) -> Array:
    """(n_cameras,) positive pixels from one number or one per camera; `what` names them in the error."""
    values = np.asarray(values, dtype=float)
    if values.ndim > 1 or (values.ndim == 1 and len(values) != len(rig)) or not (values > 0).all():
        raise ValueError(
            f"{what} must be positive pixels, one number or one for each of {len(rig)} cameras; got {values}"
        )
    return np.array(np.broadcast_to(values, len(rig)))
