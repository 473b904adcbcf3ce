"""Which of several peaks of each view a keypoint's place is, weighed by how well the peaks of all cameras agree in 3D.

A heatmap is read as a mixture: peak k holds a share of the probability, about it the place is normally distributed with
the detector's calibrated covariance, and what is left lies anywhere in the square that the animal fills. The 3D point
lies anywhere in the cube that the animal fills. Each choice of peaks, one or none per camera, has then a posterior
probability: the shares times the integral over the point of the densities at its projections, by Laplace's method.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...datasets import Array
from ..inference.engine import Found, of_rows
from ..inference.uncertainty import Uncertainty

N_PEAKS = 3  # of each keypoint and view
# probability that none of a view's peaks is the place, though the map shows no other: of the demo's visible peaks of a
# share above 0.98, 0.7 % lay outside their 99.9 % ellipses (seed 0); from 0.002 to 0.02 the errors are the same
WRONG = 0.01
_AT_ONCE = 1_000  # keypoints of an instant that are weighed together: some 50 MB with six cameras
_STEPS = 2  # Gauss-Newton steps to the best point, from the point nearest to two rays
_LOG_2PI = np.log(2 * np.pi)


class Choice(NamedTuple):
    """peaks : (n, n_cameras) chosen; probability : (n, n_cameras) that they are the keypoint's place."""

    peaks: NDArray[np.int64]
    probability: Array


def choose_peaks(found: Found, rig: CameraRig, uncertainty: Uncertainty, side: float) -> Found:
    """What was found, with a weaker peak in place of the strongest where it agrees better with the other cameras.

    Parameters
    ----------
    found : of the rig's cameras, shapes (n_cameras, n_instants, n_keypoints, ...); NaN where damaged
    side : of the square that the animal fills in a picture, pixels

    A peak that is chosen keeps the probability and covariance that its own map gives it: what triangulates it counts
    the agreement of the views itself. With the posterior in their place the demo's smoothed 3D points were worse (mean,
    seeds 0 and 7: 4.28 and 3.88 mm; with their own 4.08 and 3.83; without any choice 4.04 and 3.86).
    """
    every = _all_peaks(found)
    present = np.asarray(np.isfinite(every.covariances).all((-2, -1)))
    shares = _shares(every, present)
    matrices = np.where(present[..., None, None], every.covariances, np.eye(2))
    known = Found(*(np.nan_to_num(v, nan=1.0) for v in every))._replace(covariances=matrices)
    covariances = uncertainty.ellipses(known._replace(elsewhere=np.zeros_like(known.mass)))
    # (n_cameras, n_peaks, n_instants, n_keypoints, ...) to (n_instants * n_keypoints, n_cameras, n_peaks, ...)
    flat = [np.moveaxis(v, (2, 3), (0, 1)) for v in (rig.undistort(every.points), covariances, shares)]
    points, covariances, shares = (v.reshape(-1, *v.shape[2:]) for v in flat)
    parts = [slice(i, i + _AT_ONCE) for i in range(0, len(points), _AT_ONCE)]
    choices = [weigh_peaks(points[p], covariances[p], shares[p], rig.projection_matrices, side) for p in parts]
    peaks = np.concatenate([choice.peaks for choice in choices]).reshape(*found.mass.shape[1:], -1)
    at = np.moveaxis(peaks, -1, 0)[:, None]
    own = (np.take_along_axis(v, at.reshape(*at.shape, *[1] * (v.ndim - at.ndim)), 1)[:, 0] for v in every[:-1])
    return Found(*own, others=found.others)


def _all_peaks(found: Found) -> Found:
    """With an axis of the peaks, strongest first, after that of the cameras."""
    others = of_rows(np.moveaxis(found.others, -2, 1))
    return Found(
        *(np.concatenate([own[:, None], other], 1) for own, other in zip(found[:-1], others[:-1], strict=True))
    )


def _shares(every: Found, present: NDArray[np.bool_]) -> Array:
    """(n_cameras, n_peaks, ...) probability of each peak, given that the keypoint is somewhere; `WRONG` is left out."""
    shares = np.where(present, 1 - every.elsewhere, 0.0).clip(0, 1)
    return (1 - WRONG) * shares / np.maximum(shares.sum(1, keepdims=True), 1)


def weigh_peaks(points: Array, covariances: Array, shares: Array, matrices: Array, side: float) -> Choice:
    """The most probable peak of each camera.

    Parameters
    ----------
    points : (n, n_cameras, n_peaks, 2) pixels of distortion-free cameras, strongest peak first; NaN where missing
    covariances : (n, n_cameras, n_peaks, 2, 2) pixels squared
    shares : (n, n_cameras, n_peaks) probability of each peak; 0 where missing
    matrices : (n_cameras, 3, 4) projections
    side : of the square that the animal fills, pixels
    """
    rest = np.log(1 - shares.sum(-1))
    with np.errstate(divide="ignore"):  # no share: -inf
        at_best = np.log(shares * side**2) - _LOG_2PI - 0.5 * np.log(np.linalg.det(covariances)) - rest[..., None]
        own = np.log1p(-np.exp(rest)) - rest  # of a camera's peaks, whichever, where no other camera agrees
    useful = (at_best > 0) & np.isfinite(points).all(-1)  # another is less probable than none, wherever the point is
    item, pairs = _pairs(useful & useful[..., 1:].any((1, 2))[:, None, None])
    weights = np.zeros(shares.shape)
    if len(item) == 0:
        return Choice(np.zeros(rest.shape, int), shares[..., 0])
    precisions = np.asarray(np.linalg.inv(covariances), float)
    peaks, logs = _weigh(item, pairs, points, precisions, np.where(useful, at_best, -np.inf), matrices, side)
    top = np.maximum(own.max(1), 0)
    np.maximum.at(top, item, logs)
    total = np.exp(-top) + np.exp(own - top[:, None]).sum(1)
    weights[..., 0] = np.exp(own - top[:, None])
    _, first = np.unique(np.column_stack([item, peaks]), axis=0, return_index=True)  # several pairs lead to one choice
    share = np.exp(logs - top[item])
    np.add.at(total, item[first], share[first])
    for camera in range(shares.shape[1]):
        seen = first[peaks[first, camera] >= 0]
        np.add.at(weights[:, camera], (item[seen], peaks[seen, camera]), share[seen])
    chosen = weights.argmax(-1)
    return Choice(chosen, np.take_along_axis(weights, chosen[..., None], -1)[..., 0] / total[:, None])


def _pairs(useful: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(m,) keypoints and (m, 2, 2) cameras and peaks of all pairs of useful peaks of two cameras."""
    items, pairs = [], []
    for one, other in combinations(range(useful.shape[1]), 2):
        item, a, b = np.nonzero(useful[:, one, :, None] & useful[:, other, None, :])
        items.append(item)
        pairs.append(np.stack([np.stack([np.full_like(a, one), a], 1), np.stack([np.full_like(b, other), b], 1)], 1))
    return (np.concatenate(items), np.concatenate(pairs)) if items else (np.empty(0, int), np.empty((0, 2, 2), int))


def _weigh(
    item: NDArray[np.int64],
    pairs: NDArray[np.int64],
    points: Array,
    precisions: Array,
    at_best: Array,
    matrices: Array,
    side: float,
) -> tuple[NDArray[np.int64], Array]:
    """(m, n_cameras) peaks that agree with a pair, -1: none, and (m,) logarithm of how much more probable they are than
    none at all."""
    both = points[item[:, None], pairs[..., 0], pairs[..., 1]]
    points_3d = _nearest_point(both, matrices[pairs[..., 0]])
    views = points[item], precisions[item], at_best[item]
    for _ in range(_STEPS):
        points_3d = points_3d + _fit(points_3d, *views, matrices).step
    fit = _fit(points_3d, *views, matrices)
    n_agree = fit.agrees.sum(1)
    # logarithm of pixels per world unit, and of the cube's side in world units
    slopes = np.where(fit.agrees[..., None, None], fit.jacobians, np.eye(2, 3))
    size = 0.25 * np.linalg.slogdet(slopes @ np.swapaxes(slopes, -1, -2))[1]
    log_side = np.log(side) - size.sum(1) / np.maximum(n_agree, 1)
    volume = 1.5 * _LOG_2PI - 0.5 * np.linalg.slogdet(fit.hessian)[1] - 3 * log_side
    logs = np.where(fit.agrees, fit.gain, 0).sum(1) + volume
    return np.where(fit.agrees, fit.peaks, -1), np.where(n_agree > 1, logs, -np.inf)


class _Fit(NamedTuple):
    """At points (m, 3): of each camera (m, n_cameras, ...) the most probable peak, by how much its logarithm exceeds
    that of none, whether it does, and the projection's slopes; the Hessian (m, 3, 3) and the step to the best point."""

    peaks: NDArray[np.int64]
    gain: Array
    agrees: NDArray[np.bool_]
    jacobians: Array
    hessian: Array
    step: Array


def _fit(points_3d: Array, points: Array, precisions: Array, at_best: Array, matrices: Array) -> _Fit:
    pixels, jacobians = _projected(points_3d, matrices)
    away = points - pixels[:, :, None]
    gains = at_best - 0.5 * np.einsum("mcki,mckij,mckj->mck", away, precisions, away)
    gains = np.where(np.isfinite(gains), gains, -np.inf)
    peaks = gains.argmax(-1)
    gain = np.take_along_axis(gains, peaks[..., None], -1)[..., 0]
    agrees = gain > 0
    at = (np.arange(len(points))[:, None], np.arange(len(matrices)), peaks)
    inner = np.where(agrees[..., None, None], precisions[at], 0.0)
    slopes = np.where(agrees[..., None, None], jacobians, 0.0)
    hessian = np.einsum("mcia,mcij,mcjb->mab", slopes, inner, slopes)
    scale = np.trace(hessian, axis1=1, axis2=2)
    hessian += (1e-9 * scale + (scale == 0))[:, None, None] * np.eye(3)
    toward = np.einsum("mcia,mcij,mcj->ma", slopes, inner, np.where(agrees[..., None], away[at], 0.0))
    return _Fit(peaks, gain, agrees, jacobians, hessian, np.linalg.solve(hessian, toward[..., None])[..., 0])


def _projected(points_3d: Array, matrices: Array) -> tuple[Array, Array]:
    """(m, n_cameras, 2) pixels and (m, n_cameras, 2, 3) their slopes; NaN behind a camera."""
    ahead = np.einsum("cij,mj->mci", matrices[..., :3], points_3d) + matrices[..., 3]
    depth = np.where(ahead[..., 2:] > 0, ahead[..., 2:], np.nan)
    pixels = ahead[..., :2] / depth
    return pixels, (matrices[:, :2, :3] - pixels[..., None] * matrices[:, None, 2, :3]) / depth[..., None]


def _nearest_point(points: Array, matrices: Array) -> Array:
    """(m, 3) middle of the shortest line between two rays, of pixels (m, 2, 2) of cameras (m, 2, 3, 4)."""
    inverse = np.linalg.inv(matrices[..., :3])
    centres = -np.einsum("mcij,mcj->mci", inverse, matrices[..., 3])
    rays = np.einsum("mcij,mcj->mci", inverse, np.concatenate([points, np.ones_like(points[..., :1])], -1))
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    # a point lies (1 - r r^T) off a ray: the sum over both rays is least where its slope is 0
    across = np.eye(3) - rays[..., None] * rays[..., None, :]
    total = across.sum(1) + 1e-9 * np.eye(3)
    return np.linalg.solve(total, np.einsum("mcij,mcj->mi", across, centres)[..., None])[..., 0]
