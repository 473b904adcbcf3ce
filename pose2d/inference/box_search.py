"""Where an animal is in a picture: the box of what was found, and networks that are shown that box alone (top-down)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ...datasets import Array
from ...formats.video.reading import Image
from ..pictures.image_transforms import window
from .engine import Engine, Found, View

# probability mass above which a peak counts as found: below it, other places or "absent" hold more than twice as much
SURE = 0.3
# median mass of a window's peaks below which the whole picture is searched: a little above `SURE`, so that a window is
# given up before its keypoints are
LOST = 0.35
MARGIN = 1.25  # side of the shown box in sides of the box around the keypoints, as in the training of mmpose's networks


class FindsPoints(Protocol):
    """What finds keypoints anywhere in a picture."""

    def find(self, image: Image) -> Found: ...


@dataclass(frozen=True, eq=False)
class BoxFinder:
    """An engine whose network sees a box around the animal, scaled to its input; the interface of `Finder`.

    Parameters
    ----------
    engine : the network, of a fixed input size
    box : (x, y, width, height) in which the animal is in all pictures, image pixels; None: it is searched for
    animal_detector : finds keypoints whose box is shown first; None: the whole picture is shown first
    """

    engine: Engine
    box: tuple[float, float, float, float] | None = None
    animal_detector: FindsPoints | None = None
    animal_side: float = np.inf

    def find(self, image: Image) -> Found:
        """The keypoints of a picture (height, width, 3) in which the animal may be anywhere, or is in the given box."""
        if self.box is not None:
            x, y, width, height = self.box
            corners = np.array([[x, y], [x + width, y + height]])
            return self.engine.infer(image, self.window_at(self._around(corners, 1.0), 0))
        first = self.engine.infer(image) if self.animal_detector is None else self.animal_detector.find(image)
        place = self.place_of(first.points, first.mass)
        if place is None:
            return self.engine.infer(image)
        return self.near(image, place) or self.engine.infer(image, self.window_at(place, 0))

    track = find

    def near(self, image: Image, centre: Array, seen: Found | None = None) -> Found | None:
        """Read the box at a place (see `place_of`), and once more around what was found if that touches the rim; None
        where the animal is not there."""
        for _ in range(2):
            view = self.window_at(centre, 0)
            seen = self.engine.infer(image, view) if seen is None else seen
            again = self.place_of(seen.points, seen.mass)
            if np.median(seen.mass) < LOST or again is None:
                return None
            reach = (np.array(view[1]) / 2 - 2) / centre[2]
            sure = seen.points[seen.mass > SURE]
            if self.box is not None or (np.abs(sure - centre[:2]) <= reach).all():
                break
            centre, seen = again, None
        return self.engine.infer(image, self.window_at(centre, 0)) if seen is None else seen

    def place_of(self, points: Array, mass: Array) -> Array | None:
        """(3,) middle of the box around the sure points (image pixels) and the scale that shows it in the input; None
        with few of them."""
        sure = points[mass > SURE]
        if self.box is not None or len(sure) < max(2, 0.3 * len(mass)):
            return None
        return self._around(sure, MARGIN)

    def _around(self, points: Array, margin: float) -> Array:
        low, high = points.min(0), points.max(0)
        scale = np.min(np.array(self.engine.network.input_size) / (margin * np.maximum(high - low, 8.0)))
        return np.array([*(low + high) / 2, scale])

    def window_side(self, width: int, height: int) -> int:
        """Width of the network's input: pictures are never looked at as they are."""
        return self.engine.whole_view(width, height)[1][0]

    def window_at(self, centre: Array, side: int) -> View:
        size = self.engine.whole_view(1, 1)[1]
        return window(centre[:2], size, centre[2]), size


def centre_of(points: Array, mass: Array, animal_side: float) -> Array | None:
    """(2,) middle of the box around the sure points that can belong to one animal; None with few of them."""
    sure = points[mass > SURE]
    if len(sure) < max(1, 0.3 * len(mass)):
        return None
    near = sure[np.abs(sure - np.median(sure, axis=0)).max(-1) <= animal_side]
    return None if len(near) == 0 else (near.min(0) + near.max(0)) / 2
