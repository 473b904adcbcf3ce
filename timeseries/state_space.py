"""Smooth noisy positions to position, velocity, acceleration and jerk with a Kalman smoother tuned by its evidence.

Each coordinate of each keypoint moves with an acceleration that is a stationary random process with a correlation time
and, where the movement has one, a rhythm (a continuous autoregression with poles −λ ± iω), observed in white noise. The
strength of the accelerations against the noise, λ, ω, and whether the rhythm has a stride's overtones, are those of
greatest evidence (Kitagawa & Gersch 1984, J. Am. Stat. Assoc. 79, 378; Jones 1980, Technometrics 22, 389). With λ and ω
near 0 the model is the integrated random walk of most RTS smoothers, which is less accurate on a gallop
(benchmarks/kinematics.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import xarray as xr

from ..datasets import Array
from ..numerics.threads import over_items
from ._kernels_state_space import ForwardPass, filter_series, smooth_series
from .motion_models import OVERTONES, MotionModel, clipped, damped_rhythm_model, log_prior, stride_model
from .sampling import frame_interval, values_and_times

N_STATES = 4  # position, velocity, acceleration, jerk
FEWEST = 8  # observations of a keypoint below which nothing is estimated: the models have up to five parameters
# observations (a budget of computation, not a stretch of time) that the evidence is computed from, in evenly spaced
# blocks; half as many where frames are uneven, which cost eight times as much
TUNING_FRAMES, TUNING_BLOCK = 2_000, 500
MARGIN = 5.0  # log evidence by which the model with overtones must exceed the one without: 150 times as probable
REFINED = 30.0  # log evidence by which the overtones' first guess may fall behind and still be refined
Maker = Callable[[Array], MotionModel]
# frames smoothed at a time, and the overlap of two such pieces: the longest correlation time that a model may have
CHUNK, OVERLAP = 20_000, 1_000


class SmoothedMotion(NamedTuple):
    """Smoothed positions and their derivatives, with variances.

    Parameters
    ----------
    states : ndarray, shape (4, n_frames, n_keypoints, 3), world units per second^0 to second^3
        Position, velocity, acceleration and jerk.
    variances : ndarray, shape (4, n_frames, n_keypoints, 3), squares of those units
        Variance of each state.
    noise : ndarray, shape (n_keypoints, 3), world units
        Standard deviation of the measurements.
    rhythm : ndarray, shape (n_keypoints, 3), hertz
        Base frequency at which the acceleration oscillates.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.timeseries import smooth_motion
    >>> smooth_motion(np.zeros((20, 1, 3)), np.arange(20) / 100).noise
    array([[0., 0., 0.]])
    """

    states: Array
    variances: Array
    noise: Array
    rhythm: Array


class Tuning(NamedTuple):
    """The model of greatest evidence of one series, and the noise's standard deviation under it."""

    model: MotionModel
    noise: float
    rate: float  # radians per usual step


def smooth_motion(
    points_3d: Array | xr.Dataset | xr.DataArray,
    times: Array | None = None,
    *,
    relative_variance: Array | None = None,
    chunk_frames: int = CHUNK,
) -> SmoothedMotion:
    """Smooth every coordinate of every keypoint under the model that makes the recording most probable.

    Parameters
    ----------
    points_3d : ndarray, shape (n_frames, n_keypoints, 3), world units, or xarray.Dataset or DataArray of positions
        NaN where missing. A labelled one brings its own times.
    times : ndarray, shape (n_frames,), seconds, optional
        Of an array, which needs them; increasing, not necessarily evenly.
    relative_variance : ndarray, shape (n_frames, n_keypoints), optional
        How noisy each point is compared with the others; None: all the same.
    chunk_frames : int
        Frames smoothed at a time, so that memory does not grow with the recording.

    Returns
    -------
    SmoothedMotion
        States, their variances, the noise and the rhythm.

    Raises
    ------
    ValueError
        An array without times.

    Notes
    -----
    NaN before a keypoint's first and after its last observation, and where it has fewer than 8 observations. Inside
    gaps the states are the smoother's interpolation, whose variance grows with the gap.

    References
    ----------
    Kitagawa & Gersch 1984, J. Am. Stat. Assoc. 79, 378; Jones 1980, Technometrics 22, 389.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.timeseries import smooth_motion
    >>> times = np.arange(20) / 100
    >>> motion = smooth_motion(np.full((20, 1, 3), 7.0), times)
    >>> motion.states[:2, 0, 0, 0]
    array([7., 0.])
    """
    if times is None:
        if isinstance(points_3d, np.ndarray):
            raise ValueError("times is None: an array carries no times; give them in seconds, or a dataset")
        points_3d, times = values_and_times(points_3d, None)
    return _smooth_arrays(np.asarray(points_3d, float), np.asarray(times, float), relative_variance, chunk_frames)


def _smooth_arrays(
    points_3d: Array, times: Array, relative_variance: Array | None, chunk_frames: int
) -> SmoothedMotion:
    """As `smooth_motion`, of points (n_frames, n_keypoints, 3) at times (n_frames,)."""
    n_frames, n_keypoints = points_3d.shape[:2]
    step = frame_interval(times)
    steps = np.concatenate([[1.0], np.diff(times) / step])
    steps[np.abs(steps - 1) < 1e-6] = 1.0  # times written with few decimals
    states = np.full((N_STATES, n_frames, n_keypoints, 3), np.nan)
    variances = np.full_like(states, np.nan)
    noise, rhythm = np.full((2, n_keypoints, 3), np.nan)
    scales = step ** -np.arange(N_STATES)[:, None]

    def smooth_one(place: tuple[int, int]) -> None:
        k, c = place
        there = np.isfinite(points_3d[:, k]).all(axis=-1)
        relative = np.ones(n_frames) if relative_variance is None else _relative(relative_variance[:, k])
        y = np.where(there & np.isfinite(relative), points_3d[:, k, c], np.nan)
        seen = np.flatnonzero(np.isfinite(y))
        if len(seen) < FEWEST:
            return
        span = slice(seen[0], seen[-1] + 1)
        found, spread, tuned = _smooth_series(y[span], steps[span], relative[span], chunk_frames)
        states[:, span, k, c] = found.T * scales
        variances[:, span, k, c] = spread.T * scales**2
        noise[k, c] = tuned.noise if tuned else 0.0
        rhythm[k, c] = tuned.rate / (2 * np.pi * step) if tuned else np.nan

    over_items(smooth_one, [(k, c) for k in range(n_keypoints) for c in range(3)])
    return SmoothedMotion(states, variances, noise, rhythm)


def _relative(variance: Array) -> Array:
    """Variances over their median; a missing or zero one gives no observation."""
    known = np.where(np.isfinite(variance) & (variance > 0), variance, np.nan)
    middle = np.nanmedian(known) if np.isfinite(known).any() else np.nan
    return known / middle


def _smooth_series(y: Array, steps: Array, relative: Array, chunk: int) -> tuple[Array, Array, Tuning | None]:
    """States (n, 4) and variances of one series in units of its usual step."""
    n, centre = len(y), y[0]
    scale = float(np.nanmax(np.abs(y - centre)))
    if scale == 0:  # it never moves
        return np.column_stack([np.full(n, centre), np.zeros((n, 3))]), np.zeros((n, N_STATES)), None
    y, relative = (y - centre) / scale, np.where(np.isfinite(relative), relative, 1.0)
    tuned = tune(y, steps, relative)
    states, variances = np.empty((2, n, N_STATES))
    for start in range(0, n, chunk):
        first, last = _observed_from(y, max(start - OVERLAP, 0)), min(start + chunk + OVERLAP, n)
        inner = slice(start, min(start + chunk, n))
        piece = _smooth_piece(y[first:last] / tuned.noise, steps[first:last], relative[first:last], tuned.model)
        states[inner], variances[inner] = (part[inner.start - first : inner.stop - first] for part in piece)
    sigma = tuned.noise * scale
    states *= sigma
    states[:, 0] += centre
    return states, np.maximum(variances, 0.0) * sigma**2, tuned._replace(noise=sigma)


def _observed_from(y: Array, start: int) -> int:
    """The last observed frame not after `start`."""
    while not np.isfinite(y[start]):
        start -= 1
    return start


def _smooth_piece(y: Array, steps: Array, relative: Array, model: MotionModel) -> tuple[Array, Array]:
    n, size = len(y), len(model.drift)
    passed = ForwardPass(np.empty(n), np.empty(n), np.empty((n, size)), np.empty((n, size, size)))
    states, variances = np.empty((2, n, N_STATES))
    steps = steps / model.time_unit
    filter_series(y, steps, relative, model, passed)
    smooth_series(steps, model, passed, states, variances)
    units = model.time_unit ** -np.arange(N_STATES)
    return states * units, variances * units**2


def tune(y: Array, steps: Array, relative: Array) -> Tuning:
    """The model of greatest evidence: with or without a stride's overtones."""
    series = (y, steps, relative)
    blocks = _blocks(y, TUNING_FRAMES if np.ptp(steps) < 1e-6 else TUNING_FRAMES // 2)
    plain = [
        np.log([damping, rate, power])
        for damping in (0.02, 0.2)
        for rate in (0.03, 0.1, 0.3, 0.8)
        for power in (1e-6, 1e-4, 1e-2, 1.0, 1e3)
    ]
    make, (best, cost) = damped_rhythm_model, _search(damped_rhythm_model, plain, series, blocks)
    damping, rate, power = np.exp(best)
    stride = [
        np.log([d, r, *(power / k for k in OVERTONES)])
        for d in (0.01, 0.04)
        for r in np.hypot(rate, damping) * np.geomspace(0.25, 1.1, 16)
    ]
    other, other_cost = _search(stride_model, stride, series, blocks, worth=cost + REFINED)
    if other_cost < cost - MARGIN:
        make, best = stride_model, other
    noise = _cost(make, best, series, blocks)[1]
    return Tuning(make(best), noise, float(np.exp(best[1])))


def _search(
    make: Maker, starts: list[Array], series: tuple, blocks: list[slice], worth: float = np.inf
) -> tuple[Array, float]:
    """Log parameters of least cost, from the best of the starts; not refined if that is no better than `worth`."""
    from scipy.optimize import minimize

    first = blocks[:1]
    start = min(starts, key=lambda logs: _cost(make, logs, series, first)[0])
    cost = _cost(make, start, series, blocks)[0]
    if not cost < worth:
        return start, cost
    n = len(start)
    strides = [0.7, 0.2, 1.5, 1.5, 1.5] if make is stride_model else [0.7, 0.5, 1.5]
    simplex = start + np.vstack([np.zeros(n), np.diag(strides)])
    options = {"initial_simplex": simplex, "xatol": 0.1, "fatol": 0.1, "maxfev": 100 if n == 3 else 250}
    found = minimize(lambda logs: _cost(make, logs, series, blocks)[0], start, method="Nelder-Mead", options=options)
    return clipped(found.x), float(found.fun)


def _cost(make: Maker, logs: Array, series: tuple, blocks: list[slice]) -> tuple[float, float]:
    """Minus the log evidence (noise variance at its best, wide prior on the logs), and that noise's std."""
    inside = clipped(logs)
    model = make(inside)
    size = len(model.drift)
    squares = log_variances = count = 0.0
    nothing = np.empty((0, size)), np.empty((0, size, size))
    for block in blocks:
        y, steps, relative = (part[block] for part in series)
        innovations, spread = np.empty((2, len(y)))
        passed = ForwardPass(innovations, spread, *nothing)
        found = filter_series(y, steps / model.time_unit, relative, model, passed)
        squares, log_variances, count = squares + found[0], log_variances + found[1], count + found[2]
    variance = max(squares / max(count, 1.0), 1e-24)
    cost = 0.5 * (count * np.log(variance) + log_variances) - log_prior(inside) + np.sum((logs - inside) ** 2)
    return cost if np.isfinite(cost) else np.inf, float(np.sqrt(variance))


def _blocks(y: Array, n_tuning: int) -> list[slice]:
    """Evenly spaced parts of a series, `n_tuning` frames together, each starting where it is observed."""
    n = len(y)
    if n <= n_tuning:
        return [slice(0, n)]
    seen = np.flatnonzero(np.isfinite(y))
    wanted = np.linspace(0, n - TUNING_BLOCK, n_tuning // TUNING_BLOCK)
    starts = seen[np.minimum(np.searchsorted(seen, wanted), len(seen) - 1)]
    return [slice(int(start), int(min(start + TUNING_BLOCK, n))) for start in dict.fromkeys(starts)]
