"""The pixels of a camera that was left out, beside what the points of the other cameras predict for them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, fields
from math import ceil

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..cameras import Camera, CameraRig
from ..datasets import check_views, fps_of
from ..numerics.arrays import Array, isotropic
from .framewise_methods import view_arrays
from .input_checks import from_views
from .noise.detector_noise import DetectorNoise, without_bias
from .points.consensus import Triangulation, inlier_gate, robust_points
from .smoothing.predicted_noise import relative_noise
from .smoothing.problem import informative_frames

# views and rig of all cameras but one -> their pose, with position and covariance
MakePose = Callable[[xr.Dataset, CameraRig], xr.Dataset]

RADIUS_95 = -2 * np.log(0.05)  # squared, standard deviations: chi-squared of two axes
_LEAST_LEFT = 0.5  # share of its variance that a residual keeps at least: below, it says nothing of the noise
_SETTLING = 20  # rounds of a fixed point, which converges within ten
_BLOCKS = 4  # in a stretch of frames, at least
_STRETCHES = 4  # spread over a recording, at most
_TRUSTED = 0.5  # confidence above which a left-out pixel tells how good a prediction is
_AT_ONCE = 20_000  # frames that are read together: bounds memory


@dataclass(frozen=True, eq=False)
class LeftOutPixels:
    """Pixels of left-out cameras, one per row: distance from the prediction along the axes of its projected covariance.

    camera, keypoint, block (n,) numbers; inlier (n,); offsets, variances (n, 2), noise (n,) variance, pixels squared;
    distances (n, 2) pixels from the prediction and from that of robust triangulation, NaN of confidence 0.5 and below.
    """

    camera: NDArray[np.int64]
    keypoint: NDArray[np.int64]
    block: NDArray[np.int64]
    inlier: NDArray[np.bool_]
    offsets: Array
    variances: Array
    noise: Array
    distances: Array

    @classmethod
    def joined(cls, parts: list[LeftOutPixels]) -> LeftOutPixels:
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def among(self, rows: NDArray[np.bool_]) -> LeftOutPixels:
        return LeftOutPixels(*(getattr(self, field.name)[rows] for field in fields(self)))

    def squared_distances(self, factor: float | Array = 1.0) -> Array:
        """(n,) squared Mahalanobis distance where the points' standard deviations are multiplied by the factor."""
        variances = np.square(factor) * np.ones(len(self.noise))
        return (self.offsets**2 / (variances[:, None] * self.variances + self.noise[:, None])).sum(axis=1)


def stretches_to_judge(views: xr.Dataset, n_points: int, block: float) -> list[NDArray[np.int64]]:
    """Frames to judge by: the whole of a short recording, else the best seen stretches of its parts.

    views : of the whole recording, which need not be in memory
    """
    position = views["position"].transpose("view", "time", "keypoint", "space")
    parts = (position[:, start : start + _AT_ONCE].values for start in range(0, max(views.sizes["time"], 1), _AT_ONCE))
    n_seen = np.concatenate([np.isfinite(part).all(axis=-1).sum(axis=(0, 2)) for part in parts])
    shortest = ceil(_BLOCKS * block * fps_of(views))
    budget = max(ceil(n_points / views.sizes["keypoint"]), shortest)
    frames, lengths = informative_frames(n_seen, budget, int(np.clip(budget // shortest, 1, _STRETCHES)))
    return np.split(frames, np.cumsum(lengths)[:-1])


def block_numbers(n_frames: int, length: float) -> NDArray[np.int64]:
    """(n_frames,) number of the block of each frame; blocks of equal length, at least `length` frames."""
    n_blocks = max(1, int(n_frames / max(length, 1.0)))
    return np.arange(n_frames) * n_blocks // n_frames


def own_covariances(pose: xr.Dataset) -> Array:
    """(n_frames, n_keypoints, 3, 3) covariances without what all views have in common: no camera shows that."""
    covariances = np.asarray(pose["covariance"].values, dtype=float)
    if "shared_std" not in pose:
        return covariances
    return covariances - isotropic(pose["shared_std"].values ** 2)


def predicted_pixels(
    views: xr.Dataset, rig: CameraRig, make_pose: MakePose, noise: DetectorNoise, blocks: NDArray[np.int64]
) -> LeftOutPixels:
    """Every pixel of the views, beside its prediction from the other cameras."""
    points_2d, confidence = view_arrays(views)
    found = robust_points(points_2d, rig, confidence=confidence, noise=noise)
    known = np.isfinite(points_2d).all(axis=-1) & (np.nan_to_num(confidence) > 0)
    known &= np.isfinite(found.points_3d).all(axis=-1)
    given, seen = points_2d, np.where((np.nan_to_num(confidence) > _TRUSTED)[..., None], points_2d, np.nan)
    points_2d, noise = without_bias(points_2d, noise)
    variance = noise.inlier_std[:, None] ** 2 * _relative_variance(views, rig, confidence, known & found.inliers)
    variance *= _tail_factor(points_2d, found, variance, noise, rig)
    parts = []
    for c in range(len(rig)):
        others = [other for other in range(len(rig)) if other != c]
        rest = rig.subset([rig.names[other] for other in others])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of cameras left out on purpose
            pose = make_pose(check_views(views.isel(view=others)), rest)
            robust = robust_points(given[others], rest, confidence=confidence[others]).points_3d
        points_3d = np.asarray(pose["position"].values, dtype=float)
        jacobian = rig[c].project_jacobian(points_3d)
        spread = jacobian @ own_covariances(pose) @ np.swapaxes(jacobian, -1, -2)
        off = points_2d[c] - rig[c].project(points_3d)
        distances = np.stack([_distances(seen[c], rig[c], made) for made in (points_3d, robust)], axis=-1)
        rows = known[c] & np.isfinite(off).all(axis=-1) & np.isfinite(spread).all(axis=(-1, -2))
        frame, keypoint = np.nonzero(rows)
        variances, axes = np.linalg.eigh(spread[rows])
        offsets = np.einsum("nij,ni->nj", axes, off[rows])
        parts.append(
            LeftOutPixels(np.full(len(frame), c), keypoint, blocks[frame], found.inliers[c][rows], offsets,
                    np.maximum(variances, 0.0), variance[c][rows], distances[rows])
        )  # fmt: skip
    return LeftOutPixels.joined(parts)


def _distances(points_2d: Array, camera: Camera, points_3d: Array) -> Array:
    """(n_frames, n_keypoints) pixels between a camera's points and the projections of points in space."""
    return np.linalg.norm(camera.project(points_3d) - points_2d, axis=-1)


def _tail_factor(
    points_2d: Array, found: Triangulation, variance: Array, noise: DetectorNoise, rig: CameraRig
) -> float:
    """Of the cameras' noise: as much as its Gaussian must be wider to hold 95 % of the residuals of all cameras.

    A detector's errors have longer tails than a Gaussian of their variance, or one of another scale in every frame;
    without this, tails of the left-out camera would be taken for errors of the points. The points weigh all pixels of
    a camera alike: of leverage h, a pixel's residual has (1 - h)² of its own variance and h (1 - h) of the others'.
    """
    jacobian = rig.project_jacobian(found.points_3d)
    own = found.covariances_3d - isotropic(noise.shared_std**2)
    leverage = np.einsum("ctkia,tkab,ctkib->ctk", jacobian, own, jacobian) / 2 / noise.inlier_std[:, None] ** 2
    squares = ((points_2d - rig.project(found.points_3d)) ** 2).sum(axis=-1)
    telling = found.inliers & (leverage < 1 - _LEAST_LEFT)
    total = np.where(found.inliers, variance, 0.0).sum(axis=0)
    others = (total - variance) / np.maximum(found.inliers.sum(axis=0) - 1, 1)
    expected = (1 - leverage) * ((1 - leverage) * variance + leverage * others)
    relative = (squares / expected)[telling]
    return float(np.quantile(relative, 0.95) / RADIUS_95) if len(relative) else 1.0


def _relative_variance(views: xr.Dataset, rig: CameraRig, confidence: Array, inliers: NDArray[np.bool_]) -> Array:
    """(n_cameras, n_frames, n_keypoints) what a detector's own covariances say of each pixel, of mean 1 over inliers.

    1 where it says nothing. An inlier's energy is below the gate of the robust points, however wide the detector's
    covariance (that of a hidden keypoint): such an inlier has the variance v of a Gaussian cut off there,
    v (1 - x / (exp x - 1)) with x = gate / v.
    """
    points_2d, covariances_2d = from_views(views, rig, covariances_2d=None)
    square = relative_noise(points_2d, covariances_2d) ** 2
    if covariances_2d is None:
        return square
    gate, n = inlier_gate(confidence), np.maximum(inliers.sum(axis=1, keepdims=True), 1)
    size, variance = 1.0, square
    for _ in range(_SETTLING):
        mean = np.where(inliers, variance, 0.0).sum(axis=1, keepdims=True) / n
        size = size / np.where(mean > 0, mean, 1.0)
        cut = np.minimum(gate / (size * square), 100.0)
        variance = size * square * (1 - cut / np.expm1(cut))
    return variance
