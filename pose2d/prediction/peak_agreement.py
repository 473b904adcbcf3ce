"""How probable the peaks of a keypoint's heatmaps are, given how well those of all cameras agree in 3D.

A heatmap is read as a mixture: peak k holds a share of the probability, about it the place is normally distributed with
the detector's calibrated covariance, and what is left lies anywhere in the square that the animal fills. The 3D point
lies anywhere in the cube that the animal fills. A view follows the rig, or, with probability `OUTLIER`, it shows a
place that has nothing to do with the point, and its own map alone says which. Each choice of peaks, one or none per
camera, has then a posterior probability: the shares times the integral over the point of the densities at its
projections, by Laplace's method.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...datasets import Array

OUTLIER = 0.01  # from 0.002 to 0.05 the demo's errors are the same to 0.2 px (seed 0)
_AT_ONCE = 1_000  # keypoints of an instant that are weighed together: some 50 MB with six cameras
_STEPS = 2  # Gauss-Newton steps to the best point, from the point nearest to two rays
_LOG_2PI = np.log(2 * np.pi)  # of the normal density in the plane
FEWEST = 2  # cameras that agree before a point is known


class Mixtures(NamedTuple):
    """What the maps of a keypoint show.

    points : (..., n_cameras, n_peaks, 2) pixels of distortion-free cameras, strongest peak first; NaN where missing
    covariances : (..., n_cameras, n_peaks, 2, 2) pixels squared
    shares : (..., n_cameras, n_peaks) probability of each peak; 0 where missing
    """

    points: Array
    covariances: Array
    shares: Array


class Agreement(NamedTuple):
    """Of n keypoints.

    probabilities : (n, n_cameras, n_peaks) of each peak to be the place; what is left: none is
    points_3d : (n, 3) of the most probable choice; NaN where no two cameras agree
    peaks : (n, n_cameras) that choice; -1: none
    """

    probabilities: Array
    points_3d: Array
    peaks: NDArray[np.int64]


def weigh_peaks(mixtures: Mixtures, matrices: Array, side: float) -> Agreement:
    """Weigh the peaks of n keypoints; matrices (n_cameras, 3, 4) project, `side` is the animal's square's, pixels."""
    parts = [slice(i, i + _AT_ONCE) for i in range(0, max(len(mixtures.shares), 1), _AT_ONCE)]
    weighed = [_weigh_part(Mixtures(*(values[part] for values in mixtures)), matrices, side) for part in parts]
    return Agreement(*(np.concatenate(values) for values in zip(*weighed, strict=True)))


def log_gains(covariances: Array, shares: Array, side: float) -> tuple[Array, Array]:
    """(..., n_peaks) logarithm of how much more probable each peak is, right under it, than none of a view's; and
    (...) the logarithm of the probability of none, or of an outlier."""
    rest = np.log(OUTLIER + (1 - OUTLIER) * (1 - shares.sum(-1)))
    with np.errstate(divide="ignore"):  # no share: -inf
        logs = np.log((1 - OUTLIER) * shares * side**2) - _LOG_2PI - 0.5 * np.log(np.linalg.det(covariances))
    return logs - rest[..., None], rest


def _weigh_part(mixtures: Mixtures, matrices: Array, side: float) -> Agreement:
    points, covariances, shares = mixtures
    at_best, rest = log_gains(covariances, shares, side)
    useful = (at_best > 0) & np.isfinite(points).all(-1)  # another is less probable than none, wherever the point is
    item, pairs = _pairs(useful)
    agreement = Agreement(shares.copy(), np.full((len(shares), 3), np.nan), np.full(shares.shape[:2], -1))
    if len(item) == 0:
        return agreement
    precisions = np.asarray(np.linalg.inv(covariances), float)
    points_3d, peaks, logs = _choices(
        item, pairs, points, precisions, np.where(useful, at_best, -np.inf), matrices, side
    )
    _, first = np.unique(np.column_stack([item, peaks]), axis=0, return_index=True)  # several pairs lead to one choice
    item, peaks, points_3d, logs = item[first], peaks[first], points_3d[first], logs[first]
    order = np.argsort(logs, kind="stable")  # the last that is written is the most probable
    agreement.points_3d[item[order]], agreement.peaks[item[order]] = points_3d[order], peaks[order]
    return agreement._replace(probabilities=_probabilities(item, peaks, logs, shares / np.exp(rest)[..., None]))


def _probabilities(item: NDArray[np.int64], peaks: NDArray[np.int64], logs: Array, shares: Array) -> Array:
    """(n, n_cameras, n_peaks) posterior of each peak: the sum over the choices in which it is the place.

    item, peaks, logs : (m,), (m, n_cameras) and (m,) choices of two or more cameras, as of `_choices`. Beside these,
    one camera alone may show the point, or none.
    shares : (n, n_cameras, n_peaks) over the probability that none is the place, or that the view is an outlier
    """
    alone, outlying = (1 - OUTLIER) * shares, OUTLIER * shares  # a peak is the place; so it is, in a view off the rig
    singles = alone.sum(-1)
    top = np.log(np.maximum(singles.max(1), 1))
    np.maximum.at(top, item, logs)
    none, likely = np.exp(-top), np.exp(logs - top[item])  # relative to the most probable choice
    total = none * (1 + singles.sum(1))
    others = total[:, None] - none[:, None] * singles
    mass = none[:, None, None] * alone + others[..., None] * outlying
    np.add.at(total, item, likely)
    for camera in range(shares.shape[1]):
        agrees = peaks[:, camera] >= 0
        np.add.at(mass[:, camera], (item[agrees], peaks[agrees, camera]), likely[agrees])
        np.add.at(mass[:, camera], item[~agrees], likely[~agrees, None] * outlying[item[~agrees], camera])
    return mass / total[:, None, None]


def _pairs(useful: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(m,) keypoints and (m, 2, 2) cameras and peaks of all pairs of useful peaks of two cameras."""
    items, pairs = [], []
    for one, other in combinations(range(useful.shape[1]), 2):
        item, a, b = np.nonzero(useful[:, one, :, None] & useful[:, other, None, :])
        items.append(item)
        pairs.append(np.stack([np.stack([np.full_like(a, one), a], 1), np.stack([np.full_like(b, other), b], 1)], 1))
    return (np.concatenate(items), np.concatenate(pairs)) if items else (np.empty(0, int), np.empty((0, 2, 2), int))


def _choices(
    item: NDArray[np.int64],
    pairs: NDArray[np.int64],
    points: Array,
    precisions: Array,
    at_best: Array,
    matrices: Array,
    side: float,
) -> tuple[Array, NDArray[np.int64], Array]:
    """(m, 3) the points of pairs, (m, n_cameras) the peaks that agree with each, -1: none, and (m,) logarithm of how
    much more probable they are than none at all."""
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
    known = (n_agree >= FEWEST) & np.isfinite(logs)
    return points_3d, np.where(fit.agrees, fit.peaks, -1), np.where(known, logs, -np.inf)


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
    pixels, jacobians = project(points_3d, matrices)
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


def project(points_3d: Array, matrices: Array) -> tuple[Array, Array]:
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
