"""Forward-backward recursions of a hidden Markov model; each step is normalised, so that nothing underflows."""

from ._kernels_options import kernel


@kernel
def forward_backward(likelihood, initial, transitions, transposed, forward, after, scale):
    """Fill forward (n, S), the state probabilities given the frames so far, after (n, S), the likelihood of all later
    frames over that of the forward pass, and scale (n,), the likelihood of each frame given those before.

    likelihood (n, S), initial (S,), transitions (S, S) from row to column, and the same transposed: both passes then
    run along rows, which the compiler vectorises.
    """
    n, n_states = likelihood.shape
    for t in range(n):
        total = 0.0
        for s in range(n_states):
            forward[t, s] = initial[s] if t == 0 else 0.0
        if t > 0:
            for r in range(n_states):
                before = forward[t - 1, r]
                for s in range(n_states):
                    forward[t, s] += before * transitions[r, s]
        for s in range(n_states):
            forward[t, s] *= likelihood[t, s]
            total += forward[t, s]
        scale[t] = max(total, 1e-300)
        for s in range(n_states):
            forward[t, s] /= scale[t]
    for t in range(n - 1, -1, -1):
        for s in range(n_states):
            after[t, s] = 1.0 if t == n - 1 else 0.0
        if t < n - 1:
            for r in range(n_states):
                weight = likelihood[t + 1, r] * after[t + 1, r] / scale[t + 1]
                for s in range(n_states):
                    after[t, s] += weight * transposed[r, s]


@kernel
def forward_backward_of_each(likelihood, initial, transitions, transposed, forward, after, scale):
    """`forward_backward` of chains (n_chains, n, S) with the same transitions; forward, after and scale likewise."""
    for chain in range(len(likelihood)):
        forward_backward(
            likelihood[chain], initial, transitions, transposed, forward[chain], after[chain], scale[chain]
        )
