"""How pixels err about the body's markers: correlated in time, with a constant part, and now and then grossly.

An inlier's error is the sum of a part that never changes (one per camera and keypoint), a part that lasts (first-order
autoregressive) and a part that is new in every frame. A pixel is an inlier, an outlier anywhere in the image, or shows
the keypoint's partner on the other side of the body; each lasts for some frames (a hidden Markov chain).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from ...numerics.hidden_markov import state_probabilities

INLIER, OUTLIER, SWAPPED = range(3)
_LEAST_WEIGHT = 1e-6  # of a pixel: below, it says nothing
_FLOOR = -700.0  # of a log density: exp is zero there


@dataclass(frozen=True, eq=False)
class PixelNoise:
    """sigma : (n_cameras,) pixels, of an inlier's coordinate without the constant part
    bias_std : pixels, of the constant part
    lasting, keep : share of sigma squared that lasts, and its correlation from frame to frame
    outliers, swaps : shares of the pixels
    frames : that an outlier or a swap lasts on average
    """

    sigma: Array
    bias_std: float
    lasting: float = 0.5
    keep: float = 0.7
    outliers: float = 0.05
    swaps: float = 0.01
    frames: float = 3.0

    def correlation(self, lag: int) -> float:
        return 1.0 if lag == 0 else self.lasting * self.keep**lag

    def transitions(self) -> Array:
        """(3, 3) between inlier, outlier and swapped."""
        leave = 1 / self.frames
        wrong = self.outliers + self.swaps
        into = leave * np.array([self.outliers, self.swaps]) / max(1 - wrong, 0.1)
        return np.array([
            [1 - into.sum(), *into], [leave, 1 - leave, 0.0], [leave, 0.0, 1 - leave],
        ])  # fmt: skip


@dataclass(frozen=True, eq=False)
class Predictions:
    """What an inlier's error is expected to be, given the errors of the `reach` frames before it (Vecchia 1988).

    coefficients : (n_cameras, n_frames, n_keypoints, reach), of the errors one, two, ... frames before
    variance : (n_cameras, n_frames, n_keypoints) of what is new, over sigma squared
    extra : likewise, added to it as the pixel is not surely an inlier
    """

    coefficients: Array
    variance: Array
    extra: Array

    def precision(self, sigma: Array) -> Array:
        """(n_cameras, n_frames, n_keypoints, reach + 1) of the errors at t and 0, 1, ... frames later."""
        reach = self.coefficients.shape[-1]
        information = 1 / ((self.variance + self.extra) * sigma[:, None, None] ** 2)
        rows = [np.ones_like(information), *(-self.coefficients[..., i] for i in range(reach))]
        precision = np.zeros((*information.shape, reach + 1))
        for i in range(reach + 1):  # frames back from t
            for j in range(i + 1):
                part = rows[i] * rows[j] * information
                precision[:, : part.shape[1] - i, :, i - j] += part[:, i:]
        return precision

    def innovations(self, residuals: Array) -> Array:
        """Of residuals (n_cameras, n_frames, n_keypoints, 2), 0 where there is none."""
        new = residuals.copy()
        for i in range(self.coefficients.shape[-1]):
            new[:, i + 1 :] -= self.coefficients[:, i + 1 :, :, i, None] * residuals[:, : -i - 1]
        return new


def predictions(noise: PixelNoise, weights: Array, reach: int) -> Predictions:
    """Of the pixels with these probabilities (n_cameras, n_frames, n_keypoints) of being inliers."""
    extra = 1 / np.maximum(weights, _LEAST_WEIGHT) - 1
    before = np.full((*weights.shape, reach), 1 / _LEAST_WEIGHT)
    for i in range(reach):
        before[:, i + 1 :, :, i] = extra[:, : -i - 1]
    between = np.array([[noise.correlation(abs(i - j)) for j in range(reach)] for i in range(reach)])
    with_now = np.array([noise.correlation(i + 1) for i in range(reach)])
    matrices = between + before[..., None] * np.eye(reach)
    coefficients = np.linalg.solve(matrices, np.broadcast_to(with_now[:, None], (*weights.shape, reach, 1)))[..., 0]
    coefficients = np.asarray(coefficients, float)
    return Predictions(coefficients, np.asarray(1.0 - coefficients @ with_now, float), extra)


def inlier_weights(
    noise: PixelNoise, given: Predictions, residuals: Array, swapped: Array, spread: Array, log_prior: Array,
    log_outlier: Array,
) -> Array:  # fmt: skip
    """(n_cameras, n_frames, n_keypoints, 3) posterior probabilities of inlier, outlier and swapped.

    Parameters
    ----------
    residuals, swapped : (n_cameras, n_frames, n_keypoints, 2), pixels, about the keypoint and about its partner; NaN
        where there is none
    spread : (n_cameras, n_frames, n_keypoints), pixels squared, of the projected marker's coordinate
    log_prior : (n_cameras, n_frames, n_keypoints, 2) log odds that a detector's confidence adds to an inlier and to
        the others
    log_outlier : (n_cameras,) log density of an outlier
    """
    seen = np.asarray(np.isfinite(residuals).all(axis=-1))
    new = given.innovations(np.where(seen[..., None], residuals, 0.0))
    variance = noise.sigma[:, None, None] ** 2
    log = np.zeros((*residuals.shape[:-1], 3))
    log[..., INLIER] = _log_normal(new, given.variance * variance + spread) + log_prior[..., 0]
    log[..., OUTLIER] = log_outlier[:, None, None] + log_prior[..., 1]
    log[..., SWAPPED] = _log_normal(swapped, variance + noise.bias_std**2 + spread) + log_prior[..., 1]
    log = np.where(seen[..., None], np.maximum(np.nan_to_num(log, nan=_FLOOR), _FLOOR), 0.0)
    return _of_each_track(log, noise.transitions())


def _log_normal(residuals: Array, variance: Array) -> Array:
    return -0.5 * (residuals**2).sum(axis=-1) / variance - np.log(2 * np.pi * variance)


def _of_each_track(log_density: Array, transitions: Array) -> Array:
    """State probabilities (n_cameras, n_frames, n_keypoints, n_states) of each pixel's track, from the stationary
    start."""
    n_frames, n_states = log_density.shape[1], log_density.shape[3]
    chains = log_density.transpose(0, 2, 1, 3)
    values, vectors = np.linalg.eig(transitions.T)
    start = np.abs(np.real(vectors[:, np.argmax(np.real(values))]))
    found = state_probabilities(chains.reshape(-1, n_frames, n_states), start / start.sum(), transitions)
    return found.reshape(chains.shape).transpose(0, 2, 1, 3)


def learn_noise(
    noise: PixelNoise, products: Array, weights: Array, seen: NDArray[np.bool_], posterior: Array, bias_square: float
) -> PixelNoise:
    """The noise that the expected products of errors make most likely.

    Parameters
    ----------
    products : (n_lags, n_cameras, n_frames, n_keypoints) expected product of a coordinate's errors at t and some frames
        later, pixels squared
    weights : (n_cameras, n_frames, n_keypoints) that a pixel is an inlier
    posterior : of `inlier_weights`
    bias_square : pixels squared, expected, of the constant part of a coordinate
    """
    weights = np.where(seen, weights, 0.0)
    total, count = (weights * products[0]).sum(axis=(1, 2)), weights.sum(axis=(1, 2))
    pooled = total.sum() / max(count.sum(), 1.0)
    sigma = np.sqrt((total + 30 * pooled) / (count + 30))
    scaled = products / sigma[:, None, None] ** 2
    moments = [1.0]
    for lag in range(1, len(products)):
        both = weights[:, :-lag] * weights[:, lag:]
        moments.append(float((both * scaled[lag][:, :-lag]).sum() / max(both.sum(), 1.0)))
    keep, lasting = noise.keep, max(moments[1], 0.0) / max(noise.keep, 1e-3)
    if len(moments) > 2 and moments[1] > 0.05:
        keep = float(np.clip(moments[2] / moments[1], 0.05, 0.98))
        lasting = moments[1] / keep
    wrong = np.where(seen[..., None], posterior[..., 1:], 0.0)
    n = seen.sum()
    outliers, swaps = (wrong.sum(axis=(0, 1, 2)) + np.array([1.0, 0.2])) / (n + 20.0)
    both_wrong = (wrong[:, :-1] * wrong[:, 1:]).sum()
    stays = (both_wrong + 2.0) / (wrong[:, :-1].sum() + 3.0)
    return replace(
        noise, sigma=np.maximum(sigma, 0.02), bias_std=max(float(np.sqrt(bias_square)), 0.02 * float(sigma.mean())),
        lasting=float(np.clip(lasting, 0.0, 0.98)), keep=keep, outliers=float(np.clip(outliers, 1e-3, 0.5)),
        swaps=float(np.clip(swaps, 1e-4, 0.3)), frames=float(np.clip(1 / max(1 - stays, 1e-3), 1.2, 50.0)),
    )  # fmt: skip
