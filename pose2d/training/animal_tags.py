"""Train all animals' keypoints in one map each, with tags that say whose a keypoint is (Newell 2017).

Of the two ways to find several animals (`grouping` of the training) the one that needs no animal detector.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from scipy.stats import beta
from torch import Tensor
from torch.nn import functional as F

from ...datasets import Array
from ...formats.labels.labelled_frames import Labels
from ..inference.animal_groups import groups_in, maps_of_each
from ..inference.animal_search import Finder, finder_of
from ..inference.decoding import neighbours
from ..inference.detector import Detector
from ..networks.registry import Maps, PoseNet
from ..training_config import TrainingConfig
from .losses import is_inside, pose_loss

_REMEMBERED = 0.98  # share of the tags' variance that a batch leaves as it was
_N_PICTURES = 40  # from which is learned how much of an animal is shown: some seconds
_NEAR = 0.25  # sides of the animal from its middle within which a group of peaks is that animal
_FEWEST = 4  # animals found from which anything is learned
_LEAST_SPREAD = 0.1, 0.05  # of the shares of keypoints that animals show (elsewhere than in training), groups by chance
_UNIT = 10.0  # cells: error of an animal's middle that weighs as much as a spread of one of the free tags


def joint_labels(labels: Labels) -> Labels:
    """Each entry with the keypoints of its animal and then those of the picture's others; NaN: there are fewer."""
    most = labels.n_animals
    points = np.full((len(labels), most, *labels.points_2d.shape[1:]), np.nan)
    for index, picture in enumerate(labels.pictures):
        others = [other for other in labels.entries[picture] if other != index]
        points[index, : 1 + len(others)] = labels.points_2d[[index, *others]]
    names = tuple(f"{name} {a}" for a in range(most) for name in labels.keypoints)
    pairs = tuple((f"{one} {a}", f"{other} {a}") for a in range(most) for one, other in labels.symmetries or ())
    joint = points.reshape(len(labels), -1, 2)
    return replace(labels, points_2d=joint, hidden_2d=None, keypoints=names, symmetries=pairs)


def animals_loss(network: PoseNet, maps: Maps, points: Tensor, config: TrainingConfig) -> tuple[Tensor, Maps, Tensor]:
    """Loss of a picture's animals, and the maps and points of each animal on its own (n * n_animals, ...).

    A keypoint of an animal is one place among the cells that the other animals' keypoints of that name do not hold: the
    loss is that of one animal, `pose_loss`, in maps without these cells.

    points : (n, n_animals * n_keypoints, 2), cells; NaN: not labelled, or fewer animals
    """
    points = points.unflatten(1, (-1, network.n_keypoints))
    each, own = maps_of_each(maps, points), points.flatten(0, 1)
    return pose_loss(network, each, own, config) + tag_loss(network, maps, points), each, own


def tag_loss(network: PoseNet, maps: Maps, points: Tensor) -> Tensor:
    """Error of the animals' middles that the cells around labels tell, spread of the free tags within an animal, and
    likeness of those of two animals (Newell 2017, eq. 1); the network's `tag_variance` follows along.

    points : (n, n_animals, n_keypoints, 2), cells
    """
    inside = is_inside(points, *maps.logits.shape[-2:]).transpose(1, 2)  # (n, n_keypoints, n_animals)
    tags, weights = _tags_around(network, maps, points.transpose(1, 2))
    weights = weights * inside[..., None]
    total = weights.sum().clamp_min(1e-6)
    labelled = torch.isfinite(points).all(-1, keepdim=True)
    middles = (torch.nan_to_num(points) * labelled).sum(2) / labelled.sum(2).clamp_min(1)
    off = tags[..., :2] - middles[:, None, :, None]
    places = F.smooth_l1_loss(off / _UNIT, torch.zeros_like(off), reduction="none", beta=0.1).sum(-1)
    free = tags[..., 2:]
    shares = weights[..., None] / weights.sum((1, 3)).clamp_min(1e-6)[:, None, :, None, None]
    means = (shares * free).sum((1, 3))  # (n, n_animals, 2)
    apart = free - means[:, None, :, None]
    present = inside.any(1)
    pairs = torch.triu(present[:, :, None] & present[:, None], diagonal=1)
    alike = torch.exp(-0.5 * (means[:, :, None] - means[:, None]).square().sum(-1))
    push = (alike * pairs).sum() / pairs.sum().clamp_min(1)
    _follow_variance(network, torch.cat([off, apart], -1).detach(), weights)
    return (places * weights).sum() / total + (apart.square().sum(-1) * weights).sum() / total + push


def _tags_around(network: PoseNet, maps: Maps, points: Tensor) -> tuple[Tensor, Tensor]:
    """(n, n_keypoints, n_animals, m, `N_TAGS`) tags of the cells around points (n, n_keypoints, n_animals, 2), and
    their weights, less with the distance."""
    rows, columns = maps.logits.shape[-2:]
    points = torch.nan_to_num(points)
    nearest = points.round().long()
    near_rows, near_columns, on_grid = neighbours(nearest[..., 1], nearest[..., 0], rows, columns, 1)
    cells = near_rows.clamp(0, rows - 1) * columns + near_columns.clamp(0, columns - 1)
    away = points[..., None, :] - torch.stack([near_columns, near_rows], -1)
    tags = network.tags_at(maps.features, cells.flatten(2)).view(*cells.shape, -1)
    return tags, on_grid * torch.exp(-0.5 * away.square().sum(-1))


def _follow_variance(network: PoseNet, errors: Tensor, weights: Tensor) -> None:
    """Running mean of the squared errors (n, n_keypoints, n_animals, m, `N_TAGS`) of each keypoint's tags."""
    total = weights.sum((0, 2, 3))
    now = (errors.square() * weights[..., None]).sum((0, 2, 3)) / total.clamp_min(1e-6)[:, None]
    kept = torch.where(total > 0, _REMEMBERED, 1.0)[:, None]
    variance: Tensor = network.tag_variance  # type: ignore[assignment]
    variance.mul_(kept).add_(now * (1 - kept))


def calibrate_groups(detector: Detector, labels: Labels) -> None:
    """Learn from labelled pictures how many of its keypoints an animal shows, and a group of peaks that is none: the
    network's `least_support`."""
    finder, every = finder_of(detector, "fp32"), list(labels.entries.values())
    assert isinstance(finder, Finder)
    animals: list[float] = []
    chance: list[float] = []
    for own in every[:: max(1, len(every) // _N_PICTURES)]:
        middles = np.nanmean(labels.points_2d[[i for i in own if np.isfinite(labels.points_2d[i]).any()]], axis=1)
        places, shown = groups_in(finder.engine, labels.image(own[0]), detector.n_animals)
        apart = np.linalg.norm(places[:, None] - middles, axis=-1)
        groups, of = linear_sum_assignment(apart)
        is_animal = np.isin(np.arange(len(shown)), groups[apart[groups, of] < _NEAR * detector.animal_side])
        animals += shown[is_animal].tolist()
        chance += shown[~is_animal].tolist()
    least: Tensor = detector.network.least_support  # type: ignore[assignment]
    least.fill_(least_support(np.array(animals), np.array(chance), len(detector.keypoints)))


def least_support(animals: Array, chance: Array, n_keypoints: int) -> float:
    """Support from which a group is rather an animal than peaks that agree by chance.

    Where the beta distributions of the two, weighted by their numbers, cross; 0: nowhere below what animals have in the
    mean.

    animals, chance : (n,) support of groups that are labelled animals, and of others
    """
    if len(animals) < _FEWEST:
        return 0.0
    # a single sure keypoint is known to be no animal, also where training has shown no group by chance
    chance = np.append(chance, 1 / n_keypoints)
    shares = np.arange(0.005, animals.mean(), 0.005)
    known = zip((animals, chance), _LEAST_SPREAD, strict=True)
    log_odds = [np.log(len(own)) + _beta_of(own, spread).logpdf(shares) for own, spread in known]
    by_chance = np.flatnonzero(log_odds[0] < log_odds[1])
    return float(shares[by_chance[-1]]) if len(by_chance) else 0.0


def _beta_of(values: Array, least_spread: float):
    """The beta distribution with the mean and the variance of some shares, and of one mode."""
    mean = np.clip(values.mean(), 0.01, 0.99)
    count = mean * (1 - mean) / max(values.var(), least_spread**2) - 1
    count = max(count, 1 / min(mean, 1 - mean))
    return beta(mean * count, (1 - mean) * count)
