"""What the sampler draws from, against the same density written out, and its kernels against textbook twins."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import i0e, logsumexp

from benchmarks.sampler_calibration import (
    INLIER,
    LENGTHS,
    N_FRAMES,
    ORDER,
    PAIRS,
    PROCESS_STD,
    REACH,
    SIGMA,
    SIZE,
    STDS,
    World,
    draw_prior,
    observe,
    target_of,
)
from muybridge.triangulate.sampling import _kernels_sampler
from muybridge.triangulate.sampling.markov_chain import Partition, gaussian_draws, plan, sweep


@pytest.fixture(scope="module")
def problem():
    world, rng = World.make(), np.random.default_rng(3)
    truth = draw_prior(world, 1, rng, n_rounds=5)[0][0]
    observations = observe(world, truth, rng)
    target = target_of(world, observations)
    return world, observations, target.fitted(gaussian_draws(target, 6, rng))


def log_density(world, observations, points_3d):
    """The target, from its definition: the states' paths in a sum over time, headings by Bessel's function."""
    d = points_3d[:, PAIRS[:, 1]] - points_3d[:, PAIRS[:, 0]]
    length = np.linalg.norm(d, axis=-1)
    u = d / length[..., None]
    total = -0.5 * (((length - LENGTHS) / STDS) ** 2).sum() - 0.5 * (points_3d**2).sum() / REACH**2
    total -= 0.5 * (np.diff(points_3d, ORDER, axis=0) ** 2).sum() / PROCESS_STD**2
    squared = ((world.rig.project(points_3d) - observations.points_2d) ** 2).sum(axis=-1)
    inlier = INLIER * np.exp(-0.5 * squared / SIGMA**2) / (2 * np.pi * SIGMA**2)
    total += np.nansum(np.log(inlier + (1 - INLIER) / np.prod(SIZE)))
    kappa, nu = world.model.concentrations, world.model.directions
    A = np.einsum("tki,ski,sk->ts", u[..., :2], nu[..., :2], kappa)
    B = np.einsum("tk,sk,sk->ts", u[..., 1], nu[..., 0], kappa) - np.einsum(
        "tk,sk,sk->ts", u[..., 0], nu[..., 1], kappa
    )
    R = np.hypot(A, B)
    log_e = np.log(kappa / np.sinh(kappa)).sum(axis=1) + np.einsum("tk,sk,sk->ts", u[..., 2], nu[..., 2], kappa)
    log_e = log_e + np.log(i0e(R)) + R
    message = np.log(world.model.probabilities) + log_e[0]
    for t in range(1, N_FRAMES):
        message = logsumexp(message[:, None] + np.log(world.model.transitions), axis=0) + log_e[t]
    return total + logsumexp(message)


def log_evidence(model, log_e):
    message = np.log(model.probabilities) + log_e[0]
    for t in range(1, len(log_e)):
        message = logsumexp(message[:, None] + np.log(model.transitions), axis=0) + log_e[t]
    return logsumexp(message)


def test_proposal_times_correction_is_the_density_written_out(problem):
    world, observations, target = problem
    D = np.diff(np.eye(N_FRAMES), ORDER, axis=0)
    tied = np.zeros((N_FRAMES, 4, 3, 4, 3))
    for k in range(4):
        tied[:, k, :, k] += target.seen.information[:, k]
    for p, (i, j) in enumerate(target.terms.pairs):
        for a, b in itertools.product((i, j), (i, j)):
            tied[:, a, :, b] += (1 if a == b else -1) * target.terms.information[:, p]
    totals = []
    for away in gaussian_draws(target, 6, np.random.default_rng(0)):
        place = target.at(away)
        quadratic = np.einsum("tka,tkalb,tlb->", away, tied, away) + (away**2).sum() / REACH**2
        quadratic += ((D @ away.reshape(N_FRAMES, -1)) ** 2).sum() / PROCESS_STD**2
        mine = place.log_weights.sum() + place.log_steps.sum() + log_evidence(world.model, place.log_evidence)
        totals.append(mine - 0.5 * quadratic - log_density(world, observations, place.points_3d))
    np.testing.assert_allclose(totals, totals[0], atol=1e-6)


def test_bending_keeps_bones_as_long_as_they_are_along_the_way_and_volumes(problem):
    target = problem[2]
    target = replace(target, bent=np.ones_like(target.bent))
    rng = np.random.default_rng(1)
    away = rng.normal(0, 2, target.origin.shape)
    start, stop = target.bones.pairs.T
    u = target.origin[:, stop] - target.origin[:, start]
    u /= np.linalg.norm(u, axis=-1, keepdims=True)
    straight = ((target.origin + away)[:, stop] - (target.origin + away)[:, start]) * u
    found = target.at(away).points_3d
    length = np.linalg.norm(found[:, stop] - found[:, start], axis=-1)
    across = np.linalg.norm(away[:, stop] - away[:, start], axis=-1)
    # exact for a bone of its mean length; otherwise up to the deviation times the squared angle
    assert (np.abs(length - straight.sum(axis=-1)) <= 0.05 * np.abs(length - LENGTHS) + across**4 / 1e4).all()
    jacobian = np.empty((12, 12))
    for i in range(12):
        step = np.zeros_like(away)
        step[0].reshape(-1)[i] = 1e-4
        jacobian[:, i] = ((target.at(away + step).points_3d - target.at(away - step).points_3d)[0] / 2e-4).reshape(-1)
    assert np.linalg.det(jacobian) == pytest.approx(1, abs=1e-6)


def test_blocks_are_decided_as_by_the_whole_density(problem):
    """Decisions one after the other, each by the ratio of the whole target over proposal."""
    world, _, target = problem
    rng = np.random.default_rng(2)
    here, there = (target.at(away) for away in gaussian_draws(target, 2, rng))
    blocks = np.array([[0, 3], [5, 8], [10, 12]])
    log_uniform = np.log(rng.random(3))
    accepted = np.zeros(3, bool)
    model: Any = target.states
    kernel: Any = _kernels_sampler.accept_blocks
    kernel(
        *(_kernels_sampler.Weights(place.log_evidence, place.log_weights, place.log_steps) for place in (here, there)),
        _kernels_sampler.StateChain(model.transitions, model.probabilities, 0.7),
        ORDER, blocks, log_uniform, accepted,
    )  # fmt: skip

    def whole(place):
        return (
            place.log_weights.sum() + place.log_steps.sum() + 0.7 * float(log_evidence(world.model, place.log_evidence))
        )

    at = here
    for b in range(3):
        trial = at.moved(there, blocks[b : b + 1], ORDER)
        expected = log_uniform[b] < whole(trial) - whole(at)
        assert accepted[b] == expected
        at = trial if expected else at


def test_states_are_drawn_as_often_as_their_paths_are_probable():
    rng = np.random.default_rng(4)
    log_e, transitions, probabilities = rng.normal(size=(3, 2)), rng.dirichlet(np.ones(2), 2), np.array([0.3, 0.7])
    paths = list(itertools.product(range(2), repeat=3))
    weights = np.array([
        probabilities[p[0]] * transitions[p[0], p[1]] * transitions[p[1], p[2]]
        * np.exp(sum(log_e[t, s] for t, s in enumerate(p))) for p in paths
    ])  # fmt: skip
    counts, states = dict.fromkeys(paths, 0), np.zeros(3, np.int64)
    for _ in range(20_000):
        _kernels_sampler.draw_states(log_e, transitions, probabilities, rng.random(3), states)
        counts[tuple(states.tolist())] += 1
    np.testing.assert_allclose(np.array(list(counts.values())) / 20_000, weights / weights.sum(), atol=0.015)


def test_a_band_is_solved_and_drawn_from():
    rng = np.random.default_rng(5)
    dense = np.tril(np.triu(rng.normal(size=(8, 8)), -2)) + 3 * np.eye(8)
    band = np.array([[dense[j + a, j] if j + a < 8 else 0.0 for a in range(3)] for j in range(8)])
    b, noise = rng.normal(size=8), rng.normal(size=8)
    vector = b.copy()
    _kernels_sampler.draw_band(band, vector, noise)
    np.testing.assert_allclose(vector, np.linalg.solve(dense @ dense.T, b) + np.linalg.solve(dense.T, noise))


def test_frames_between_blocks_stand_still_and_what_is_not_accepted_stays(problem):
    target = problem[2]
    rng = np.random.default_rng(6)
    partition = Partition.of(target, np.array([[0, 4], [6, 12]]))
    here = target.at(gaussian_draws(target, 1, rng)[0])
    there, accepted = sweep(target, partition, here, rng)
    assert (there.points_3d[4:6] == here.points_3d[4:6]).all()
    for (start, stop), moved in zip(partition.blocks, accepted, strict=True):
        assert (there.points_3d[start:stop] != here.points_3d[start:stop]).any() == moved
    again = target.at(there.away)
    np.testing.assert_allclose(again.log_weights, there.log_weights)
    np.testing.assert_allclose(again.log_steps, there.log_steps, atol=1e-9)
    np.testing.assert_allclose(again.inlier, there.inlier)


def test_every_frame_moves_in_some_partition(problem):
    target = problem[2]
    pilots = [target.at(away) for away in gaussian_draws(target, 6, np.random.default_rng(7))]
    assert (~np.stack([p.fixed for p in plan(target, pilots)])).any(axis=0).all()
