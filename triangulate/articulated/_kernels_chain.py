"""Many hidden Markov chains with the same transitions, without the interpreter."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def forward_backward(density, transitions, start, posterior):
    """Posterior (n_chains, n_frames, n_states) from densities likewise, each scaled so that its largest is 1.

    start (n_states,) of the first frame; transitions (n_states, n_states) from row to column.
    """
    n_chains, n_frames, n_states = density.shape
    state, following = np.empty(n_states), np.empty(n_states)
    for chain in range(n_chains):
        state[:] = start
        for t in range(n_frames):
            total = 0.0
            for s in range(n_states):
                state[s] *= density[chain, t, s]
                total += state[s]
            for s in range(n_states):
                state[s] /= total
                posterior[chain, t, s] = state[s]
            following[:] = 0.0
            for s in range(n_states):
                for to in range(n_states):
                    following[to] += state[s] * transitions[s, to]
            state[:] = following
        state[:] = 1.0
        for t in range(n_frames - 1, -1, -1):
            total = 0.0
            for s in range(n_states):
                posterior[chain, t, s] *= state[s]
                total += posterior[chain, t, s]
            largest = 0.0
            for s in range(n_states):
                posterior[chain, t, s] /= total
                following[s] = 0.0
                for to in range(n_states):
                    following[s] += transitions[s, to] * density[chain, t, to] * state[to]
                largest = max(largest, following[s])
            for s in range(n_states):
                state[s] = following[s] / largest
