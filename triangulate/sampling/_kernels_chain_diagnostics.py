"""Normal scores, R-hat and effective sample sizes of Markov chains as plain loops over float64 arrays."""

import math

import numpy as np

from ...numerics._kernels_options import helper, kernel


@helper
def normal_scores(values, order, table):
    """Rank-normalised values (n,) with the order that sorts them: table[2 r - 2] is the normal score of rank r, of
    ties the one of their mean rank."""
    n = len(values)
    scores = np.empty(n)
    i = 0
    while i < n:
        j = i
        while j + 1 < n and values[order[j + 1]] == values[order[i]]:
            j += 1
        for a in range(i, j + 1):
            scores[order[a]] = table[i + j]
        i = j + 1
    return scores


@helper
def mixing(chains):
    """R-hat and effective sample size of chains (M, n): Vehtari et al. (2021), equations 1-4 and 10-13.

    Autocorrelations are summed by Geyer's initial monotone sequence.
    """
    n_chains, n = chains.shape
    means, centred = np.empty(n_chains), np.empty((n_chains, n))
    within = 0.0
    for m in range(n_chains):
        means[m] = chains[m].mean()
        centred[m] = chains[m] - means[m]
        within += (centred[m] ** 2).sum() / (n - 1) / n_chains
    between = ((means - means.mean()) ** 2).sum() / (n_chains - 1)
    if not within > 0.0:
        return math.nan, math.nan
    total = (n - 1) / n * within + between
    r_hat = math.sqrt(total / within)
    time, last, lag = -1.0, math.inf, 0
    pair = np.ones(2)
    while lag + 1 < n:
        for g in range(2):
            covariance = 0.0
            for m in range(n_chains):
                for i in range(n - lag - g):
                    covariance += centred[m, i] * centred[m, i + lag + g]
            pair[g] = 1.0 if lag + g == 0 else 1.0 - (within - covariance / (n * n_chains)) / total
        if pair.sum() < 0.0:
            time += max(pair[0], 0.0)
            break
        last = min(last, pair.sum())
        time += 2.0 * last
        lag += 2
    size = n_chains * n
    return r_hat, size / max(time, 1.0 / math.log10(size))


@kernel
def mixing_of_all(draws, order, n_chains, table, r_hat, effective):
    """R-hat and effective sample size of the normal scores of draws (Q, n_chains * n), sorted by order; of no NaN."""
    n_quantities, size = draws.shape
    for q in range(n_quantities):
        if not math.isnan(draws[q, 0]):
            scores = normal_scores(draws[q], order[q], table).reshape((n_chains, size // n_chains))
            r_hat[q], effective[q] = mixing(scores)
