"""Outliers that lie near enough to pass for inliers: how much they widen the covariance of a point.

Two views tell an outlier only across the epipolar line. The point's density is a mixture: all its views are inliers, or
one of them is an outlier after all, with the posterior probability that its residual leaves it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from ...numerics.arrays import Array

_LEAST = 1e-3  # probability of an outlier below which the 95 % interval changes by less than 0.5 %
_HALVINGS = 12  # of the interval of a share: 0.0002
_RADIUS = 1.959964 / np.sqrt(2)  # of the 95 % interval, as the error function counts


def outlier_covariances(
    residuals: Array, jacobians: Array, inliers: NDArray[np.bool_], sigma: Array, probability: Array, outlier: Array
) -> Array:
    """What the chance that one view is an outlier adds to the covariance of points at their least-squares places.

    With the view's precision changed from that of an inlier to that of an outlier, the least-squares point moves and
    its evidence changes in closed form (one Gauss-Newton step; the matrix inversion lemma leaves two axes). The second
    moment of the mixture about the point, less the covariance of inliers, is taken as far as the 95 % region needs it:
    the whole of it would hold more, since an outlier is rare and far.

    Parameters
    ----------
    residuals : ndarray, shape (n_cameras, n, 2), pixels
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
    covariances = np.linalg.inv(np.where(known[:, None, None], H, np.eye(3)))
    views = []  # of each camera: rows, weights there, and what both axes of its residual add along its jacobian
    weights = np.zeros(len(covariances))
    for c in range(len(residuals)):
        rows = np.flatnonzero(inliers[c] & known)
        J, r, change = jacobians[c, rows], residuals[c, rows], outlier[c] ** -2.0 - sigma[c] ** -2.0
        spread = np.einsum("nai,nij,nbj->nab", J, covariances[rows], J, optimize=True)
        left = np.eye(2) + change * spread
        determinant = left[:, 0, 0] * left[:, 1, 1] - left[:, 0, 1] ** 2
        inverse = left[:, ::-1, ::-1] * np.array([[1.0, -1.0], [-1.0, 1.0]]) / determinant[:, None, None]
        moved = np.einsum("nab,nb->na", inverse, r)
        log_weight = -0.5 * np.log(determinant) - 0.5 * change * (r * moved).sum(axis=-1)
        odds = probability[c] / max(1 - probability[c], 1e-9) * (sigma[c] / outlier[c]) ** 2
        weight = odds * np.exp(np.minimum(log_weight, 100.0))
        weights[rows] += weight
        views.append((rows, weight, -change * inverse + change**2 * moved[:, :, None] * moved[:, None, :]))
    chance = weights / (1 + weights)
    added = np.zeros(covariances.shape)
    for c, (rows, weight, inner) in enumerate(views):
        there = chance[rows] > _LEAST
        some = rows[there]
        share = weight[there] / (1 + weights[some])
        gain = covariances[some] @ jacobians[c, some].swapaxes(-1, -2)
        added[some] += share[:, None, None] * (gain @ inner[there] @ gain.swapaxes(-1, -2))
    some = np.flatnonzero(chance > _LEAST)
    half = np.linalg.cholesky(covariances[some])
    whitened = np.linalg.solve(half, np.linalg.solve(half, added[some]).swapaxes(-1, -2))
    added[some] *= _share_needed(chance[some], np.asarray(np.linalg.eigvalsh(whitened)[:, -1], float))[:, None, None]
    return added


def _share_needed(probability: Array, excess: Array) -> Array:
    """(n,) share of a mixture's excess variance with which the 95 % interval of a Gaussian holds 95 % of the mixture.

    One axis; with this probability (n,) its standard deviation is not 1 but what gives the mixture the variance
    1 + `excess` (n,).
    """
    far = np.sqrt(1 + excess / probability)
    low, high = np.zeros(len(probability)), np.ones(len(probability))
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        limit = _RADIUS * np.sqrt(1 + middle * excess)
        enough = (1 - probability) * erf(limit) + probability * erf(limit / far) > 0.95
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high
