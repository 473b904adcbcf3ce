"""Peaks of one map per keypoint are grouped to animals by their tags."""

import numpy as np
import pytest
import torch

from muybridge.pose2d.inference.animal_groups import Candidates, first_tags, grouped, maps_of_each, support
from muybridge.pose2d.networks.registry import Maps

N_CELLS, VARIANCE = 5000, np.full((5, 4), [4.0, 4.0, 0.04, 0.04])


def candidates_of(animals, seed=0, missing=(), false=1):
    """Peaks of animals of these tags (n, 4), in random order, with `false` peaks that have any tag.

    missing : (animal, keypoint) without peak. Returns them and the true position of each (n, n_keypoints), -1: none
    """
    rng = np.random.default_rng(seed)
    n, n_keypoints = len(animals), len(VARIANCE)
    tags = animals[:, None] + rng.normal(0, np.sqrt(VARIANCE), (n, n_keypoints, 4))
    wrong = rng.uniform((0, 0, -1, -1), (60, 80, 1, 1), (false, n_keypoints, 4))
    every, mass = np.concatenate([tags, wrong]), np.full((n + false, n_keypoints), 0.9)
    for animal, keypoint in missing:
        mass[animal, keypoint] = 0.0
    order = rng.permuted(np.tile(np.arange(n + false), (n_keypoints, 1)), axis=1)  # (keypoints, peaks)
    every = np.take_along_axis(every.transpose(1, 0, 2), order[..., None], 1)
    mass = np.take_along_axis(mass.T, order, 1)
    truth = np.argsort(order, axis=1).T[:n]
    for animal, keypoint in missing:
        truth[animal, keypoint] = -1
    return Candidates(np.zeros(mass.shape, int), mass, every), truth


def members_of(candidates, n):
    """Peaks of each animal found, in the order of the middles."""
    tags = first_tags(candidates, VARIANCE, N_CELLS, n)
    members, tags = grouped(candidates, VARIANCE, N_CELLS, tags)
    order = np.lexsort((tags[:, 2], np.rint(tags[:, 0] / 10)))
    return members[order]


FAR = np.array([[10.0, 20, 0, 0], [40.0, 50, 0, 0], [50.0, 10, 0, 0]])
ONE_PLACE = np.array([[30.0, 20, -1, 0], [30.0, 20, 1, 0]])


@pytest.mark.parametrize("animals", [FAR, ONE_PLACE], ids=["apart", "on one place"])
@pytest.mark.parametrize("seed", range(3))
def test_every_animal_gets_its_own_peaks(animals, seed):
    candidates, truth = candidates_of(animals, seed, missing=((0, 2), (1, 4)))
    members = members_of(candidates, len(animals))
    some = truth >= 0
    np.testing.assert_array_equal(members[some], truth[some])


def test_no_peak_is_of_two_animals_and_an_animal_too_many_finds_none():
    candidates, _ = candidates_of(FAR, 1, false=0)
    tags = first_tags(candidates, VARIANCE, N_CELLS, 5)
    assert len(tags) == 3
    members, _ = grouped(candidates, VARIANCE, N_CELLS, np.concatenate([tags, tags[:1]]))
    for own in members.T:
        assert len(set(own[own >= 0])) == (own >= 0).sum() == 3


def test_a_picture_without_peaks_has_no_animal():
    candidates, _ = candidates_of(FAR, 1)
    nothing = candidates._replace(mass=0 * candidates.mass)
    members, tags = grouped(nothing, VARIANCE, N_CELLS, first_tags(nothing, VARIANCE, N_CELLS, 3))
    assert members.shape == (0, 5)
    assert tags.shape == (0, 4)
    assert support(nothing, members).shape == (0,)


def test_the_support_of_a_group_is_the_mean_probability_of_its_keypoints():
    candidates, truth = candidates_of(FAR, 1, missing=((0, 2), (0, 4)))
    np.testing.assert_allclose(support(candidates, truth), [0.9 * 3 / 5, 0.9, 0.9])


def test_second_peaks_of_an_animal_are_no_animal():
    candidates, _ = candidates_of(np.concatenate([FAR, FAR[:1]]), 3, false=0)
    assert len(first_tags(candidates, VARIANCE, N_CELLS, 5)) == 3


def test_without_free_tags_known_places_begin_the_animals_in_their_order():
    candidates, truth = candidates_of(FAR, 2)
    begin = np.full((3, 4), np.nan)
    begin[:, :2] = FAR[[2, 0, 1], :2]
    members, _ = grouped(candidates, VARIANCE, N_CELLS, begin)
    np.testing.assert_array_equal(members, truth[[2, 0, 1]])


def test_an_animals_maps_lack_the_cells_that_others_hold():
    logits = torch.zeros(1, 1, 20, 30)
    points = torch.tensor([[[[5.0, 6.0]], [[9.0, 6.0]], [[torch.nan, torch.nan]]]])
    each = maps_of_each(Maps(logits, torch.zeros(1, 4, 20, 30)), points).logits[:, 0]
    assert each[0, 6, 5] == each[1, 6, 9] == 0
    assert each[0, 6, 9] < -20 > each[1, 6, 5]
    assert each[0, 6, 7] == each[1, 6, 7] == 0  # half way: both
    assert each[2, 6, 5] < -20 > each[2, 6, 9]
    assert (each[:, 12:] == 0).all()
