"""State probabilities of a hidden Markov model and its most probable path (Rabiner 1989, section III)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import _kernels_hidden_markov
from .arrays import Array, for_kernel


def forward_backward(log_likelihood: Array, initial: Array, transitions: Array) -> tuple[Array, Array, float]:
    """State probabilities (..., n, S), expected numbers of transitions (S, S) and the log evidence of all chains.

    log_likelihood (n, S) or (n_chains, n, S), initial (S,) probabilities, transitions (S, S) probabilities from row to
    column.
    """
    chains = log_likelihood if log_likelihood.ndim == 3 else log_likelihood[None]
    top = chains.max(axis=-1, keepdims=True, initial=-np.inf)
    likelihood = np.exp(chains - top)
    forward, after, scale = np.empty_like(likelihood), np.empty_like(likelihood), np.empty(likelihood.shape[:2])
    steps = for_kernel(transitions), for_kernel(transitions.T)
    _kernels_hidden_markov.forward_backward(likelihood, for_kernel(initial), *steps, forward, after, scale)
    later = likelihood * after / scale[..., None]
    counts = transitions * np.tensordot(forward[:, :-1], later[:, 1:], axes=((0, 1), (0, 1)))
    probabilities = forward * after
    probabilities /= np.maximum(probabilities.sum(axis=-1, keepdims=True), 1e-300)
    return probabilities.reshape(log_likelihood.shape), counts, float(np.log(scale).sum() + top.sum())


def most_probable_path(
    log_likelihood: Array, log_initial: Array, log_transitions: Array
) -> tuple[NDArray[np.int64], Array]:
    """Most probable states (n, ...) of chains and their log probability (...), by Viterbi's algorithm.

    log_likelihood (n, ..., S), log_initial (S,), log_transitions from row to column: (S, S), or (n, ..., S, S) of the
    step that leads to each frame. Of equally probable paths, one that changes its state early is taken.
    """
    n, own = len(log_likelihood), np.arange(log_likelihood.shape[-1])
    steps = np.broadcast_to(log_transitions, (*log_likelihood.shape, len(own)))
    best = np.empty(log_likelihood.shape)
    best[0] = log_initial + log_likelihood[0]
    for t in range(1, n):
        best[t] = (best[t - 1][..., None] + steps[t]).max(axis=-2) + log_likelihood[t]
    scores = best[:-1, ..., None] + steps[1:]
    stays = scores[..., own, own] == scores.max(axis=-2)
    came_from = np.where(stays, own, scores.argmax(axis=-2))
    path = np.empty(log_likelihood.shape[:-1], np.int64)
    path[-1] = best[-1].argmax(axis=-1)
    for t in range(n - 1, 0, -1):
        path[t - 1] = np.take_along_axis(came_from[t - 1], path[t][..., None], axis=-1)[..., 0]
    return path, best[-1].max(axis=-1)
