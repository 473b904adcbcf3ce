"""All animals' keypoints in one map each, with tags: what the loss asks for, and what a training of it finds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from muybridge.formats.labels.labelled_frames import Labels, Picture
from muybridge.pose2d.networks.registry import N_TAGS, Maps, build_network
from muybridge.pose2d.training.animal_tags import animals_loss, joint_labels, least_support, tag_loss
from muybridge.pose2d.training.grouping import share_that_meets
from muybridge.pose2d.training.losses import pose_loss
from muybridge.pose2d.training_config import TrainingConfig

CONFIG = TrainingConfig(network="small", sigma=4.0)


def labels_of(points, pictures, individuals):
    names = tuple(Picture(Path(name)) for name in pictures)
    n, keypoints = len(names), ("ear_left", "ear_right", "tail")
    return Labels(names, points, keypoints, ("top",) * n, ("top",) * n, (0,) * n, individuals=individuals)


def test_an_entry_has_its_own_animal_first_and_mirrors_each_by_itself():
    points = np.arange(18, dtype=float).reshape(3, 3, 2)
    joint = joint_labels(labels_of(points, ("a", "b", "b"), ("x", "x", "y")))
    assert joint.points_2d.shape == (3, 6, 2)
    np.testing.assert_array_equal(joint.points_2d[1], np.concatenate([points[1], points[2]]))
    np.testing.assert_array_equal(joint.points_2d[2], np.concatenate([points[2], points[1]]))
    assert np.isnan(joint.points_2d[0, 3:]).all()
    assert joint.mirror.tolist() == [1, 0, 2, 4, 3, 5]


def test_the_density_is_the_share_of_animals_that_lie_in_another():
    square = np.array([[0.0, 0], [10, 10], [0, 10]])
    apart, near = square + 20, square + 4
    assert share_that_meets(labels_of(np.stack([square, apart]), "aa", "xy")) == 0
    assert share_that_meets(labels_of(np.stack([square, near]), "aa", "xy")) == 1
    assert share_that_meets(labels_of(np.stack([square, near]), "ab", "xx")) == 0  # in two pictures


def maps_of(network, n=2, seed=0):
    random = torch.Generator().manual_seed(seed)
    features = torch.randn(n, network.features.width, 12, 16, generator=random)
    return Maps(torch.randn(n, network.n_keypoints, 12, 16, generator=random), features)


def test_the_loss_of_one_animal_is_that_of_a_detector_of_one_and_of_its_tags():
    network = build_network("small", 3, tags=True)
    maps, points = maps_of(network), torch.rand(2, 3, 2) * 10
    both, each, own = animals_loss(network, maps, points, CONFIG)
    torch.testing.assert_close(each.logits, maps.logits)
    torch.testing.assert_close(own, points)
    torch.testing.assert_close(
        both, pose_loss(network, maps, points, CONFIG) + tag_loss(network, maps, points[:, None])
    )


def test_the_order_of_animals_changes_nothing():
    network = build_network("small", 3, tags=True)
    maps, points = maps_of(network), torch.rand(2, 2, 3, 2) * 10
    one = animals_loss(network, maps, points.flatten(1, 2), CONFIG)[0]
    torch.testing.assert_close(one, animals_loss(network, maps, points.flip(1).flatten(1, 2), CONFIG)[0])


def test_free_tags_part_animals_on_one_place():
    """Of features that tell two animals, the tags become alike within each and unlike between them."""
    network = build_network("small", 3, tags=True)
    points = torch.tensor([[[[3.0, 3], [4, 9], [12, 6]], [[13.0, 3], [12, 9], [4, 6]]]])
    features = torch.zeros(1, network.features.width, 12, 16)
    for a, own in enumerate(points[0].long()):
        for x, y in own:
            features[0, a, y - 1 : y + 2, x - 1 : x + 2] = 1.0
    maps = Maps(torch.zeros(1, 3, 12, 16), features)
    optimiser = torch.optim.Adam([network.tag_weight, network.tag_bias], lr=0.02)
    for _ in range(300):
        optimiser.zero_grad()
        tag_loss(network, maps, points).backward()
        optimiser.step()
    cells = (points[0, ..., 1] * 16 + points[0, ..., 0]).long().T[None]  # (1, keypoints, animals)
    tags = network.tags_at(features, cells)[0].detach()
    assert tags.shape[-1] == N_TAGS
    middles = points[0].mean(1)
    assert (tags[..., :2] - middles).abs().max() < 1.5
    within = (tags[..., 2:] - tags[..., 2:].mean(0)).norm(dim=-1).max()
    between = (tags[:, 0, 2:].mean(0) - tags[:, 1, 2:].mean(0)).norm()
    assert between > 5 * within
    assert float(network.tag_variance.max()) < 3


def test_a_network_without_tags_keeps_its_weights_names():
    assert not any(name.startswith("tag_") for name in build_network("small", 3).state_dict())
    assert replace(CONFIG, grouping="bottom_up").grouping == "bottom_up"
    with pytest.raises(ValueError, match="grouping must be one of"):
        replace(CONFIG, grouping="sideways")


def test_groups_by_chance_are_told_from_animals_by_how_many_keypoints_they_show():
    """The fewest errors that a support in between can make, within a twentieth, from few animals of each kind."""
    rng = np.random.default_rng(0)
    animals, chance = rng.beta(8, 6, 60), rng.beta(2, 18, 30)
    found, lower = least_support(animals, chance, 20), least_support(animals, chance[:3], 20)
    others, ghosts = rng.beta(8, 6, 6000), rng.beta(2, 18, 3000)
    wrong = [(others < t).sum() + (ghosts >= t).sum() for t in np.arange(0.01, 0.6, 0.01)]
    assert (others < found).sum() + (ghosts >= found).sum() < min(wrong) + 0.05 * len(others)
    assert 0 < lower < found  # the fewer there are by chance, the less is asked of an animal


def test_without_groups_by_chance_an_animal_is_hardly_refused_and_without_animals_nothing_is_learned():
    animals = np.random.default_rng(0).beta(4, 4, 50)
    assert least_support(animals, np.empty(0), 20) < 0.15
    assert least_support(animals[:2], np.full(9, 0.1), 20) == 0
