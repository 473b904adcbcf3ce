"""Stance and swing of each foot: a two-state hidden Markov model of its speed and height, then refined events."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...datasets import Array
from ...numerics.hidden_markov import forward_backward
from ...numerics.runs import runs_of
from ...timeseries.sampling import frame_interval
from .event_times import Foot, refine_events

ITERATIONS = 40  # of EM at most: it ends where the evidence changes by less than 1e-4 of itself
MOVED = 5.0  # a swing carries the foot at least so many times the noise of its position; below, it was noise
# seconds that a stance or a swing lasts on average: the first guess, and the longest that the fit may find; the
# shortest is two frames
USUAL_PHASE, LONGEST_PHASE = 1 / 6, 8.0


class Contact(NamedTuple):
    """Of one foot: probability of stance (n_frames,), and its swings as (n_swings,) lift-offs and touch-downs, seconds.

    The events' standard deviations come from the curvature of the squared error of the positions.
    """

    probability: Array
    lift_off: Array
    touch_down: Array
    lift_off_std: Array
    touch_down_std: Array


def find_contacts(
    positions: list[Array], velocities: list[Array], times: Array, up: Array, noise: list[float]
) -> list[Contact]:
    """Stance and swing of each foot of an animal, a list of `Contact`.

    Parameters
    ----------
    positions : of each foot (n_frames, 3) as measured, relative to the surface it stands on; NaN where missing
    velocities : likewise, smooth, relative to the surface
    times : (n_frames,), seconds
    up : (3,) unit vector against gravity
    noise : of each foot the standard deviation of the positions, world units: no other scale is set by hand
    """
    feet, probabilities = [], []
    for own, moving, sigma in zip(positions, velocities, noise, strict=True):
        features = _features(own, moving, up)
        probability = stance_probability(features, frame_interval(times))
        path = np.cumsum(np.nan_to_num(moving) * np.gradient(times)[:, None], axis=0)
        feet.append(Foot(_swings(probability, path, sigma), probability >= 0.5, own))
        probabilities.append(np.where(np.isnan(features).any(axis=1), np.nan, probability))
    off = refine_events(feet, times, up, leaving=True)
    down = refine_events(feet, times, up, leaving=False)
    return [
        Contact(probability, lift, land, lift_std, land_std)
        for probability, (lift, lift_std), (land, land_std) in zip(probabilities, off, down, strict=True)
    ]


def stance_probability(features: Array, interval: float) -> Array:
    """Probability of stance at every frame under a hidden Markov model with two Gaussian states, fitted by EM.

    Parameters
    ----------
    features : (n_frames, 2) log speed and height over its range; NaN where missing: such frames do not count
    interval : seconds between frames

    Returns
    -------
    (n_frames,); stance is the state that is slower and lower

    Notes
    -----
    Rabiner 1989, Proc. IEEE 77, 257.
    """
    there = np.isfinite(features).all(axis=1)
    if there.sum() < 4:
        return np.full(len(features), np.nan)
    seen = features[there]
    score = (seen - seen.mean(axis=0)) / np.maximum(seen.std(axis=0), 1e-12)
    slow = score.sum(axis=1) < np.median(score.sum(axis=1))
    weights = np.zeros(len(features))
    weights[there] = np.where(slow, 0.9, 0.1)
    stay = np.full(2, max(0.5, 1 - interval / USUAL_PHASE))
    last = -np.inf
    for _ in range(ITERATIONS):
        log_likelihood = np.zeros((len(features), 2))
        for state, weight in enumerate((there - weights, weights)):
            log_likelihood[there, state] = _log_gaussian(seen, weight[there])
        transitions = np.array([[stay[0], 1 - stay[0]], [1 - stay[1], stay[1]]])
        probabilities, counts, evidence = forward_backward(log_likelihood, np.full(2, 0.5), transitions)
        stay = np.diag(counts) / np.maximum(counts.sum(axis=1), 1e-9)
        stay = np.clip(stay, 0.5, max(0.5, 1 - interval / LONGEST_PHASE))
        probability, weights = probabilities[:, 1], probabilities[:, 1] * there
        if abs(evidence - last) < 1e-4 * max(1.0, abs(evidence)):
            break
        last = evidence
    return probability


def _log_gaussian(values: Array, weights: Array) -> Array:
    """Log density of each value under the weighted Gaussian of all (full covariance, floored)."""
    total = max(float(weights.sum()), 1e-9)
    mean = weights @ values / total
    centred = values - mean
    covariance = (centred * weights[:, None]).T @ centred / total + 1e-4 * np.diag(values.var(axis=0) + 1e-12)
    solved = np.linalg.solve(covariance, centred.T).T
    return -0.5 * (centred * solved).sum(axis=1) - 0.5 * np.linalg.slogdet(covariance)[1]


def _features(positions: Array, velocities: Array, up: Array) -> Array:
    speed = np.linalg.norm(velocities, axis=1)
    floor = 1e-3 * np.nanmax(speed, initial=0.0) + 1e-12
    height = positions @ up
    known = height[np.isfinite(height)]
    extent = np.ptp(np.percentile(known, [2, 98])) if len(known) else 1.0
    with np.errstate(invalid="ignore"):
        return np.stack([np.log(np.maximum(speed, floor)), height / max(extent, 1e-12)], axis=1)


def _swings(probability: Array, path: Array, noise: float) -> list[tuple[int, int]]:
    """(first, last + 1) frames of each swing that stands between two stances and goes somewhere on the smooth path."""
    swings: list[tuple[int, int]] = []
    for run in runs_of(probability < 0.5):
        start, end = run.start, run.stop
        own = path[max(start - 1, 0) : end + 1]
        moved = np.linalg.norm(own - own[0], axis=1).max()
        if start > 0 and end < len(path) and moved > MOVED * noise:
            swings.append((start, end))
    return swings
