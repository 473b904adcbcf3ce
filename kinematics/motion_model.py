"""What a coordinate's acceleration may be like: two families of continuous autoregressions, in the kernels' units."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..datasets import Array

# multiples of the base rate at which pairs of poles −λ ± i k ω stand
MEMORY = (1, 1)  # a doubled pair: a memory, and where there is one, a single rhythm
STRIDE = (1, 2, 3)  # a stride's rhythm with its two overtones
# damping λ and rate ω in radians per usual step, and acceleration variance in noise variances per step^4: log bounds
LOWEST, HIGHEST = np.log([1e-3, 1e-3, 1e-12]), np.log([3.0, 2.0, 1e12])
# a wide prior, a decade either way, so that a series too short or too still to tell stays near ordinary movement
EXPECTED, SPREAD = np.log([0.1, 0.1, 1.0]), np.log([10.0, 10.0, 1e8])


NODES_PER_STEP, N_NODES = 64, 512  # of the table of steps: as fine as this, and up to eight usual steps


class MotionModel(NamedTuple):
    """`time_unit`: usual steps that make one unit of the kernels' time; the rest as the kernels want it.

    The table of steps (`_kernels_smoother`) is empty at first, and filled by the kernels with the steps they meet.
    """

    time_unit: float
    coefficients: Array  # (p,)
    density: float
    stationary: Array  # (p, p)
    nodes_F: Array  # (N_NODES, 2 + p, 2 + p)
    nodes_Q: Array
    known: NDArray[np.bool_]  # (N_NODES,)
    spacing: float


def motion_model(poles: tuple[int, ...], logs: Array) -> MotionModel:
    """The model of log damping, log rate and log acceleration variance."""
    damping, rate, power = np.exp(logs)
    unit = 1.0 / (damping + np.mean(poles) * rate)
    polynomial = np.ones(1)
    for k in poles:
        polynomial = np.convolve(polynomial, [1.0, 2 * damping * unit, unit**2 * (damping**2 + (k * rate) ** 2)])
    coefficients = np.ascontiguousarray(polynomial[:0:-1])
    stationary, density = _stationary(coefficients)
    power *= unit**4
    n = 2 + len(coefficients)
    nodes = (np.empty((N_NODES, n, n)), np.empty((N_NODES, n, n)), np.zeros(N_NODES, dtype=np.bool_))
    spacing = 1.0 / (NODES_PER_STEP * unit)
    return MotionModel(unit, coefficients, density * power, stationary * power, *nodes, spacing)


def _stationary(coefficients: Array) -> tuple[Array, float]:
    """Covariance (p, p) of the process and its derivatives when its variance is 1, and the noise density it needs.

    Only even moments of the spectrum enter, cov(a^(i), a^(j)) = (−1)^((i−j)/2) m_(i+j); stationarity of
    cov(a^(p−1), a^(j)) gives p − 1 linear equations for them.
    """
    p = len(coefficients)
    i, j = np.indices((p, p))
    even = (i + j) % 2 == 0
    sign = np.where(even, (-1.0) ** (np.abs(i - j) // 2), 0.0)
    moment = (i + j) // 2
    equations = np.zeros((p, p))
    for row in range(p - 1):
        for k in range(p):
            equations[row, moment[k, row]] -= coefficients[k] * sign[k, row]
        equations[row, moment[p - 1, row + 1]] += sign[p - 1, row + 1]
    equations[p - 1, 0] = 1.0
    moments = np.linalg.solve(equations, np.eye(p)[p - 1])
    covariance = sign * moments[moment]
    return covariance, float(2 * coefficients @ covariance[:, p - 1])
