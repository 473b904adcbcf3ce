"""Delays of cameras in whole frames on which the costs of all pairs of cameras agree best, by coordinate descent.

The costs are the caller's: disagreement of board poses, or epipolar distances.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..numerics.arrays import Array

_SWEEPS = 20  # over all cameras; two or three are usual
_LEAST_COST = 1e-9  # of a pair, in the costs' units: a perfect agreement has a logarithm, too
_EQUAL = 1e-9  # difference of mean logarithms that is round-off


def mean_log_cost(costs: Array, pairs: NDArray[np.int64], offsets: NDArray[np.int64]) -> float:
    """Mean logarithm of the pairs' costs at given offsets.

    Parameters
    ----------
    costs : ndarray, shape (n_pairs, 2 max_offset + 1)
        Cost of each pair at the relative delays -max_offset ... max_offset of its first camera; NaN where
        it cannot be computed: such an offset counts as the pair's worst, a pair without any cost is left out.
    pairs : ndarray of int, shape (n_pairs, 2)
        Positions of the cameras.
    offsets : ndarray of int, shape (n_cameras,), frames

    Returns
    -------
    float
    """
    return float(_mean_log_costs(costs, pairs, offsets[None])[0])


def _mean_log_costs(costs: Array, pairs: NDArray[np.int64], trials: NDArray[np.int64]) -> Array:
    """(n_trials,) `mean_log_cost` at the offsets (n_trials, n_cameras)."""
    usable = np.isfinite(costs).any(axis=1)
    if not usable.any():
        return np.zeros(len(trials))
    max_offset = costs.shape[1] // 2
    relative = (trials[:, pairs[:, 0]] - trials[:, pairs[:, 1]])[:, usable]
    logs = np.log(np.maximum(costs[usable], _LEAST_COST))
    picked = logs[np.arange(len(logs)), np.clip(relative + max_offset, 0, 2 * max_offset)]
    unknown = np.isnan(picked) | (np.abs(relative) > max_offset)
    return np.where(unknown, np.nanmax(logs, axis=1), picked).mean(axis=1)


def cost_ratio(costs: Array, pairs: NDArray[np.int64], before: NDArray[np.int64], after: NDArray[np.int64]) -> float:
    """How many times smaller the pairs' costs are (geometric mean) at the offsets `after` than `before`."""
    return float(np.exp(mean_log_cost(costs, pairs, before) - mean_log_cost(costs, pairs, after)))


def best_offsets(costs: Array, pairs: NDArray[np.int64], n_cameras: int) -> NDArray[np.int64]:
    """The offsets (n_cameras,) of the least `mean_log_cost`, the most common one 0.

    The descent starts from 0 and from what the pairs of each camera say; of equal results the smallest counts.
    """
    max_offset = costs.shape[1] // 2
    starts = [np.zeros(n_cameras, dtype=np.int64)]
    for root in range(n_cameras):
        start = np.zeros(n_cameras, dtype=np.int64)
        for (a, b), row in zip(pairs, costs, strict=True):
            if root in (a, b) and np.isfinite(row).any():
                best = int(np.nanargmin(row)) - max_offset
                start[b if a == root else a] = -best if a == root else best
        starts.append(start)
    ends = [_descend(costs, pairs, start) for start in starts]
    best = min(ends, key=lambda offsets: (round(mean_log_cost(costs, pairs, offsets), 9), np.abs(offsets).sum()))
    values, counts = np.unique(best, return_counts=True)
    common = values[counts == counts.max()]
    return best - common[np.argmin(np.abs(common))]


def _descend(costs: Array, pairs: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """One offset after the other to its best value, until none changes."""
    reach = costs.shape[1] - 1
    for _ in range(_SWEEPS):
        before = offsets
        for camera in range(len(offsets)):
            trials = np.repeat(offsets[None], 2 * reach + 1, axis=0)
            trials[:, camera] = np.arange(-reach, reach + 1)
            totals = _mean_log_costs(costs, pairs, trials)
            near = trials[totals < totals.min() + _EQUAL]
            offsets = near[np.argmin(np.abs(near[:, camera]))]
        if np.array_equal(offsets, before):
            break
    return offsets
