"""Pose states given bone directions: headings in closed form, states by forward-backward, their parameters by EM.

A direction d of bone k in state s at heading h has the density κ / (4π sinh κ) exp(κ (R(h) ν)·d), and h is uniform.
With A = Σ κ (νx dx + νy dy), B = Σ κ (νx dy - νy dx) and C = Σ κ νz dz over the bones, the heading is von Mises
about atan2(B, A) with concentration √(A² + B²), and integrating it out leaves exp(C) I0(√(A² + B²)).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import i0e, i1e, logsumexp

from ...numerics.arrays import Array
from ...numerics.banded import one_blas_thread
from ...numerics.clustering import k_means
from ...numerics.hidden_markov import forward_backward

_LARGEST_CONCENTRATION = 2000.0  # a standard deviation of 1.3 degrees
_STARTS, _START_ITERATIONS = 3, 8  # of expectation-maximisation: the best is continued
_ITERATIONS = 60  # at most; it ends where the likelihood per frame changes by less than 1e-5
_STAY = 1.0  # pseudo-counts of a transition to the same state, and shared among the others


@dataclass(frozen=True, eq=False)
class StateModel:
    """directions (n_states, n_bones, 3), concentrations (n_states, n_bones), probabilities, transitions."""

    directions: Array
    concentrations: Array
    probabilities: Array
    transitions: Array

    @property
    def n_states(self) -> int:
        return len(self.probabilities)

    @property
    def log_probabilities(self) -> Array:
        return np.log(np.maximum(self.probabilities, 1e-300))

    def forward_backward(self, log_evidence: Array) -> tuple[Array, Array, float]:
        """State probabilities (n_frames, n_states), expected transitions, and the log likelihood."""
        return forward_backward(log_evidence, self.probabilities, self.transitions)


@dataclass(frozen=True, eq=False)
class Evidence:
    """Log evidence (n_frames, n_states) of every state, and the expected cosine and sine of its heading."""

    log_evidence: Array
    cosine: Array
    sine: Array


def upright(up: Array) -> Array:
    """(3, 3) rotation that turns `up` into z: about the axis between them, or by way of -z if `up` points down."""
    up = up / np.linalg.norm(up)
    axis = np.array([up[1], -up[0], 0.0])  # up x z
    if up[2] < 0:
        over = np.diag([1.0, -1.0, -1.0])
        return upright(over @ up) @ over
    skew = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + skew + skew @ skew / (1 + up[2])


def bone_directions(points_3d: Array, pairs: NDArray[np.int64]) -> Array:
    """(n_frames, n_bones, 3) unit vectors from parent to keypoint, pairs (n_bones, 2) of (keypoint, parent)."""
    d = points_3d[:, pairs[:, 0]] - points_3d[:, pairs[:, 1]]
    length = np.linalg.norm(d, axis=-1, keepdims=True)
    return d / np.where(length > 0, length, np.nan)


def log_normaliser(concentrations: Array) -> Array:
    """log of κ / (4π sinh κ)."""
    kappa = np.maximum(concentrations, 1e-8)
    return np.log(kappa) - np.log(2 * np.pi) - kappa - np.log1p(-np.exp(-2 * kappa))


def weigh_states(directions: Array, model: StateModel, weights: Array | None = None) -> Evidence:
    """Evidence of every state from directions (n_frames, n_bones, 3) about z; NaN, or weight 0, counts nothing."""
    seen = np.isfinite(directions[..., 0]).astype(float)
    weights = seen if weights is None else seen * weights
    d = np.where(seen[..., None] > 0, directions, 0.0) * weights[..., None]
    kappa_nu = model.concentrations[..., None] * model.directions
    nx, ny, nz = (kappa_nu[..., i].T for i in range(3))
    A = d[..., 0] @ nx + d[..., 1] @ ny
    B = d[..., 1] @ nx - d[..., 0] @ ny
    C = d[..., 2] @ nz
    R = np.hypot(A, B)
    i0 = i0e(R)
    log_evidence = weights @ log_normaliser(model.concentrations).T + C + np.log(i0) + R
    mean = i1e(R) / (i0 * np.maximum(R, 1e-12))
    return Evidence(log_evidence, mean * A, mean * B)


def expected_directions(gamma: Array, evidence: Evidence, model: StateModel) -> Array:
    """(n_frames, n_bones, 3) Σ γ κ E[R(h)] ν: the natural parameter that the bones' directions feel."""
    kappa_nu = model.concentrations[..., None] * model.directions
    c, s = gamma * evidence.cosine, gamma * evidence.sine
    x, y, z = (kappa_nu[..., i] for i in range(3))
    return np.stack([c @ x - s @ y, s @ x + c @ y, gamma @ z], axis=-1)


def mean_headings(gamma: Array, evidence: Evidence) -> Array:
    """(n_frames,) radians about z: direction of the expected heading vector."""
    return np.arctan2((gamma * evidence.sine).sum(axis=1), (gamma * evidence.cosine).sum(axis=1))


def concentration_of(resultant: Array) -> Array:
    """κ with coth κ - 1/κ = resultant (0-1), by Newton from the approximation of Banerjee et al. (2005)."""
    r = np.clip(resultant, 1e-9, 1 - 1e-9)
    kappa = r * (3 - r**2) / (1 - r**2)
    for _ in range(5):
        small = kappa < 1e-3
        k = np.where(small, 1.0, kappa)
        value = np.where(small, kappa / 3, 1 / np.tanh(k) - 1 / k)
        slope = np.where(small, 1 / 3, 1 - value**2 - 2 * value / k)
        kappa = np.maximum(kappa - (value - r) / np.maximum(slope, 1e-12), 1e-9)
    return np.minimum(kappa, _LARGEST_CONCENTRATION)


def fit_states(
    directions: Array, reference: Array, n_states: int, *, contiguous: bool = True, seed: int = 0
) -> StateModel:
    """States by EM from several starts, the best kept; states are ordered by their probability.

    directions (n_frames, n_bones, 3) about z, NaN where missing; reference (n_frames,) azimuth that headings start
    from, which also fixes where each state's heading is zero.
    """
    shown = np.isfinite(directions[..., 0])
    usable = shown.mean(axis=1) > 0.5
    if not usable.any():
        raise ValueError("no frame shows more than half of the bones; poses cannot be learned from these points")
    directions, reference = directions[usable], np.nan_to_num(reference[usable])
    n_states = min(n_states, len(directions))
    with one_blas_thread():
        return _best_fit(directions, reference, n_states, contiguous, np.random.default_rng(seed))


def _best_fit(
    directions: Array, reference: Array, n_states: int, contiguous: bool, rng: np.random.Generator
) -> StateModel:
    best, best_likelihood = None, -np.inf
    for _ in range(_STARTS if n_states > 1 else 1):
        model, likelihood = _iterate(directions, _start(directions, reference, n_states, rng), False, _START_ITERATIONS)
        if likelihood > best_likelihood:
            best, best_likelihood = model, likelihood
    if best is None:
        raise ArithmeticError("no start of the pose states has a finite likelihood")
    model, _ = _iterate(directions, best, contiguous, _ITERATIONS)
    return _ordered(_aim(model, directions, reference))


def _rotated(directions: Array, cosine: Array, sine: Array) -> Array:
    """Directions turned about z by minus the angle of (cosine, sine), scaled by their length."""
    x, y, z = directions[..., 0], directions[..., 1], directions[..., 2]
    return np.stack([cosine * x + sine * y, cosine * y - sine * x, z], axis=-1)


def _start(directions: Array, reference: Array, n_states: int, rng: np.random.Generator) -> StateModel:
    """Centres by k-means++ on directions turned to the reference heading, then a few Lloyd steps."""
    turned = _rotated(directions, np.cos(reference)[:, None], np.sin(reference)[:, None])
    features = np.nan_to_num(turned).reshape(len(turned), -1)
    _, nearest = k_means(features, n_states, rng, n_rounds=5)
    gamma = 0.9 * np.eye(n_states)[nearest] + 0.1 / n_states
    return _maximise(directions, gamma, np.cos(reference)[:, None], np.sin(reference)[:, None], n_states)


def _iterate(directions: Array, model: StateModel, contiguous: bool, iterations: int) -> tuple[StateModel, float]:
    """EM steps until the likelihood per frame stands still; transitions are learned where frames are contiguous."""
    last = -np.inf
    for _ in range(iterations):
        evidence = weigh_states(directions, model)
        if contiguous:
            gamma, counts, likelihood = model.forward_backward(evidence.log_evidence)
        else:
            weighted = evidence.log_evidence + model.log_probabilities
            total = np.asarray(logsumexp(weighted, axis=1, keepdims=True))
            gamma, counts, likelihood = np.exp(weighted - total), None, float(total.sum())
        model = _maximise(directions, gamma, evidence.cosine, evidence.sine, model.n_states, counts)
        if likelihood - last < 1e-5 * len(directions):
            break
        last = likelihood
    return model, likelihood


def _maximise(
    directions: Array, gamma: Array, cosine: Array, sine: Array, n_states: int, counts: Array | None = None
) -> StateModel:
    """Parameters of largest expected likelihood, with weak priors against collapse."""
    shown = np.isfinite(directions[..., 0]).astype(float)
    x, y, z = np.moveaxis(np.nan_to_num(directions), -1, 0)
    c, s = gamma * cosine, gamma * sine
    sums = np.stack([c.T @ x + s.T @ y, c.T @ y - s.T @ x, gamma.T @ z], axis=-1)
    weight = gamma.T @ shown
    length = np.linalg.norm(sums, axis=-1)
    resultant = length / (weight + 1.0)  # one pseudo-observation without direction
    direction = np.where(length[..., None] > 1e-9, sums / np.maximum(length, 1e-9)[..., None], [0.0, 0.0, 1.0])
    probabilities = (gamma.sum(axis=0) + 1e-3) / (gamma.sum() + 1e-3 * n_states)
    if counts is None:
        transitions = np.tile(probabilities, (n_states, 1))
    else:
        smoothed = counts + _STAY * (np.eye(n_states) + probabilities)
        transitions = smoothed / smoothed.sum(axis=1, keepdims=True)
    return StateModel(direction, concentration_of(resultant), probabilities, transitions)


def _aim(model: StateModel, directions: Array, reference: Array) -> StateModel:
    """Each state turned about z so that its heading is, on average, the reference."""
    evidence = weigh_states(directions, model)
    weighted = evidence.log_evidence + model.log_probabilities
    gamma = np.exp(weighted - np.asarray(logsumexp(weighted, axis=1, keepdims=True)))
    offset = reference[:, None] - np.arctan2(evidence.sine, evidence.cosine)
    turn = np.arctan2((gamma * np.sin(offset)).sum(axis=0), (gamma * np.cos(offset)).sum(axis=0))[:, None]
    return replace(model, directions=_rotated(model.directions, np.cos(turn), np.sin(turn)))


def _ordered(model: StateModel) -> StateModel:
    order = np.argsort(-model.probabilities, kind="stable")
    return StateModel(
        model.directions[order],
        model.concentrations[order],
        model.probabilities[order],
        model.transitions[np.ix_(order, order)],
    )
