"""Convergence of Markov chains: rank-normalised R-hat and bulk effective sample size (Vehtari et al. 2021)."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from ...numerics.arrays import Array
from ...numerics.threads import over_items

_AT_ONCE = 1000  # quantities: bounds memory
FEWEST_DRAWS = 8  # per chain: its halves need an autocorrelation


def rank_normalised(draws: Array) -> tuple[Array, Array]:
    """R-hat and bulk effective sample size of every quantity that chains have drawn.

    Chains are cut in halves, values replaced by normal scores of their ranks, and autocorrelations summed by Geyer's
    initial monotone sequence; R-hat is the larger one of the scores' and of the folded values' (Vehtari, Gelman,
    Simpson, Carpenter and Bürkner 2021, equations 1-4, 10-14 and section 4). Chains agree if R-hat is below 1.01 and
    the effective size above 400.

    Parameters
    ----------
    draws : (n_chains, n_draws, ...), at least 8 draws

    Returns
    -------
    r_hat, effective_sample_size : (...), NaN where the first draw is NaN or nothing ever moves
    """
    n_chains, n_draws = draws.shape[:2]
    if n_draws < FEWEST_DRAWS:
        raise ValueError(f"{n_draws} draws per chain are too few for R-hat; at least {FEWEST_DRAWS} are needed")
    half, shape = n_draws // 2, draws.shape[2:]
    halves = np.stack([draws[:, :half], draws[:, n_draws - half :]], axis=1).reshape(2 * n_chains, half, -1)
    ranks = np.arange(1, 2 * n_chains * half + 0.5, 0.5)
    table = ndtri((ranks - 0.375) / (2 * n_chains * half + 0.25))
    n_quantities = halves.shape[2]
    r_hat, effective = np.full(n_quantities, np.nan), np.full(n_quantities, np.nan)

    def diagnose(start: int) -> None:
        own = slice(start, start + _AT_ONCE)
        values = np.moveaxis(halves[:, :, own], 2, 0).reshape(-1, 2 * n_chains * half)
        r_hat[own], effective[own] = _mixing(values, 2 * n_chains, table)
        folded = np.abs(values - np.median(values, axis=1, keepdims=True))
        r_hat[own] = np.maximum(r_hat[own], _mixing(folded, 2 * n_chains, table)[0])

    over_items(diagnose, range(0, n_quantities, _AT_ONCE))
    return r_hat.reshape(shape), effective.reshape(shape)


def _mixing(values: Array, n_chains: int, table: Array) -> tuple[Array, Array]:
    """R-hat and effective sample size (Q,) of the normal scores of values (Q, n_chains * n): equations 1-4, 10-13."""
    scores = _normal_scores(values, table).reshape(len(values), n_chains, -1)
    n, size = scores.shape[2], values.shape[1]
    means = scores.mean(axis=2)
    centred = scores - means[..., None]
    within = (centred**2).sum(axis=2).mean(axis=1) / (n - 1)
    still = np.isnan(values[:, 0]) | (values == values[:, :1]).all(axis=1)
    within[still] = np.nan
    total = (n - 1) / n * within + means.var(axis=1, ddof=1)
    power = (np.abs(np.fft.rfft(centred, 2 * n, axis=2)) ** 2).sum(axis=1)
    covariances = np.fft.irfft(power, 2 * n, axis=1)[:, :n] / size
    correlations = 1 - (within[:, None] - covariances) / total[:, None]
    correlations[:, 0] = 1.0
    pairs = correlations[:, : n // 2 * 2].reshape(len(values), -1, 2)
    sums = pairs.sum(axis=2)
    kept = np.logical_and.accumulate(sums >= 0, axis=1)
    time = -1 + 2 * np.where(kept, np.minimum.accumulate(sums, axis=1), 0.0).sum(axis=1)
    at_end = np.minimum(kept.sum(axis=1), sums.shape[1] - 1)
    rest = np.maximum(pairs[np.arange(len(values)), at_end, 0], 0.0)
    time += np.where(kept.all(axis=1), 0.0, rest)
    effective = size / np.maximum(time, 1 / np.log10(size))
    return np.sqrt(total / within), np.where(still, np.nan, effective)


def _normal_scores(values: Array, table: Array) -> Array:
    """Values (Q, n) replaced by the normal scores of their ranks; table[2 r - 2] is that of rank r, whole or half."""
    order, places = np.argsort(values, axis=1), np.arange(values.shape[1])
    rising = np.diff(np.take_along_axis(values, order, axis=1), axis=1) > 0
    edge = np.ones((len(values), 1), bool)
    # of equal values, which share their mean rank, the places of the first and the last
    first = np.maximum.accumulate(np.where(np.hstack([edge, rising]), places, 0), axis=1)
    last = np.minimum.accumulate(np.where(np.hstack([rising, edge]), places, places[-1])[:, ::-1], axis=1)[:, ::-1]
    scores = np.empty_like(values)
    np.put_along_axis(scores, order, table[first + last], axis=1)
    return scores
