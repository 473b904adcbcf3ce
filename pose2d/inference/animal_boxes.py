"""What a small detector finds, so that the keypoint network is shown crops in full resolution (Faster R-CNN, Ren 2015):
the box of one animal as three keypoints, or the middles of several animals as the peaks of one map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ...datasets import Array
from ...formats.labels.labelled_frames import Labels
from ...formats.video.reading import Image
from ..pictures.image_transforms import apply_affine, invert_affine, scaling, warp
from ..published_networks.published_network import Network
from .decoding import neighbours
from .engine import Engine

MIDDLE = "animal"  # the keypoint of the detector of middles
_PEAK = 0.2  # animals around a peak of the map below which it is none; a single sharp peak holds 0.75
_CELLS = 3  # cells across that hold a peak: with the default target, one cell wide, 0.75 of it
_APART = 5  # cells across in which there is one peak
_MORE = 2  # animals more than declared that are looked at: they show that there are more

BOX_KEYPOINTS = ("box_centre", "box_first_corner", "box_last_corner")


def box_labels(labels: Labels) -> Labels:
    """Labels of the box around the labelled keypoints: its centre and two opposite corners; NaN without two points."""
    first, last = labelled_boxes(labels)
    boxes = np.stack([(first + last) / 2, first, last], axis=1)
    boxes[~_has_two_points(labels)] = np.nan
    return replace(labels, points_2d=boxes, hidden_2d=None, keypoints=BOX_KEYPOINTS, symmetries=())


def box_centre(points: Array) -> Array:
    """(2,) middle of the animal from the found (3, 2) box keypoints: between the centre and what the corners imply."""
    return 0.5 * points[0] + 0.25 * (points[1] + points[2])


def labelled_boxes(labels: Labels) -> tuple[Array, Array]:
    """(n, 2) first and last corner of the box around each entry's labels, pixels; NaN without any."""
    return np.fmin.reduce(labels.points_2d, axis=1), np.fmax.reduce(labels.points_2d, axis=1)


def labelled_centres(labels: Labels) -> Array:
    """(n, 2) middle of the box around each entry's labels, pixels; NaN without any."""
    low, high = labelled_boxes(labels)
    return (low + high) / 2


def animal_side(labels: Labels, percentile: float) -> float:
    """Percentile of the larger side of the labelled animal's box, image pixels (64 where no frame has two points)."""
    (low, high), known = labelled_boxes(labels), _has_two_points(labels)
    return float(max(np.percentile((high - low)[known].max(-1), percentile), 8.0)) if known.any() else 64.0


def _has_two_points(labels: Labels) -> NDArray[np.bool_]:
    """(n,) whether an entry labels two points at least, which make a box."""
    return np.isfinite(labels.points_2d).all(-1).sum(-1) >= 2


def find_middles(engine: Engine, images: Sequence[Image], n_animals: int) -> list[Array]:
    """(n, 2) middles of the animals in each of some pictures of one size, pixels, the most probable first, some more
    than animals at most."""
    matrix, size = engine.whole_view(images[0].shape[1], images[0].shape[0])
    with engine.computing():
        maps = engine.run(np.stack([warp(image, matrix, size) for image in images]))
        expected = maps.logits[:, :1].float().clamp_max(0).exp()  # animals in each cell
        mass = _CELLS**2 * F.avg_pool2d(expected, _CELLS, 1, _CELLS // 2)
        is_peak = (mass == F.max_pool2d(mass, _APART, 1, _APART // 2)) & (mass > _PEAK)
        found = []
        for i in range(len(images)):
            rows, columns = torch.nonzero(is_peak[i, 0], as_tuple=True)
            order = mass[i, 0, rows, columns].argsort(descending=True)[: n_animals + _MORE]
            one = maps.features[i : i + 1], expected[i : i + 1]
            cells = _refined(engine.network, *one, rows[order], columns[order]).cpu().numpy()
            places = apply_affine(scaling(engine.network.stride), cells.astype(float)) + engine.network.shift
            found.append(apply_affine(invert_affine(matrix), places))
    return found


def _refined(network: Network, features: Tensor, expected: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """(n, 2) places in cells of peaks at some cells: the mean of the places for which the cells around vote."""
    height, width = expected.shape[-2:]
    near_rows, near_columns, inside = neighbours(rows[None, None], columns[None, None], height, width, _CELLS // 2)
    cells = near_rows.clamp(0, height - 1) * width + near_columns.clamp(0, width - 1)
    votes = network.offsets_at(features, cells.flatten(2)).view(*cells.shape, 2)
    weights = expected.flatten()[cells] * inside
    places = torch.stack([near_columns, near_rows], -1) + votes
    return ((weights[..., None] * places).sum(-2) / weights.sum(-1, keepdim=True).clamp_min(1e-9))[0, 0]
