"""Offsets on which all pairs agree."""

from itertools import combinations

import numpy as np

from muybridge.cameras.frame_offset_search import best_offsets, cost_ratio, mean_log_cost

PAIRS = np.array(list(combinations(range(4), 2)))
TRUTH = np.array([0, 2, 0, -1])


def valley_costs(offsets, max_offset=5, noise=0.0):
    """(n_pairs, 11) costs that grow with the distance from the true relative offset."""
    relative = (offsets[PAIRS[:, 0]] - offsets[PAIRS[:, 1]])[:, None]
    costs = 0.1 + np.abs(np.arange(-max_offset, max_offset + 1) - relative)
    return costs * np.exp(np.random.default_rng(0).normal(0, noise, costs.shape))


def test_true_offsets_are_found_despite_noise():
    np.testing.assert_array_equal(best_offsets(valley_costs(TRUTH, noise=0.3), PAIRS, 4), TRUTH)


def test_the_most_common_offset_is_zero():
    np.testing.assert_array_equal(best_offsets(valley_costs(TRUTH + 3), PAIRS, 4), TRUTH)


def test_pairs_without_costs_are_left_out():
    costs = valley_costs(TRUTH)
    costs[0] = np.nan
    np.testing.assert_array_equal(best_offsets(costs, PAIRS, 4), TRUTH)
    assert mean_log_cost(np.full((6, 11), np.nan), PAIRS, TRUTH) == 0.0


def test_an_offset_that_cannot_be_judged_counts_as_the_worst():
    costs = valley_costs(TRUTH)
    at = 5 + TRUTH[0] - TRUTH[1]
    worst = costs[0].max()
    costs[0, at] = np.nan
    expected = np.log([worst, *[row.min() for row in costs[1:]]]).mean()
    assert np.isclose(mean_log_cost(costs, PAIRS, TRUTH), expected)


def test_the_ratio_is_one_without_change_and_larger_towards_the_truth():
    costs = valley_costs(TRUTH)
    assert cost_ratio(costs, PAIRS, TRUTH, TRUTH) == 1.0
    assert cost_ratio(costs, PAIRS, np.zeros(4, int), TRUTH) > 2
