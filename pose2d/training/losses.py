"""Losses of the training: heatmaps, offsets and covariances."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ..inference.decoding import neighbours
from ..networks.registry import Maps
from ..published_networks.published_network import Network
from ..training_config import TrainingConfig


def targets(points: Tensor, sigma: float, rows: int, columns: int) -> Tensor:
    """(n, n_keypoints, rows, columns) a Gaussian of width `sigma` (cells) that sums to one; zero where NaN or outside.

    points : (n, n_keypoints, 2), cells
    """
    x = torch.arange(columns, dtype=points.dtype, device=points.device)
    y = torch.arange(rows, dtype=points.dtype, device=points.device)
    across = torch.exp(-0.5 * ((x - points[..., :1]) / sigma) ** 2)
    down = torch.exp(-0.5 * ((y - points[..., 1:]) / sigma) ** 2)
    across = across / across.sum(-1, keepdim=True).clamp_min(1e-12)
    down = down / down.sum(-1, keepdim=True).clamp_min(1e-12)
    inside = is_inside(points, rows, columns)
    return torch.where(inside[..., None, None], down[..., :, None] * across[..., None, :], 0.0)


def middles_loss(network: Network, maps: Maps, points: Tensor, config: TrainingConfig) -> Tensor:
    """Loss of one map that shows the middles of all animals: mean over the pictures.

    A cell of logit f holds exp(f) animals on average, so that a picture's animals are a Poisson process of places: its
    negative log likelihood is that of any number of animals. With one animal it is `place_loss` without normalisation.

    Parameters
    ----------
    points : (n, n_animals, 2), cells; NaN: fewer animals, outside the grid: not in the crop
    """
    rows, columns = maps.logits.shape[-2:]
    wanted = targets(points, config.sigma / network.stride, rows, columns).sum(1, keepdim=True)
    counts = F.poisson_nll_loss(maps.logits.float(), wanted, reduction="none").flatten(1).sum(-1)
    inside = is_inside(points, rows, columns)
    offsets = torch.stack([refinement_loss(network, maps, own[:, None])[:, 0] for own in points.unbind(1)], 1)
    return counts.mean() + (offsets * inside).sum() / inside.sum().clamp_min(1)


def is_inside(points: Tensor, rows: int, columns: int) -> Tensor:
    """(n, n_keypoints) whether a point (cells) lies on the grid; False for NaN."""
    x, y = points[..., 0], points[..., 1]
    return (x > -0.5) & (y > -0.5) & (x < columns - 0.5) & (y < rows - 0.5)


def pose_loss(network: Network, maps: Maps, points: Tensor, config: TrainingConfig) -> Tensor:
    """Sum of the location and refinement losses, means over the labelled keypoints.

    Parameters
    ----------
    points : (n, n_keypoints, 2), cells; NaN: not labelled, outside the grid: the keypoint is absent
    config : gives the target's width, the likelihood, and the weight of keypoints without label
    """
    sigma = config.sigma / network.stride
    location_loss = bernoulli_loss if config.loss == "bce" else place_loss
    rows, columns = maps.logits.shape[-2:]
    labelled = torch.isfinite(points).all(-1)
    weights = torch.where(labelled, 1.0, config.unlabelled)
    inside = is_inside(points, rows, columns)
    wanted = targets(points, sigma, rows, columns)
    total = weights.sum().clamp_min(1)
    loss = (location_loss(maps.logits, wanted) * weights).sum() / total
    if maps.early is not None:
        loss = loss + 0.5 * (location_loss(maps.early, wanted) * weights).sum() / total
    n_inside = inside.sum().clamp_min(1)
    return loss + (refinement_loss(network, maps, points) * inside).sum() / n_inside


def place_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """(n, n_keypoints) cross entropy between the target and the softmax over all cells and "absent" (logit 0).

    A softmax over places makes every false peak compete with the true one, however far away and however many
    background cells there are.
    """
    logits = logits.float()
    total = torch.logaddexp(torch.logsumexp(logits.flatten(2), -1), logits.new_zeros(()))
    return total - (wanted * logits).flatten(2).sum(-1)


def bernoulli_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """(n, n_keypoints) negative log likelihood of independent cells, log(1 + exp f) - y f, with a target of height 1.

    The cells of the target weigh as much together as all others do.
    """
    logits, peak = logits.float(), wanted.amax((2, 3), keepdim=True)
    y = wanted / peak.clamp_min(1e-12)
    weight = y / y.sum((2, 3), keepdim=True).clamp_min(1.0) + (1 - y) / (1 - y).sum((2, 3), keepdim=True)
    return 20 * (weight * (F.softplus(logits) - y * logits)).flatten(2).sum(-1)


def refinement_loss(network: Network, maps: Maps, points: Tensor) -> Tensor:
    """(n, n_keypoints) Huber loss of the offsets (cells) at the cells around the label."""
    rows, columns = maps.logits.shape[-2:]
    points = torch.nan_to_num(points)
    nearest = points.round().long()
    near_rows, near_columns, inside = neighbours(nearest[..., 1], nearest[..., 0], rows, columns)
    cells = near_rows.clamp(0, rows - 1) * columns + near_columns.clamp(0, columns - 1)
    wanted = points[:, :, None] - torch.stack([near_columns, near_rows], -1)
    distance = F.smooth_l1_loss(network.offsets_at(maps.features, cells), wanted, reduction="none", beta=0.5).sum(-1)
    weights = inside * torch.exp(-0.5 * (wanted**2).sum(-1))
    return (distance * weights).sum(-1) / weights.sum(-1).clamp_min(1e-6)
