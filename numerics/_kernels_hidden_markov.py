"""Forward-backward recursions of a hidden Markov model; each step is normalised, so that nothing underflows."""

from ._kernels_options import kernel


@kernel
def forward_backward(likelihood, initial, transitions, transposed, forward, after, scale):
    """Fill forward (n_chains, n, S), the state probabilities given the frames so far, after (n_chains, n, S), the
    likelihood of all later frames over that of the forward pass, and scale (n_chains, n), the likelihood of each frame
    given those before.

    likelihood (n_chains, n, S), initial (S,), transitions (S, S) from row to column, and the same transposed: both
    passes then run along rows, which the compiler vectorises.
    """
    n_chains, n, n_states = likelihood.shape
    for c in range(n_chains):
        for t in range(n):
            total = 0.0
            for s in range(n_states):
                forward[c, t, s] = initial[s] if t == 0 else 0.0
            if t > 0:
                for r in range(n_states):
                    before = forward[c, t - 1, r]
                    for s in range(n_states):
                        forward[c, t, s] += before * transitions[r, s]
            for s in range(n_states):
                forward[c, t, s] *= likelihood[c, t, s]
                total += forward[c, t, s]
            scale[c, t] = max(total, 1e-300)
            for s in range(n_states):
                forward[c, t, s] /= scale[c, t]
        for t in range(n - 1, -1, -1):
            for s in range(n_states):
                after[c, t, s] = 1.0 if t == n - 1 else 0.0
            if t < n - 1:
                for r in range(n_states):
                    weight = likelihood[c, t + 1, r] * after[c, t + 1, r] / scale[c, t + 1]
                    for s in range(n_states):
                        after[c, t, s] += weight * transposed[r, s]
