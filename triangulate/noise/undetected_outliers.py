"""Outliers that lie near enough to pass for inliers: how much they widen the covariance of a point.

Two views tell an outlier only across the epipolar line. The point's density is a mixture: the views that it rests on
are inliers, or some of them are outliers after all and others, which were rejected, are not, with the posterior
probability that their residuals leave it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, logit

from ...numerics.arrays import Array

# views that a point rests on, up to which two may err together or be exchanged for rejected ones: more rarely agree
_FEW_VIEWS = 3
_TOGETHER = 3  # views that change together, at most: two outliers, and the inlier that they have outvoted
_LEAST = 1e-3  # probability of an outlier below which the 95 % interval changes by less than 0.5 %
_HALVINGS = 12  # of the interval of a share: 0.0015
# share of the excess that a Gaussian may need: 1.8 where all parts lie on one axis, three times as much on three
_LARGEST = 6.0
_LEAST_ODDS = 1e-9  # probability of an outlier, and of an inlier, that is never ruled out
_RADIUS = 1.959964 / np.sqrt(2)  # of the 95 % interval, as the error function counts


def outlier_covariances(
    residuals: Array, jacobians: Array, inliers: NDArray[np.bool_], sigma: Array, probability: Array, outlier: Array
) -> Array:
    """What the chance that views are outliers adds to the covariance of points at their least-squares places.

    With the precision of some views changed from an inlier's to an outlier's, or to an inlier's where they were
    rejected, the least-squares point moves and its evidence changes in closed form (one Gauss-Newton step; the matrix
    inversion lemma leaves the axes of these views). The second moment of the mixture about the point, less the
    covariance of inliers, is taken as often as the 95 % interval needs it: less than once where an outlier is rare and
    far, more often where one in five points rests on one.

    Parameters
    ----------
    residuals : ndarray, shape (n_cameras, n, 2), pixels
        NaN where a view is missing.
    jacobians : ndarray, shape (n_cameras, n, 2, 3), pixels per world unit
    inliers : ndarray of bool, shape (n_cameras, n)
        The views that the points rest on.
    sigma, probability, outlier : ndarray, shape (n_cameras,)
        Standard deviation of an inlier's coordinate, probability of an outlier, standard deviation of its coordinate.

    Returns
    -------
    ndarray, shape (n, 3, 3), world units squared
        Zero where there is no point.
    """
    counted = np.where(inliers[..., None, None], jacobians / sigma[:, None, None, None], 0.0)
    H = np.einsum("cnai,cnaj->nij", counted, counted)
    known = inliers.sum(axis=0) > 1
    half = np.linalg.inv(np.linalg.cholesky(np.where(known[:, None, None], H, np.eye(3)))).swapaxes(-1, -2)
    # change of a view's precision, and log odds of that, if what it is taken for were changed
    odds = (logit(np.clip(probability, _LEAST_ODDS, 1 - _LEAST_ODDS)) + 2 * np.log(sigma / outlier))[:, None]
    precision = np.where(inliers, (outlier**-2.0 - sigma**-2.0)[:, None], sigma[:, None] ** -2.0)
    odds = np.where(inliers, odds, -odds + np.log(2.0))  # a rejected view lies anywhere on a disc of that variance
    weights, parts = np.zeros(len(H)), []
    for views, rows in _changes(inliers, np.isfinite(residuals[..., 0]), known):
        change = np.repeat(precision[views][:, rows].T, 2, axis=1)
        r = residuals[views][:, rows].swapaxes(0, 1).reshape(len(rows), -1)
        J = jacobians[views][:, rows].swapaxes(0, 1).reshape(len(rows), -1, 3) @ half[rows]
        inverse, determinant = _inverted(np.eye(J.shape[1]) + (J @ J.swapaxes(-1, -2)) * change[:, None])
        moved = change * (inverse @ r[..., None])[..., 0]
        log_weight = odds[views][:, rows].sum(axis=0) - 0.5 * (np.log(determinant) + (r * moved).sum(axis=-1))
        weight = np.exp(np.minimum(log_weight, 100.0))
        weights[rows] += weight
        some = np.flatnonzero(weight > _LEAST * (1 + weight))
        inner = moved[some, :, None] * moved[some, None] - change[some, :, None] * inverse[some]
        parts.append(_Part(rows[some], weight[some], J[some].swapaxes(-1, -2) @ inner @ J[some]))
    parts = [replace(part, probability=part.probability / (1 + weights[part.rows])) for part in parts if len(part.rows)]
    excess = np.zeros(H.shape)
    for part in parts:
        excess[part.rows] += part.probability[:, None, None] * part.excess
    some = np.flatnonzero(excess.any(axis=(1, 2)))
    values, vectors = np.linalg.eigh(excess[some])
    excess[some] = (vectors * np.maximum(values, 0.0)[:, None]) @ vectors.swapaxes(-1, -2)
    return half @ (_share_needed(parts, excess)[:, None, None] * excess) @ half.swapaxes(-1, -2)


@dataclass(frozen=True, eq=False)
class _Part:
    """A part of the mixtures of some points (rows of all): its probability, and its second moment about the point, less
    the covariance of inliers, in units of that (n, 3, 3)."""

    rows: NDArray[np.int64]
    probability: Array
    excess: Array


def _changes(
    inliers: NDArray[np.bool_], seen: NDArray[np.bool_], known: NDArray[np.bool_]
) -> Iterator[tuple[list[int], NDArray[np.int64]]]:
    """Sets of views that may be other than they are taken for, and the points (n,) for which that is considered: each
    view that a point rests on by itself, and for points that rest on few views any others with them."""
    few = known & (inliers.sum(axis=0) <= _FEW_VIEWS)
    for n_together in range(1, _TOGETHER + 1):
        for views in map(list, combinations(range(len(inliers)), n_together)):
            concerned = known if n_together == 1 else few
            rows = np.flatnonzero(concerned & seen[views].all(axis=0) & inliers[views].any(axis=0))
            if len(rows):
                yield views, rows


def _inverted(matrices: Array) -> tuple[Array, Array]:
    """Inverses and determinants of matrices (n, 2 k, 2 k)."""
    if matrices.shape[-1] > 2:
        return np.asarray(np.linalg.inv(matrices), float), np.asarray(np.linalg.det(matrices), float)
    a, b, c, d = (matrices[:, i, j] for i in range(2) for j in range(2))
    determinant = a * d - b * c
    return np.stack([d, -b, -c, a], axis=-1).reshape(-1, 2, 2) / determinant[:, None, None], determinant


def _share_needed(parts: list[_Part], excess: Array) -> Array:
    """(n,) share of the mixtures' excess (n, 3, 3) with which the 95 % interval of a Gaussian holds 95 % of a mixture.

    Along one axis, that on which a part lies: every part is a Gaussian about the point there.
    """
    n = len(excess)
    low, high, inliers = np.zeros(n), np.full(n, _LARGEST), np.ones(n)
    axes = []  # of each part: variance along its axis, and what the excess adds to the region there
    for part in parts:
        inliers[part.rows] -= part.probability
        own = np.maximum(part.excess.trace(axis1=1, axis2=2), 1e-9)
        axes.append((own, np.einsum("nij,nij->n", part.excess, excess[part.rows]) / own))
    widest = excess.trace(axis1=1, axis2=2)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        held = inliers * erf(_RADIUS * np.sqrt(1 + middle * widest))
        for part, (own, along) in zip(parts, axes, strict=True):
            limit = np.sqrt((1 + middle[part.rows] * np.maximum(along, 0.0)) / (1 + own))
            held[part.rows] += part.probability * erf(_RADIUS * limit)
        low, high = np.where(held > 0.95, low, middle), np.where(held > 0.95, middle, high)
    return high
