"""State probabilities of a hidden Markov model by the forward-backward algorithm (Rabiner 1989, section III)."""

from __future__ import annotations

import numpy as np

from . import _kernels_hidden_markov
from .arrays import Array, for_kernel


def forward_backward(log_likelihood: Array, initial: Array, transitions: Array) -> tuple[Array, Array, float]:
    """State probabilities (n, S), expected numbers of transitions (S, S) and the log evidence.

    log_likelihood (n, S), initial (S,) probabilities, transitions (S, S) probabilities from row to column.
    """
    top = log_likelihood.max(axis=1, keepdims=True, initial=-np.inf)
    likelihood = np.exp(log_likelihood - top)
    forward, after, scale = np.empty_like(likelihood), np.empty_like(likelihood), np.empty(len(likelihood))
    steps = for_kernel(transitions), for_kernel(transitions.T)
    _kernels_hidden_markov.forward_backward(likelihood, for_kernel(initial), *steps, forward, after, scale)
    counts = transitions * (forward[:-1].T @ (likelihood * after / scale[:, None])[1:])
    probabilities = forward * after
    probabilities /= np.maximum(probabilities.sum(axis=1, keepdims=True), 1e-300)
    return probabilities, counts, float(np.log(scale).sum() + top.sum())


def state_probabilities(log_likelihood: Array, initial: Array, transitions: Array) -> Array:
    """State probabilities (n_chains, n, S) of many chains with the same transitions; as `forward_backward`."""
    likelihood = np.ascontiguousarray(np.exp(log_likelihood - log_likelihood.max(axis=-1, keepdims=True)))
    forward, after, scale = np.empty_like(likelihood), np.empty_like(likelihood), np.empty(likelihood.shape[:2])
    steps = for_kernel(transitions), for_kernel(transitions.T)
    _kernels_hidden_markov.forward_backward_of_each(likelihood, for_kernel(initial), *steps, forward, after, scale)
    probabilities = forward * after
    return probabilities / np.maximum(probabilities.sum(axis=-1, keepdims=True), 1e-300)
