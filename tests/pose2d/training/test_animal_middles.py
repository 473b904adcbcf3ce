"""The map of the middles of several animals: a Poisson process of places."""

from pathlib import Path

import numpy as np
import pytest
import torch

from muybridge.formats.labels.labelled_frames import Labels, Picture
from muybridge.pose2d.networks.registry import Maps, build_network
from muybridge.pose2d.training.animal_middles import middle_labels
from muybridge.pose2d.training.losses import middles_loss, targets
from muybridge.pose2d.training_config import TrainingConfig

CONFIG, NETWORK = TrainingConfig(network="small", sigma=4.0), build_network("small", 1)


def loss_of(logits, points):
    features = torch.zeros((len(logits), NETWORK.features.width, *logits.shape[-2:]))
    return middles_loss(NETWORK, Maps(logits, features), points, CONFIG)


def test_a_picture_has_an_entry_with_the_middle_of_every_animal():
    pictures = tuple(Picture(Path(name)) for name in ("a.png", "b.png", "b.png"))
    points = np.array([[[0, 0], [10, 20]], [[4, 4], [np.nan, np.nan]], [[30, 10], [50, 40]]], float)
    labels = Labels(pictures, points, ("nose", "tail"), *[("top",) * 3] * 2, (0, 1, 1), individuals=("x", "x", "y"))
    found = middle_labels(labels)
    assert found.pictures == pictures[:2]
    assert found.n_animals == 1  # entry per picture
    np.testing.assert_array_equal(found.points_2d, [[[5, 10], [np.nan, np.nan]], [[4, 4], [40, 25]]])


def test_the_best_map_counts_the_animals_of_each_picture():
    points = torch.tensor([[[3.0, 4.0], [8.2, 2.1]], [[5.0, 5.0], [torch.nan, torch.nan]], [[-9.0, 2.0], [40.0, 3.0]]])
    logits = torch.full((3, 1, 8, 12), -3.0, requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.1)
    for _ in range(300):
        optimiser.zero_grad()
        loss_of(logits, points).backward()
        optimiser.step()
    expected = logits.detach().exp()[:, 0]
    assert expected.sum((1, 2)).tolist() == pytest.approx([2, 1, 0], abs=0.03)  # those outside the crop do not count
    wanted = targets(points[:2], CONFIG.sigma / 4, 8, 12).sum(1)
    np.testing.assert_allclose(expected[:2], wanted, atol=0.01)


def test_the_order_of_animals_changes_nothing():
    points = torch.tensor([[[3.0, 4.0], [8.2, 2.1], [torch.nan, torch.nan]]])
    logits = torch.randn((1, 1, 8, 12), generator=torch.Generator().manual_seed(0))
    assert loss_of(logits, points).item() == pytest.approx(loss_of(logits, points[:, [2, 1, 0]]).item(), rel=1e-6)
