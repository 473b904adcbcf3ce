"""What confidence and covariance mean, measured on frames the network has not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import chi2

from ..datasets import Array


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Turns what the network claims into probabilities and covariances that held.

    Parameters
    ----------
    radius : pixels; confidence is the probability that a point lies within this distance of the truth
    confidence_weights : (3,) of the logistic regression on 1, log-odds of the peak's mass, log of the claimed std
    variance_weights : (3,) of the log-linear scaling of the covariance on 1, log-odds of the mass, log of the std
    temperature : (n_keypoints,) factor of each keypoint's covariance
    n_held_out : labelled points behind it; 0: not calibrated, the claims are passed on
    """

    radius: float
    confidence_weights: Array
    variance_weights: Array
    temperature: Array
    n_held_out: int = 0

    def confidence(self, mass: Array, std: Array) -> Array:
        """Probability of being within `radius`; shapes (..., n_keypoints); `std` in pixels."""
        return 1 / (1 + np.exp(-np.clip(_features(mass, std) @ self.confidence_weights, -30, 30)))

    def scale(self, mass: Array, std: Array) -> Array:
        """(..., n_keypoints) factor by which the claimed covariance is to be multiplied."""
        return self.temperature * np.exp(np.clip(_features(mass, std) @ self.variance_weights, -8, 8))

    def as_dict(self) -> dict:
        return {
            "radius": self.radius,
            "confidence_weights": [float(v) for v in self.confidence_weights],
            "variance_weights": [float(v) for v in self.variance_weights],
            "temperature": [float(v) for v in self.temperature],
            "n_held_out": self.n_held_out,
        }

    @classmethod
    def from_dict(cls, values: dict) -> Uncertainty:
        return cls(
            float(values["radius"]),
            np.array(values["confidence_weights"], float),
            np.array(values["variance_weights"], float),
            np.array(values["temperature"], float),
            int(values["n_held_out"]),
        )


def uncalibrated(n_keypoints: int, radius: float) -> Uncertainty:
    """Confidence is the peak's probability mass, the covariance is as claimed."""
    return Uncertainty(radius, np.array([0.0, 1.0, 0.0]), np.zeros(3), np.ones(n_keypoints))


def fit_uncertainty(errors: Array, mass: Array, covariances: Array, radius: float) -> Uncertainty:
    """Calibrate on frames that were not trained on.

    Parameters
    ----------
    errors : (n, n_keypoints, 2) predicted minus labelled, pixels; NaN where not labelled
    mass : (n, n_keypoints) probability around the peak, as the network says
    covariances : (n, n_keypoints, 2, 2) as the network claims, pixels squared
    radius : distance that confidence refers to, pixels

    The covariance's logarithm is a regularised linear function of the claims, fitted to a bivariate Student t (so that
    far false peaks do not inflate every ellipse), then one temperature per keypoint, drawn towards the common one where
    labels are few, makes 90 % ellipses hold 90 %. With fewer than 20 labelled points only the claims are passed on.
    """
    n_keypoints = errors.shape[1]
    known = np.asarray(np.isfinite(errors).all(-1))
    if known.sum() < 20:
        return uncalibrated(n_keypoints, radius)
    std = np.sqrt(np.sqrt(np.clip(np.linalg.det(covariances), 1e-12, None)))
    features = _features(mass, std)[known]
    distance2 = np.einsum("...i,...ij,...j", np.nan_to_num(errors), np.linalg.inv(covariances), np.nan_to_num(errors))
    hit = (np.linalg.norm(errors, axis=-1) < radius)[known]
    confidence_weights = _fit_logistic(features, hit)
    variance_weights = _fit_log_variance(features, distance2[known])
    scaled = distance2 / np.exp(np.clip(_features(mass, std) @ variance_weights, -8, 8))
    temperature = _temperatures(scaled, known)
    return Uncertainty(radius, confidence_weights, variance_weights, temperature, int(known.sum()))


def _features(mass: Array, std: Array) -> Array:
    """(..., 3): 1, log-odds of the mass, log of the claimed standard deviation (pixels)."""
    mass = np.clip(mass, 1e-4, 1 - 1e-4)
    return np.stack([np.ones_like(mass), np.log(mass / (1 - mass)), np.log(np.clip(std, 1e-3, None))], -1)


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


def _fit_log_variance(features: Array, distance2: Array, dof: float = 4.0) -> Array:
    """Weights w of log scale = features w, by maximum likelihood of a Student t with squared distances `distance2`."""

    def cost(weights):
        z = np.clip(features @ weights, -8, 8)
        ratio = distance2 * np.exp(-z)
        loss = z + 0.5 * (dof + 2) * np.log1p(ratio / dof)
        slope = 1 - 0.5 * (dof + 2) * ratio / (dof + ratio)
        penalty = weights * [0.0, 2.0, 2.0]
        return loss.sum() + 0.5 * (weights * penalty).sum(), features.T @ slope + penalty

    return minimize(cost, np.zeros(3), jac=True, method="L-BFGS-B").x


def _temperatures(distance2: Array, known: NDArray[np.bool_], strength: float = 20.0) -> Array:
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
        weight = len(own) / (len(own) + strength)
        temperatures.append(np.exp(weight * np.log(quantile) + (1 - weight) * np.log(whole)))
    return np.array(temperatures) / chi2.ppf(0.9, 2)
