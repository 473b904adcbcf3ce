"""Find the animal in a picture: the whole picture or a small detector first, then a window, augmented at test time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...datasets import Array
from ...datasets.skeleton import mirror_partners
from ...formats.video.reading import Image
from ..pictures.image_transforms import turned, window
from ..training_config import TrainingConfig
from .animal_boxes import box_centre, find_middles
from .animal_groups import find_animals
from .box_search import LOST, SURE, BoxFinder, centre_of
from .detector import Detector
from .engine import Engine, Found, View, engine_of
from .runtimes import SIDE

# side of the window in sides of the animal (95th percentile): a margin of 0.17 sides all around for its motion
AROUND = 1.35


class TTAView(NamedTuple):
    """One test-time augmentation of a window: turned by so many degrees about its middle, then mirrored or not."""

    angle: float = 0.0
    mirrored: bool = False


@dataclass(frozen=True, eq=False)
class Finder:
    """An engine with the search for the animal.

    Parameters
    ----------
    engine : the detector's network
    animal_side : larger side of the animal's box, image pixels; inf: whole pictures only
    animal_detector : finds the animal's box in the shrunk picture, so that the whole need not be looked at closely
    views : ways in which what is found is looked at; their answers are put together
    mirror : (n_keypoints,) position of each keypoint's mirror partner
    crop : side of the training's crops, network pixels
    finds_several : whether the animal detector finds the middles of several animals
    bottom_up : whether all animals' keypoints are found in the whole picture and grouped
    """

    engine: Engine
    animal_side: float = np.inf
    animal_detector: Finder | BoxFinder | None = None
    views: tuple[TTAView, ...] = (TTAView(),)
    mirror: NDArray[np.int64] | None = None
    crop: int = 192
    finds_several: bool = False
    bottom_up: bool = False

    def middles(self, image: Image, n_animals: int) -> Array:
        """(n, 2) middles of the animals of a picture, as `find_middles`; none without a detector of these."""
        if self.animal_detector is None or not self.finds_several:
            return np.empty((0, 2))
        return find_middles(self.animal_detector.engine, [image], n_animals)[0]

    def animals(self, image: Image, n_animals: int, centres: Array | None = None) -> list[Found]:
        """The keypoints of the animals of a picture at one look, as `find_animals`; of a bottom-up detector only."""
        return find_animals(self.engine, [image], n_animals, self.animal_side, centres)[0]

    def find(self, image: Image) -> Found:
        """The keypoints of a picture (height, width, 3) in which the animal may be anywhere."""
        if self.bottom_up:
            founds = self.animals(image, 1)
            return founds[0] if founds else self.through(image, self.engine.whole_view(image.shape[1], image.shape[0]))
        height, width = image.shape[:2]
        whole, first = self.engine.whole_view(width, height), None
        if not self.window_side(width, height):
            return self.through(image, whole)
        centre = self._boxed(image)
        found = self.near(image, centre) if centre is not None else None
        if found is None and len(self.views) > 1:
            first = self.engine.infer(image, whole)
            centre = centre_of(first.points, first.mass, self.animal_side)
            found = self.near(image, centre) if centre is not None else None
        return found or self.through(image, whole, first)

    def track(self, image: Image) -> Found:
        """The keypoints of a picture as in a video: read in the window around the place where the animal is known to
        be, which shows less background than the whole picture, and so fewer places where a keypoint might lie."""
        found = self.find(image)
        side = self.window_side(image.shape[1], image.shape[0])
        centre = centre_of(found.points, found.mass, self.animal_side) if side else None
        return (self.near(image, centre) if centre is not None else None) or found

    def near(self, image: Image, centre: Array, seen: Found | None = None) -> Found | None:
        """Read the window around a place (image pixels), and once more around what was found if that touches the
        window's rim, so that part of it may lie outside; None where the animal is not there or still at the rim.

        seen : what the unaugmented window showed, where that is known already
        """
        side = self.window_side(image.shape[1], image.shape[0])
        reach = (side / 2 - 4) / self.engine.scale
        for _ in range(2):
            view = self.window_at(centre, side)
            if seen is None:
                seen = self.engine.infer(image, view)
            if np.median(seen.mass) < LOST:
                return None
            sure = seen.points[seen.mass > SURE]
            if len(sure) == 0 or (np.abs(sure - centre) <= reach).all():
                return self.through(image, view, seen)
            centre, seen = (sure.min(0) + sure.max(0)) / 2, None
        return None

    def through(self, image: Image, view: View, seen: Found | None = None) -> Found:
        """The combined answer of all test-time views of a window; `seen`: that of the unaugmented one, where known."""
        founds = [self.engine.infer(image, view) if seen is None else seen]
        for other in self.views[1:]:
            found = self.engine.infer(image, turned(view, other.angle, other.mirrored))
            founds.append(Found(*(v[self.mirror] for v in found)) if other.mirrored else found)
        return together(founds)

    def place_of(self, points: Array, mass: Array) -> Array | None:
        """(2,) centre of the window that shows what was found (n_keypoints, 2) with that mass; None with too little."""
        return centre_of(points, mass, self.animal_side)

    def window_side(self, width: int, height: int) -> int:
        """Side of the window around the animal, network pixels; 0 where the whole picture costs hardly more."""
        side = AROUND * self.animal_side * self.engine.scale
        if not np.isfinite(side):
            return 0
        side = int(np.ceil(side / SIDE) * SIDE)
        return side if side**2 < 0.7 * np.prod(self.engine.whole_view(width, height)[1]) else 0

    def window_at(self, centre: Array, side: int) -> View:
        return window(centre, (side, side), self.engine.scale), (side, side)

    def _boxed(self, image: Image) -> Array | None:
        """Centre of the animal that the animal detector finds; None without one or where its peaks are weak."""
        if self.animal_detector is None:
            return None
        if self.finds_several:
            return next(iter(self.middles(image, 1)), None)
        box = self.animal_detector.find(image)
        return None if np.median(box.mass) < SURE else box_centre(box.points)


def together(founds: list[Found]) -> Found:
    """One answer from several views of the same animal: the median place, means of the rest, and the variance between
    the views added to that of each (the law of total variance)."""
    if len(founds) == 1:
        return founds[0]
    every = Found(*(np.stack(values) for values in zip(*founds, strict=True)))
    middle = np.median(every.points, axis=0)
    apart = every.points - middle
    between = np.einsum("lki,lkj->kij", apart, apart) / len(founds)
    means = Found(*(values.mean(0) for values in every))
    return means._replace(points=middle, covariances=means.covariances + between, others=founds[0].others)


def tta_views_of(config: TrainingConfig, can_mirror: bool) -> tuple[TTAView, ...]:
    """`config.n_tta` views, the first one as it is: turned as far as training turned its pictures, every other
    one mirrored where training mirrored some."""
    mirrors = can_mirror and config.augmentation.flip > 0
    n_angles = -(-config.n_tta // 2) if mirrors else config.n_tta
    reach = config.augmentation.rotation
    if reach >= 180:
        angles = np.arange(n_angles) * 360 / n_angles
    else:  # 0, then outwards on alternating sides, up to half way
        steps = (np.arange(n_angles) + 1) // 2 * (-1.0) ** np.arange(n_angles)
        angles = 0.5 * reach * steps / max(1, n_angles // 2)
    views = [
        TTAView(float(angle), mirrored) for angle in angles for mirrored in ((False, True) if mirrors else (False,))
    ]
    return tuple(views[: config.n_tta])


def finder_of(
    detector: Detector, precision: str = "auto", runtime: str = "torch", track_crop: bool = True, n_peaks: int = 1
) -> Finder | BoxFinder:
    """A detector ready to find its animal in pictures; track_crop=False: by whole pictures only; n_peaks: of each
    keypoint's map that are read.

    Raises
    ------
    ValueError : precision or runtime is not known; RuntimeMissingError : the runtime is not installed
    """
    engine = replace(engine_of(detector.network, detector.scale, precision, runtime), n_peaks=n_peaks)
    boxes = None if detector.animal_detector is None else finder_of(detector.animal_detector, precision, runtime, False)
    if detector.network.input_size is not None and not detector.network.whole:
        return BoxFinder(engine, detector.box, boxes)
    return Finder(
        engine,
        detector.animal_side if track_crop or detector.bottom_up else np.inf,
        boxes,
        tta_views_of(detector.config, bool(detector.symmetries)),
        mirror_partners(detector.keypoints, detector.symmetries),
        detector.config.crop,
        detector.finds_several,
        detector.bottom_up,
    )
