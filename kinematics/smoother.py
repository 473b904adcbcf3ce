"""Position, velocity, acceleration and jerk of noisy positions: a Kalman smoother that tunes itself by its evidence.

Each coordinate of each keypoint is an integrated Wiener process (its highest derivative does a random walk) seen in
white noise. The two unknowns, how freely it moves and how noisy it is, are those under which the recording is most
probable (Kitagawa & Gersch 1984, J. Am. Stat. Assoc. 79, 378): nothing is set by hand, and the answer has error bars.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..datasets import Array
from ._kernels_smoother import filter_series, smooth_series
from .parallel import over_items

ORDER = 3  # position, velocity and a random walk of the acceleration
TUNING_FRAMES = 20_000  # frames that speak for a series' evidence; a longer one is heard in evenly spaced blocks
TUNING_BLOCK = 2_500
LOG_RATIO = (-14.0, 6.0)  # decades searched for the density, in units of noise variance and usual step


class SmoothedMotion(NamedTuple):
    """States (order, n_frames, n_keypoints, 3) — position and its derivatives by seconds — and their variances."""

    states: Array
    variances: Array
    noise: Array  # (n_keypoints, 3) standard deviation of the measurements, world units
    density: (
        Array  # (n_keypoints, 3) spectral density of the highest derivative's noise, world unit^2 / s^(2 order − 1)
    )


def smooth_motion(
    points_3d: Array, times: Array, *, relative_variance: Array | None = None, order: int = ORDER
) -> SmoothedMotion:
    """Smooth every coordinate of every keypoint with the noise and the freedom that make the recording most probable.

    Parameters
    ----------
    points_3d : (n_frames, n_keypoints, 3), world units; NaN where missing
    times : (n_frames,), seconds, increasing, not necessarily evenly
    relative_variance : (n_frames, n_keypoints), how noisy each point is compared with the others; None: all the same
    order : number of states; 3: position, velocity, acceleration; 4 adds jerk

    Returns
    -------
    states and variances, NaN before a keypoint's first and after its last observation and where it has too few
    (2 order + 2); inside gaps they are the smoother's interpolation, whose variance grows with the gap
    """
    n_frames, n_keypoints = points_3d.shape[:2]
    step = float(np.median(np.diff(times))) if n_frames > 1 else 1.0
    steps = np.concatenate([[0.0], np.diff(times)]) / step
    states = np.full((order, n_frames, n_keypoints, 3), np.nan)
    variances = np.full_like(states, np.nan)
    noise, density = np.full((2, n_keypoints, 3), np.nan)
    scales = step ** -np.arange(order)

    def smooth_one(place: tuple[int, int]) -> None:
        k, c = place
        y = np.where(np.isfinite(points_3d[:, k]).all(axis=-1), points_3d[:, k, c], np.nan)
        relative = np.ones(n_frames) if relative_variance is None else _relative(relative_variance[:, k])
        y = np.where(np.isfinite(relative), y, np.nan)
        seen = np.flatnonzero(np.isfinite(y))
        if len(seen) < 2 * order + 2:
            return
        span = slice(seen[0], seen[-1] + 1)
        x, v, sigma, ratio = _smooth_series(y[span], steps[span], relative[span], order)
        states[:, span, k, c] = x.T * scales[:, None]
        variances[:, span, k, c] = v.T * scales[:, None] ** 2
        noise[k, c], density[k, c] = sigma, ratio * sigma**2 / step ** (2 * order - 1)

    over_items(smooth_one, [(k, c) for k in range(n_keypoints) for c in range(3)])
    return SmoothedMotion(states, variances, noise, density)


def _relative(variance: Array) -> Array:
    """Variances over their median; a missing or zero one gives no observation."""
    known = np.where(np.isfinite(variance) & (variance > 0), variance, np.nan)
    middle = np.nanmedian(known) if np.isfinite(known).any() else np.nan
    return known / middle


def _smooth_series(y: Array, steps: Array, relative: Array, order: int) -> tuple[Array, Array, float, float]:
    """States (n, order) and variances of one series in units of its usual step; noise std; tuned ratio."""
    n, centre = len(y), np.nanmedian(y)
    y = y - centre
    scale = max(float(np.nanmax(np.abs(y))), np.finfo(float).tiny)
    ratio, sigma = tune(y / scale, steps, relative, order)
    sigma *= scale
    innovations, variances = np.empty((2, n))
    means, covariances = np.empty((n, order)), np.empty((n, order, order))
    unit = y / sigma if sigma > 0 else y
    filter_series(unit, steps, relative, ratio, order, innovations, variances, means, covariances)
    states, state_variances = np.empty((n, order)), np.empty((n, order))
    smooth_series(steps, ratio, order, innovations, variances, means, covariances, states, state_variances)
    if sigma > 0:
        states, state_variances = states * sigma, state_variances * sigma**2
    states[:, 0] += centre
    return states, np.maximum(state_variances, 0.0), sigma, ratio


def tune(y: Array, steps: Array, relative: Array, order: int) -> tuple[float, float]:
    """The ratio (density over noise variance, in usual steps) of greatest evidence, and the noise std under it."""
    blocks = _blocks(len(y))

    def evidence(log_ratio: float) -> tuple[float, float]:
        squares = logs = count = 0.0
        for block in blocks:
            n = block.stop - block.start
            scratch = np.empty(n), np.empty(n), np.empty((0, order)), np.empty((0, order, order))
            s, l, m = filter_series(y[block], steps[block], relative[block], 10.0**log_ratio, order, *scratch)
            squares, logs, count = squares + s, logs + l, count + m
        if count == 0 or squares <= 0:
            return -np.inf, 0.0
        variance = squares / count
        return -0.5 * (count * np.log(variance) + logs), np.sqrt(variance)

    best = _maximise(lambda log_ratio: evidence(log_ratio)[0], *LOG_RATIO)
    return 10.0**best, evidence(best)[1]


def _blocks(n: int) -> list[slice]:
    if n <= TUNING_FRAMES:
        return [slice(0, n)]
    starts = np.linspace(0, n - TUNING_BLOCK, TUNING_FRAMES // TUNING_BLOCK).astype(int)
    return [slice(int(start), int(start) + TUNING_BLOCK) for start in starts]


def _maximise(function, low: float, high: float, coarse: float = 1.0, fine: float = 0.01) -> float:
    """Highest point of a function of one number: a coarse scan, then golden sections about its best."""
    grid = np.arange(low, high + coarse / 2, coarse)
    values = [function(x) for x in grid]
    best = int(np.argmax(values))
    a, b = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    golden = (np.sqrt(5) - 1) / 2
    c, d = b - golden * (b - a), a + golden * (b - a)
    fc, fd = function(c), function(d)
    while b - a > fine:
        if fc >= fd:
            b, d, fd = d, c, fc
            c = b - golden * (b - a)
            fc = function(c)
        else:
            a, c, fc = c, d, fd
            d = a + golden * (b - a)
            fd = function(d)
    return float((a + b) / 2)
