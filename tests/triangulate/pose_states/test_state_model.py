"""Pose states against brute force: headings by quadrature, states by enumeration."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp

from muybridge.triangulate.pose_states.state_model import (
    StateModel,
    concentration_of,
    expected_directions,
    log_normaliser,
    mean_headings,
    upright,
    weigh_states,
)


def unit(rng, *shape):
    v = rng.normal(size=(*shape, 3))
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def model_of(rng, n_states=3, n_bones=4):
    transitions = rng.dirichlet(np.ones(n_states), n_states)
    concentrations, probabilities = rng.uniform(0.5, 20, (n_states, n_bones)), rng.dirichlet(np.ones(n_states))
    return StateModel(unit(rng, n_states, n_bones), concentrations, probabilities, transitions)


def about_z(angle):
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def test_the_heading_is_integrated_out_exactly():
    rng = np.random.default_rng(0)
    model, d = model_of(rng), unit(rng, 2, 4)
    evidence = weigh_states(d, model)
    headings = np.linspace(0, 2 * np.pi, 2000, endpoint=False)
    for t, s in itertools.product(range(2), range(3)):
        turned = np.stack([model.directions[s] @ about_z(h).T for h in headings])
        log_density = (model.concentrations[s] * (turned * d[t]).sum(-1)).sum(-1) + log_normaliser(
            model.concentrations[s]
        ).sum()
        assert evidence.log_evidence[t, s] == pytest.approx(logsumexp(log_density) - np.log(2000), abs=1e-9)
        weights = np.exp(log_density - logsumexp(log_density))
        assert evidence.cosine[t, s] == pytest.approx(weights @ np.cos(headings), abs=1e-9)
        assert evidence.sine[t, s] == pytest.approx(weights @ np.sin(headings), abs=1e-9)
        alone = np.eye(3)[s][None]
        one = type(evidence)(*(part[[t]] for part in (evidence.log_evidence, evidence.cosine, evidence.sine)))
        expected = model.concentrations[s][:, None] * np.einsum("h,hki->ki", weights, turned)
        np.testing.assert_allclose(expected_directions(alone, one, model)[0], expected, atol=1e-8)


def test_the_density_of_a_direction_integrates_to_one():
    for kappa in (1e-6, 0.3, 5.0, 300.0):
        cosines = np.linspace(-1, 1, 400_001)
        density = np.exp(log_normaliser(np.array(kappa)) + kappa * cosines)
        assert 2 * np.pi * np.trapezoid(density, cosines) == pytest.approx(1, rel=1e-4)


def test_states_equal_the_sum_over_all_paths():
    rng = np.random.default_rng(1)
    model, log_evidence = model_of(rng), rng.normal(size=(4, 3))
    gamma, counts, likelihood = model.forward_backward(log_evidence)
    paths = list(itertools.product(range(3), repeat=4))
    weights = np.array([
        np.log(model.probabilities[p[0]]) + sum(np.log(model.transitions[a, b]) for a, b in itertools.pairwise(p))
        + sum(log_evidence[t, s] for t, s in enumerate(p)) for p in paths
    ])  # fmt: skip
    assert likelihood == pytest.approx(logsumexp(weights))
    weights = np.exp(weights - likelihood)
    for t, s in itertools.product(range(4), range(3)):
        assert gamma[t, s] == pytest.approx(sum(w for w, p in zip(weights, paths, strict=True) if p[t] == s))
    expected = np.zeros((3, 3))
    for w, p in zip(weights, paths, strict=True):
        for a, b in itertools.pairwise(p):
            expected[a, b] += w
    np.testing.assert_allclose(counts, expected, rtol=1e-9)


@given(st.floats(0.01, 1500))
def test_concentration_is_the_inverse_of_the_mean_length(kappa):
    assert concentration_of(np.array(1 / np.tanh(kappa) - 1 / kappa)) == pytest.approx(kappa, rel=1e-5)


@given(st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1)).filter(lambda v: np.linalg.norm(v) > 0.01))
def test_upright_is_the_rotation_that_turns_up_into_z(up):
    R = upright(np.array(up))
    np.testing.assert_allclose(R @ (np.array(up) / np.linalg.norm(up)), [0, 0, 1], atol=1e-9)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-9)


def test_missing_bones_say_nothing_and_the_heading_follows_the_turn():
    rng = np.random.default_rng(2)
    model, d = model_of(rng), unit(rng, 5, 4)
    blind = d.copy()
    blind[:, 1] = np.nan
    directions, concentrations = (np.delete(part, 1, axis=1) for part in (model.directions, model.concentrations))
    without = StateModel(directions, concentrations, model.probabilities, model.transitions)
    np.testing.assert_allclose(
        weigh_states(blind, model).log_evidence, weigh_states(np.delete(d, 1, axis=1), without).log_evidence
    )
    here, there = weigh_states(d, model), weigh_states(d @ about_z(0.7).T, model)
    np.testing.assert_allclose(there.log_evidence, here.log_evidence, atol=1e-9)
    gamma = model.forward_backward(here.log_evidence)[0]
    turned = mean_headings(gamma, there) - mean_headings(gamma, here)
    np.testing.assert_allclose(np.angle(np.exp(1j * turned)), 0.7, atol=1e-9)
