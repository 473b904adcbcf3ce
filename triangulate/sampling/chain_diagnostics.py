"""Convergence of Markov chains: rank-normalised R-hat and bulk effective sample size (Vehtari et al. 2021)."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtri

from ...numerics.arrays import Array
from ...numerics.threads import over_items
from . import _kernels_chain_diagnostics

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
    r_hat, effective = np.full(len(values), np.nan), np.full(len(values), np.nan)
    kernel: Any = _kernels_chain_diagnostics.mixing_of_all
    kernel(np.ascontiguousarray(values), np.argsort(values, axis=1), n_chains, table, r_hat, effective)
    return r_hat, effective
