"""When exactly a foot leaves the ground or comes down: where a curve that starts from a resting point fits best.

A foot that leaves with a jerk tells it in every single stride. One that leaves gently, with its speed growing as the
second power of time, moves by less than the noise for some frames, and no single stride can tell; then a dozen strides
together do, each with its own time and resting place and all with one shape (a self-modelling regression: Lawton,
Sylvestre & Maggio 1972, Technometrics 14, 513). Which of the two, and how gently, the data say (Schwarz' information
criterion).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..datasets import Array

SEARCH = 6  # frames around the two-state model's event in which the refined one is looked for
FINE = 8  # candidates per frame
SWING_REACH, LONGEST_REACH = 0.35, 20  # share of a swing, and most frames, on a side that say when an event happened
GROUP = 24  # consecutive strides that may share a shape
ROUNDS = 8
# powers of time with which a foot may leave its place: with a jerk, or gently; one by one, or all strides alike, and
# then along the ground otherwise than upwards
ALONE = ((1, 2), (1, 2, 3), (2, 3), (2, 3, 4))
SHARED = ((1, 2, 3), (2, 3, 4), (3, 4, 5))


class Window(NamedTuple):
    """The frames about one event: time since the rough event in frames, growing into the swing; positions (m, 3)."""

    elapsed: Array
    positions: Array


class Events(NamedTuple):
    """Seconds since the rough events in frames and their standard deviations, and how badly they fit."""

    late: Array
    std: Array
    misfit: float


def refine_events(
    swings: list[tuple[int, int]], standing: NDArray[np.bool_], positions: Array, times: Array, up: Array, leaving: bool
) -> tuple[Array, Array]:
    """Lift-offs (or touch-downs) of the swings (first, last + 1 frames) and their standard deviations, seconds.

    Parameters
    ----------
    standing : (n_frames,) of the two-state model
    positions : (n_frames, 3) as measured; NaN where missing
    times : (n_frames,), seconds
    """
    rough = np.array([times[start if leaving else end] for start, end in swings], dtype=float)
    step, sign = float(np.median(np.diff(times))), 1.0 if leaving else -1.0
    std = np.full(len(swings), np.nan)
    frames = _stride_frames(swings, standing, positions, up)
    for first in range(0, len(swings), GROUP):
        group = range(first, min(first + GROUP, len(swings)))
        windows = []
        for i in group:
            window = _window(swings[i], standing, leaving)
            there = np.flatnonzero(np.isfinite(positions[window]).all(axis=1)) + window.start
            windows.append(Window(sign * (times[there] - rough[i]) / step, positions[there] @ frames[i].T))
        seen = [len(window.elapsed) >= 6 and np.ptp(window.elapsed) > 3 for window in windows]
        whole = [
            ok and window.elapsed[0] <= -4 < 3 <= window.elapsed[-1] for ok, window in zip(seen, windows, strict=True)
        ]
        for chosen in (np.flatnonzero(whole), np.flatnonzero(np.array(seen) & ~np.array(whole))):
            if len(chosen):
                found = _best_fit([windows[k] for k in chosen])
                at = first + chosen
                rough[at] += sign * step * found.late
                std[at] = step * found.std
    return rough, std


def _best_fit(windows: list[Window]) -> Events:
    """The fits of all kinds, each counted by its evidence."""
    fits = [_each_alone(windows, powers) for powers in ALONE]
    if len(windows) >= 4:
        start = min(fits, key=lambda events: events.misfit).late
        fits += [_all_together(windows, along, up, start) for along in SHARED for up in SHARED]
    weights = np.exp(min(events.misfit for events in fits) - np.array([events.misfit for events in fits]))
    weights /= weights.sum()
    late = np.sum([w * events.late for w, events in zip(weights, fits, strict=True)], axis=0)
    square = [w * (events.std**2 + (events.late - late) ** 2) for w, events in zip(weights, fits, strict=True)]
    return Events(late, np.sqrt(np.sum(square, axis=0)), 0.0)


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


def _stride_frames(
    swings: list[tuple[int, int]], standing: NDArray[np.bool_], positions: Array, up: Array
) -> list[Array]:
    """(3, 3) rows per swing: forwards over the stride's length and its mean, sideways, up; so that strides compare."""
    steps = []
    for start, end in swings:
        before, after = positions[max(start - 10, 0) : start], positions[end : end + 10]
        before = before[standing[max(start - 10, 0) : start]]
        after = after[standing[end : end + 10]]
        step = _mean(after) - _mean(before)
        steps.append(step - (step @ up) * up)
    lengths = np.linalg.norm(steps, axis=1) if steps else np.zeros(0)
    usual = np.nanmedian(lengths) if np.isfinite(lengths).any() else 0.0
    frames = []
    for step, length in zip(steps, lengths, strict=True):
        if not length > 0.5 * usual:
            frames.append(np.eye(3))
            continue
        forward = step / length
        frames.append(np.stack([forward * usual / length, np.cross(up, forward), up]))
    return frames


def _mean(points: Array) -> Array:
    points = points[np.isfinite(points).all(axis=1)]
    return points.mean(axis=0) if len(points) else np.full(3, np.nan)


def _candidates(window: Window, about: float = 0.0) -> Array:
    low, high = max(window.elapsed.min() + 1, about - SEARCH), min(window.elapsed.max() - 1, about + SEARCH)
    return np.arange(low, max(high, low) + 0.5 / FINE, 1 / FINE)


def _each_alone(windows: list[Window], powers: tuple[int, ...]) -> Events:
    """Every event by its own curve."""
    late, std, squares, n_values = np.zeros(len(windows)), np.zeros(len(windows)), 0.0, 0
    for i, (elapsed, y) in enumerate(windows):
        candidates = _candidates(windows[i])
        ramp = np.maximum(elapsed - candidates[:, None], 0.0) / len(elapsed)
        design = np.stack([np.ones_like(ramp), *(ramp**power for power in powers)], axis=-1)
        y = y - y.mean(axis=0)
        residual = ((y - design @ (np.linalg.pinv(design, rcond=1e-9) @ y)) ** 2).sum(axis=(1, 2))
        freedom = 3 * (len(elapsed) - len(powers) - 1) - 1
        late[i], std[i] = _peak(candidates, residual, freedom)
        squares, n_values = squares + float(residual.min()), n_values + y.size
    return Events(late, std, _information(squares, n_values, (3 * len(powers) + 4) * len(windows)))


def _all_together(windows: list[Window], along: tuple[int, ...], up: tuple[int, ...], late: Array) -> Events:
    """All events by one curve: by turns its shape with a shift of all events, and each event's own time."""
    elapsed, values, there = _padded(windows)
    n, freedom = len(windows), 3 * int(there.sum()) - 4 * len(windows) - 3 * len(along)
    late, std, shift_std = np.clip(late, -SEARCH, SEARCH), np.zeros(n), 0.0
    for turn in range(ROUNDS):
        before = late
        shifts = np.arange(-2 * FINE, 2 * FINE + 1) / FINE * (1.0 if turn < 2 else 0.5)
        fits = [_shape(elapsed - late[:, None] - shift, values, there, along, up) for shift in shifts]
        squares = np.array([fit[0] for fit in fits])
        shift, shift_std = _peak(shifts, squares, freedom)
        curves = fits[int(np.argmin(squares))][1]
        noise = max(float(squares.min()) / max(freedom, 1), 1e-300)
        around = late[:, None] + shift + np.arange(-2 * FINE, 2 * FINE + 1) / FINE
        residual = (
            (values[:, None] - _curve(elapsed[:, None] - around[..., None], there[:, None], curves)) ** 2
        ) * there[:, None, :, None]
        residual = residual.sum(axis=(2, 3))
        peaks = [_peak(candidates, row, row.min() / noise) for candidates, row in zip(around, residual, strict=True)]
        late, std = np.array(peaks).T
        if turn > 1 and np.abs(late - before).max() < 1.5 / FINE:
            break
    squares = _shape(elapsed - late[:, None], values, there, along, up)[0]
    return Events(late, np.hypot(std, shift_std), _information(squares, 3 * int(there.sum()), 4 * n + 3 * len(along)))


def _padded(windows: list[Window]) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Elapsed (n, m), positions about each window's mean (n, m, 3), and which are there."""
    longest = max(len(window.elapsed) for window in windows)
    elapsed, values = np.zeros((len(windows), longest)), np.zeros((len(windows), longest, 3))
    there = np.zeros((len(windows), longest), dtype=bool)
    for i, window in enumerate(windows):
        m = len(window.elapsed)
        elapsed[i, :m], values[i, :m], there[i, :m] = (
            window.elapsed,
            window.positions - window.positions.mean(axis=0),
            True,
        )
    return elapsed, values, there


def _shape(elapsed: Array, values: Array, there: NDArray[np.bool_], along: tuple, up: tuple) -> tuple[float, list]:
    """Squared error of the best common curve, and its powers and coefficients along the ground and upwards."""
    total, curves = 0.0, []
    for powers, axes in ((along, slice(0, 2)), (up, slice(2, 3))):
        design = _powers(elapsed, there, powers)[there]
        y = values[..., axes][there]
        normal = design.T @ design
        shape = np.linalg.solve(normal + 1e-12 * np.trace(normal) * np.eye(len(powers)), design.T @ y)
        total += float(((y - design @ shape) ** 2).sum())
        curves.append((powers, shape))
    return total, curves


def _curve(elapsed: Array, there: NDArray[np.bool_], curves: list) -> Array:
    return np.concatenate([_powers(elapsed, there, powers) @ shape for powers, shape in curves], axis=-1)


def _powers(elapsed: Array, there: NDArray[np.bool_], powers: tuple[int, ...]) -> Array:
    """Powers of the time since the event, (..., m, n_powers), about their mean over each window."""
    ramp = np.where(there, np.maximum(elapsed, 0.0) / LONGEST_REACH, 0.0)
    first = ramp ** powers[0]
    columns = [first]
    for _ in powers[1:]:
        columns.append(columns[-1] * ramp)
    stacked = np.stack(columns, axis=-1)
    return stacked - stacked.sum(axis=-2, keepdims=True) / there.sum(axis=-1)[..., None, None]


def _peak(candidates: Array, residual: Array, freedom: float) -> tuple[float, float]:
    """The candidate of least squared error and its standard deviation, from how sharply the error tells it."""
    least = max(float(residual.min()), 1e-300)
    odds = np.exp(-0.5 * (residual - least) * max(freedom, 1) / least)
    mean = odds @ candidates / odds.sum()
    variance = odds @ (candidates - mean) ** 2 / odds.sum() + 1 / (12 * FINE**2)
    return float(candidates[np.argmin(residual)]), float(np.sqrt(variance))


def _information(squares: float, n_values: int, n_parameters: int) -> float:
    """Schwarz' information criterion, halved, of least squares with unknown noise."""
    return 0.5 * n_values * np.log(max(squares, 1e-300) / n_values) + 0.5 * n_parameters * np.log(n_values)
