"""Split a series in two parts of different means where the sum of squares falls most (Page 1955, Hinkley 1970)."""

from __future__ import annotations

import numpy as np

from .arrays import Array


def best_split(totals: Array, counts: Array | None = None) -> tuple[int, float, float]:
    """Where the mean of a series changes most.

    Parameters
    ----------
    totals : ndarray, shape (n,)
        Sums of the values at each time, n >= 2.
    counts : ndarray, shape (n,), optional
        Numbers of values in each sum; None: 1 each.

    Returns
    -------
    at : int
        First time after the change.
    jump : float
        Mean after it minus mean before it.
    strength : float
        Root of the fall of the sum of squares; over the standard deviation of a value it is the jump in its own
        standard deviations.
    """
    n = np.cumsum(np.ones(len(totals)) if counts is None else counts)
    sums = np.cumsum(totals)
    with np.errstate(invalid="ignore", divide="ignore"):
        jumps = (sums[-1] - sums[:-1]) / (n[-1] - n[:-1]) - sums[:-1] / n[:-1]
        strength = np.nan_to_num(np.abs(jumps) * np.sqrt(n[:-1] * (n[-1] - n[:-1]) / n[-1]))
    best = int(np.argmax(strength))
    return best + 1, float(jumps[best]), float(strength[best])
