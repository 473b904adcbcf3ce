"""How well Markov chains have mixed: rank-normalised R-hat and bulk effective sample size (Vehtari et al. 2021)."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtri

from ..datasets.arrays import Array
from . import _kernels_sampler
from .prior_time import run_threads

_PARTS = 8
FEWEST_DRAWS = 8


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
        raise ValueError(f"{n_draws} draws per chain are too few to judge them by; at least {FEWEST_DRAWS} are needed")
    half, shape = n_draws // 2, draws.shape[2:]
    halves = np.stack([draws[:, :half], draws[:, n_draws - half :]], axis=1).reshape(2 * n_chains, half, -1)
    ranks = np.arange(1, 2 * n_chains * half + 0.5, 0.5)
    table = ndtri((ranks - 0.375) / (2 * n_chains * half + 0.25))
    n_quantities = halves.shape[2]
    r_hat, effective = np.full(n_quantities, np.nan), np.full(n_quantities, np.nan)
    edges = np.linspace(0, n_quantities, _PARTS + 1).astype(int)
    kernel: Any = _kernels_sampler.mixing_of_all

    def part(i: int) -> None:
        own = slice(edges[i], edges[i + 1])
        kernel(np.ascontiguousarray(np.moveaxis(halves[:, :, own], 2, 0)), table, r_hat[own], effective[own])

    run_threads(part, range(_PARTS))
    return r_hat.reshape(shape), effective.reshape(shape)
