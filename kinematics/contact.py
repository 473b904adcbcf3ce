"""When each foot stands and when it swings: a two-state model of its speed and height, then each event to the frame."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..datasets import Array
from ._kernels_contact import forward_backward

ITERATIONS = 40
MOVED = 5.0  # a swing carries the foot at least so many times the noise of its position; below, it was noise
SEARCH = 6  # frames around the two-state model's event in which the refined one is looked for
SWING_REACH, LONGEST_REACH = 0.35, 20  # share of a swing, and most frames, on a side that say when an event happened
ONSETS = (
    (1, 2),
    (1, 2, 3),
    (2, 3),
    (2, 3, 4),
)  # powers of time with which a foot may leave its place: with a jerk, or gently


class Contact(NamedTuple):
    """Of one foot: probability of stance (n_frames,), and its swings as (n_swings,) lift-offs and touch-downs, seconds.

    The events' standard deviations come from how sharply the positions tell them.
    """

    probability: Array
    lift_off: Array
    touch_down: Array
    lift_off_std: Array
    touch_down_std: Array


def find_contact(positions: Array, velocities: Array, times: Array, up: Array, noise: float) -> Contact:
    """Stance and swing of one foot.

    Parameters
    ----------
    positions : (n_frames, 3) as measured, relative to the surface the foot stands on; NaN where missing
    velocities : (n_frames, 3) smooth, relative to the surface
    times : (n_frames,), seconds
    up : (3,) unit vector against gravity
    noise : standard deviation of the positions, world units: no other scale is set by hand
    """
    features = _features(positions, velocities, up)
    probability = stance_probability(features)
    path = np.cumsum(np.nan_to_num(velocities) * np.gradient(times)[:, None], axis=0)
    swings = _swings(probability, path, noise)
    standing = probability >= 0.5
    off, off_std = _refine(swings, standing, positions, times, leaving=True)
    down, down_std = _refine(swings, standing, positions, times, leaving=False)
    probability[np.isnan(features).any(axis=1)] = np.nan
    return Contact(probability, off, down, off_std, down_std)


def stance_probability(features: Array) -> Array:
    """Probability of stance at every frame under a hidden Markov model with two Gaussian states, fitted by EM.

    Parameters
    ----------
    features : (n_frames, 2) log speed and height over its range; NaN where missing: such frames say nothing

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
    stay = np.array([0.95, 0.95])
    last = -np.inf
    for _ in range(ITERATIONS):
        log_likelihood = np.zeros((len(features), 2))
        for state, weight in enumerate((there - weights, weights)):
            log_likelihood[there, state] = _log_gaussian(seen, weight[there])
        counts, evidence = forward_backward(log_likelihood, stay, weights)
        stay = np.clip(counts[:, 0] / np.maximum(counts[:, 1], 1e-9), 0.5, 0.999)
        probability, weights = weights.copy(), weights * there
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
    swinging = probability < 0.5
    edges = np.flatnonzero(np.diff(np.concatenate([[False], swinging, [False]]).astype(np.int8)))
    swings: list[tuple[int, int]] = []
    for start, end in edges.reshape(-1, 2):
        own = path[max(start - 1, 0) : end + 1]
        moved = np.linalg.norm(own - own[0], axis=1).max()
        if start > 0 and end < len(path) and moved > MOVED * noise:
            swings.append((int(start), int(end)))
    return swings


def _refine(
    swings: list[tuple[int, int]], standing: NDArray[np.bool_], positions: Array, times: Array, *, leaving: bool
) -> tuple[Array, Array]:
    """Each event where a resting point and a curve that starts from it fit the positions best; seconds and std.

    A foot may leave with a jerk or gently; whichever fits the foot's events better as a whole is taken for all.
    """
    rough = [start if leaving else end for start, end in swings]
    windows = [_window(swing, standing, leaving) for swing in swings]
    fits = []
    for powers in ONSETS:
        found = [
            _turning_point(positions[window], times[window], float(times[at]), leaving, powers)
            for window, at in zip(windows, rough, strict=True)
        ]
        fits.append((np.nansum([misfit for *_, misfit in found]), found))
    best = min(fits, key=lambda fit: fit[0])[1]
    return np.array([time for time, *_ in best]), np.array([std for _, std, _ in best])


def _window(swing: tuple[int, int], standing: NDArray[np.bool_], leaving: bool) -> slice:
    """The frames that say when a swing's lift-off or touch-down was: part of the swing, half the stance beside it."""
    (start, end), n_frames = swing, len(standing)
    inside = int(np.clip(SWING_REACH * (end - start), 4, LONGEST_REACH))
    if leaving:
        others = np.flatnonzero(~standing[:start])
        before = others[-1] + 1 if len(others) else 0
        return slice(max(start - LONGEST_REACH, (before + start) // 2), min(start + inside + 1, n_frames))
    others = np.flatnonzero(~standing[end:])
    after = end + others[0] if len(others) else n_frames
    return slice(max(end - inside - 1, 0), min(end + LONGEST_REACH, (end + after) // 2 + 1))


def _turning_point(
    positions: Array, times: Array, near: float, leaving: bool, powers: tuple[int, ...]
) -> tuple[float, float, float]:
    """Time at which a point at rest starts to move along a curve (or, reversed, comes to rest), std and misfit."""
    there = np.isfinite(positions).all(axis=1)
    if there.sum() < 6:
        return near, np.nan, np.nan
    y, t = positions[there] - positions[there].mean(axis=0), times[there]
    step = np.median(np.diff(t))
    candidates = np.arange(max(t[1], near - SEARCH * step), min(t[-2], near + SEARCH * step), step / 8)
    if len(candidates) < 3:
        return near, np.nan, np.nan
    ramp = np.maximum((t - candidates[:, None]) * (1 if leaving else -1) / step, 0.0) / len(t)
    design = np.stack([np.ones_like(ramp), *(ramp**power for power in powers)], axis=-1)
    projection = design @ np.linalg.pinv(design, rcond=1e-9)
    residual = ((y - projection @ y) ** 2).sum(axis=(1, 2))
    best = int(np.argmin(residual))
    freedom = max(3 * (len(t) - len(powers) - 1) - 1, 1)
    least = max(float(residual[best]), 1e-300)
    odds = np.exp(-0.5 * (residual - least) * freedom / least)
    mean = odds @ candidates / odds.sum()
    std = np.sqrt(odds @ (candidates - mean) ** 2 / odds.sum() + (step / 8) ** 2 / 12)
    misfit = 1.5 * len(t) * np.log(least) + 1.5 * len(powers) * np.log(len(t))  # Bayesian information, halved
    return float(candidates[best]), float(std), float(misfit)
