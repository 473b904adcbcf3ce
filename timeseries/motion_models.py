"""State-space models of a coordinate's acceleration: one damped rhythm, or a stride's rhythm with overtones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..datasets import Array

# damping λ and rate ω in radians per usual step, and acceleration variances in noise variances per step^4: log bounds
LOWEST, HIGHEST = np.log([1e-3, 1e-3, 1e-12]), np.log([3.0, 2.0, 1e12])
# a prior wide by a decade either way keeps the parameters of short or still series near ordinary movement
EXPECTED, SPREAD = np.log([0.1, 0.1, 1.0]), np.log([10.0, 10.0, 1e8])
OVERTONES = (1, 2, 3)  # multiples of the stride's rate
NODES_PER_STEP, N_NODES = 64, 512  # of the table of steps: as fine as this, and up to eight usual steps


class MotionModel(NamedTuple):
    """`time_unit`: usual steps that make one unit of the kernels' time; the rest as the kernels take it.

    The table of steps (`_kernels_state_space`) is empty at first, and filled by the kernels with the steps they meet.
    """

    time_unit: float
    drift: Array  # (n_states, n_states): A
    diffusion: Array  # (n_states, n_states): G
    stationary: Array  # (n_states − 2, n_states − 2)
    nodes_F: Array  # (N_NODES, n_states, n_states)
    nodes_Q: Array  # as nodes_F
    known: NDArray[np.bool_]  # (N_NODES,)
    spacing: float  # between the steps of two nodes


def clipped(logs: Array) -> Array:
    """Log parameters inside their bounds; all beyond the second are log variances."""
    which = np.minimum(np.arange(len(logs)), 2)
    return np.clip(logs, LOWEST[which], HIGHEST[which])


def log_prior(logs: Array) -> float:
    """Log density of the logs of the strengths before the data are seen, up to a constant."""
    which = np.minimum(np.arange(len(logs)), 2)
    return float(-0.5 * np.sum(((logs - EXPECTED[which]) / SPREAD[which]) ** 2))


def damped_rhythm_model(logs: Array) -> MotionModel:
    """Acceleration that is one damped rhythm: log damping, log rate, log variance.

    A continuous autoregression with the doubled poles −λ ± iω; states: position, velocity, acceleration and its
    three derivatives.
    """
    damping, rate, power = np.exp(logs)
    unit = 1.0 / (damping + rate)
    friction, stiffness = 2 * damping * unit, unit**2 * (damping**2 + rate**2)
    # (s² + friction s + stiffness)², its coefficients from the constant one on
    coefficients = [stiffness**2, 2 * friction * stiffness, friction**2 + 2 * stiffness, 2 * friction]
    # cov(a^(i), a^(j)) = (−1)^((i−j)/2) m_(i+j) of a process of variance 1, 0 where i + j is odd: the moments by the
    # stationarity of cov(a^(3), a^(j)) for j = 0, 1, 2, the density of its noise by that for j = 3
    m2 = stiffness**2 / (friction**2 + stiffness)
    m4, m6 = stiffness * m2, stiffness**3
    covariance = np.array([[1, 0, -m2, 0], [0, m2, 0, -m4], [-m2, 0, m4, 0], [0, -m4, 0, m6]])
    density = 4 * friction**3 * stiffness * m2
    drift, diffusion = np.diag(np.ones(5), 1), np.zeros((6, 6))
    drift[5, 2:] = np.negative(coefficients)
    variance = power * unit**4
    diffusion[5, 5] = density * variance
    return _model(unit, drift, diffusion, covariance * variance)


def stride_model(logs: Array) -> MotionModel:
    """Acceleration that is a stride's rhythm and its overtones, each of its own strength.

    The sum of independent oscillators a'' = −2λ a' − (λ² + k²ω²) a + noise; logs: damping λ, rate ω, variances of
    rhythm and overtones. States: position, velocity, acceleration, jerk (the sums), and a, a' of the overtones. (One
    autoregression with all the poles would fix how strong an overtone is against the base: on a gallop in 20 mm of
    noise its 95 % intervals held 72-91 %. A slow wander beside the rhythm changed nothing.)
    """
    damping, rate = np.exp(logs[:2])
    unit = 1.0 / (damping + np.mean(OVERTONES) * rate)
    powers = np.exp(logs[2:]) * unit**4
    stiffness = unit**2 * (damping**2 + (rate * np.array(OVERTONES)) ** 2)
    friction = 2 * damping * unit
    n = 2 + 2 * len(powers)
    drift, diffusion, covariance = np.zeros((3, n, n))
    drift[0, 1] = 1.0
    drift[1, 2::2] = 1.0
    for k, power in enumerate(powers):
        a = 2 + 2 * k
        drift[a, a + 1], drift[a + 1, a], drift[a + 1, a + 1] = 1.0, -stiffness[k], -friction
        diffusion[a + 1, a + 1] = 2 * friction * stiffness[k] * power
        covariance[a, a], covariance[a + 1, a + 1] = power, stiffness[k] * power
    total = np.eye(n)  # from a, a' of the first to the sums
    total[2, 2::2] = total[3, 3::2] = 1.0
    drift = total @ drift @ np.linalg.inv(total)
    return _model(unit, drift, total @ diffusion @ total.T, (total @ covariance @ total.T)[2:, 2:])


def _model(unit: float, drift: Array, diffusion: Array, stationary: Array) -> MotionModel:
    nodes = np.empty((2, N_NODES, *drift.shape))
    known, spacing = np.zeros(N_NODES, dtype=np.bool_), 1.0 / (NODES_PER_STEP * unit)
    drift, diffusion, stationary = (np.ascontiguousarray(part) for part in (drift, diffusion, stationary))
    return MotionModel(unit, drift, diffusion, stationary, nodes[0], nodes[1], known, spacing)
