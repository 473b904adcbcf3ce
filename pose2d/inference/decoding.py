"""From a network's maps to sub-pixel points, their probability and their covariance."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ..networks.registry import Maps, peak_inputs
from ..published_networks.published_network import Network

# cells around a peak that count as the same peak: with the default target, 1.25 cells wide (5 pixels, stride 4), these
# 5x5 cells hold 95 % of it along each axis
RADIUS = 2
# cells from the place itself beyond which none contributes: of a place half a cell from the largest logit, the
# `RADIUS` + 1 cells that are read around that one hold all
REACH = 2.5


class Peaks(NamedTuple):
    """The strongest peak of each keypoint; coordinates and lengths in cells.

    points : (n, n_keypoints, 2) x, y
    mass : (n, n_keypoints) probability within `RADIUS` cells of the peak
    evidence : (n, n_keypoints) log-odds of being there to being absent; it goes on growing where the mass is nearly 1
    near : (n, n_keypoints) variance of the cells within `RADIUS` + 1 of the peak about the point, along an axis
    elsewhere : (n, n_keypoints) probability of all other cells, given that the keypoint is not absent
    scatter : (n, n_keypoints, 2, 2) second moments of all other cells about the point
    factor : (n, n_keypoints, 2, 2) lower Cholesky factor of the predicted covariance
    seen : (n, n_keypoints, width + 2) what the factor was read from (`networks.peak_inputs`)
    """

    points: Tensor
    mass: Tensor
    evidence: Tensor
    near: Tensor
    elsewhere: Tensor
    scatter: Tensor
    factor: Tensor
    seen: Tensor


def find_peaks(network: Network, maps: Maps) -> Peaks:
    """The most probable cell of each keypoint, refined by the offsets of its neighbours weighted by probability.

    The place is the mean of (cell centre + offset), the location refinement of DeeperCut (eq. 7) averaged instead of
    read at one cell: first over the 5x5 cells around the largest logit, then twice over the cells within `REACH` of the
    place found, the farther the less. So it does not jump where rounding makes a neighbour the largest cell.
    """
    return read_peak(network, maps, maps.logits.float().flatten(2).argmax(-1))


def find_several_peaks(network: Network, maps: Maps, n_peaks: int) -> list[Peaks]:
    """The largest peaks: cells that none within `RADIUS` exceeds; without mass where there is none."""
    logits = maps.logits.float()
    best = logits.flatten(2).argmax(-1)
    largest = F.max_pool2d(logits, 2 * RADIUS + 1, 1, RADIUS) == logits
    others = logits.flatten(2).masked_fill(~largest.flatten(2), -torch.inf).scatter(2, best[..., None], -torch.inf)
    heights, cells = others.topk(n_peaks - 1)
    peaks = [read_peak(network, maps, best)]
    for height, cell in zip(heights.unbind(-1), cells.unbind(-1), strict=True):
        peak, exists = read_peak(network, maps, cell), height.isfinite()
        peaks.append(peak._replace(mass=peak.mass * exists, elsewhere=torch.where(exists, peak.elsewhere, 1.0)))
    return peaks


def read_peak(network: Network, maps: Maps, best: Tensor) -> Peaks:
    """The peak around a cell (n, n_keypoints) of each keypoint, see `find_peaks`."""
    logits = maps.logits.float()
    rows, columns = logits.shape[-2:]
    flat = logits.flatten(2)
    present = torch.logsumexp(flat, -1)
    total = torch.logaddexp(present, flat.new_zeros(()))
    near_rows, near_columns, inside = neighbours(best // columns, best % columns, rows, columns, RADIUS + 1)
    cells = near_rows.clamp(0, rows - 1) * columns + near_columns.clamp(0, columns - 1)
    near = flat.gather(2, cells).masked_fill(~inside, -torch.inf)
    centres = torch.stack([near_columns, near_rows], -1)
    places = centres + network.offsets_at(maps.features, cells)
    peak = torch.stack([best % columns, best // columns], -1)
    same = (centres - peak[:, :, None]).abs().amax(-1) <= RADIUS
    evidence = torch.logsumexp(near.masked_fill(~same, -torch.inf), -1)
    likely = F.softmax(near, -1)
    points = _weighted_mean(places, likely * same)
    for _ in range(2):
        away = (centres - points[:, :, None]).square().sum(-1) / REACH**2
        weights = likely * (1 - away).clamp_min(0).square()
        points = _weighted_mean(places, weights)
    width = (_weighted_mean((places - points[:, :, None]) ** 2, weights).sum(-1) / 2).sqrt()
    mass = (evidence - total).exp()
    seen = peak_inputs(maps.features, best, mass, width)
    apart = _apart(
        F.softmax(flat, -1).unflatten(-1, (rows, columns)), (near - present[..., None]).exp(), centres, points
    )
    return Peaks(points, mass, evidence, *apart, cholesky_factor(network.spread_at(seen)), seen)


def _apart(likely: Tensor, near: Tensor, centres: Tensor, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`near`, `elsewhere` and `scatter` of `Peaks`: the moments of all cells less those of the cells around the peak.

    likely : (n, n_keypoints, rows, columns) probability of each cell
    near, centres : (n, n_keypoints, m), (n, n_keypoints, m, 2) probability and place of the cells around the peak
    """
    rows, columns = (torch.arange(size, device=likely.device) for size in likely.shape[2:])
    x, y = columns - points[..., :1], rows - points[..., 1:]
    crossed = (likely @ x[..., None])[..., 0] * y
    whole = torch.stack([(likely.sum(2) * x**2).sum(-1), crossed.sum(-1), (likely.sum(3) * y**2).sum(-1)], -1)
    dx, dy = (centres - points[:, :, None]).unbind(-1)
    own = torch.stack([(near * product).sum(-1) for product in (dx * dx, dx * dy, dy * dy)], -1)
    mass = near.sum(-1)
    elsewhere = (1 - mass).clamp_min(1e-3)
    scatter = ((whole - own) / elsewhere[..., None])[..., [0, 1, 1, 2]].unflatten(-1, (2, 2))
    # a single other peak has no extent across its direction: a cell's own keeps the scatter positive definite
    return own[..., [0, 2]].sum(-1) / mass / 2, elsewhere, scatter + torch.eye(2, device=likely.device)


def _weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """(n, n_keypoints, 2) mean over cells of values (n, n_keypoints, m, 2) with weights (n, n_keypoints, m)."""
    return (weights[..., None] * values).sum(2) / weights.sum(2, keepdim=True).clamp_min(1e-12)


def neighbours(
    row: Tensor, column: Tensor, rows: int, columns: int, radius: int = RADIUS
) -> tuple[Tensor, Tensor, Tensor]:
    """Rows and columns (n, n_keypoints, m) of the cells around some, and whether they lie on the grid."""
    around = torch.arange(-radius, radius + 1, device=row.device)
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
