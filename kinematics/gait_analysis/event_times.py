"""Refine lift-off and touch-down of a foot: where a curve that starts from a resting point fits its positions best.

Where a foot leaves with a speed, one stride determines the event. Where its speed grows with the second power of time
it moves by less than the noise for some frames; then a dozen strides together determine the events, each with its own
time and resting place and all with one shape (a self-modelling regression: Lawton, Sylvestre & Maggio 1972,
Technometrics 14, 513). Schwarz' information criterion weighs the kinds of curve.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...datasets import Array
from ...timeseries.sampling import frame_interval
from ..angles.segment_frames import horizontal_axes

SEARCH = 0.05  # seconds around the two-state model's event in which the refined one is looked for, at least 2 frames
FINE = 8  # candidates per frame: their spacing adds 0.04 frames to a standard deviation
SWING_SHARE, REACH = 0.35, 1 / 6  # of a swing, and seconds at most, on either side that an event is fitted to
STANDING = 1 / 12  # seconds of stance beside a swing whose mean is the foot's place
FEWEST_SIDE = 4  # frames of the swing that a fit needs: as many as a curve has coefficients
FEWEST, GROUP = 4, 24  # consecutive strides that may share a shape
ROUNDS = 8  # of shape and times by turns, at most: they end where no event moves by 1.5 candidates
RAMP = 20.0  # frames: the unit of time whose powers are taken, which keeps them near 1
VIGOUR = 0.1  # relative standard deviation between the amplitudes of one foot's strides
TEMPERING = 3.0  # divides a kind's log evidence, since strides differ in more ways than the curves model
PROMISING = 50.0  # log evidence by which a kind's quick fit may fall behind the best and still be refined
# powers of time with which a foot may leave its place, one event alone, or all strides alike (along the ground and
# upwards may differ); the first is with a speed, the others more gently
ALONE = ((1, 2), (1, 2, 3), (2, 3), (2, 3, 4))
SHARED = ((1, 2, 3), (2, 3, 4), (3, 4, 5))  # exponents of the curves that all events of a foot share


class Extent(NamedTuple):
    """Times above in whole frames of a recording."""

    search: int
    reach: int
    standing: int


def extent_of(interval: float) -> Extent:
    """The times above in frames of so many seconds."""
    return Extent(
        max(2, round(SEARCH / interval)), max(FEWEST_SIDE, round(REACH / interval)), max(2, round(STANDING / interval))
    )


class Foot(NamedTuple):
    """Swings as (first, last + 1) frames, standing (n_frames,) of the two-state model, positions (n_frames, 3)."""

    swings: list[tuple[int, int]]
    standing: NDArray[np.bool_]
    positions: Array


class Window(NamedTuple):
    """The frames about one event: time since the rough event in frames, growing into the swing; positions (m, 3)."""

    elapsed: Array
    positions: Array


class Events(NamedTuple):
    """Frames from the rough events, growing into the swing, their standard deviations, and how badly they fit."""

    offset: Array
    std: Array
    misfit: float


def refine_events(feet: list[Foot], times: Array, up: Array, *, leaving: bool) -> list[tuple[Array, Array]]:
    """Of every foot the lift-offs (or touch-downs) of its swings and their standard deviations, seconds.

    All feet decide together how gently they begin: one animal's feet do it alike.
    """
    step, sign = frame_interval(times), 1.0 if leaving else -1.0
    extent = extent_of(step)
    events = [np.array([times[start if leaving else end] for start, end in foot.swings], float) for foot in feet]
    stds = [np.full(len(foot.swings), np.nan) for foot in feet]
    windows = [_windows(foot, times, up, leaving, sign / step, extent) for foot in feet]
    for first in range(0, max((len(foot.swings) for foot in feet), default=0), GROUP):
        sets, lone = [], []
        for f, own in enumerate(windows):
            at = np.arange(first, min(first + GROUP, len(own)))
            seen = [i for i in at if len(own[i].elapsed) >= FEWEST_SIDE + 2 and np.ptp(own[i].elapsed) > 3]
            whole = [i for i in seen if own[i].elapsed.min() <= -4 and own[i].elapsed.max() >= 3]
            alike = whole if len(whole) >= FEWEST else []
            sets += [(f, alike)] if alike else []
            lone += [(f, [i]) for i in seen if i not in alike]
        for chosen, shared in ((sets, True), (lone, False)):
            if not chosen:
                continue
            found = _best_fits([[windows[f][i] for i in at] for f, at in chosen], extent, shared=shared)
            for (f, at), fit in zip(chosen, found, strict=True):
                events[f][at] += sign * step * fit.offset
                stds[f][at] = step * fit.std
    return list(zip(events, stds, strict=True))


def _windows(foot: Foot, times: Array, up: Array, leaving: bool, per_second: float, extent: Extent) -> list[Window]:
    windows = []
    for swing, frame in zip(foot.swings, _stride_frames(foot, up, extent.standing), strict=True):
        window = _window(swing, foot.standing, leaving, extent.reach)
        there = np.flatnonzero(np.isfinite(foot.positions[window]).all(axis=1)) + window.start
        elapsed = per_second * (times[there] - times[swing[0] if leaving else swing[1]])
        windows.append(Window(elapsed, foot.positions[there] @ frame.T))
    return windows


def _best_fits(sets: list[list[Window]], extent: Extent, *, shared: bool) -> list[Events]:
    """For each set of events the mean over the kinds of fit, each kind counted by its evidence over all sets."""
    kinds = [[_each_alone(windows, powers, extent.search) for windows in sets] for powers in ALONE]
    if shared:
        starts = [min(fits, key=lambda fit: fit.misfit).offset for fits in zip(*kinds, strict=True)]
        powers = [(along, up) for along in SHARED for up in SHARED]
        quick = [
            [_all_together(windows, *p, start, extent, rounds=2) for windows, start in zip(sets, starts, strict=True)]
            for p in powers
        ]
        least = min(_misfit(fits) for fits in quick) + PROMISING
        for p, fits in zip(powers, quick, strict=True):
            if _misfit(fits) < least:
                pairs = zip(sets, fits, strict=True)
                kinds.append([_all_together(windows, *p, fit.offset, extent) for windows, fit in pairs])
    misfits = np.array([_misfit(fits) for fits in kinds])
    weights = np.exp((misfits.min() - misfits) / TEMPERING)
    weights /= weights.sum()
    return [_mixture(weights, fits) for fits in zip(*kinds, strict=True)]


def _misfit(fits: list[Events]) -> float:
    return sum(fit.misfit for fit in fits)


def _mixture(weights: Array, fits: tuple[Events, ...]) -> Events:
    offset = np.sum([w * fit.offset for w, fit in zip(weights, fits, strict=True)], axis=0)
    square = [w * (fit.std**2 + (fit.offset - offset) ** 2) for w, fit in zip(weights, fits, strict=True)]
    return Events(offset, np.sqrt(np.sum(square, axis=0)), 0.0)


def _window(swing: tuple[int, int], standing: NDArray[np.bool_], leaving: bool, reach: int) -> slice:
    """The frames that a lift-off or touch-down is fitted to: part of the swing, half the stance beside it."""
    (start, end), n_frames = swing, len(standing)
    inside = int(np.clip(SWING_SHARE * (end - start), FEWEST_SIDE, reach))
    if leaving:
        others = np.flatnonzero(~standing[:start])
        before = others[-1] + 1 if len(others) else 0
        return slice(max(start - reach, (before + start) // 2), min(start + inside + 1, n_frames))
    others = np.flatnonzero(~standing[end:])
    after = end + others[0] if len(others) else n_frames
    return slice(max(end - inside - 1, 0), min(end + reach, (end + after) // 2 + 1))


def _stride_frames(foot: Foot, up: Array, n_standing: int) -> list[Array]:
    """(3, 3) rows per swing: forwards over the stride's length and its mean, sideways, up; so that strides compare."""
    steps, (swings, standing, positions) = [], foot
    for start, end in swings:
        before, after = positions[max(start - n_standing, 0) : start], positions[end : end + n_standing]
        before = before[standing[max(start - n_standing, 0) : start]]
        after = after[standing[end : end + n_standing]]
        step = mean_point(after) - mean_point(before)
        steps.append(step - (step @ up) * up)
    lengths = np.linalg.norm(steps, axis=1) if steps else np.zeros(0)
    usual = np.nanmedian(lengths) if np.isfinite(lengths).any() else 0.0
    frames = []
    for step, length in zip(steps, lengths, strict=True):
        if not length > 0.5 * usual:
            frames.append(np.stack([*horizontal_axes(up), up]))
            continue
        forward = step / length
        frames.append(np.stack([forward * usual / length, np.cross(up, forward), up]))
    return frames


def mean_point(points: Array) -> Array:
    """(3,) mean of the points (n, 3) that are there; NaN where none is."""
    points = points[np.isfinite(points).all(axis=1)]
    return points.mean(axis=0) if len(points) else np.full(3, np.nan)


def _candidates(window: Window, search: int) -> Array:
    """Candidate events, in frames from the rough one."""
    low, high = max(window.elapsed.min() + 1, -search), min(window.elapsed.max() - 1, search)
    return np.arange(low, max(high, low) + 0.5 / FINE, 1 / FINE)


def _each_alone(windows: list[Window], powers: tuple[int, ...], search: int) -> Events:
    """Every event by its own curve."""
    offset, std, squares, n_values = np.zeros(len(windows)), np.zeros(len(windows)), 0.0, 0
    for i, (elapsed, y) in enumerate(windows):
        candidates = _candidates(windows[i], search)
        ramp = np.maximum(elapsed - candidates[:, None], 0.0) / len(elapsed)
        design = np.stack([np.ones_like(ramp), *(ramp**power for power in powers)], axis=-1)
        y = y - y.mean(axis=0)
        residual = ((y - design @ (np.linalg.pinv(design, rcond=1e-9) @ y)) ** 2).sum(axis=(1, 2))
        freedom = 3 * (len(elapsed) - len(powers) - 1) - 1
        offset[i], std[i] = _peak(candidates, residual, freedom)
        squares, n_values = squares + float(residual.min()), n_values + y.size
    return Events(offset, std, _information(squares, n_values, (3 * len(powers) + 4) * len(windows)))


def _all_together(
    windows: list[Window],
    along: tuple[int, ...],
    up: tuple[int, ...],
    offset: Array,
    extent: Extent,
    rounds: int = ROUNDS,
) -> Events:
    """All events by one curve: by turns its shape with a shift of all events, and each event's own time and vigour.

    A stride may be more or less vigorous than the others: its curve is the common one times a factor near 1.
    """
    elapsed, values, there = _padded(windows)
    n, freedom = len(windows), 3 * int(there.sum()) - 5 * len(windows) - 3 * len(along)
    offset, std, factors, shift_std = np.clip(offset, -extent.search, extent.search), np.zeros(n), np.ones(n), 0.0
    steps = np.arange(-2 * FINE, 2 * FINE + 1) / FINE
    for turn in range(rounds):
        before, shifts = offset, steps * (1.0 if turn < 2 else 0.5)
        squares, fits = _shapes(elapsed - offset[:, None] - shifts[:, None, None], values, there, factors, along, up)
        shift, shift_std = _peak(shifts, squares, freedom)
        curves = [(powers, shapes[np.argmin(squares)]) for powers, shapes in fits]
        noise = max(float(squares.min()) / max(freedom, 1), 1e-300)
        around = offset[:, None] + shift + steps
        curve = _curve(elapsed[:, None] - around[..., None], there[:, None], curves) * there[:, None, :, None]
        prior = noise / VIGOUR**2
        size, fit = (curve**2).sum(axis=(2, 3)) + prior, (values[:, None] * curve).sum(axis=(2, 3)) + prior
        residual = (values**2).sum(axis=(1, 2))[:, None] + prior - fit**2 / size
        peaks = [_peak(candidates, row, row.min() / noise) for candidates, row in zip(around, residual, strict=True)]
        offset, std = np.array(peaks).T
        best = residual.argmin(axis=1)
        factors = fit[np.arange(n), best] / size[np.arange(n), best]
        if turn > 1 and np.abs(offset - before).max() < 1.5 / FINE:
            break
    squares = float(_shapes((elapsed - offset[:, None])[None], values, there, factors, along, up)[0][0])
    unlikely = 0.5 * float(np.sum((factors - 1) ** 2)) / VIGOUR**2
    misfit = _information(squares, 3 * int(there.sum()), 4 * n + 3 * len(along)) + unlikely
    return Events(offset, np.hypot(std, shift_std), misfit)


def _padded(windows: list[Window]) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Elapsed (n, m), positions about each window's mean (n, m, 3), and which are there."""
    longest = max(len(window.elapsed) for window in windows)
    elapsed, values = np.zeros((len(windows), longest)), np.zeros((len(windows), longest, 3))
    there = np.zeros((len(windows), longest), dtype=bool)
    for i, window in enumerate(windows):
        m = len(window.elapsed)
        elapsed[i, :m], there[i, :m] = window.elapsed, True
        values[i, :m] = window.positions - window.positions.mean(axis=0)
    return elapsed, values, there


def _shapes(
    elapsed: Array, values: Array, there: NDArray[np.bool_], factors: Array, along: tuple, up: tuple
) -> tuple[Array, list[tuple[tuple[int, ...], Array]]]:
    """Of elapsed (n_shifts, n, m): squared errors of the best common curves, and along the ground and upwards their
    powers and coefficients (n_shifts, n_powers, n_axes)."""
    total, curves = np.zeros(len(elapsed)), []
    for powers, axes in ((along, slice(0, 2)), (up, slice(2, 3))):
        design = _powers(elapsed, there, powers) * (there * factors[:, None])[..., None]
        design, y = design.reshape(len(elapsed), there.size, len(powers)), values[..., axes].reshape(there.size, -1)
        normal, right = design.swapaxes(1, 2) @ design, design.swapaxes(1, 2) @ y
        ridge = 1e-12 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(len(powers))
        shapes = np.linalg.solve(normal + ridge, right)
        total += (y**2).sum() - (shapes * (2 * right - normal @ shapes)).sum(axis=(1, 2))
        curves.append((powers, shapes))
    return np.maximum(total, 1e-300), curves


def _curve(elapsed: Array, there: NDArray[np.bool_], curves: list) -> Array:
    return np.concatenate([_powers(elapsed, there, powers) @ shape for powers, shape in curves], axis=-1)


def _powers(elapsed: Array, there: NDArray[np.bool_], powers: tuple[int, ...]) -> Array:
    """Powers of the time since the event, (..., m, n_powers), about their mean over each window."""
    ramp = np.where(there, np.maximum(elapsed, 0.0) / RAMP, 0.0)
    first = ramp ** powers[0]
    columns = [first]
    for _ in powers[1:]:
        columns.append(columns[-1] * ramp)
    stacked = np.stack(columns, axis=-1)
    return stacked - stacked.sum(axis=-2, keepdims=True) / there.sum(axis=-1)[..., None, None]


def _peak(candidates: Array, residual: Array, freedom: float) -> tuple[float, float]:
    """The candidate of least squared error and its standard deviation, from the curvature of the error."""
    least = max(float(residual.min()), 1e-300)
    odds = np.exp(-0.5 * (residual - least) * max(freedom, 1) / least)
    mean = odds @ candidates / odds.sum()
    variance = odds @ (candidates - mean) ** 2 / odds.sum() + 1 / (12 * FINE**2)
    return float(candidates[np.argmin(residual)]), float(np.sqrt(variance))


def _information(squares: float, n_values: int, n_parameters: int) -> float:
    """Schwarz' information criterion, halved, of least squares with unknown noise."""
    return 0.5 * n_values * np.log(max(squares, 1e-300) / n_values) + 0.5 * n_parameters * np.log(n_values)
