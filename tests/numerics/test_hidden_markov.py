"""Forward-backward against the sum over all paths, the most probable path against the best of all."""

import itertools

import numpy as np
import pytest

from muybridge.numerics.hidden_markov import forward_backward, most_probable_path


@pytest.mark.parametrize(("n_frames", "n_states"), [(9, 2), (6, 3), (1, 2)])
def test_forward_backward_equals_the_sum_over_all_paths(n_frames, n_states):
    rng = np.random.default_rng(2)
    log_likelihood = rng.normal(size=(n_frames, n_states))
    initial, transitions = rng.dirichlet(np.ones(n_states)), rng.dirichlet(np.ones(n_states), n_states)
    paths = np.array(list(itertools.product(range(n_states), repeat=n_frames)))
    steps = transitions[paths[:, :-1], paths[:, 1:]].prod(axis=1)
    weights = initial[paths[:, 0]] * steps * np.exp(log_likelihood[range(n_frames), paths].sum(axis=1))
    probabilities, counts, evidence = forward_backward(log_likelihood, initial, transitions)
    share = weights / weights.sum()
    for s in range(n_states):
        np.testing.assert_allclose(probabilities[:, s], share @ (paths == s))
        for r in range(n_states):
            both = ((paths[:, :-1] == s) & (paths[:, 1:] == r)).sum(axis=1)
            assert counts[s, r] == pytest.approx(share @ both)
    assert evidence == pytest.approx(np.log(weights.sum()))


def test_an_impossible_state_stays_impossible_and_no_frames_are_no_states():
    log_likelihood = np.array([[0.0, -2000.0], [0.0, 0.0], [-2000.0, 0.0]])
    probabilities, _, _ = forward_backward(log_likelihood, np.full(2, 0.5), np.array([[0.9, 0.1], [0.1, 0.9]]))
    np.testing.assert_allclose(probabilities[[0, 2]], [[1, 0], [0, 1]], atol=1e-12)
    assert forward_backward(np.zeros((0, 2)), np.full(2, 0.5), np.eye(2))[0].shape == (0, 2)


def test_many_chains_are_each_chain_alone():
    rng = np.random.default_rng(3)
    log_likelihood = rng.normal(scale=200, size=(4, 30, 3))
    initial, transitions = rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(3), 3)
    probabilities, counts, evidence = forward_backward(log_likelihood, initial, transitions)
    alone = [forward_backward(chain, initial, transitions) for chain in log_likelihood]
    np.testing.assert_allclose(probabilities, [own for own, _, _ in alone], atol=1e-12)
    np.testing.assert_allclose(counts, sum(own for _, own, _ in alone))
    assert evidence == pytest.approx(sum(own for _, _, own in alone))


@pytest.mark.parametrize(("n_frames", "n_states"), [(7, 2), (5, 3), (1, 2)])
def test_the_most_probable_path_is_the_best_of_all_paths_of_each_chain(n_frames, n_states):
    rng = np.random.default_rng(4)
    log_likelihood = rng.normal(size=(n_frames, 3, n_states))
    initial, steps = rng.normal(size=n_states), rng.normal(size=(n_frames, 3, n_states, n_states))
    found, total = most_probable_path(log_likelihood, initial, steps)
    paths = np.array(list(itertools.product(range(n_states), repeat=n_frames)))
    frames = np.arange(n_frames)
    for chain in range(3):
        scores = initial[paths[:, 0]] + log_likelihood[frames, chain, paths].sum(axis=1)
        scores += steps[frames[1:], chain, paths[:, :-1], paths[:, 1:]].sum(axis=1)
        assert found[:, chain].tolist() == paths[scores.argmax()].tolist()
        assert total[chain] == pytest.approx(scores.max())


def test_a_change_that_may_lie_anywhere_is_put_at_the_first_frame():
    log_likelihood = np.zeros((9, 2))
    log_likelihood[[2, 6]] = [[0.0, 4.0], [4.0, 0.0]]
    path, _ = most_probable_path(log_likelihood, np.zeros(2), -1.0 * (1 - np.eye(2)))
    assert path.tolist() == [1] * 3 + [0] * 6
