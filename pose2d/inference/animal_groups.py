"""All animals of a picture at one look (bottom-up): the peaks of each keypoint's map, grouped to animals by their tags.

A peak's tag says where the middle of its animal is, and two free numbers, alike for the keypoints of an animal and
unlike between animals (associative embedding: Newell 2017), tell animals apart whose middles coincide.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional as F

from ...datasets import Array
from ...formats.video.reading import Image
from ..networks.registry import Maps, PoseNet
from ..pictures.image_transforms import apply_affine, invert_affine, scaling, warp
from .decoding import RADIUS, Peaks, read_peak
from .engine import Engine, Found

_MORE = 2  # animals more than declared that are looked for: they show that there are more
_SEEN = 0.1  # probability of a peak below which its tag says nothing
_HELD = RADIUS + 1  # cells around an animal's keypoint in which no other animal's lies
_NOT_THERE = -30.0  # logit of a cell in which an animal's keypoint cannot lie
_FREEDOM = 4.0  # of Student's t for the tags' errors
_SAME_TAG = 20.0  # squared distance, in variances of a keypoint's tag, of two tags that are of one animal
_ROUNDS = 3  # in which tags of animals and their keypoints are found in turn


class Candidates(NamedTuple):
    """Peaks of each keypoint's map: flat cells and mass (n_keypoints, n_peaks), tags (n_keypoints, n_peaks, n_tags)."""

    cells: NDArray[np.int64]
    mass: Array
    tags: Array


def find_animals(
    engine: Engine, images: Sequence[Image], n_animals: int, side: float, centres: Array | None = None
) -> list[list[Found]]:
    """The keypoints of each animal of some pictures of one size, the best supported animal first, some more than
    `n_animals` at most.

    side : of the largest animals' box, image pixels: a hidden keypoint is not farther from the middle
    centres : (n, 2) where the animals' middles are known to be, image pixels: as many animals, in that order
    """
    matrix, size = engine.whole_view(images[0].shape[1], images[0].shape[0])
    reach = side * engine.scale / engine.network.stride
    begin = None
    if centres is not None:
        begin = apply_affine(invert_affine(scaling(engine.network.stride)), apply_affine(matrix, centres))
    with engine.computing():
        maps = engine.run(np.stack([warp(image, matrix, size) for image in images]))
        every = [
            _in_picture(engine, Maps(maps.logits[i : i + 1], maps.features[i : i + 1]), n_animals, reach, begin)
            for i in range(len(images))
        ]
    return [[] if peaks is None else engine.in_images(peaks, [matrix] * len(peaks.mass)) for peaks in every]


def _in_picture(engine: Engine, maps: Maps, n_animals: int, reach: float, begin: Array | None) -> Peaks | None:
    """The peaks of each animal (n_animals, n_keypoints, ...) of the maps of one picture, `reach` and `begin` in cells;
    None where there is no animal."""
    network = engine.network
    assert isinstance(network, PoseNet)
    candidates, members, tags = _groups(network, maps, n_animals, begin)
    if begin is None:
        least: Tensor = network.least_support  # type: ignore[assignment]
        there = support(candidates, members) >= float(least)
        members, tags = members[there], tags[there]
    return _read(network, maps, candidates, members, tags[:, :2], reach) if len(tags) else None


def _groups(
    network: PoseNet, maps: Maps, n_animals: int, begin: Array | None = None
) -> tuple[Candidates, NDArray[np.int64], Array]:
    """The largest peaks of a picture, what `grouped` makes of them, and the groups' tags."""
    candidates = _candidates(network, maps, n_animals + _MORE)
    kept: Tensor = network.tag_variance  # type: ignore[assignment]
    variance = np.asarray(kept.cpu().numpy(), float)
    n_cells = maps.logits[0, 0].numel()
    if begin is None:
        tags = first_tags(candidates, variance, n_cells, n_animals + _MORE)
    else:
        tags = np.column_stack([begin, np.full((len(begin), variance.shape[1] - 2), np.nan)])
    return candidates, *grouped(candidates, variance, n_cells, tags)


def groups_in(engine: Engine, image: Image, n_animals: int) -> tuple[Array, Array]:
    """Every group of peaks of a picture, animals or not: its middle (n, 2), image pixels, and its `support` (n,)."""
    network = engine.network
    assert isinstance(network, PoseNet)
    matrix, size = engine.whole_view(image.shape[1], image.shape[0])
    with engine.computing():
        candidates, members, tags = _groups(network, engine.run(warp(image, matrix, size)[None]), n_animals)
    pixels = apply_affine(invert_affine(matrix), apply_affine(scaling(network.stride), tags[:, :2]))
    return pixels, support(candidates, members)


def support(candidates: Candidates, members: NDArray[np.int64]) -> Array:
    """(n,) expected share of its keypoints that each group of peaks (n, n_keypoints) shows: 0 none, 1 all for sure."""
    mass = np.take_along_axis(candidates.mass, np.maximum(members, 0).T, 1).T
    return np.where(members >= 0, mass, 0.0).mean(-1)


def _candidates(network: PoseNet, maps: Maps, n_peaks: int) -> Candidates:
    """The largest peaks of a picture's maps."""
    logits, side = maps.logits[:1].float(), 2 * RADIUS + 1
    highest = F.max_pool2d(logits, (side, 1), 1, (RADIUS, 0))  # along columns, then rows: a third of the time
    largest = F.max_pool2d(highest, (1, side), 1, (0, RADIUS)) == logits
    # without a softmax, in which animals would share the probability: the odds of the cells around to "absent"
    odds = side**2 * F.avg_pool2d(logits.clamp(-30, 30).exp(), side, 1, RADIUS)
    mass = (odds / (1 + odds)).flatten(2).masked_fill(~largest.flatten(2), 0.0)
    height, cells = mass.topk(min(n_peaks, mass.shape[-1]))
    tags = network.tags_at(maps.features[:1], cells)
    cells, *numbers = (values[0].cpu().numpy() for values in (cells, height, tags))
    return Candidates(cells, *(values.astype(float) for values in numbers))


def _gains(tags: Array, candidates: Candidates, variance: Array, n_cells: int) -> Array:
    """(n, n_keypoints, n_peaks) log odds, weighted by mass, that a peak belongs to an animal of that tag (n, n_tags)
    and not to another anywhere in the picture, whose free tags are of variance 1; NaN tags say nothing."""
    off = (candidates.tags - tags[:, None, None]) ** 2 / variance[:, None]
    known = np.isfinite(off)
    n_known = known.sum(-1)
    unlike = 0.5 * (_FREEDOM + n_known) * np.log1p(np.nansum(off, -1) / _FREEDOM)
    sharp = -0.5 * np.log(variance)
    sharp[:, 2:] = np.maximum(sharp[:, 2:], 0)
    alike = np.log(n_cells / (2 * np.pi)) + (known * sharp[:, None]).sum(-1)
    return np.where(candidates.mass > _SEEN, candidates.mass, 0.0) * (alike - unlike)


def first_tags(candidates: Candidates, variance: Array, n_cells: int, n_animals: int) -> Array:
    """(n, n_tags) tags of animals, one after the other that of the peak with which most others agree."""
    left = candidates.mass.copy()
    every = candidates.tags.reshape(-1, candidates.tags.shape[-1])
    gains = np.maximum(_gains(every, candidates, variance, n_cells), 0.0)
    found: list[Array] = []
    while len(found) < n_animals:
        free = np.where(left > _SEEN, gains, 0.0)
        best = np.where(left.ravel() > _SEEN, free.max(-1).sum(-1), 0.0)
        seed = int(best.argmax())
        members = free[seed].argmax(-1)
        agree = np.take_along_axis(free[seed], members[:, None], 1)[:, 0] > 0
        if agree.sum() < min(2, len(left)):
            break
        own = np.flatnonzero(agree)
        tag = _mean_tag(candidates, variance, own, members[own])
        left[own, members[own]] = 0.0
        # second peaks of an animal's keypoints, such as the other paw, agree with each other as well
        apart = [((tag - other) ** 2 / np.median(variance, axis=0)).sum() for other in found]
        if min(apart, default=np.inf) > _SAME_TAG:
            found.append(tag)
    return np.array(found).reshape(-1, candidates.tags.shape[-1])


def grouped(candidates: Candidates, variance: Array, n_cells: int, tags: Array) -> tuple[NDArray[np.int64], Array]:
    """(n, n_keypoints) peak that each animal has, -1: none; and the tags of these peaks (n, n_tags).

    Each keypoint's peaks are given to the animals by the assignment with the highest log odds.
    """
    members = np.full((len(tags), len(candidates.mass)), -1)
    for _ in range(_ROUNDS if len(tags) else 0):
        gains = _gains(tags, candidates, variance, n_cells)
        for k in range(members.shape[1]):
            own = np.maximum(gains[:, k], 0.0)
            animals, peaks = linear_sum_assignment(-own)
            members[:, k] = -1
            members[animals, k] = np.where(own[animals, peaks] > 0, peaks, -1)
        tags = np.array([
            _mean_tag(candidates, variance, own, row[own]) if len(own := np.flatnonzero(row >= 0)) else tag
            for row, tag in zip(members, tags, strict=True)
        ])  # fmt: skip
    return members, tags


def _mean_tag(candidates: Candidates, variance: Array, keypoints: NDArray[np.int64], peaks: NDArray[np.int64]) -> Array:
    weights = candidates.mass[keypoints, peaks][:, None] / variance[keypoints]
    return (weights * candidates.tags[keypoints, peaks]).sum(0) / weights.sum(0)


def _read(
    network: PoseNet, maps: Maps, candidates: Candidates, members: NDArray[np.int64], middles: Array, reach: float
) -> Peaks:
    """The peaks of each animal (n_animals, n_keypoints, ...): where it was given none, the best place that is left."""
    rows, columns = maps.logits.shape[-2:]
    device, corners, founds = maps.logits.device, [], []
    cells = torch.from_numpy(np.take_along_axis(candidates.cells, np.maximum(members, 0).T, 1).T).to(device)
    given = torch.from_numpy(members >= 0).to(device)
    points = torch.stack([cells % columns, cells // columns], -1).float().masked_fill(~given[..., None], torch.nan)
    low = np.clip(np.floor(middles - reach), 0, (columns - 1, rows - 1)).astype(int)
    high = np.clip(np.ceil(middles + reach) + 1, low + 1, (columns, rows)).astype(int)
    for a, ((x, y), (right, below)) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
        part = Maps(*(values[..., y:below, x:right] for values in maps[:2]))
        corner = torch.tensor([x, y], device=device)
        inside = points - corner
        logits = part.logits.float().masked_fill(_held_by_others(inside[None], a, below - y, right - x), _NOT_THERE)
        at = torch.nan_to_num(inside[a]).long()
        here = given[a] & (at >= 0).all(-1) & (at[:, 0] < right - x) & (at[:, 1] < below - y)
        best = torch.where(here, at[:, 1] * (right - x) + at[:, 0], logits[0].flatten(1).argmax(-1))
        founds.append(read_peak(network, part._replace(logits=logits), best[None]))
        corners.append(corner)
    peaks = Peaks(*(torch.cat(values) for values in zip(*founds, strict=True)))
    return peaks._replace(points=peaks.points + torch.stack(corners)[:, None])


def maps_of_each(maps: Maps, points: Tensor) -> Maps:
    """The maps of each animal on its own, (n * n_animals, ...): without the cells that the same keypoint of another
    animal holds.

    points : (n, n_animals, n_keypoints, 2), cells; NaN: not there
    """
    n, n_animals = points.shape[:2]
    held = torch.stack([_held_by_others(points, a, *maps.logits.shape[-2:]) for a in range(n_animals)], 1)

    def own(logits: Tensor) -> Tensor:
        return logits.float()[:, None].expand(held.shape).masked_fill(held, _NOT_THERE).flatten(0, 1)

    features = maps.features[:, None].expand(n, n_animals, *maps.features.shape[1:]).flatten(0, 1)
    return Maps(own(maps.logits), features, None if maps.early is None else own(maps.early))


def _held_by_others(points: Tensor, animal: int, rows: int, columns: int) -> Tensor:
    """(n, n_keypoints, rows, columns) cells near other animals' points and nearer to these than to one animal's own.

    points : (n, n_animals, n_keypoints, 2), cells; NaN: not there
    """
    x, y = (torch.arange(size, device=points.device) for size in (columns, rows))
    off = (x - points[..., :1])[..., None, :].square() + (y - points[..., 1:])[..., None].square()
    off = torch.nan_to_num(off, nan=torch.inf)
    others = [a for a in range(points.shape[1]) if a != animal]
    nearest = off[:, others].amin(1) if others else torch.full_like(off[:, 0], torch.inf)
    return (nearest <= _HELD**2) & (nearest < off[:, animal])
