"""What the smoothers observe: pixels of several cameras, each an inlier or an outlier."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...cameras.rig_arrays import RigArrays
from ...numerics.arrays import Array, taken
from ...numerics.robust_scale import present_median
from ...numerics.threads import over_rows
from ..noise.detector_noise import DetectorNoise, log_outlier_density
from ..points.consensus import robust_points
from . import _kernels_smooth
from .unsteady_motion import LOG_LEVELS, at_activity

PRIOR_RANGE = (0.02, 0.98)  # prior probability of an inlier: detectors give gross errors high confidence, too
_DEFAULT_PRIOR = 0.9  # probability of an inlier without confidence
# Observations that a keypoint's noise borrows from its camera's: what a Gaussian prior of the logarithm, of spread 0.3
# (0.25 to 0.4 on the rat's and the demo's detector against the truth), is worth where errors last some six frames.
_NOISE_WEIGHT = 15.0
_ANCHOR_EXTENTS = 10.0  # standard deviation of the weak prior about the centre, in extents of the recording
_FINEST = 0.02  # pixels: smallest noise, of data without any
_MAX_INNOVATION = 30.0  # chi-square of three degrees of freedom: one in a million
_FRAME_AXES = {"points_2d": 1, "prior": 1, "scale": 1, "power": 0}
_KEYPOINT_AXES = {
    "points_2d": 2, "prior": 2, "scale": 2, "sigma": 1, "log_outlier": 1, "powers": 1, "power": 1, "shared_std": 0,
    "least": 1,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Observations:
    """Pixels with their prior inlier probability and noise, in a world whose origin is the recording's centre.

    points_2d : (n_cameras, n_frames, n_keypoints, 2), pixels, NaN where missing
    prior : (n_cameras, n_frames, n_keypoints), probability of being an inlier before looking at the geometry
    sigma : (n_cameras, n_keypoints), pixels, standard deviation of an inlier's coordinate
    scale : (n_cameras, n_frames, n_keypoints), what a pixel's own noise is times sigma; 1 where it is unknown
    log_outlier : (n_cameras, n_keypoints) log density of an outlier: uniform over the image, or over the area in which
        the outliers of a given noise lie
    centre : (3,) world units, origin of the points inside the smoothers
    anchor : precision of a weak prior about the centre, ten times as wide as the recording: it keeps a long gap finite
    shared_std : (n_keypoints,) world units, of errors that all views share, where the noise is given: sigma is not
        learned then; None: both are estimated
    powers : (n_levels, n_keypoints) of a frame's likelihood at levels of activity (`LOG_LEVELS`): how many independent
        errors a frame adds where errors last
    power : (n_frames, n_keypoints) the same at each frame's activity
    least : (n_cameras, n_keypoints), pixels, that sigma is not below: the spread of an ensemble of detectors, or None
    """

    arrays: RigArrays
    points_2d: Array
    prior: Array
    sigma: Array
    scale: Array
    log_outlier: Array
    centre: Array
    anchor: float
    powers: Array
    power: Array
    shared_std: Array | None = None
    least: Array | None = None

    def at(self, frames: slice) -> Observations:
        return taken(self, _FRAME_AXES, frames)

    def at_activity(self, activity: Array) -> Observations:
        """The observations of frames of these activities (n_frames,)."""
        return replace(self, power=at_activity(self.powers, activity))

    def of(self, keypoints: NDArray[np.bool_]) -> Observations:
        """The observations of some keypoints, a mask (n_keypoints,)."""
        return self if keypoints.all() else taken(self, _KEYPOINT_AXES, keypoints)

    @property
    def pixel(self) -> float:
        """World units that a pixel of noise spans at the centre, on average over the cameras."""
        distance = np.linalg.norm(self.arrays.t, axis=1)
        return float(np.mean(distance / np.abs(self.arrays.K[:, 1, 1]) * self.sigma.mean(axis=1)))

    @property
    def lasting_pixel(self) -> float:
        """World units of white noise that averages over time as the most lasting errors do; see `power`."""
        return self.pixel / float(np.sqrt(self.power.min(initial=1.0)))

    @property
    def n_frames(self) -> int:
        return self.points_2d.shape[1]

    @property
    def n_keypoints(self) -> int:
        return self.points_2d.shape[2]


@dataclass(frozen=True, eq=False)
class Linearised:
    """Gauss-Newton terms of the observations at some points.

    information (n_frames, n_keypoints, 3, 3) and vector (n_frames, n_keypoints, 3): precision, and precision times
    position
    weights : (n_cameras, n_frames, n_keypoints) posterior inlier probabilities, 0 where missing
    squared : (n_cameras, n_frames, n_keypoints) expected squared residual, pixels squared; NaN where the point is
        less certain than a pixel
    cost : (n_frames,) minus the log likelihood of the mixture
    """

    information: Array
    vector: Array
    weights: Array
    squared: Array
    cost: Array

    def times(self, power: Array) -> Linearised:
        """The terms with the likelihood of a frame to this power (n_frames, n_keypoints)."""
        return replace(
            self, information=self.information * power[..., None, None], vector=self.vector * power[..., None]
        )

    def only(self, kept: NDArray[np.bool_]) -> Linearised:
        """Without the terms of the points (n_frames, n_keypoints) that are not kept."""
        return replace(self, information=self.information * kept[..., None, None], vector=self.vector * kept[..., None])


def linearise(
    observations: Observations, points_3d: Array, spread: Array | None = None, inflate: float = 0.0
) -> Linearised:
    """Observations seen from points_3d (n_frames, n_keypoints, 3); their covariances `spread` widen the inliers."""
    if spread is None:
        spread = np.zeros((*points_3d.shape, 3))
    shape = observations.prior.shape
    terms = _kernels_smooth.Terms(
        information=np.zeros((*shape[1:], 3, 3)),
        vector=np.zeros((*shape[1:], 3)),
        weights=np.zeros(shape),
        squared=np.full(shape, np.nan),
        cost=np.zeros(shape[1]),
    )
    pixels = _kernels_smooth.Pixels(
        np.ascontiguousarray(observations.points_2d),
        np.ascontiguousarray(observations.prior),
        np.ascontiguousarray(observations.sigma),
        np.ascontiguousarray(observations.scale),
        np.ascontiguousarray(observations.log_outlier),
        np.ascontiguousarray(observations.power),
    )
    points_3d, spread = np.ascontiguousarray(points_3d), np.ascontiguousarray(spread)

    def part(start: int, stop: int) -> None:
        kernel: Any = _kernels_smooth.linearise
        kernel(observations.arrays, pixels, points_3d, spread, float(inflate), start, stop, terms)

    over_rows(part, shape[1], smallest=200)
    return Linearised(*terms)


def learn_sigma(observations: Observations, seen: Linearised) -> Array:
    """(n_cameras, n_keypoints) noise by expectation-maximisation; a keypoint with few inliers borrows from its camera.

    A noise that is given is kept.

    Points that are less certain than a pixel are left out: their own uncertainty would be counted as noise.
    """
    if observations.shared_std is not None:
        return observations.sigma
    weights = np.where(np.isfinite(seen.squared), seen.weights, 0.0)
    squared = (weights * np.nan_to_num(seen.squared)).sum(axis=1)
    count = weights.sum(axis=1)
    whole = np.maximum(count.sum(axis=1), 1e-9)
    camera = np.where(whole >= 1, squared.sum(axis=1) / whole / 2, (observations.sigma**2).mean(axis=1))[:, None]
    variance = (squared / 2 + _NOISE_WEIGHT * camera) / (count + _NOISE_WEIGHT)
    least = observations.least
    if least is None:
        return np.sqrt(np.maximum(variance, _FINEST**2))
    if len(variance) == 2:
        # residuals of two cameras are those of both: the spread of the detectors tells how much is whose
        return least * np.maximum(np.sqrt(variance.mean(axis=0) / (least**2).mean(axis=0)), 1)
    return np.maximum(np.sqrt(variance), least)


def observe(
    points_2d: Array,
    rig: CameraRig,
    confidence: Array | None,
    scale: Array,
    noise: DetectorNoise | None = None,
    spread: Array | None = None,
) -> tuple[Observations, Array, NDArray[np.bool_]]:
    """Observations, the robust points (n_frames, n_keypoints, 3) about their centre, and the inliers these rest on.

    `spread` (n_cameras, n_keypoints), pixels, is that of an ensemble of detectors, if they are one.
    """
    points_3d, inliers, sigma = _locate(points_2d, rig, confidence, None if noise is None else noise.inlier_std.mean(1))
    found = np.isfinite(points_3d[..., 0])
    centre, extent = np.zeros(3), 1.0
    if found.any():
        centre = np.median(points_3d[found], axis=0)
        extent = float(np.quantile(np.linalg.norm(points_3d[found] - centre, axis=1), 0.95))
        extent = extent or float(np.linalg.norm(rig.centers - centre, axis=1).mean())
    start = np.where(np.isfinite(sigma), sigma, 1.0)
    own = np.repeat(start[:, None], points_2d.shape[2], axis=1) if noise is None else noise.inlier_std
    least = None
    if spread is not None:
        least = np.fmax(_FINEST, spread / np.nan_to_num(present_median(scale, axis=1), nan=1.0))
    arrays = rig.arrays
    observations = Observations(
        arrays=arrays._replace(t=arrays.t + np.einsum("cij,j->ci", arrays.R, centre)),
        points_2d=points_2d,
        prior=_prior(points_2d, confidence),
        sigma=np.maximum(own, _FINEST if least is None else least),
        scale=scale,
        log_outlier=log_outlier_density(rig, noise, points_2d.shape[2]),
        centre=centre,
        anchor=(_ANCHOR_EXTENTS * extent) ** -2.0,
        powers=np.ones((len(LOG_LEVELS), points_2d.shape[2])),
        power=np.ones(points_2d.shape[1:3]),
        shared_std=None if noise is None else noise.shared_std,
        least=least,
    )
    return observations, points_3d - centre, inliers


def observe_window(
    like: Observations, points_2d: Array, rig: CameraRig, confidence: Array | None, scale: Array
) -> tuple[Observations, Array, NDArray[np.bool_]]:
    """As `observe`, for other frames of the recording that `like` was learned from."""
    points_3d, inliers, _ = _locate(points_2d, rig, confidence, like.sigma.mean(axis=1))
    window = replace(like, points_2d=points_2d, prior=_prior(points_2d, confidence), scale=scale)
    window = window.at_activity(np.ones(points_2d.shape[1]))
    return window, points_3d - like.centre, inliers


def _prior(points_2d: Array, confidence: Array | None) -> Array:
    return np.full(points_2d.shape[:-1], _DEFAULT_PRIOR) if confidence is None else np.clip(confidence, *PRIOR_RANGE)


def _locate(points_2d: Array, rig: CameraRig, confidence: Array | None, sigma: Array | None):
    """Robust points, their inliers and the noise per camera; NaN points where no keypoint has two views."""
    n_seen = np.isfinite(points_2d[..., 0]).sum(axis=0)
    if len(rig) > 1 and (n_seen > 1).any():
        robust = robust_points(points_2d, rig, confidence=confidence, sigma=sigma)
        return robust.points_3d, robust.inliers, robust.sigma
    nowhere = np.full((*n_seen.shape, 3), np.nan)
    return nowhere, np.zeros(points_2d.shape[:-1], bool), np.ones(len(rig))


def robust_start(observations: Observations, points_3d: Array, inliers: NDArray[np.bool_]) -> Linearised:
    """The robust points' own inliers as Gaussian pseudo-observations, to start from."""
    trusted = replace(observations, points_2d=np.where(inliers[..., None], observations.points_2d, np.nan))
    return linearise(trusted, points_3d)


def contradicted(seen: Linearised, points_3d: Array, spread: Array) -> NDArray[np.bool_]:
    """(n_frames, n_keypoints) pseudo-observations that the rest of their track contradicts.

    The rest is the posterior divided by the observation, so that an error does not support itself.
    """
    chi2 = np.empty(points_3d.shape[:2])
    fixed = seen.information, seen.vector, np.ascontiguousarray(points_3d), np.ascontiguousarray(spread)
    kernel: Any = _kernels_smooth.innovation_chi2
    over_rows(lambda start, stop: kernel(*fixed, start, stop, chi2), len(points_3d), smallest=200)
    return chi2 > _MAX_INNOVATION
