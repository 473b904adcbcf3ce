"""Several animals in one view: a small network finds their middles, the keypoint network reads a window around each.

Top-down, because it suits the few animals of a rig, each some ten pixels or more apart in the shrunk picture: a
window costs as much as that of a single animal, and an animal keeps the precision that it has alone. The network is
trained to read the animal in the middle of its window. Animals are followed from frame to frame by motion alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional as F

from ...datasets import Array
from ...formats.labels.labelled_frames import Labels
from ...formats.video.reading import Image
from ...numerics.robust_scale import present_median
from ..published_networks.published_network import Network
from .animal_search import Finder
from .box_search import SURE
from .decoding import neighbours
from .engine import Engine, Found
from .image_transforms import apply_affine, invert_affine, scaling, warp

MIDDLE = "animal"  # the keypoint of the detector of middles
_PEAK = 0.2  # animals around a peak of the map below which it is none; a single sharp peak holds 0.75
_CELLS = 3  # cells across that hold a peak: with the default target, one cell wide, 0.75 of it
_APART = 5  # cells across in which there is one peak
_MORE = 2  # animals more than declared that are looked at: they show that there are more
_SAME = 0.12  # sides of the animal: two windows whose keypoints lie nearer (median) have read the same animal
_FAR = 1.0  # sides of the animal that it may be from where it was expected, in a frame
_SHOWN = 0.25  # share of the keypoints that must be sure for an animal to be there


def labelled_centres(labels: Labels) -> Array:
    """(n, 2) middle of the box around each entry's labels, pixels."""
    return (np.nanmin(labels.points_2d, axis=1) + np.nanmax(labels.points_2d, axis=1)) / 2


def at_place(finder: Finder, image: Image, centre: Array) -> Found:
    """The keypoints of the animal in the middle of a window there, which is as large as the crops of the training: by
    the distance to the rim, which convolutions see, the network tells the middle."""
    return finder.through(image, finder.window_at(centre, finder.crop))


def find_middles(engine: Engine, image: Image, n_animals: int) -> Array:
    """(n, 2) middles of the animals in a picture, pixels, the most probable first, some more than animals at most."""
    matrix, size = engine.whole_view(image.shape[1], image.shape[0])
    with torch.inference_mode():
        maps = engine.run(warp(image, matrix, size)[None])
        expected = maps.logits[:1, :1].float().clamp_max(0).exp()  # animals in each cell
        mass = _CELLS**2 * F.avg_pool2d(expected, _CELLS, 1, _CELLS // 2)
        highest = F.max_pool2d(mass, _APART, 1, _APART // 2)
        rows, columns = torch.nonzero((mass == highest)[0, 0] & (mass[0, 0] > _PEAK), as_tuple=True)
        order = mass[0, 0, rows, columns].argsort(descending=True)[: n_animals + _MORE]
        cells = _refined(engine.network, maps.features, expected, rows[order], columns[order]).cpu().numpy()
    places = apply_affine(scaling(engine.network.stride), cells.astype(float)) + engine.network.shift
    return apply_affine(invert_affine(matrix), places)


def _refined(network: Network, features: Tensor, expected: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """(n, 2) places in cells of peaks at some cells: the mean of the places for which the cells around vote."""
    height, width = expected.shape[-2:]
    near_rows, near_columns, inside = neighbours(rows[None, None], columns[None, None], height, width, _CELLS // 2)
    cells = near_rows.clamp(0, height - 1) * width + near_columns.clamp(0, width - 1)
    votes = network.offsets_at(features, cells.flatten(2)).view(*cells.shape, 2)
    weights = expected.flatten()[cells] * inside
    places = torch.stack([near_columns, near_rows], -1) + votes
    return ((weights[..., None] * places).sum(-2) / weights.sum(-1, keepdim=True).clamp_min(1e-9))[0, 0]


@dataclass(eq=False)
class TrackOfSeveral:
    """One camera with several animals: where they were last (the interface of `Track`).

    A row holds (n_animals * n_keypoints + 1, `width`) float32 of one frame, NaN where an animal was not found; at last
    how many more animals were seen than declared.
    """

    finder: Finder
    n_animals: int
    width: int

    def __post_init__(self):
        self.n_keypoints = self.finder.engine.network.n_keypoints
        self.last = np.full((self.n_animals, self.n_keypoints, 2), np.nan)
        self.speed = np.zeros((self.n_animals, 1, 2))

    def first_view(self) -> None:
        """No window is read together with those of other cameras."""

    def step(self, image: Image | None, seen: Found | None = None) -> np.ndarray:
        """The row of the next frame."""
        row = np.full((self.n_animals, self.n_keypoints, self.width), np.nan, np.float32)
        more = np.full((1, self.width), np.nan, np.float32)
        if image is not None:
            row[..., 2] = 0.0  # no mass: a frame without animals is none that cannot be decoded
            founds = self._found(image)
            more[0, 0] = len(founds) - self.n_animals
            for animal, found in self._assigned(founds[: self.n_animals]):
                row[animal] = np.concatenate([values.reshape(len(found.mass), -1) for values in found], axis=1)
        row = np.concatenate([row.reshape(-1, self.width), more])
        self.follow(row[None])
        return row

    def follow(self, rows: np.ndarray) -> None:
        """Where the animals are after some rows."""
        for row in rows[:, :-1].reshape(len(rows), self.n_animals, self.n_keypoints, self.width):
            now = np.where(row[..., 2:3] > SURE, row[..., :2], np.nan)
            moved = present_median(now - self.last, axis=1)[:, None]
            self.speed = np.where(np.isfinite(moved), moved, 0.5 * self.speed)
            self.last = np.where(np.isfinite(now), now, self.last + self.speed)

    def _found(self, image: Image) -> list[Found]:
        """What windows around the middles show, and around places where an animal was expected and is missing."""
        boxes = self.finder.animal_detector
        middles = find_middles(boxes.engine, image, self.n_animals) if isinstance(boxes, Finder) else np.empty((0, 2))
        founds = self._distinct([at_place(self.finder, image, middle) for middle in middles])
        expected = [(p[known].min(0) + p[known].max(0)) / 2 for p in self.last + self.speed
                    if (known := np.isfinite(p).all(-1)).any()]  # fmt: skip
        if len(founds) < self.n_animals:
            near = 0.25 * self.finder.animal_side
            lacking = [c for c in expected if all(np.linalg.norm(c - _middle(found)) > near for found in founds)]
            founds = self._distinct(founds + [at_place(self.finder, image, centre) for centre in lacking])
        return founds

    def _distinct(self, founds: list[Found]) -> list[Found]:
        """Without what shows too little, and of two windows that read the same animal the surer one."""
        kept: list[Found] = []
        for found in sorted(founds, key=lambda found: -np.median(found.mass)):
            if (found.mass > SURE).mean() < _SHOWN:
                continue
            apart = [np.median(np.linalg.norm(found.points - other.points, axis=-1)) for other in kept]
            if min(apart, default=np.inf) > _SAME * self.finder.animal_side:
                kept.append(found)
        return kept

    def _assigned(self, founds: list[Found]) -> list[tuple[int, Found]]:
        """Each with the animal that it is: nearest to where motion leads; others take what is free."""
        expected = self.last + self.speed
        cost = np.full((self.n_animals, len(founds)), _FAR * self.finder.animal_side)
        for a in range(self.n_animals):
            for f, found in enumerate(founds):
                apart = np.linalg.norm(found.points - expected[a], axis=-1)[found.mass > SURE]
                if np.isfinite(apart).any():
                    cost[a, f] = min(float(np.nanmedian(apart)), cost[a, f])
        animals, chosen = linear_sum_assignment(cost)
        return [(int(a), founds[f]) for a, f in zip(animals, chosen, strict=True)]


def _middle(found: Found) -> Array:
    sure = found.points[found.mass > SURE]
    return (sure.min(0) + sure.max(0)) / 2
