"""The best split of a series in two."""

import numpy as np

from muybridge.numerics.change_point import best_split


def test_a_step_is_found_with_its_height_and_place():
    values = np.r_[np.zeros(37), np.full(20, 2.5)] + np.random.default_rng(0).normal(0, 0.5, 57)
    at, jump, strength = best_split(values)
    assert at == 37
    assert abs(jump - 2.5) < 0.5
    fall = ((values - values.mean()) ** 2).sum() - sum(
        ((part - part.mean()) ** 2).sum() for part in (values[:at], values[at:])
    )
    np.testing.assert_allclose(strength, np.sqrt(fall), rtol=1e-12)


def test_no_other_split_leaves_a_smaller_sum_of_squares():
    values = np.random.default_rng(1).normal(size=30)
    sums = [sum(((p - p.mean()) ** 2).sum() for p in (values[:i], values[i:])) for i in range(1, 30)]
    assert best_split(values)[0] == 1 + int(np.argmin(sums))


def test_counts_are_as_many_repeated_values():
    rng = np.random.default_rng(2)
    counts, means = rng.integers(1, 6, 12), rng.normal(size=12)
    at, jump, strength = best_split(counts * means, counts)
    again = best_split(np.repeat(means, counts))
    assert again[0] == counts[:at].sum()
    np.testing.assert_allclose(again[1:], (jump, strength), rtol=1e-12)


def test_times_without_values_make_no_jump():
    assert best_split(np.array([0.0, 0, 3, 3, 9, 0]), np.array([0, 0, 3, 3, 3, 0]))[:2] == (4, 2.0)
