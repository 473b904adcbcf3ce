"""Labelled pictures in memory, shrunk to what training needs."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ...datasets import Array
from ...formats.labels.labelled_frames import LabelError, Labels
from ...formats.video.reading import Image, VideoError, read_frames_at
from .image_transforms import scaling, warp

BUDGET = 1 << 30  # bytes of pictures in memory: some 1,100 of 640x480
BORDER = 0.05  # of a picture's side: how far outside a label of a hidden part may be guessed


class PictureStore:
    """Pictures of labelled frames, each read once; beyond the budget picture files are read again at each use.

    Frames that lie in videos are all kept (shrunk), because each is found only by decoding the video up to it.
    """

    def __init__(self, labels: Labels, scale: float):
        self.labels, self.scale = labels, min(1.0, scale)
        self._kept: dict[int, Image] = {}
        self._sizes: dict[int, tuple[int, int]] = {}
        self._bytes, self._lock = 0, threading.Lock()
        self._read_videos()

    def picture(self, index: int) -> tuple[Image, Array]:
        """The shrunk picture and the (2, 3) map from the original's pixels to its pixels."""
        kept = self._kept.get(index)
        if kept is None:
            kept = self._keep(index, self.labels.image(index), BUDGET)
        return kept, scaling(self.scale)

    def size(self, index: int) -> tuple[int, int]:
        """(width, height) of the original picture, once `picture` has read it."""
        return self._sizes[index]

    def _keep(self, index: int, image: Image, budget: float) -> Image:
        height, width = image.shape[:2]
        _check_inside(self.labels, index, (width, height))
        if self.scale < 1:
            image = warp(
                image, scaling(self.scale), (int(np.ceil(width * self.scale)), int(np.ceil(height * self.scale)))
            )
        with self._lock:
            self._sizes[index] = (width, height)
            if self._bytes + image.nbytes <= budget:
                self._kept[index] = image
                self._bytes += image.nbytes
        return image

    def _read_videos(self) -> None:
        in_videos = [i for i, picture in enumerate(self.labels.pictures) if picture.frame is not None]
        for index, image in frames_of(self.labels, in_videos):
            self._keep(index, image, np.inf)


def _check_inside(labels: Labels, index: int, size: tuple[int, int]) -> None:
    """Refuse labels far outside their picture: it is not the picture that was labelled, or not at that size."""
    points, sides = labels.points_2d[index], np.array(size)
    outside = ((points < -BORDER * sides) | (points > (1 + BORDER) * sides)).any(-1)
    if outside.any():
        k = int(np.argmax(outside))
        raise LabelError(
            f"'{labels.keypoints[k]}' is labelled at ({points[k, 0]:.0f}, {points[k, 1]:.0f}) px, outside its picture"
            f" {labels.pictures[index]} of {size[0]}x{size[1]}; give the picture at the size at which it was labelled"
        )


def labelled_images(labels: Labels) -> list[Image]:
    """All pictures of the labels at full size, in memory."""
    images = dict(images_of(labels))
    return [images[i] for i in range(len(labels))]


def images_of(labels: Labels) -> Iterator[tuple[int, Image]]:
    """Position and picture of all labelled frames, one after the other: the picture files, then the videos' frames."""
    in_videos = [i for i, picture in enumerate(labels.pictures) if picture.frame is not None]
    yield from ((i, labels.image(i)) for i, picture in enumerate(labels.pictures) if picture.frame is None)
    yield from frames_of(labels, in_videos)


def frames_of(labels: Labels, indices: Iterable[int]) -> Iterator[tuple[int, Image]]:
    """Position and picture of labelled frames that lie in videos, each video decoded once.

    Raises
    ------
    VideoError : a labelled frame is damaged or lies beyond the video's end
    """
    wanted: dict[Path, dict[int, list[int]]] = {}
    for index in indices:
        picture = labels.pictures[index]
        if picture.frame is not None:
            wanted.setdefault(picture.path, {}).setdefault(picture.frame, []).append(index)
    for path, frames in wanted.items():
        found = set()
        for number, image in read_frames_at(path, frames):
            if image is None:
                raise VideoError(f"{path} frame {number} is labelled but cannot be decoded; leave it out")
            found.add(number)
            yield from ((index, image) for index in frames[number])
        missing = sorted(set(frames) - found)
        if missing:
            raise VideoError(f"{path} frame {missing[0]} is labelled but lies beyond the video's end")
