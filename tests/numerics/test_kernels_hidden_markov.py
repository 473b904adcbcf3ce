import numpy as np
import pytest

from muybridge.numerics._kernels_hidden_markov import forward_backward


def test_forward_backward_equals_the_sum_over_all_paths():
    rng = np.random.default_rng(2)
    likelihood = rng.normal(size=(9, 2))
    stay = np.array([0.8, 0.6])
    step = np.array([[0.8, 0.2], [0.4, 0.6]])
    weights, states = [], []
    for number in range(2**9):
        path = np.array([number >> t & 1 for t in range(9)])
        weights.append(0.5 * np.exp(likelihood[range(9), path].sum()) * np.prod(step[path[:-1], path[1:]]))
        states.append(path)
    weights, states = np.array(weights), np.array(states)
    probability = np.empty(9)
    counts, evidence = forward_backward(likelihood, stay, probability)
    np.testing.assert_allclose(probability, weights @ states / weights.sum())
    assert evidence == pytest.approx(np.log(weights.sum()))
    stays = ((states[:, 1:] == 1) & (states[:, :-1] == 1)).sum(axis=1)
    assert counts[1, 0] == pytest.approx(weights @ stays / weights.sum())
    assert counts[1, 1] == pytest.approx(weights @ states[:, :-1].sum(axis=1) / weights.sum())
