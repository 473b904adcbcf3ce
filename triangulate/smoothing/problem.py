"""A checked request of a smoother: pixels of all frames, in memory or in a file, and what is asked of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...datasets import Skeleton
from ...numerics.arrays import Array
from ..noise.detector_noise import DetectorNoise

_STRETCH = 20_000  # frames that are looked at together, where all are
Given = tuple[Array, Array | None, Array]  # points_2d, confidence and relative noise of some frames


class Pixels(Protocol):
    """The 2D points of a recording, of which some frames are had at a time."""

    @property
    def n_frames(self) -> int: ...

    @property
    def n_keypoints(self) -> int: ...

    def read(self, frames: slice | NDArray[np.int64]) -> Given: ...


@dataclass(frozen=True, eq=False)
class PixelsInMemory:
    """Arrays of all frames: (n_cameras, n_frames, n_keypoints, 2), and the other two without the last axis."""

    points_2d: Array
    confidence: Array | None
    scale: Array

    @property
    def n_frames(self) -> int:
        return self.points_2d.shape[1]

    @property
    def n_keypoints(self) -> int:
        return self.points_2d.shape[2]

    def read(self, frames: slice | NDArray[np.int64]) -> Given:
        confidence = None if self.confidence is None else self.confidence[:, frames]
        return self.points_2d[:, frames], confidence, self.scale[:, frames]


@dataclass(frozen=True, eq=False)
class Problem:
    """A checked request: what `smooth` was asked to do.

    spread : (n_cameras, n_keypoints) pixels, of an ensemble of detectors
    pairs : (n_pairs, 2) positions on the keypoint axis of those whose covariance within a frame is wanted
    """

    pixels: Pixels
    rig: CameraRig
    fps: float
    skeleton: Skeleton | None
    order: int | None
    noise: DetectorNoise | None = None
    spread: Array | None = None
    pairs: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))

    @property
    def n_frames(self) -> int:
        return self.pixels.n_frames

    @property
    def n_keypoints(self) -> int:
        return self.pixels.n_keypoints

    def at(self, frames: slice | NDArray[np.int64]) -> tuple[Array, CameraRig, Array | None, Array]:
        """Pixels with NaN where missing, rig, confidence and scale of some frames: a copy of no more than these."""
        points_2d, confidence, scale = self.pixels.read(frames)
        confidence = None if confidence is None else np.ascontiguousarray(confidence)
        missing, points_2d = _missing(points_2d, confidence), points_2d.copy()
        points_2d[missing] = np.nan
        return points_2d, self.rig, confidence, scale

    def missing(self, frames: slice | NDArray[np.int64]) -> NDArray[np.bool_]:
        """(n_cameras, n_frames, n_keypoints) pixels that are not there: a coordinate is NaN, or the confidence 0."""
        return _missing(*self.pixels.read(frames)[:2])

    def n_seen(self) -> Array:
        """(n_frames,) pixels that are there."""
        return np.concatenate([(~self.missing(frames)).sum(axis=(0, 2), dtype=float) for frames in self._stretches()])

    def _stretches(self) -> Iterator[slice]:
        for start in range(0, max(self.n_frames, 1), _STRETCH):
            yield slice(start, min(start + _STRETCH, self.n_frames))


def _missing(points_2d: Array, confidence: Array | None) -> NDArray[np.bool_]:
    missing = np.asarray(np.isnan(points_2d).any(axis=-1))
    return missing if confidence is None else missing | np.asarray(confidence == 0)


def informative_frames(n_seen: Array, budget: int, n_stretches: int = 4) -> tuple[NDArray[np.int64], tuple[int, ...]]:
    """Frames to learn from, and the lengths of the stretches they form.

    All frames of a short recording; of a longer one, from each quarter the stretch with the most observed points,
    n_seen (n_frames,).
    """
    n_frames = len(n_seen)
    if n_frames <= budget:
        return np.arange(n_frames), (n_frames,)
    length = budget // n_stretches
    edges = np.linspace(0, n_frames, n_stretches + 1).astype(int)
    total = np.concatenate([[0], np.cumsum(n_seen)])
    starts = []
    for first, end in pairwise(edges):
        sums = total[first + length : end + 1] - total[first : end - length + 1]
        starts.append(first + int(np.argmax(sums)))
    return np.concatenate([np.arange(start, start + length) for start in starts]), (length,) * n_stretches
