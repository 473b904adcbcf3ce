"""Several animals in one view: a small network finds their middles, the keypoint network reads a window around each.

Top-down, because it suits the few animals of a rig, each some ten pixels or more apart in the shrunk picture: a
window costs as much as that of a single animal, and an animal keeps the precision that it has alone. The network is
trained to read the animal in the middle of its window. Animals are followed from frame to frame by motion and, where
they look different, by their colours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from ...datasets import Array
from ...formats.video.reading import Image
from ...numerics.robust_scale import present_median
from .animal_search import Finder
from .appearance import N_COLOURS, Looks, colours_at
from .box_search import SURE
from .engine import ROW_WIDTH, Found, as_rows

SEVERAL_WIDTH = ROW_WIDTH + N_COLOURS  # numbers of a keypoint in a row
_SAME = 0.12  # sides of the animal: two windows whose keypoints lie nearer (median) have read the same animal
_FAR = 1.0  # sides of the animal that it may be from where it was expected, in a frame
_FIRST_OFF = 0.05  # sides of the animal: mean distance from where motion leads, until it is known
_LEAST_OFF = 0.005  # sides of the animal: that mean distance at least
_FRESH = 0.02  # share of a new distance in the mean
_SHOWN = 0.25  # share of the keypoints that must be sure for an animal to be there


def at_place(finder: Finder, image: Image, centre: Array) -> Found:
    """The keypoints of the animal in the middle of a window there, which is as large as the crops of the training: by
    the distance to the rim, which convolutions see, the network tells the middle."""
    return finder.through(image, finder.window_at(centre, finder.crop))


@dataclass(eq=False)
class TrackOfSeveral:
    """One camera with several animals: where they were last (the interface of `Track`).

    A row holds (n_animals * n_keypoints + 1, `ROW_WIDTH` + `N_COLOURS`) float32 of one frame, what was found and the
    colours around it, NaN where an animal was not found; at last how many more animals were seen than declared.
    """

    finder: Finder
    n_animals: int

    def __post_init__(self):
        self.n_keypoints = self.finder.engine.network.n_keypoints
        self.last = np.full((self.n_animals, self.n_keypoints, 2), np.nan)
        self.speed = np.zeros((self.n_animals, 1, 2))
        self.unseen = np.zeros(self.n_animals)  # frames since an animal was seen
        self.off = _FIRST_OFF * self.finder.animal_side  # pixels, mean, from where motion leads
        self.looks = Looks(self.n_animals, self.n_keypoints)

    def step(self, image: Image | None, seen: list[Found] | None = None) -> np.ndarray:
        """The row of the next frame; seen: the animals that are found in it without regard to earlier frames, where
        that is known already."""
        row = np.full((self.n_animals, self.n_keypoints, SEVERAL_WIDTH), np.nan, np.float32)
        more = np.full((1, SEVERAL_WIDTH), np.nan, np.float32)
        if image is not None:
            row[..., 2] = 0.0  # no mass: a frame without animals is none that cannot be decoded
            founds = self._found(image, seen)
            more[0, 0] = len(founds) - self.n_animals
            founds = founds[: self.n_animals]
            side = self.finder.animal_side
            colours = [colours_at(image, found.points, found.mass > SURE, side) for found in founds]
            for animal, f in self._assigned(founds, colours):
                row[animal] = np.concatenate([as_rows(founds[f]), colours[f]], axis=1)
        row = np.concatenate([row.reshape(-1, SEVERAL_WIDTH), more])
        self.follow(row[None])
        return row

    def follow(self, rows: np.ndarray) -> None:
        """Where the animals are after some rows."""
        for row in rows[:, :-1].reshape(len(rows), self.n_animals, self.n_keypoints, SEVERAL_WIDTH).astype(float):
            now = np.where(row[..., 2:3] > SURE, row[..., :2], np.nan)
            off = present_median(np.linalg.norm(now - self.last - self.speed, axis=-1), axis=1)
            for value in off[np.isfinite(off) & (self.unseen == 0)]:
                self.off += _FRESH * (value - self.off)
            self.unseen = np.where(np.isfinite(now).any((1, 2)), 0.0, self.unseen + 1.0)
            self.looks.follow(row[..., ROW_WIDTH:])
            moved = present_median(now - self.last, axis=1)[:, None]
            self.speed = np.where(np.isfinite(moved), moved, 0.5 * self.speed)
            self.last = np.where(np.isfinite(now), now, self.last + self.speed)

    def _found(self, image: Image, seen: list[Found] | None) -> list[Found]:
        """What windows around the middles show, and around places where an animal was expected and is missing; or what
        is found at one look (bottom-up)."""
        if self.finder.bottom_up:
            return self._distinct(self.finder.animals(image, self.n_animals) if seen is None else seen)
        if seen is None:
            seen = [at_place(self.finder, image, middle) for middle in self.finder.middles(image, self.n_animals)]
        founds = self._distinct(seen)
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

    def _assigned(self, founds: list[Found], colours: list[Array]) -> list[tuple[int, int]]:
        """Each animal with the detection that it is: by the distance from where motion leads, in mean distances, which
        grow while the animal is not seen, less the log-odds of its colours; others take what is free."""
        expected, furthest = self.last + self.speed, _FAR * self.finder.animal_side
        cost = np.full((self.n_animals, len(founds)), furthest)
        for a in range(self.n_animals):
            for f, found in enumerate(founds):
                apart = np.linalg.norm(found.points - expected[a], axis=-1)[found.mass > SURE]
                if np.isfinite(apart).any():
                    cost[a, f] = min(float(np.nanmedian(apart)), furthest)
        cost /= max(self.off, _LEAST_OFF * self.finder.animal_side) * (1 + self.unseen[:, None])
        for f, look in enumerate(colours):
            cost[:, f] -= self.looks.log_odds(look)
        animals, chosen = linear_sum_assignment(cost)
        return [(int(a), int(f)) for a, f in zip(animals, chosen, strict=True)]


def _middle(found: Found) -> Array:
    sure = found.points[found.mass > SURE]
    return (sure.min(0) + sure.max(0)) / 2
