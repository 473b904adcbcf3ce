"""What is found in the frames of videos, window by window of time, as rows that are kept in files or in memory.

A window is a task of its own: it begins some frames early to find the animal, and goes on from the rows that it kept.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, repeat, takewhile
from typing import Any, NamedTuple

import numpy as np

from ...datasets import Array
from ...formats.video.reading import Image, VideoInfo, read_frames
from ...numerics.threads import in_advance
from ..inference.animal_search import Finder, finder_of
from ..inference.box_search import BoxFinder
from ..inference.detector import Detector
from ..inference.engine import ROW_WIDTH, Found, View, as_rows
from ..inference.several_animals import SEVERAL_WIDTH, TrackOfSeveral
from .batches import Seen, n_instants, read_together
from .stored_rows import Rows

AHEAD = 4  # decoded frames that wait per camera: they even out slow frames, in bounded memory
_PART = 2_000  # frames of a part: six cameras of 20 keypoints hold 12 MB
# frames before a window of time, by which it follows the animal as if it had from the first frame. Places are rounded
# to `_GRID` network pixels: what two runs find differs by less than one, so that they soon look through the same window
# of the picture, and then find the same. Unrounded, differences of some hundredths of a pixel never ended.
RUN_IN = 30
_MOVED = 0.1  # sides of the animal from the middle of a window that stood still: its margin is 0.17 of them
_GRID = 4.0  # network pixels
_SCALES = 16  # in a doubling: two differ by 4 %


class Search(NamedTuple):
    """How `predict` looks for the animal, see there."""

    track_crop: bool = True
    precision: str = "auto"
    runtime: str = "auto"
    batch_instants: int | str = "auto"
    n_peaks: int = 1  # of each keypoint that are kept


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a window's task needs; it can be pickled where the rows are kept in files.

    seconds : after which a part ends that has fewer than `_PART` frames
    """

    detector: Detector
    infos: Mapping[str, VideoInfo]
    search: Search
    rows: Rows
    seconds: float

    def windows(self, n_windows: int) -> list[tuple[int, int | None]]:
        """(first frame, last + 1) of windows as long as each other; None: to the end of the videos."""
        if n_windows < 1:
            raise ValueError(f"n_windows is {n_windows}; give 1 or more")
        n_frames = max(info.n_frames for info in self.infos.values())
        edges = sorted({round(n_frames * i / n_windows) for i in range(n_windows)})
        return list(zip(edges, [*edges[1:], None], strict=True))


def predict_window(work: Prediction, start: int, stop: int | None, tick: Callable[[int], object] | None = None) -> None:
    """Add the rows of a window's frames that are not kept yet.

    tick : called with the number of pictures whenever an instant is done
    """
    search, rows = work.search, work.rows
    finder = finder_of(work.detector, search.precision, search.runtime, search.track_crop, search.n_peaks)
    tracks = {name: _track(work.detector, finder, info) for name, info in work.infos.items()}
    kept = rows.kept(start)
    first = kept[-1].stop if kept else start
    if first == stop:
        return
    for frames in kept:
        for name, own in rows.part(frames).items():
            tracks[name].follow(own)
    n_together = n_instants(finder, search.batch_instants, search.runtime)
    step = max(1, n_together)  # batches and parts begin at its multiples: as in one piece, in each window
    begin = first if kept else max(0, start - RUN_IN) // step * step
    part: dict[str, list[np.ndarray]] = {name: [] for name in tracks}
    shape = n_rows(work.detector), SEVERAL_WIDTH if work.detector.finds_several else finder.engine.n_peaks * ROW_WIDTH
    number, saved_at = begin, time.monotonic()
    pictures = _with_seen(instants(work.infos, begin, stop), n_together, finder, tracks)
    for number, (images, seen) in enumerate(pictures, begin):
        due = number - first >= _PART or time.monotonic() - saved_at >= work.seconds
        if due and number > first and number % step == 0:
            rows.add(range(first, number), part, shape)
            first, saved_at, part = number, time.monotonic(), {name: [] for name in tracks}
        for name, image in images.items():
            row = tracks[name].step(image, seen.get(name))
            if number >= first:
                part[name].append(row)
        if tick is not None and number >= first:
            tick(len(images))
    if any(part.values()):
        rows.add(range(first, number + 1), part, shape)


def _with_seen(
    coming: Iterator[dict[str, Image | None]],
    n_together: int,
    finder: Finder | BoxFinder,
    tracks: Mapping[str, Track | TrackOfSeveral],
) -> Iterator[tuple[dict[str, Image | None], dict[str, Any]]]:
    """The pictures of each instant with what was seen in them, read so many instants at a time; 0: nothing."""
    if not n_together:
        yield from ((images, {}) for images in coming)
        return
    while chunk := list(islice(coming, n_together)):
        yield from zip(chunk, read_together(finder, tracks, chunk), strict=True)


@dataclass(eq=False)
class Track:
    """One camera: where the animal was last seen."""

    finder: Finder | BoxFinder
    info: VideoInfo
    centre: Array | None = None

    def __post_init__(self):
        self.side = self.finder.window_side(self.info.width, self.info.height)

    def first_view(self, image: Image) -> tuple[Array | None, View] | None:
        """The window where the animal was seen last, and its place; None: it has to be found."""
        if not self.side and isinstance(self.finder, Finder):
            return None, self.finder.engine.whole_view(image.shape[1], image.shape[0])
        return None if self.centre is None else (self.centre, self.finder.window_at(self.centre, self.side))

    def step(self, image: Image | None, seen: Seen | None = None) -> np.ndarray:
        """The row of the next frame; `seen`: what a window showed, where that is known already."""
        if image is None:
            engine = self.finder.engine
            return np.full((engine.network.n_keypoints, engine.n_peaks * ROW_WIDTH), np.nan, np.float32)
        row = as_rows(self._found(image, seen))
        self.follow(row[None])
        return row

    def _found(self, image: Image, seen: Seen | None) -> Found:
        if seen is not None and seen.centre is None and isinstance(self.finder, Finder):
            return self.finder.through(image, self.finder.engine.whole_view(image.shape[1], image.shape[0]), seen.found)
        found, centre = None, self.centre
        if seen is not None and seen.centre is not None:
            place = self.finder.place_of(seen.found.points, seen.found.mass)
            stood = place is not None and np.abs(place - seen.centre).max() <= _MOVED * self.finder.animal_side
            if stood or seen.centre is self.centre:
                found = self.finder.near(image, seen.centre, seen.found)
            elif place is not None:
                centre = _rounded(place, self.finder.engine.scale)
        if found is None and centre is not None:
            found = self.finder.near(image, centre)
        return found or self.finder.find(image)

    def follow(self, rows: np.ndarray) -> None:
        """Where the animal is in the last of some rows that is not damaged."""
        seen = np.flatnonzero(~np.isnan(rows).all(axis=(1, 2)))
        if self.side and len(seen):
            row = rows[seen[-1]]
            place = self.finder.place_of(row[:, :2].astype(float), row[:, 2])
            self.centre = None if place is None else _rounded(place, self.finder.engine.scale)


def _track(detector: Detector, finder: Finder | BoxFinder, info: VideoInfo) -> Track | TrackOfSeveral:
    if not isinstance(finder, Finder) or not finder.finds_several:
        return Track(finder, info)
    return TrackOfSeveral(replace(finder, animal_side=detector.animal_side), detector.n_animals)


def n_rows(detector: Detector) -> int:
    """Rows of a frame: one per keypoint of each animal, and where several are found one more (`TrackOfSeveral`)."""
    return detector.network.n_keypoints * detector.n_animals + detector.finds_several


def _rounded(place: Array, scale: float) -> Array:
    """A place (x, y) in image pixels, with `_GRID` / scale pixels between two; of (x, y, scale) the scale, too."""
    if len(place) > 2:
        scale = float(np.exp2(np.round(_SCALES * np.log2(place[2])) / _SCALES))
    at = np.round(place[:2] * scale / _GRID) * _GRID / scale
    return np.array([*at, scale][: len(place)])


def fingerprint(detector: Detector, infos: Mapping[str, VideoInfo], *options) -> str:
    """Hash of the weights, the videos (path, size, time of change) and the options."""
    digest = hashlib.blake2b(b"rows of %d" % ROW_WIDTH, digest_size=16)
    for network in (part.network for part in (detector, detector.animal_detector) if part is not None):
        for value in network.state_dict().values():
            digest.update(value.cpu().numpy().tobytes())
    digest.update(repr((getattr(detector.network, "spec", None), detector.box)).encode())
    for name, info in infos.items():
        for path in info.files:
            state = path.stat()
            digest.update(f"{name} {path} {state.st_size} {state.st_mtime_ns}".encode())
    several = (detector.n_animals, SEVERAL_WIDTH) if detector.finds_several else ()
    digest.update(repr((*options, detector.config.n_tta, *several)).encode())
    return digest.hexdigest()


def instants(
    infos: Mapping[str, VideoInfo], first: int = 0, stop: int | None = None
) -> Iterator[dict[str, Image | None]]:
    """The frames of each instant, each camera decoded ahead by its own thread. A decoder's error is raised here."""
    with ExitStack() as stack:
        left = {name: stack.enter_context(closing(_decoded(info, first, stop))) for name, info in infos.items()}
        while left:
            images: dict[str, Any] = {name: next(frames, _END) for name, frames in left.items()}
            left = {name: frames for name, frames in left.items() if images[name] is not _END}
            if left:
                yield {name: images[name] for name in left}


_END = object()


def _decoded(info: VideoInfo, first: int, stop: int | None) -> Generator[Image | None]:
    """The frames of a video from `first` on, decoded ahead."""
    with (
        closing(read_frames(info.files, first, stop)) as reader,
        closing(in_advance(repeat(partial(next, reader, _END)), AHEAD)) as images,
    ):
        yield from takewhile(lambda image: image is not _END, images)
