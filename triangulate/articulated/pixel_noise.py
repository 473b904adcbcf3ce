"""How pixels err about the body's markers: correlated in time, with a constant part, and now and then grossly.

An inlier's error is the sum of a part that never changes (one per camera and keypoint), a part that lasts (first-order
autoregressive) and a part that is new in every frame. A pixel is an inlier, an outlier anywhere in the image, or shows
the keypoint's partner on the other side of the body; each lasts for some frames (a hidden Markov chain).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from ...numerics.hidden_markov import forward_backward
from ..noise.detector_noise import DetectorNoise
from ..noise.lasting_errors import COMMON_CONSTANT, COMMON_SHARE
from ..smoothing.correlated_noise import CorrelatedNoise

INLIER, OUTLIER, SWAPPED = range(3)  # what a pixel shows; places on the axis of these probabilities
_LEAST_WEIGHT = 1e-6  # of a pixel: below, it says nothing
_FLOOR = -700.0  # of a log density: exp is zero there
# coordinates that the variance of all counts as, for a camera and for a marker in it
_OF_CAMERA, _OF_PIXEL = 30.0, 200.0
_KNOWN_BIAS = 0.1  # of the spread: what is left where the bias is known
_PRIOR_MARKERS = 4.0  # constant errors that those of all markers count as, for one marker
_PRIOR_CAMERAS = 4.0  # constant errors that those of all cameras count as, for one camera
# by which the variance of constant errors grows in a round at most. They are at their mode given the build, which moves
# later: all that it has yet to move by would be taken for constant errors, and these would hold it where it is
_RISE = np.e
_LEAST_SHARE = 1e-3  # variance of a camera's constant errors, over the mean of the cameras, at least


class Errors(NamedTuple):
    """Of an inlier without the constant part: variance (n_cameras, n_markers), pixels squared, and correlation (reach +
    1, n_cameras, n_markers) with the error 0, 1, ... frames later."""

    variance: Array
    correlation: Array

    def and_deviations(self, variance: Array, keep: float) -> Errors:
        """With another part (n_cameras, n_markers) that keeps a share from frame to frame."""
        total = self.variance + variance
        kept = keep ** np.arange(len(self.correlation))[:, None, None]
        return Errors(total, (self.variance * self.correlation + variance * kept) / total)


@dataclass(frozen=True, eq=False)
class PixelNoise:
    """sigma : (n_cameras, n_markers) pixels, of an inlier's coordinate without the constant part
    over_time : what of it lasts; the constant part of a camera and marker is over the mean square of the cameras' sigma
    outliers, swaps : shares of the pixels
    frames : that an outlier or a swap lasts on average
    known : whether sigma is that of a `DetectorNoise`, and is not learned
    """

    sigma: Array
    over_time: CorrelatedNoise
    bias_share: Array
    outliers: float = 0.05
    swaps: float = 0.01
    frames: float = 3.0
    known: bool = False

    @classmethod
    def of(
        cls, sigma: Array, bias_std: float, lasting: float = 0.5, keep: float = 0.7, known: bool = False
    ) -> PixelNoise:
        """All markers alike: the standard deviation of the constant part, pixels, the share of the rest that lasts, and
        its correlation from frame to frame."""
        n_markers = sigma.shape[1]
        independent = CorrelatedNoise.independent(n_markers)
        share, same = np.full(n_markers, lasting), np.full(n_markers, keep)
        constant = bias_std**2 / (sigma**2).mean(axis=0)
        over_time = replace(independent, white=1 - share, lasting=share, correlation=same, constant=constant)
        return cls(sigma, over_time, np.ones(len(sigma)), known=known)

    @classmethod
    def of_detector(cls, noise: DetectorNoise, columns: NDArray[np.int64]) -> PixelNoise:
        """Of markers that are these keypoints; the error of the detector's bias never changes in a recording."""
        sigma, shared = noise.inlier_std[:, columns], noise.shared_std[columns]
        bias_std = float(np.sqrt((np.asarray(noise.bias_std)[:, columns] ** 2).mean()))
        own = cls.of(sigma, max(bias_std, _KNOWN_BIAS * float(sigma.mean())), known=True)
        return replace(own, over_time=replace(own.over_time, displacement=shared))

    @property
    def bias_std(self) -> Array:
        """(n_cameras, n_markers) pixels, of the constant part."""
        return np.sqrt(self.bias_share[:, None] * self.over_time.constant * (self.sigma**2).mean(axis=0))

    @property
    def correlation(self) -> Array:
        """(n_markers,) of the errors of consecutive frames."""
        return self.over_time.lasting * self.over_time.correlation

    def errors(self, reach: int) -> Errors:
        lasting, keep = self.over_time.lasting, self.over_time.correlation
        lags = np.array([np.ones_like(keep), *(lasting * keep**lag for lag in range(1, reach + 1))])
        return Errors(self.sigma**2, np.repeat(lags[:, None], len(self.sigma), axis=1))

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
    variance : (n_cameras, n_frames, n_keypoints) of what is new, over that of the error
    extra : likewise, added to it as the pixel is not surely an inlier
    """

    coefficients: Array
    variance: Array
    extra: Array

    def precision(self, errors: Errors) -> Array:
        """(n_cameras, n_frames, n_keypoints, reach + 1) of the errors at t and 0, 1, ... frames later."""
        reach = self.coefficients.shape[-1]
        information = 1 / ((self.variance + self.extra) * errors.variance[:, None])
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


def predictions(errors: Errors, weights: Array) -> Predictions:
    """Of the pixels with these probabilities (n_cameras, n_frames, n_keypoints) of being inliers."""
    reach = len(errors.correlation) - 1
    extra = 1 / np.maximum(weights, _LEAST_WEIGHT) - 1
    before = np.full((*weights.shape, reach), 1 / _LEAST_WEIGHT)
    for i in range(reach):
        before[:, i + 1 :, :, i] = extra[:, : -i - 1]
    lags = np.moveaxis(errors.correlation, 0, -1)[:, None]  # (n_cameras, 1, n_keypoints, reach + 1)
    between = lags[..., np.abs(np.arange(reach)[:, None] - np.arange(reach))]
    with_now = np.broadcast_to(lags[..., 1:], before.shape)
    matrices = between + before[..., None] * np.eye(reach)
    coefficients = np.asarray(np.linalg.solve(matrices, with_now[..., None])[..., 0], dtype=float)
    return Predictions(coefficients, 1.0 - (coefficients * with_now).sum(axis=-1), extra)


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
    log_outlier : (n_cameras, n_keypoints) log density of an outlier
    """
    seen = np.asarray(np.isfinite(residuals).all(axis=-1))
    new = given.innovations(np.where(seen[..., None], residuals, 0.0))
    variance = noise.sigma[:, None] ** 2
    log = np.zeros((*residuals.shape[:-1], 3))
    log[..., INLIER] = _log_normal(new, given.variance * variance + spread) + log_prior[..., 0]
    log[..., OUTLIER] = log_outlier[:, None] + log_prior[..., 1]
    log[..., SWAPPED] = _log_normal(swapped, variance + noise.bias_std[:, None] ** 2 + spread) + log_prior[..., 1]
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
    found = forward_backward(chains.reshape(-1, n_frames, n_states), start / start.sum(), transitions)[0]
    return found.reshape(chains.shape).transpose(0, 2, 1, 3)


def learn_noise(
    noise: PixelNoise, products: Array, weights: Array, seen: NDArray[np.bool_], posterior: Array,
    biases: Array, bias_variance: Array, pixels: Array,
) -> PixelNoise:  # fmt: skip
    """The noise that the expected products of errors make most likely.

    Parameters
    ----------
    products : (n_lags, n_cameras, n_frames, n_keypoints) expected product of a coordinate's errors at t and some frames
        later, pixels squared
    weights : (n_cameras, n_frames, n_keypoints) that a pixel is an inlier
    posterior : of `inlier_weights`
    biases, bias_variance : (n_cameras, n_keypoints, 2) pixels and pixels squared, posterior of the constant part
    pixels : (n_keypoints,) that a world unit across the line of sight is long
    """
    weights = np.where(seen, weights, 0.0)
    sigma = noise.sigma if noise.known else _spread_of(weights, products[0])
    lasting, keep = _lasting_share(noise, weights, products / sigma[:, None] ** 2)
    wrong = np.where(seen[..., None], posterior[..., 1:], 0.0)
    n = seen.sum()
    outliers, swaps = (wrong.sum(axis=(0, 1, 2)) + np.array([1.0, 0.2])) / (n + 20.0)
    both_wrong = (wrong[:, :-1] * wrong[:, 1:]).sum()
    stays = (both_wrong + 2.0) / (wrong[:, :-1].sum() + 3.0)
    total = (sigma**2).mean(axis=0)
    share, bias_square = _bias_spread(noise, biases, bias_variance)
    constant = noise.over_time.constant if noise.known else np.maximum(bias_square / total, 4e-4)
    share = noise.bias_share if noise.known else share
    displacement = np.sqrt(COMMON_CONSTANT * constant * total) / pixels
    over_time = replace(
        noise.over_time, white=1 - lasting, lasting=lasting, correlation=keep, constant=constant,
        displacement=noise.over_time.displacement if noise.known else displacement,
        common=np.sqrt(COMMON_SHARE * lasting * total) / pixels,
    )  # fmt: skip
    return replace(
        noise, sigma=sigma, over_time=over_time, bias_share=share, outliers=float(np.clip(outliers, 1e-3, 0.5)),
        swaps=float(np.clip(swaps, 1e-4, 0.3)), frames=float(np.clip(1 / max(1 - stays, 1e-3), 1.2, 50.0)),
    )  # fmt: skip


def _bias_spread(noise: PixelNoise, biases: Array, variance: Array) -> tuple[Array, Array]:
    """Variance of the constant errors that makes them most likely (MacKay 1992), the product of a share of each camera
    (n_cameras,), whose mean is 1, and of one of each marker (n_markers,): one camera may see markers from behind."""
    known = np.maximum(1 - variance / noise.bias_std[..., None] ** 2, 0.0).sum(axis=-1)
    squares, before = (biases**2).sum(axis=-1), noise.bias_share[:, None]
    usual = (squares / before).sum() / max(known.sum(), 1.0)
    of_marker = ((squares / before).sum(axis=0) + _PRIOR_MARKERS * usual) / (known.sum(axis=0) + _PRIOR_MARKERS)
    share = ((squares / of_marker).sum(axis=1) + _PRIOR_CAMERAS) / (known.sum(axis=1) + _PRIOR_CAMERAS)
    found = of_marker * share.mean()
    rise = found.mean() / (noise.bias_std**2).mean()
    return np.maximum(share / share.mean(), _LEAST_SHARE), found / max(1.0, rise / _RISE)


def _spread_of(weights: Array, squares: Array) -> Array:
    """(n_cameras, n_markers) of inliers: drawn towards the camera's usual spread times the marker's."""
    total, count = (weights * squares).sum(axis=1), weights.sum(axis=1)
    pooled = total.sum() / max(count.sum(), 1.0)
    camera = ((total.sum(axis=1) + _OF_CAMERA * pooled) / (count.sum(axis=1) + _OF_CAMERA))[:, None]
    ratio = ((total / camera).sum(axis=0) + _OF_PIXEL) / (count.sum(axis=0) + _OF_PIXEL)
    return np.maximum(np.sqrt((total + _OF_PIXEL * camera * ratio) / (count + _OF_PIXEL)), 0.02)


def _lasting_share(noise: PixelNoise, weights: Array, scaled: Array) -> tuple[Array, Array]:
    """(n_markers,) twice: share of the variance that lasts and its correlation, from products over the variance; those
    of all markers, since one has too few errors that are independent."""
    moments = [1.0]
    for lag in range(1, len(scaled)):
        both = weights[:, :-lag] * weights[:, lag:]
        moments.append(float((both * scaled[lag][:, :-lag]).sum() / max(both.sum(), 1.0)))
    keep = float(noise.over_time.correlation[0])
    lasting = max(moments[1], 0.0) / max(keep, 1e-3)
    if len(moments) > 2 and moments[1] > 0.05:
        keep = float(np.clip(moments[2] / moments[1], 0.05, 0.98))
        lasting = moments[1] / keep
    nothing = np.zeros(weights.shape[2])
    return nothing + np.clip(lasting, 0.0, 0.98), nothing + keep
