"""Calibrate confidence and covariance on frames that the network was not trained on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import chdtri

from ...datasets import Array
from .engine import Found

STUDENT_DOF = 4.0  # degrees of freedom of the errors: tails of gross errors (Lange 1989)
# mean of the Gaussian prior on the weights by which the logarithm of the variance depends on 1, the evidence
# (log-odds), the log of the width and the log of the predicted std: stronger evidence and narrower peaks mean smaller
# errors (from two splits of the open field)
VARIANCE_PRIOR = np.array([0.0, -0.5, 1.5, 0.0])
# weight of the priors in labelled points. Of the weights' prior it matters little: from 6 to 600, 90 % ellipses hold
# 0.916 to 0.927 of the open field's test points (small network, calibrated on one half of them, tested on the other)
FIRMNESS = 60.0


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Calibration of predicted probabilities and covariances on held-out frames.

    Parameters
    ----------
    radius : pixels; confidence is the probability that a point lies within this distance of the truth
    confidence_weights : (3,) of the logistic regression on 1, log-odds of the peak's mass, log of the predicted std
    variance_weights : (4,) of the log-linear scaling of the covariance on 1, the peak's evidence, log of its width
        (pixels) and log of the predicted std
    temperature : (n_keypoints,) factor of each keypoint's covariance
    n_held_out : labelled points behind it; 0: not calibrated, predictions are passed on
    """

    radius: float
    confidence_weights: Array
    variance_weights: Array
    temperature: Array
    n_held_out: int = 0

    def confidence(self, found: Found) -> Array:
        """(..., n_keypoints) probability of being within `radius`."""
        return 1 / (1 + np.exp(-np.clip(_hit_features(found) @ self.confidence_weights, -30, 30)))

    def scale(self, found: Found) -> Array:
        """(..., n_keypoints) factor by which the predicted covariance is to be multiplied."""
        return self.temperature * np.exp(np.clip(_size_features(found) @ self.variance_weights, -8, 8))

    def as_dict(self) -> dict:
        """All fields as plain numbers and lists."""
        return {name: np.asarray(value).tolist() for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict) -> Uncertainty:
        """What `as_dict` gave."""
        fields: dict[str, Any] = {n: np.array(v, float) if isinstance(v, list) else v for n, v in values.items()}
        return cls(**fields)


def uncalibrated(n_keypoints: int, radius: float) -> Uncertainty:
    """Confidence is the peak's probability mass, the covariance is as predicted."""
    return Uncertainty(radius, np.array([0.0, 1.0, 0.0]), np.zeros(4), np.ones(n_keypoints))


def fit_uncertainty(errors: Array, found: Found, radius: float) -> Uncertainty:
    """Calibrate on frames that were not trained on.

    Parameters
    ----------
    errors : (n, n_keypoints, 2) predicted minus labelled, pixels; NaN where not labelled
    found : predictions on the same frames, shapes (n, n_keypoints, ...)
    radius : distance that confidence refers to, pixels

    The covariance is scaled by a log-linear function of what was seen at the peak, fitted to a bivariate Student t (so
    that far false peaks do not inflate every ellipse) and drawn towards `VARIANCE_PRIOR`; then one temperature per
    keypoint, drawn towards the common one where labels are few, makes 90 % ellipses hold 90 %. With fewer than 20
    labelled points only predictions are passed on.
    """
    n_keypoints = errors.shape[1]
    known = np.asarray(np.isfinite(errors).all(-1))
    if known.sum() < 20:
        return uncalibrated(n_keypoints, radius)
    precision = np.linalg.inv(found.covariances)
    distance2 = np.einsum("...i,...ij,...j", np.nan_to_num(errors), precision, np.nan_to_num(errors))
    hit = (np.linalg.norm(errors, axis=-1) < radius)[known]
    confidence_weights = _fit_logistic(_hit_features(found)[known], hit)
    sizes = _size_features(found)
    variance_weights = _fit_log_variance(sizes[known], distance2[known])
    scaled = distance2 / np.exp(np.clip(sizes @ variance_weights, -8, 8))
    temperature = _temperatures(scaled, known)
    return Uncertainty(radius, confidence_weights, variance_weights, temperature, int(known.sum()))


def _hit_features(found: Found) -> Array:
    """(..., 3): 1, log-odds of the mass, log of the predicted standard deviation (pixels)."""
    mass = np.clip(found.mass, 1e-4, 1 - 1e-4)
    return np.stack([np.ones_like(mass), np.log(mass / (1 - mass)), _log_std(found)], -1)


def _size_features(found: Found) -> Array:
    """(..., 4): 1, evidence, log of the width, log of the predicted standard deviation (pixels)."""
    log_width = np.log(np.clip(found.width, 1e-2, None))
    return np.stack([np.ones_like(log_width), found.evidence, log_width, _log_std(found)], -1)


def _log_std(found: Found) -> Array:
    return np.log(np.clip(np.linalg.det(found.covariances), 1e-12, None)) / 4


def _fit_logistic(features: Array, hit: NDArray[np.bool_]) -> Array:
    """Logistic regression with a weak prior around 'the mass is the probability' (Platt 1999's smoothed targets)."""
    prior = np.array([0.0, 1.0, 0.0])
    target = np.where(hit, (hit.sum() + 1) / (hit.sum() + 2), 1 / ((~hit).sum() + 2))

    def cost(weights):
        z = features @ weights
        loss = np.logaddexp(0, z) - target * z
        gradient = features.T @ (1 / (1 + np.exp(-z)) - target) + (weights - prior) * [0.1, 1, 1]
        return loss.sum() + 0.5 * ((weights - prior) ** 2 * [0.1, 1, 1]).sum(), gradient

    return minimize(cost, prior, jac=True, method="L-BFGS-B").x


def _fit_log_variance(features: Array, distance2: Array) -> Array:
    """Weights w of log scale = features w: the mode of a Student t's likelihood of squared distances `distance2` and of
    a normal prior, which is as firm for each feature as `FIRMNESS` frames' spread of it."""
    dof = STUDENT_DOF
    firmness = np.append(0.0, FIRMNESS * np.clip(features[:, 1:].var(0), 1e-3, None))

    def cost(weights):
        z = np.clip(features @ weights, -8, 8)
        ratio = distance2 * np.exp(-z)
        loss = z + 0.5 * (dof + 2) * np.log1p(ratio / dof)
        slope = 1 - 0.5 * (dof + 2) * ratio / (dof + ratio)
        away = weights - VARIANCE_PRIOR
        return loss.sum() + 0.5 * (firmness * away**2).sum(), features.T @ slope + firmness * away

    return minimize(cost, VARIANCE_PRIOR, jac=True, method="L-BFGS-B").x


def _temperatures(distance2: Array, known: NDArray[np.bool_]) -> Array:
    """(n_keypoints,) factors that bring the 90 % quantile of squared distances to that of chi squared with 2 dof.

    So that 90 % of the errors of *new* frames lie inside, the quantile of n frames is taken at 0.9 (n + 1) / n, as in
    split conformal prediction (Lei et al. 2018, algorithm 2), at 0.95 at most. Frames count, not points: the errors of
    one frame go together.
    """
    n_frames = max(int(known.any(1).sum()), 1)
    level = min(0.9 * (n_frames + 1) / n_frames, 0.95)
    whole = max(float(np.quantile(distance2[known], level)), 1e-6)
    temperatures = []
    for k in range(known.shape[1]):
        own = distance2[known[:, k], k]
        quantile = max(float(np.quantile(own, level)), 1e-6) if len(own) else whole
        weight = len(own) / (len(own) + FIRMNESS)
        temperatures.append(np.exp(weight * np.log(quantile) + (1 - weight) * np.log(whole)))
    return np.array(temperatures) / chdtri(2, 0.1)
