"""Kalman filter and smoother of one coordinate whose acceleration is a stationary, possibly rhythmic, random process.

State x (n,): position, velocity, acceleration, jerk and what else the acceleration's process remembers; dx = A x dt +
noise of spectral density G, A and G (n, n), and rows 2 to n of A are zero for position and velocity. `stationary`
(n − 2, n − 2) is the covariance of the states from the acceleration on. Variances are in units of the measurement
variance; the caller chooses the unit of time so that the numbers stay near one. Missing observations are NaN. Every
kernel releases the interpreter's lock.

Recordings with uneven frames need the motion over thousands of different steps: it is worked out at the nodes of a
grid of steps, when one is first needed, and interpolated between them (cubic, with the exact slopes F' = A F and
Q' = A Q + Q Aᵀ + G). The error is below 1e-4 of the noise that a step adds. `model` is a `MotionModel`: A, G, the
stationary covariance and the table of nodes.
"""

import math
from typing import NamedTuple

import numpy as np

from ..numerics._kernels_options import helper, kernel

PRIOR_VARIANCE = 1e4  # of the first position and velocity over their variance from the first two observations
STEADY = 1e-9  # relative change of the predicted variance below which it counts as settled
TERMS = 20  # of the exponential series of a matrix below 1: the next one is below 1/20! = 4e-19


class ForwardPass(NamedTuple):
    """What one forward pass over a series leaves; means and covariances of 0 rows are not kept."""

    innovations: np.ndarray  # (n,) observed minus predicted, NaN where nothing was seen
    variances: np.ndarray  # (n,) of the innovations
    means: np.ndarray  # (n or 0, n_states) predicted
    covariances: np.ndarray  # (n or 0, n_states, n_states) predicted


@kernel
def transition(step, A, G, F, Q):
    """Fill F and Q (n, n) of the motion over `step`: F = exp(A step), Q = ∫ exp(A s) G exp(A s)ᵀ ds.

    Both by their series on a part of the step short enough for it, which is then doubled.
    """
    n, h, doublings = A.shape[0], step, 0
    for i in range(n):
        size = 0.0
        for j in range(n):
            size += abs(A[i, j])
        while h * size > 1.0:
            h, doublings = 0.5 * h, doublings + 1
    term_F, term_Q, product = np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            term_F[i, j], term_Q[i, j] = 1.0 if i == j else 0.0, h * G[i, j]
            F[i, j], Q[i, j] = term_F[i, j], term_Q[i, j]
    for k in range(1, TERMS):
        _times(A, term_F, h / k, product)
        for i in range(n):
            for j in range(n):
                term_F[i, j] = product[i, j]
                F[i, j] += product[i, j]
        _times(A, term_Q, h / (k + 1), product)
        for i in range(n):
            for j in range(n):
                term_Q[i, j] = product[i, j] + product[j, i]
                Q[i, j] += term_Q[i, j]
    for _ in range(doublings):
        _times(F, Q, 1.0, product)
        for i in range(n):
            for j in range(n):
                for k in range(n):
                    Q[i, j] += product[i, k] * F[j, k]
        _times(F, F, 1.0, product)
        for i in range(n):
            for j in range(n):
                F[i, j] = product[i, j]


@helper
def _times(A, M, scale, out):
    """out = scale A M, for A with many zeros."""
    n = A.shape[0]
    for i in range(n):
        for j in range(n):
            out[i, j] = 0.0
        for k in range(n):
            a = scale * A[i, k]
            if a != 0.0:
                for j in range(n):
                    out[i, j] += a * M[k, j]


@kernel
def tabled_transition(step, model, F, Q):
    """As `transition`, from the model's table where it reaches."""
    A, G = model.drift, model.diffusion
    nodes_F, nodes_Q, known, spacing = model.nodes_F, model.nodes_Q, model.known, model.spacing
    place = step / spacing
    left = math.floor(place + 1e-6)
    s = place - left
    if left + 1 >= known.shape[0]:
        transition(step, A, G, F, Q)
        return
    between = s > 1e-6
    for node in range(left, left + 2 if between else left + 1):
        if not known[node]:
            transition(node * spacing, A, G, nodes_F[node], nodes_Q[node])
            known[node] = True
    for i in range(F.shape[0]):
        for j in range(F.shape[0]):
            F[i, j], Q[i, j] = (0.0, 0.0) if between else (nodes_F[left, i, j], nodes_Q[left, i, j])
    if not between:
        return
    rest = 1.0 - s
    _add_blend(nodes_F[left], nodes_Q[left], A, G, rest * rest * (1 + 2 * s), spacing * s * rest * rest, F, Q)
    _add_blend(nodes_F[left + 1], nodes_Q[left + 1], A, G, s * s * (1 + 2 * rest), -spacing * s * s * rest, F, Q)


@helper
def _add_blend(NF, NQ, A, G, value, slope, F, Q):
    """F, Q += value N + slope dN/dstep for N = NF, NQ."""
    n = F.shape[0]
    for i in range(n):
        for j in range(n):
            F[i, j] += value * NF[i, j]
            Q[i, j] += value * NQ[i, j] + slope * G[i, j]
        for k in range(n):
            a = slope * A[i, k]
            if a != 0.0:
                for j in range(n):
                    F[i, j] += a * NF[k, j]
                    Q[i, j] += a * NQ[k, j]
                    Q[j, i] += a * NQ[k, j]


@helper
def _start(y, steps, stationary, x, P):
    """The state before the first frame: as wide as stationary acceleration and two observations allow."""
    gap, t = steps[0], 1
    if y.shape[0] > 1:
        gap = steps[1]
        while t < y.shape[0] - 1 and math.isnan(y[t]):
            t += 1
            gap += steps[t]
        x[1] = (y[t] - y[0]) / gap if math.isfinite(y[t]) else 0.0
    x[0] = y[0]
    P[0, 0] = PRIOR_VARIANCE
    P[1, 1] = PRIOR_VARIANCE * (2 / gap**2 + stationary[0, 0] * gap**2)
    for i in range(stationary.shape[0]):
        for j in range(stationary.shape[0]):
            P[2 + i, 2 + j] = stationary[i, j]


@kernel
def filter_series(y, steps, relative, model, passed):
    """One forward pass. y (n,), first one not NaN; steps (n,): time since the frame before; relative (n,): variances.

    Fills `passed`, a ForwardPass. Returns the sum of squared normalised innovations, the sum of log variances and
    their number, without the first two observations, which only place the series.
    """
    innovations, variances, means, covariances = passed
    n = model.drift.shape[0]
    x, P, F, Q = np.zeros(n), np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n))
    FP, gain, new = np.zeros((n, n)), np.zeros(n), np.zeros(n)
    _start(y, steps, model.stationary, x, P)
    keep, last_step, settled, S = means.shape[0] > 0, math.nan, 0, 0.0
    squares, logs, seen, log_S = 0.0, 0.0, 0, 0.0
    for t in range(y.shape[0]):
        there = math.isfinite(y[t])
        same = t > 0 and there and steps[t] == last_step and relative[t] == relative[t - 1]
        if not same:
            settled = 0
        if t > 0:
            if steps[t] != last_step:
                tabled_transition(steps[t], model, F, Q)
                last_step = steps[t]
            _predict(F, Q, x, P, FP, new, settled < n)
        if keep:
            for i in range(n):
                means[t, i] = x[i]
                for j in range(n):
                    covariances[t, i, j] = P[i, j]
        innovations[t] = math.nan
        if not there:
            continue
        if settled < n:
            before, S = S, P[0, 0] + relative[t]
            settled = settled + 1 if same and abs(S - before) < STEADY * S else 0
            log_S = math.log(S)
            for i in range(n):
                gain[i] = P[i, 0] / S
        innovation = y[t] - x[0]
        innovations[t], variances[t] = innovation, S
        for i in range(n):
            x[i] += gain[i] * innovation
        if settled < n:
            for i in range(n):
                for j in range(i, n):
                    P[i, j] -= gain[i] * gain[j] * S
                    P[j, i] = P[i, j]
        seen += 1
        if seen > 2:
            squares += innovation * innovation / S
            logs += log_S
    return squares, logs, max(seen - 2, 0)


@helper
def _predict(F, Q, x, P, FP, new, with_covariance):
    n = x.shape[0]
    for i in range(n):
        new[i] = 0.0
        for k in range(min(i, 2), n):
            new[i] += F[i, k] * x[k]
    for i in range(n):
        x[i] = new[i]
    if not with_covariance:
        return
    for i in range(n):
        for j in range(n):
            total = 0.0
            for k in range(min(i, 2), n):
                total += F[i, k] * P[k, j]
            FP[i, j] = total
    for i in range(n):
        for j in range(i, n):
            total = Q[i, j]
            for k in range(min(j, 2), n):
                total += FP[i, k] * F[j, k]
            P[i, j] = total
            P[j, i] = total


@kernel
def smooth_series(steps, model, passed, states, state_variances):
    """Backward pass of Bryson and Frazier over what `filter_series` left: states and variances, (n, 4).

    Only position, velocity, acceleration and jerk are given back.
    """
    innovations, variances, means, covariances = passed
    n = model.drift.shape[0]
    F, Q = np.zeros((n, n)), np.zeros((n, n))
    pull, precision = np.zeros(n), np.zeros((n, n))
    gain, row, product = np.zeros(n), np.zeros(n), np.zeros((n, n))
    last_step = math.nan
    for t in range(innovations.shape[0] - 1, -1, -1):
        P, x = covariances[t], means[t]
        if math.isfinite(innovations[t]):
            _absorb(innovations[t], variances[t], P, gain, row, pull, precision)
        for i in range(states.shape[1]):
            mean, variance = x[i], P[i, i]
            for k in range(n):
                mean -= P[i, k] * pull[k]
                part = 0.0
                for m in range(n):
                    part += precision[k, m] * P[m, i]
                variance -= P[i, k] * part
            states[t, i], state_variances[t, i] = mean, variance
        if t == 0:
            break
        if steps[t] != last_step:
            tabled_transition(steps[t], model, F, Q)
            last_step = steps[t]
        for j in range(n):
            row[j] = 0.0
            for k in range(n):
                row[j] += F[k, j] * pull[k]
            for i in range(n):
                total = 0.0
                for k in range(n):
                    total += precision[i, k] * F[k, j]
                product[i, j] = total
        for i in range(n):
            pull[i] = row[i]
            for j in range(i, n):
                total = 0.0
                for k in range(n):
                    total += F[k, i] * product[k, j]
                precision[i, j] = total
                precision[j, i] = total


@helper
def _absorb(innovation, S, P, gain, row, pull, precision):
    n = gain.shape[0]
    along, square = 0.0, 0.0
    for i in range(n):
        gain[i] = P[i, 0] / S
        along += gain[i] * pull[i]
    for j in range(n):
        row[j] = 0.0
        for i in range(n):
            row[j] += gain[i] * precision[i, j]
    for i in range(n):
        square += row[i] * gain[i]
    pull[0] -= along + innovation / S
    for j in range(n):
        precision[0, j] -= row[j]
        precision[j, 0] -= row[j]
    precision[0, 0] += square + 1.0 / S
