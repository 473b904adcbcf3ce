"""Kalman filter and smoother of one coordinate whose acceleration is a stationary, possibly rhythmic, random process.

State: position, velocity, acceleration a and the derivatives of a. The acceleration is a continuous autoregression,
a^(p) + c[p−1] a^(p−1) + ... + c[0] a = white noise of spectral `density`, with stationary covariance `stationary` of
(a, ..., a^(p−1)). Variances are in units of the measurement variance; the caller chooses the unit of time so that the
numbers stay near one. Missing observations are NaN. Every kernel releases the interpreter's lock.

Recordings with uneven frames need the motion over thousands of different steps: it is worked out at the nodes of a
grid of steps, when one is first needed, and interpolated between them (cubic, with the exact slopes F' = A F and
Q' = A Q + Q Aᵀ + density e eᵀ); a model's table of nodes is the arrays `nodes_F`, `nodes_Q` (n_nodes, 2 + p, 2 + p) and
`known` (n_nodes,), and `spacing`, its steps' distance. The error is below 1e-4 of the noise that a step adds.
"""

import math

import numpy as np
from numba import njit

UNSURE = 1e4  # prior variance of the first position and velocity over what the first two observations tell of them
STEADY = 1e-9  # relative change of the predicted variance below which it counts as settled
TERMS = 20  # of the exponential series

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(10)
NODES, WEIGHTS = (_NODES + 1) / 2, _WEIGHTS / 2


@njit(cache=True, nogil=True)
def transition(step, c, density, F, Q):
    """Fill F and Q (2 + p, 2 + p) of the motion over `step`."""
    n = F.shape[0]
    column, term = np.zeros(n), np.zeros(n)
    for j in range(n):
        _exponential(step, c, j, column, term)
        for i in range(n):
            F[i, j] = column[i]
            Q[i, j] = 0.0
    for node in range(NODES.shape[0]):
        _exponential(step * NODES[node], c, n - 1, column, term)
        weight = density * step * WEIGHTS[node]
        for i in range(n):
            for j in range(n):
                Q[i, j] += weight * column[i] * column[j]


@njit(cache=True, nogil=True)
def _exponential(step, c, j, column, term):
    """Column j of exp(A step), by its series on parts of the step short enough for it."""
    n = column.shape[0]
    size = 1.0
    for i in range(n):
        column[i] = 1.0 if i == j else 0.0
        if i < n - 2:
            size = max(size, abs(c[i]))
    parts = max(1, math.ceil(step * size))
    h = step / parts
    for _ in range(parts):
        for i in range(n):
            term[i] = column[i]
        for k in range(1, TERMS):
            last = 0.0
            for i in range(n - 2):
                last -= c[i] * term[i + 2]
            for i in range(n - 1):
                term[i] = term[i + 1] * h / k
            term[n - 1] = last * h / k
            for i in range(n):
                column[i] += term[i]


@njit(cache=True, nogil=True)
def tabled_transition(step, c, density, nodes_F, nodes_Q, known, spacing, F, Q):
    """As `transition`, from the table where it reaches."""
    place = step / spacing
    left = math.floor(place + 1e-6)
    s = place - left
    if left + 1 >= known.shape[0]:
        transition(step, c, density, F, Q)
        return
    between = s > 1e-6
    for node in range(left, left + 2 if between else left + 1):
        if not known[node]:
            transition(node * spacing, c, density, nodes_F[node], nodes_Q[node])
            known[node] = True
    if not between:
        F[:], Q[:] = nodes_F[left], nodes_Q[left]
        return
    rest = 1.0 - s
    _blend(nodes_F[left], nodes_Q[left], c, density, rest * rest * (1 + 2 * s), spacing * s * rest * rest, F, Q, False)
    _blend(
        nodes_F[left + 1], nodes_Q[left + 1], c, density, s * s * (1 + 2 * rest), -spacing * s * s * rest, F, Q, True
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _blend(NF, NQ, c, density, value, slope, F, Q, add):
    """F, Q = (or +=) value N + slope dN/dstep for N = NF, NQ."""
    n = F.shape[0]
    for i in range(n):
        for j in range(n):
            rise_F, rise_Q = 0.0, 0.0
            if i < n - 1:
                rise_F, rise_Q = NF[i + 1, j], NQ[i + 1, j]
            else:
                for k in range(2, n):
                    rise_F -= c[k - 2] * NF[k, j]
                    rise_Q -= c[k - 2] * NQ[k, j]
            row_F, row_Q = value * NF[i, j] + slope * rise_F, value * NQ[i, j] + slope * rise_Q
            F[i, j] = F[i, j] + row_F if add else row_F
            Q[i, j] = Q[i, j] + row_Q if add else row_Q
    for i in range(n):  # the transposed part of A Q + Q Aᵀ
        for j in range(n - 1):
            Q[i, j] += slope * NQ[i, j + 1]
        for k in range(2, n):
            Q[i, n - 1] -= slope * c[k - 2] * NQ[i, k]
    Q[n - 1, n - 1] += slope * density


@njit(cache=True, nogil=True)
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
    P[0, 0] = UNSURE
    P[1, 1] = UNSURE * (2 / gap**2 + stationary[0, 0] * gap**2)
    for i in range(stationary.shape[0]):
        for j in range(stationary.shape[0]):
            P[2 + i, 2 + j] = stationary[i, j]


@njit(cache=True, nogil=True)
def filter_series(
    y, steps, relative, c, density, stationary, nodes_F, nodes_Q, known, spacing,
    innovations, variances, means, covariances,
):  # fmt: skip
    """One forward pass. y (n,), first one not NaN; steps (n,): time since the frame before; relative (n,): variances.

    Fills innovations (n,) and their variances (n,), and unless they are empty the predicted means (n, 2 + p) and
    covariances (n, 2 + p, 2 + p). Returns the sum of squared normalised innovations, the sum of log variances and their
    number, without the first two observations, which only place the series.
    """
    n = 2 + c.shape[0]
    x, P, F, Q = np.zeros(n), np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n))
    FP, gain, new = np.zeros((n, n)), np.zeros(n), np.zeros(n)
    _start(y, steps, stationary, x, P)
    keep, last_step, settled, S = means.shape[0] > 0, math.nan, 0, 0.0
    squares, logs, seen, log_S = 0.0, 0.0, 0, 0.0
    for t in range(y.shape[0]):
        there = math.isfinite(y[t])
        same = t > 0 and there and steps[t] == last_step and relative[t] == relative[t - 1]
        if not same:
            settled = 0
        if t > 0:
            if steps[t] != last_step:
                tabled_transition(steps[t], c, density, nodes_F, nodes_Q, known, spacing, F, Q)
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


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def smooth_series(
    steps, c, density, nodes_F, nodes_Q, known, spacing,
    innovations, variances, means, covariances, states, state_variances,
):  # fmt: skip
    """Backward pass of Bryson and Frazier over what `filter_series` left: states and variances, (n, 4).

    Only position, velocity, acceleration and jerk are given back.
    """
    n = 2 + c.shape[0]
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
            tabled_transition(steps[t], c, density, nodes_F, nodes_Q, known, spacing, F, Q)
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


@njit(cache=True, nogil=True)
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
