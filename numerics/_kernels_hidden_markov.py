"""Forward-backward pass of a two-state hidden Markov model; log domain is not needed, each step is normalised."""

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def forward_backward(log_likelihood, stay, probability):
    """Probability of state 1 at every frame, (n,); returns expected stays and the log evidence.

    log_likelihood (n, 2); stay (2,): probability to stay in each state. The expected numbers of stays and of visits,
    (2, 2), are what the next estimate of `stay` needs.
    """
    n = log_likelihood.shape[0]
    forward, scale = np.empty((n, 2)), np.empty(n)
    weight = np.empty((n, 2))
    evidence = 0.0
    for t in range(n):
        top = max(log_likelihood[t, 0], log_likelihood[t, 1])
        evidence += top
        total = 0.0
        for s in range(2):
            weight[t, s] = math.exp(log_likelihood[t, s] - top)
            if t == 0:
                prior = 0.5
            else:
                prior = forward[t - 1, s] * stay[s] + forward[t - 1, 1 - s] * (1.0 - stay[1 - s])
            forward[t, s] = prior * weight[t, s]
            total += forward[t, s]
        scale[t] = total
        evidence += math.log(total)
        forward[t, 0] /= total
        forward[t, 1] /= total
    counts = np.zeros((2, 2))
    b0, b1 = 1.0, 1.0
    probability[n - 1] = forward[n - 1, 1]
    for t in range(n - 2, -1, -1):
        w0, w1 = weight[t + 1, 0] * b0 / scale[t + 1], weight[t + 1, 1] * b1 / scale[t + 1]
        counts[0, 0] += forward[t, 0] * stay[0] * w0
        counts[1, 0] += forward[t, 1] * stay[1] * w1
        b0, b1 = stay[0] * w0 + (1 - stay[0]) * w1, stay[1] * w1 + (1 - stay[1]) * w0
        counts[0, 1] += forward[t, 0] * b0
        counts[1, 1] += forward[t, 1] * b1
        probability[t] = forward[t, 1] * b1
    return counts, evidence
