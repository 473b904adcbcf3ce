"""The colours around keypoints tell animals apart where they differ, and say nothing where they do not."""

import numpy as np
import pytest

from muybridge.pose2d.inference.appearance import N_COLOURS, Looks, colours_at, unlikeness


def test_colours_are_those_around_the_points():
    image = np.zeros((40, 60, 3), np.uint8)
    image[:, 30:] = (255, 255, 255)
    found = colours_at(image, np.array([[10.0, 20], [50, 20], [50, 20], [90, 20]]), np.array([1, 1, 0, 1], bool), 100)
    np.testing.assert_allclose(found[:2], [[0, 0, 0], [100, 0, 0]], atol=0.01)
    assert np.isnan(found[2:]).all()  # not seen, outside the picture


def test_looks_with_few_keypoints_in_common_are_not_compared():
    one, other = np.zeros((5, N_COLOURS)), np.full((5, N_COLOURS), 2.0)
    assert unlikeness(one, other) == pytest.approx(np.sqrt(12))
    one[:3] = np.nan
    assert np.isnan(unlikeness(one, other))


def looks_after(coats, n_frames=60, noise=4.0):
    """What is learned of two animals of these colours (2, 3), and a function that draws one's look."""
    rng, looks = np.random.default_rng(0), Looks(2, 6)

    def look(a):
        return coats[a] + rng.normal(0, noise, (6, N_COLOURS))

    for _ in range(n_frames):
        looks.follow(np.stack([look(0), look(1)]))
    return looks, look


def test_different_coats_tell_the_animals_and_equal_ones_say_nothing():
    looks, look = looks_after(np.array([[30.0, 0, 0], [70.0, 0, 0]]))
    for a in range(2):
        odds = looks.log_odds(look(a))
        assert odds[a] - odds[1 - a] > 4
    looks, look = looks_after(np.full((2, 3), 50.0))
    odds = np.array([looks.log_odds(look(i % 2)) for i in range(100)])
    assert np.abs(odds[:, 0] - odds[:, 1]).mean() < 0.5


def test_nothing_is_known_at_first_and_a_missing_animal_changes_nothing():
    looks = Looks(2, 6)
    assert (looks.log_odds(np.zeros((6, N_COLOURS))) == 0).all()
    looks, _ = looks_after(np.array([[30.0, 0, 0], [70.0, 0, 0]]))
    before = looks.colours.copy()
    looks.follow(np.full((2, 6, N_COLOURS), np.nan))
    np.testing.assert_array_equal(looks.colours, before)
