"""Calibrate confidence and covariance on frames that the network was not trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from ...datasets import Array
from .engine import Found

STUDENT_DOF = 4.0  # degrees of freedom of the errors: tails of gross errors (Lange 1989)
# mean of the prior on the factor of the scatter over the other cells: the softmax gives many far cells a little each
# (the demo's wrong places, visible and hidden, on seed 0: 0.28 to 0.36)
SCATTER_PRIOR = 0.3
FIRMNESS = 60.0  # weight of the priors, in labelled points
LOG_10 = np.log(10.0)  # of the 10 % outside
RADIUS2_90 = 2 * LOG_10  # squared Mahalanobis radius of a 90 % ellipse


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Calibration of predicted probabilities and covariances on held-out frames.

    A keypoint is seen, or it is hidden and would not have been labelled: the network says so by its probability of
    "absent". Its error is one of three: of a seen keypoint as large as the covariance head says, of a hidden one as
    large as the peak is wide, and where the peak is another place's, as far as the other cells lie.

    Parameters
    ----------
    radius : pixels; confidence is the probability that a point lies within this distance of the truth
    confidence_weights : (3,) of the logistic regression, among seen keypoints, on 1, log-odds of the peak's mass, log
        of the predicted std
    temperature : (n_keypoints,) factor of each seen keypoint's covariance
    n_held_out : labelled points behind it; 0: not calibrated, predictions are passed on
    hidden_weights : (2,) of the logistic regression of being hidden on 1 and the log-odds of "absent"
    scatter_factor : of the second moments of the other cells; 0: nothing is known of hidden keypoints
    hidden_temperature : (n_keypoints,) factor of a hidden keypoint's covariances, near and elsewhere; None: all 1
    mixed_weights : (2,) of the logistic regression, among all keypoints, on 1 and the log-odds of the mixture's
        confidence
    """

    radius: float
    confidence_weights: Array
    temperature: Array
    n_held_out: int = 0
    hidden_weights: Array = field(default_factory=lambda: np.array([-30.0, 0.0]))
    scatter_factor: float = 0.0
    hidden_temperature: Array | None = None
    mixed_weights: Array = field(default_factory=lambda: np.array([0.0, 1.0]))

    def confidence(self, found: Found) -> Array:
        """(..., n_keypoints) probability of being within `radius`."""
        seen, hidden = _sigmoid(_hit_features(found) @ self.confidence_weights), self.hidden(found)
        if not self.scatter_factor:
            return seen
        square = self.radius**2 / 2 / (1.0 if self.hidden_temperature is None else self.hidden_temperature)
        near, far = -np.expm1(-square / found.near), -np.expm1(-square / (self.scatter_factor * _size2(found.scatter)))
        mixed = (1 - hidden) * seen + hidden * ((1 - found.elsewhere) * near + found.elsewhere * far)
        return _sigmoid(self.mixed_weights[0] + self.mixed_weights[1] * _log_odds(mixed))

    def hidden(self, found: Found) -> Array:
        """(..., n_keypoints) probability that a human would not have labelled the keypoint."""
        return _sigmoid(self.hidden_weights[0] + self.hidden_weights[1] * found.absence)

    def ellipses(self, found: Found) -> Array:
        """(..., n_keypoints, 2, 2) covariances whose 90 % ellipses hold 90 % of the errors."""
        return self._mixed(found, self.temperature, self.hidden_temperature)

    def _mixed(self, found: Found, temperature: Array, hidden_temperature: Array | None) -> Array:
        """The ellipses with factors (..., n_keypoints) of seen and of hidden keypoints' covariances."""
        seen = temperature[..., None, None] * found.covariances
        if not self.scatter_factor:
            return seen
        hidden, elsewhere = self.hidden(found), np.clip(found.elsewhere, 0, 1)
        near, far = found.near[..., None, None] * np.eye(2), self.scatter_factor * found.scatter
        if hidden_temperature is not None:
            near, far = (hidden_temperature[..., None, None] * part for part in (near, far))
        weights = np.stack([(1 - hidden) * (1 - elsewhere), hidden * (1 - elsewhere), elsewhere])
        return mixture_ellipses(weights, np.stack([seen, near, far]))

    def as_dict(self) -> dict:
        """All fields as plain numbers and lists."""
        return {name: np.asarray(value).tolist() for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, values: dict) -> Uncertainty:
        """What `as_dict` gave."""
        fields: dict[str, Any] = {n: np.array(v, float) if isinstance(v, list) else v for n, v in values.items()}
        return cls(**fields)


def mixture_ellipses(weights: Array, covariances: Array) -> Array:
    """(..., 2, 2) covariances whose 90 % ellipses hold 90 % of mixtures of Gaussians about one point.

    weights : (n_parts, ...) sum to one
    covariances : (n_parts, ..., 2, 2)

    The shape is that of the mixture's covariance. Its size is exact where all parts are circles: a circle of squared
    radius log(100) v leaves out 10^(-v / v_i) of a part with variance v_i, and v is where they sum to 1/10, by Newton
    steps on their convex logarithm from below.
    """
    sizes = np.maximum(_size2(covariances), 1e-12)
    size = sizes.min(0)
    for _ in range(20):
        left = weights * np.exp(-LOG_10 * size / sizes)
        total = np.maximum(left.sum(0), 1e-300)
        size = size + (np.log(total) + LOG_10) * total / (LOG_10 * (left / sizes).sum(0) + 1e-300)
    shape = (weights[..., None, None] * covariances).sum(0)
    return shape * (size / np.maximum(_size2(shape), 1e-12))[..., None, None]


def uncalibrated(n_keypoints: int, radius: float) -> Uncertainty:
    """Confidence is the peak's probability mass, the covariance is as predicted."""
    return Uncertainty(radius, np.array([0.0, 1.0, 0.0]), np.ones(n_keypoints))


def fit_uncertainty(
    errors: Array, found: Found, radius: float, unlabelled: float = 1.0, hidden: Array | None = None
) -> Uncertainty:
    """Calibrate on frames that were not trained on.

    Parameters
    ----------
    errors : (n, n_keypoints, 2) predicted minus labelled, pixels; NaN where not labelled
    found : predictions on the same frames, shapes (n, n_keypoints, ...)
    radius : distance that confidence refers to, pixels
    unlabelled : weight with which a keypoint without label counted as absent in training, as in `TrainingConfig`
    hidden : like `errors`, of keypoints without label whose places other cameras tell

    One temperature per keypoint, drawn towards the common one where labels are few, makes 90 % ellipses hold 90 % of
    the labelled points. That a keypoint is hidden is learned from which ones are labelled; how large its error is then,
    from the map, and where other cameras tell its place, from one more temperature per keypoint. With fewer than 20
    labelled points only predictions are passed on.
    """
    known = np.asarray(np.isfinite(errors).all(-1))
    if known.sum() < 20:
        return uncalibrated(errors.shape[1], radius)
    errors = np.nan_to_num(errors)
    hit = (np.linalg.norm(errors, axis=-1) < radius)[known]
    fitted = Uncertainty(
        radius,
        _fit_logistic(_hit_features(found)[known], hit, np.array([0.0, 1.0, 0.0])),
        np.ones(errors.shape[1]),
        int(known.sum()),
        _fit_hidden(found, known, unlabelled),
    )
    fitted = replace(fitted, scatter_factor=_fit_scatter(errors, found, known))
    if hidden is not None and (guessed := np.asarray(np.isfinite(hidden).all(-1))).any():
        factors = _least_factors(np.nan_to_num(hidden), lambda t: fitted._mixed(found, fitted.temperature, t))
        fitted = replace(fitted, hidden_temperature=_temperatures(factors, guessed))
        both, misses = known | guessed, np.where(known[..., None], errors, np.nan_to_num(hidden))
        predicted, hits = _log_odds(fitted.confidence(found))[both], (np.linalg.norm(misses, axis=-1) < radius)[both]
        weights = _fit_logistic(np.stack([np.ones_like(predicted), predicted], -1), hits, np.array([0.0, 1.0]))
        fitted = replace(fitted, mixed_weights=weights)
    factors = _least_factors(errors, lambda t: fitted._mixed(found, t, fitted.hidden_temperature))
    return replace(fitted, temperature=_temperatures(factors, known))


def _fit_hidden(found: Found, known: NDArray[np.bool_], unlabelled: float) -> Array:
    """Weights of the log-odds of having no label, in frames that have labels, about those of the training's weighting:
    counted by `unlabelled`, the odds of "absent" come out so many times too small."""
    prior = np.array([-np.log(unlabelled) if unlabelled else 0.0, 1.0])
    frames = known.any(1)
    absence = found.absence[frames].ravel()
    return _fit_logistic(np.stack([np.ones_like(absence), absence], -1), ~known[frames].ravel(), prior)


def _fit_scatter(errors: Array, found: Found, known: NDArray[np.bool_]) -> float:
    """Factor of the other cells' second moments: a step of expectation-maximisation from `SCATTER_PRIOR`, which counts
    as `FIRMNESS` points whose peak is another place's."""
    far = SCATTER_PRIOR * found.scatter
    far2, elsewhere = _squared(errors, far), np.clip(found.elsewhere, 1e-6, 1 - 1e-6)
    dof = STUDENT_DOF
    seen2 = _squared(errors, found.covariances)
    log_near = -np.log(_size2(found.covariances)) - 0.5 * (dof + 2) * np.log1p(seen2 / dof)
    log_far = -np.log(_size2(far)) - far2 / 2
    wrong = _sigmoid(log_far - log_near + np.log(elsewhere / (1 - elsewhere)))[known]
    return SCATTER_PRIOR * float((FIRMNESS + (wrong * far2[known] / 2).sum()) / (FIRMNESS + wrong.sum()))


def _least_factors(errors: Array, ellipses: Callable[[Array], Array]) -> Array:
    """(n, n_keypoints) least factors with which the ellipses, a growing function of them, hold the errors."""
    low, high = np.full(errors.shape[:-1], -10.0), np.full(errors.shape[:-1], 10.0)
    for _ in range(16):
        middle = (low + high) / 2
        outside = _squared(errors, ellipses(np.exp(middle))) > RADIUS2_90
        low, high = np.where(outside, middle, low), np.where(outside, high, middle)
    return np.exp(high)


def _squared(errors: Array, covariances: Array) -> Array:
    """(...) squared Mahalanobis lengths of errors (..., 2)."""
    return np.einsum("...i,...ij,...j", errors, np.linalg.inv(covariances), errors)


def _size2(covariances: Array) -> Array:
    """(...) variances of the circles as large as the ellipses of covariances (..., 2, 2), pixels squared."""
    return np.sqrt(np.clip(np.linalg.det(covariances), 1e-24, None))


def _sigmoid(log_odds: Array) -> Array:
    return 1 / (1 + np.exp(-np.clip(log_odds, -30, 30)))


def _hit_features(found: Found) -> Array:
    """(..., 3): 1, log-odds of the mass, log of the predicted standard deviation (pixels)."""
    log_odds = _log_odds(found.mass)
    return np.stack([np.ones_like(log_odds), log_odds, _log_std(found)], -1)


def _log_odds(probability: Array) -> Array:
    probability = np.clip(probability, 1e-4, 1 - 1e-4)
    return np.log(probability / (1 - probability))


def _log_std(found: Found) -> Array:
    return np.log(np.clip(np.linalg.det(found.covariances), 1e-12, None)) / 4


def _fit_logistic(features: Array, hit: NDArray[np.bool_], prior: Array) -> Array:
    """Logistic regression with a weak prior on the weights, the first of which is a constant's (Platt 1999's smoothed
    targets)."""
    firmness = np.where(np.arange(len(prior)) > 0, 1.0, 0.1)
    target = np.where(hit, (hit.sum() + 1) / (hit.sum() + 2), 1 / ((~hit).sum() + 2))

    def cost(weights):
        z = features @ weights
        loss = np.logaddexp(0, z) - target * z
        gradient = features.T @ (_sigmoid(z) - target) + (weights - prior) * firmness
        return loss.sum() + 0.5 * ((weights - prior) ** 2 * firmness).sum(), gradient

    return minimize(cost, prior, jac=True, method="L-BFGS-B").x


def _temperatures(factors: Array, known: NDArray[np.bool_]) -> Array:
    """(n_keypoints,) factors that 90 % of the known ones do not exceed, drawn towards that of all keypoints.

    So that 90 % of the errors of *new* frames lie inside, the quantile of n independent points is taken at
    0.9 (n + 1) / n, as in split conformal prediction (Lei et al. 2018, algorithm 2), at 0.95 at most.
    """
    n = known.sum()
    level = min(0.9 * (n + 1) / n, 0.95)
    whole = np.log(np.quantile(factors[known], level))
    own = [factors[known[:, k], k] for k in range(known.shape[1])]
    logs = np.array([np.log(np.quantile(some, level)) if len(some) else whole for some in own])
    weights = known.sum(0) / (known.sum(0) + FIRMNESS)
    return np.exp(weights * logs + (1 - weights) * whole)
