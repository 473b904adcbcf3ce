"""From a network's maps to sub-pixel points, their probability and their covariance."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from .networks import Maps, PoseNet, peak_inputs

RADIUS = 2  # cells around a peak that count as the same peak


class Peaks(NamedTuple):
    """The strongest peak of each keypoint; coordinates and lengths in cells.

    points : (n, n_keypoints, 2) x, y
    mass : (n, n_keypoints) probability within `RADIUS` cells of the peak
    evidence : (n, n_keypoints) log-odds of being there to being absent; it goes on growing where the mass is nearly 1
    width : (n, n_keypoints) standard deviation of the places for which those cells vote
    factor : (n, n_keypoints, 2, 2) lower Cholesky factor of the covariance that the network claims
    seen : (n, n_keypoints, width + 2) what the factor was read from (`networks.peak_inputs`)
    """

    points: Tensor
    mass: Tensor
    evidence: Tensor
    width: Tensor
    factor: Tensor
    seen: Tensor


def find_peaks(network: PoseNet, maps: Maps) -> Peaks:
    """The most probable cell of each keypoint, refined by the offsets of its neighbours weighted by probability.

    The position is the mean of (cell centre + offset) over the 5x5 cells around the largest logit (the location
    refinement of DeeperCut, eq. 7, averaged instead of read at one cell).
    """
    logits = maps.logits.float()
    rows, columns = logits.shape[-2:]
    flat = logits.flatten(2)
    total = torch.logaddexp(torch.logsumexp(flat, -1), flat.new_zeros(()))
    best = flat.argmax(-1)
    near_rows, near_columns, inside = neighbours(best // columns, best % columns, rows, columns)
    cells = near_rows.clamp(0, rows - 1) * columns + near_columns.clamp(0, columns - 1)
    near = flat.gather(2, cells).masked_fill(~inside, -torch.inf)
    weights = F.softmax(near, -1)[..., None]
    places = torch.stack([near_columns, near_rows], -1) + network.offsets_at(maps.features, cells)
    points = (weights * places).sum(2)
    width = ((weights * (places - points[:, :, None]) ** 2).sum((2, 3)) / 2).sqrt()
    evidence = torch.logsumexp(near, -1)
    mass = (evidence - total).exp()
    seen = peak_inputs(maps.features, best, mass, width)
    return Peaks(points, mass, evidence, width, cholesky_factor(network.spread_at(seen)), seen)


def neighbours(row: Tensor, column: Tensor, rows: int, columns: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rows and columns (n, n_keypoints, m) of the cells around some, and whether they lie on the grid."""
    around = torch.arange(-RADIUS, RADIUS + 1, device=row.device)
    down, across = torch.meshgrid(around, around, indexing="ij")
    near_rows, near_columns = row[..., None] + down.flatten(), column[..., None] + across.flatten()
    inside = (near_rows >= 0) & (near_rows < rows) & (near_columns >= 0) & (near_columns < columns)
    return near_rows, near_columns, inside


def cholesky_factor(spread: Tensor) -> Tensor:
    """(..., 2, 2) lower factors from (..., 3) logarithms of the diagonal and the lower entry."""
    diagonal = spread[..., :2].clamp(-6, 6).exp()
    factor = spread.new_zeros((*spread.shape[:-1], 2, 2))
    factor[..., 0, 0], factor[..., 1, 1] = diagonal[..., 0], diagonal[..., 1]
    factor[..., 1, 0] = spread[..., 2]
    return factor
