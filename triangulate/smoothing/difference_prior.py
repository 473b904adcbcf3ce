"""The prior in time: m-th differences of a track are white, one variance per keypoint by maximum evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import comb
from typing import Any, NamedTuple

import numpy as np

from ...numerics.arrays import Array
from ...numerics.threads import over_items
from . import _kernels_smooth
from .unsteady_motion import row_precisions, steady

ORDERS = (1, 2, 3, 4)  # that evidence chooses from: the band's width, and so time and memory, grow with the order
_LOG_RANGE = 30.0  # of the logarithm of the precision that is searched: 13 decades
_FEWEST_FRAMES = 5  # observed, that an evidence needs
_STEP, _MOVES = 0.5, 4  # of the logarithm of the precision, about a start: three points, moved four times at most
_COARSE = 0.5  # tolerance of that logarithm where only orders are compared
# Of the logarithm of a keypoint's precision about the body's: movements of one animal's keypoints differ by a factor of
# two (standard deviation of their logarithm; 1.6 and 1.9 for the trot and the walk of a dog in motion capture).
_PRECISION_SPREAD = 1.4


class LastingErrors(NamedTuple):
    """Shares of the variance of the errors that last and that are new in every frame, and the correlation of the first
    from frame to frame; all (n_keypoints,)."""

    lasting: Array
    white: Array
    correlation: Array

    def of(self, k: int) -> tuple[float, float, float]:
        return float(self.lasting[k]), float(self.white[k]), float(self.correlation[k])


def stencil(order: int) -> Array:
    """(order + 1,) weights of a difference."""
    return np.array([(-1) ** (order - i) * comb(order, i) for i in range(order + 1)], float)


def tune_precisions(
    information: Array,
    vector: Array,
    order: int,
    changes: Array,
    anchor: float,
    start: Array | None = None,
    tolerance: float = 0.05,
    noise: LastingErrors | None = None,
) -> tuple[Array, Array]:
    """Precision of the order-th differences per keypoint at the maximum of the posterior, and the exact log evidence.

    The evidence of a short or noisy track is often largest for no motion at all; the keypoints of one body move alike,
    so that the logarithm of a precision has a Gaussian prior about the median of all.

    Parameters
    ----------
    information, vector : (n_frames, n_keypoints, 3, 3), (n_frames, n_keypoints, 3) of Gaussian pseudo-observations;
        zero where there is none
    changes : (n_frames, 2) as of `steady`
    anchor : precision of the weak prior on every position, which makes the evidence of different orders comparable
    start : (n_keypoints,) precisions of an earlier tuning, to search nearby; evidence that no prior holds is not
        needed and NaN then
    tolerance : of the logarithm of the precision
    noise : how the errors of the pseudo-observations last; None: they are white

    Returns
    -------
    (n_keypoints,), (n_keypoints,); keypoints with too few frames take the median of the others, or 0 if all have
    too few
    """
    n_keypoints = vector.shape[1]
    seen = (information.trace(axis1=2, axis2=3) > 0).sum(axis=0) >= max(_FEWEST_FRAMES, order + 2)
    precisions, evidences = np.zeros(n_keypoints), np.zeros(n_keypoints)

    by_track = np.ascontiguousarray(information.swapaxes(0, 1)), np.ascontiguousarray(vector.swapaxes(0, 1))

    def cost_of(k: int) -> Callable[[float], float]:
        errors = (0.0, 1.0, 0.0) if noise is None else noise.of(k)
        return _cost(by_track[0][k], by_track[1][k], order, changes, anchor, errors)

    def tune(k: int) -> tuple[float, float]:
        return _minimum(cost_of(k), by_track[0][k], tolerance)

    def draw(k: int) -> float:
        """To the body's; where the parabola leads away, the whole range is searched."""
        cost = cost_of(k)

        def with_prior(value: float) -> float:
            return cost(value) + 0.5 * ((value - centre) / _PRECISION_SPREAD) ** 2

        found = _vertex(with_prior, float(np.log(precisions[k])))
        return _minimum(with_prior, by_track[0][k], tolerance)[0] if found is None else found

    known = np.flatnonzero(seen)
    if start is not None:
        precisions, evidences = start.copy(), np.full(n_keypoints, np.nan)
    else:
        for k, (best, evidence) in zip(known, over_items(tune, known), strict=True):
            precisions[k], evidences[k] = np.exp(best), evidence
    if seen.any():
        centre = float(np.median(np.log(precisions[seen])))
        precisions[known] = np.exp(over_items(draw, known))
        precisions[~seen] = np.exp(np.median(np.log(precisions[seen])))
    return precisions, evidences


def _cost(
    information: Array, vector: Array, order: int, changes: Array, anchor: float, errors: tuple[float, float, float]
) -> Callable[[float], float]:
    """Minus the log evidence of one track as a function of the logarithm of the precision."""
    weights = stencil(order)

    def cost(log_precision: float) -> float:
        rows = row_precisions(np.array([np.exp(log_precision)]), changes)[:, 0]
        gram = _kernels_smooth.weighted_gram(weights, rows)
        if errors[0] > 0:
            evidence = _kernels_smooth.lasting_evidence(information, vector, gram, anchor, *errors)
        else:
            evidence = _kernels_smooth.track_evidence(information / errors[1], vector / errors[1], gram, anchor)
        return -evidence if np.isfinite(evidence) else 1e300

    return cost


def _minimum(cost: Callable[[float], float], information: Array, tolerance: float) -> tuple[float, float]:
    """Logarithm of the precision of least cost, and minus that cost, by Brent's method.

    The observations' own precision is where a track would be all noise: the precision lies within some decades of it.
    """
    from scipy.optimize import minimize_scalar

    centre = np.log(np.median(information.trace(axis1=1, axis2=2)[information[:, 0, 0] > 0]) / 3)
    bounds = centre - 0.6 * _LOG_RANGE, centre + 0.4 * _LOG_RANGE
    best: Any = minimize_scalar(cost, bounds=bounds, method="bounded", options={"xatol": tolerance})
    return float(best.x), -float(best.fun)


def _vertex(cost: Callable[[float], float], start: float) -> float | None:
    """Where the parabola through three costs is lowest, moved along while that is outside; None if it leads away."""
    for _ in range(_MOVES):
        low, middle, high = cost(start - _STEP), cost(start), cost(start + _STEP)
        curvature = low - 2 * middle + high
        if not 0 < curvature < 1e290:
            return None
        move = 0.5 * _STEP * (low - high) / curvature
        start += float(np.clip(move, -3 * _STEP, 3 * _STEP))
        if abs(move) <= _STEP:
            return start
    return None


def choose_order(
    information: Array,
    vector: Array,
    lengths: Sequence[int],
    anchor: float,
    noise: LastingErrors | None = None,
    orders: Sequence[int] = ORDERS,
) -> int:
    """The order whose maximum evidence, summed over the keypoints, is largest; `lengths` of the arrays' stretches."""
    orders = [order for order in orders if order < max(lengths)] or [1]

    def evidence(order: int) -> float:
        changes = steady(lengths, order)
        return tune_precisions(information, vector, order, changes, anchor, tolerance=_COARSE, noise=noise)[1].sum()

    return orders[int(np.argmax([evidence(order) for order in orders]))]


def smooth_tracks(
    information: Array, vector: Array, order: int, changes: Array, precisions: Array, anchor: float
) -> tuple[Array, Array, Array]:
    """Posterior mean (n_frames, n_keypoints, 3) and covariances (n_frames, n_keypoints, 3 lags, 3, 3) of every track,
    and of its differences the square of the mean and the variance of a coordinate (n_frames, n_keypoints, 2).

    Lag 0 is the covariance of a point, lags 1 and 2 its covariance with the same keypoint one and two frames later
    (zero past the end). Keypoints that were never observed are NaN.
    """
    by_track = np.ascontiguousarray(information.swapaxes(0, 1)), np.ascontiguousarray(vector.swapaxes(0, 1))
    rows, weights = np.ascontiguousarray(row_precisions(precisions, changes).T), stencil(order)
    means, covariances, differences = (
        np.full((*vector.shape[1::-1], *shape), np.nan) for shape in ((3,), (3, 3, 3), (2,))
    )

    def solve(k: int) -> None:
        covariances[k], differences[k] = 0, 0
        gram = _kernels_smooth.weighted_gram(weights, rows[k])
        track, found = (by_track[0][k], by_track[1][k]), (means[k], covariances[k], differences[k])
        _kernels_smooth.smooth_track(*track, gram, anchor, weights, *found)

    over_items(solve, np.flatnonzero(information.any(axis=(0, 2, 3))))
    return means.swapaxes(0, 1), covariances.swapaxes(0, 1), differences.swapaxes(0, 1)
