"""Kalman filter and smoother of one coordinate over time: an integrated Wiener process seen in white noise.

The state is the position and its derivatives; the highest one is driven by white noise of density `ratio`. Times are in
units of the usual step and the measurement variance is 1 (times `relative`), which keeps the numbers near one; the
caller scales the answers. Missing observations are NaN. Every kernel releases the interpreter's lock.
"""

import math

import numpy as np
from numba import njit

DIFFUSE = 1e7  # prior variance of each part of the state, in units of the measurement variance


@njit(cache=True, nogil=True)
def transition(step, ratio, F, Q):
    """Fill F and Q (order, order) of an integrated Wiener process over one step."""
    order = F.shape[0]
    factorial = 1.0
    for gap in range(order):
        if gap > 0:
            factorial *= gap
        for i in range(order - gap):
            F[i, i + gap] = step**gap / factorial
    for i in range(order):
        for j in range(order):
            ends = 1.0
            for f in range(2, order - i):
                ends *= f
            for f in range(2, order - j):
                ends *= f
            power = 2 * order - 1 - i - j
            Q[i, j] = ratio * step**power / (power * ends)


@njit(cache=True, nogil=True)
def filter_series(y, steps, relative, ratio, order, innovations, variances, means, covariances):
    """One forward pass. y (n,), steps (n,): time since the frame before, relative (n,): measurement variances.

    Fills innovations (n,), their variances (n,), and unless they are empty the predicted means (n, order) and
    covariances (n, order, order). Returns sum of squared normalised innovations, sum of log variances and their
    number, without the first `order` observations, which only locate the series.
    """
    x, P = np.zeros(order), np.eye(order) * DIFFUSE
    F, Q = np.zeros((order, order)), np.zeros((order, order))
    FP, gain = np.zeros((order, order)), np.zeros(order)
    keep, last_step = means.shape[0] > 0, math.nan
    squares, logs, seen = 0.0, 0.0, 0
    for t in range(y.shape[0]):
        if t > 0:
            if steps[t] != last_step:
                transition(steps[t], ratio, F, Q)
                last_step = steps[t]
            for i in range(order):
                total = 0.0
                for k in range(i, order):
                    total += F[i, k] * x[k]
                x[i] = total
                for j in range(order):
                    total = 0.0
                    for k in range(i, order):
                        total += F[i, k] * P[k, j]
                    FP[i, j] = total
            for i in range(order):
                for j in range(i, order):
                    total = Q[i, j]
                    for k in range(j, order):
                        total += FP[i, k] * F[j, k]
                    P[i, j] = total
                    P[j, i] = total
        if keep:
            means[t] = x
            covariances[t] = P
        innovations[t] = math.nan
        if math.isfinite(y[t]):
            S = P[0, 0] + relative[t]
            innovation = y[t] - x[0]
            innovations[t], variances[t] = innovation, S
            for i in range(order):
                gain[i] = P[i, 0] / S
            for i in range(order):
                x[i] += gain[i] * innovation
                for j in range(i, order):
                    P[i, j] -= gain[i] * gain[j] * S
                    P[j, i] = P[i, j]
            seen += 1
            if seen > order:
                squares += innovation * innovation / S
                logs += math.log(S)
    return squares, logs, max(seen - order, 0)


@njit(cache=True, nogil=True)
def smooth_series(steps, ratio, order, innovations, variances, means, covariances, states, state_variances):
    """Backward pass of Bryson and Frazier over what `filter_series` left: states and their variances, (n, order)."""
    F, Q = np.zeros((order, order)), np.zeros((order, order))
    pull, precision = np.zeros(order), np.zeros((order, order))
    gain, row, product = np.zeros(order), np.zeros(order), np.zeros((order, order))
    last_step = math.nan
    for t in range(innovations.shape[0] - 1, -1, -1):
        P, x = covariances[t], means[t]
        if math.isfinite(innovations[t]):
            S = variances[t]
            along = 0.0
            for i in range(order):
                gain[i] = P[i, 0] / S
                along += gain[i] * pull[i]
            for j in range(order):
                total = 0.0
                for i in range(order):
                    total += gain[i] * precision[i, j]
                row[j] = total
            square = 0.0
            for i in range(order):
                square += row[i] * gain[i]
            pull[0] -= along + innovations[t] / S
            for j in range(order):
                precision[0, j] -= row[j]
                precision[j, 0] -= row[j]
            precision[0, 0] += square + 1.0 / S
        for i in range(order):
            total = x[i]
            for k in range(order):
                total -= P[i, k] * pull[k]
            states[t, i] = total
            total = P[i, i]
            for k in range(order):
                for m in range(order):
                    total -= P[i, k] * precision[k, m] * P[m, i]
            state_variances[t, i] = total
        if t > 0:
            if steps[t] != last_step:
                transition(steps[t], ratio, F, Q)
                last_step = steps[t]
            for j in range(order - 1, -1, -1):
                total = 0.0
                for k in range(j + 1):
                    total += F[k, j] * pull[k]
                pull[j] = total
                for i in range(order):
                    total = 0.0
                    for k in range(j + 1):
                        total += precision[i, k] * F[k, j]
                    product[i, j] = total
            for i in range(order):
                for j in range(order):
                    total = 0.0
                    for k in range(i + 1):
                        total += F[k, i] * product[k, j]
                    precision[i, j] = total
