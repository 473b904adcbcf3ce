"""Outliers that lie near enough to pass for inliers: how much they widen the covariance of a point.

Two views tell an outlier only across the epipolar line. The point's density is a mixture: all its views are inliers, or
one of them is an outlier after all, with the posterior probability that its residual leaves it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from ...numerics.arrays import Array

_CHUNK = 50_000  # points at once: bounds the memory
_HALVINGS = 12  # of the interval of a share: 0.0002
_RADIUS = 1.959964 / np.sqrt(2)  # of the 95 % interval, as the error function counts


def outlier_covariances(
    residuals: Array, jacobians: Array, inliers: NDArray[np.bool_], sigma: Array, probability: Array, outlier: Array
) -> Array:
    """What the chance that one view is an outlier adds to the covariance of points at their least-squares places.

    With the view's precision changed from that of an inlier to that of an outlier, the least-squares point moves and
    its evidence changes in closed form (one Gauss-Newton step). The second moment of the mixture about the point, less
    the covariance of inliers, is taken as far as the 95 % region needs it: the whole of it would hold more, since an
    outlier is rare and far.

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
    n = residuals.shape[1]
    added = np.zeros((n, 3, 3))
    for start in range(0, n, _CHUNK):
        part = slice(start, start + _CHUNK)
        arrays = residuals[:, part], jacobians[:, part], inliers[:, part]
        added[part] = _of_chunk(*arrays, sigma, probability, outlier)
    return added


def _of_chunk(
    residuals: Array, jacobians: Array, inliers: NDArray[np.bool_], sigma: Array, probability: Array, outlier: Array
) -> Array:
    counted = np.asarray(inliers & np.isfinite(residuals).all(axis=-1) & np.isfinite(jacobians).all(axis=(-1, -2)))
    J, r = np.where(counted[..., None, None], jacobians, 0.0), np.where(counted[..., None], residuals, 0.0)
    grams = np.einsum("cnai,cnaj->cnij", J, J)
    H = np.einsum("cnij,c->nij", grams, sigma**-2.0)
    known = (counted.sum(axis=0) >= 2) & (np.linalg.det(H) > 0)
    H = np.where(known[:, None, None], H, np.eye(3))
    inverse, log_det = np.linalg.inv(H), np.linalg.slogdet(H)[1]
    change = 1 / outlier**2 - 1 / sigma**2
    total, weights = np.zeros_like(H), np.ones(len(H))
    for c in range(len(J)):
        own = counted[c] & known
        without = np.where(own[:, None, None], H + change[c] * grams[c], np.eye(3))
        covariance, gradient = np.linalg.inv(without), change[c] * np.einsum("nai,na->ni", J[c], r[c])
        moved = np.einsum("nij,nj->ni", covariance, gradient)
        squares = change[c] * (r[c] ** 2).sum(axis=-1) - (gradient * moved).sum(axis=-1)
        odds = probability[c] / max(1 - probability[c], 1e-9) * (sigma[c] / outlier[c]) ** 2
        weight = odds * np.exp(np.clip(0.5 * (log_det - np.linalg.slogdet(without)[1] - squares), -700, 100))
        weight = np.where(own, weight, 0.0)
        weights += weight
        total += weight[:, None, None] * (covariance - inverse + moved[:, :, None] * moved[:, None, :])
    added = np.where(known[:, None, None], total / weights[:, None, None], 0.0)
    half = np.linalg.cholesky(inverse)
    whitened = np.linalg.solve(half, np.linalg.solve(half, added).swapaxes(-1, -2))
    return added * _share_needed(1 - 1 / weights, np.asarray(np.linalg.eigvalsh(whitened)[:, -1], float))[:, None, None]


def _share_needed(probability: Array, excess: Array) -> Array:
    """(n,) share of a mixture's excess variance with which the 95 % interval of a Gaussian holds 95 % of the mixture.

    One axis; with this probability (n,) its standard deviation is not 1 but what gives the mixture the variance
    1 + `excess` (n,).
    """
    share = np.ones(len(probability))
    rare = np.flatnonzero((probability > 1e-9) & (excess > 1e-3))
    w, e = probability[rare], excess[rare]
    far = np.sqrt(1 + e / w)
    low, high = np.zeros(len(rare)), np.ones(len(rare))
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        limit = _RADIUS * np.sqrt(1 + middle * e)
        enough = (1 - w) * erf(limit) + w * erf(limit / far) > 0.95
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    share[rare] = high
    return share
