"""Where the fit of a body begins, some frames at a time: its pixels, and the body laid into smoothed points."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...numerics.arrays import Array
from ...numerics.banded import one_blas_thread
from ..bodies.kinematic_tree import Body
from ..bodies.rest_pose import rest_size
from ..points.consensus import robust_points
from ..smoothing.long_recordings import learning
from ..smoothing.long_recordings.overlapping_windows import tracks_of
from ..smoothing.problem import Given, Problem
from .body_state import State
from .pixel_noise import PixelNoise
from .pixel_terms import USUAL_PRIOR, Pixels
from .starting_pose import exchanged_sides, fitted_size, root_angles, starting_state

_PRIOR_RANGE = (0.02, 0.98)  # of an inlier, from a detector's confidence
_UNKNOWN = 0.1  # of the body's size: standard deviation of a marker that is not located


class Source(Protocol):
    """The pixels of a recording in the order of the body's markers, of which some frames are had at a time."""

    @property
    def rig(self) -> CameraRig: ...

    @property
    def fps(self) -> float: ...

    @property
    def body(self) -> Body: ...

    @property
    def noise(self) -> PixelNoise | None: ...

    @property
    def n_frames(self) -> int: ...

    @property
    def n_markers(self) -> int: ...

    def at(self, frames: slice | NDArray[np.int64]) -> Observed: ...


@dataclass(frozen=True, eq=False)
class Observed:
    """points_2d (n_cameras, n_frames, n_markers, 2) in the order of the body's markers, NaN where missing; confidence
    likewise, or None; log_outlier (n_cameras, n_markers) density of an outlier; noise, or None if it is to be learned;
    exchanged (n_frames, n_markers) where left and right have changed places in all views, None: nowhere.
    """

    points_2d: Array
    rig: CameraRig
    fps: float
    body: Body
    confidence: Array | None
    log_outlier: Array
    noise: PixelNoise | None = None
    exchanged: NDArray[np.bool_] | None = None

    @property
    def n_frames(self) -> int:
        return self.points_2d.shape[1]

    @property
    def n_markers(self) -> int:
        return self.points_2d.shape[2]

    def at(self, frames: slice | NDArray[np.int64]) -> Observed:
        confidence = None if self.confidence is None else self.confidence[:, frames]
        return replace(self, points_2d=self.points_2d[:, frames], confidence=confidence)

    def pixels(self) -> Pixels:
        right = np.full(self.points_2d.shape[:-1], USUAL_PRIOR)
        if self.confidence is not None:
            right = np.clip(self.confidence, *_PRIOR_RANGE)
        log_prior = np.log(np.stack([right / USUAL_PRIOR, (1 - right) / (1 - USUAL_PRIOR)], axis=-1))
        exchanged = np.broadcast_to(False if self.exchanged is None else self.exchanged, right.shape)
        return Pixels(self.rig, self.points_2d, log_prior, self.log_outlier, self.body.skeleton.mirror,
                      np.zeros(len(self.rig)), exchanged)  # fmt: skip

    def with_exchanged(self, pairs: NDArray[np.bool_]) -> Observed:
        """With left and right exchanged in all views where (n_frames, n_markers), alike for both."""
        partner, confidence = self.body.skeleton.mirror, self.confidence
        if confidence is not None:
            confidence = np.where(pairs, confidence[:, :, partner], confidence)
        points_2d = np.where(pairs[..., None], self.points_2d[:, :, partner], self.points_2d)
        return replace(self, points_2d=points_2d, confidence=confidence, exchanged=pairs)


@dataclass(frozen=True, eq=False)
class SidesPutBack:
    """A source in which left and right are exchanged, in all views, where most of them show the other side: the robust
    points (n_frames, n_markers) jump from one side to the other and back there."""

    source: Source
    exchanged: NDArray[np.bool_]

    @classmethod
    def of(cls, source: Source, length: int) -> SidesPutBack:
        """Found in `length` frames at a time."""
        exchanged = np.zeros((source.n_frames, source.n_markers), bool)
        for first in range(0, source.n_frames, length):
            frames = slice(first, min(first + length, source.n_frames))
            own = source.at(frames)
            if (np.isfinite(own.points_2d[..., 0]).sum(axis=0) > 1).any():
                located = robust_points(own.points_2d, own.rig, confidence=own.confidence)
                exchanged[frames] = exchanged_sides(source.body, located.points_3d)
        return cls(source, exchanged)

    @property
    def rig(self) -> CameraRig:
        return self.source.rig

    @property
    def fps(self) -> float:
        return self.source.fps

    @property
    def body(self) -> Body:
        return self.source.body

    @property
    def noise(self) -> PixelNoise | None:
        return self.source.noise

    @property
    def n_frames(self) -> int:
        return self.source.n_frames

    @property
    def n_markers(self) -> int:
        return self.source.n_markers

    def at(self, frames: slice | NDArray[np.int64]) -> Observed:
        own, pairs = self.source.at(frames), self.exchanged[frames]
        return own.with_exchanged(pairs) if pairs.any() else own


@dataclass(frozen=True, eq=False)
class _Given:
    """A source as the smoother takes it."""

    source: Source

    @property
    def n_frames(self) -> int:
        return self.source.n_frames

    @property
    def n_keypoints(self) -> int:
        return self.source.n_markers

    def read(self, frames: slice | NDArray[np.int64]) -> Given:
        own = self.source.at(frames)
        return own.points_2d, own.confidence, np.ones(own.points_2d.shape[:-1])


@dataclass(frozen=True, eq=False)
class Tracks:
    """The markers smoothed each by itself, some frames at a time, by what was learned for the whole recording."""

    problem: Problem
    learned: learning.Learned

    @classmethod
    def of(cls, source: Source) -> Tracks:
        problem = Problem(_Given(source), source.rig, source.fps, None, 2)  # a start: no choice of the order
        return cls(problem, learning.learn(problem))

    @property
    def sigma(self) -> Array:
        """(n_cameras, n_markers) pixels"""
        return self.learned.observations.sigma

    def over(self, frames: slice) -> tuple[Array, Array]:
        with one_blas_thread():
            return tracks_of(self.problem, self.learned, frames)


@dataclass(frozen=True, eq=False)
class Start:
    """Where to begin: the body in the animal's size, that size over the declared one and its standard deviation as a
    share, smoothed points with covariances, NaN where no pixel is trusted, and the root in every frame."""

    body: Body
    size: float
    size_std: float
    points_3d: Array
    covariances_3d: Array
    root: Array
    fps: float

    @classmethod
    def of(cls, declared: Body, points_3d: Array, covariances_3d: Array, fps: float) -> Start:
        if not np.isfinite(points_3d).any():
            raise ValueError("no keypoint is seen by two cameras in any frame; the animal cannot be placed")
        body, size_std = fitted_size(declared, points_3d, covariances_3d)
        root, size = root_angles(body, points_3d), body.marker_std / declared.marker_std
        return cls(body, size, size_std, points_3d, covariances_3d, root, fps)

    def moved(self, points_3d: Array, covariances_3d: Array) -> Start:
        """Of the same animal in other frames, or of corrected points."""
        root = root_angles(self.body, points_3d, self.root.mean(axis=0))
        return replace(self, points_3d=points_3d, covariances_3d=covariances_3d, root=root)

    def state(self, frames: slice, n_cameras: int, like: State | None = None) -> State:
        state = starting_state(
            self.body, self.points_3d[frames], self.covariances_3d[frames], self.fps, self.root[frames], like
        )
        biases = np.zeros((n_cameras, self.points_3d.shape[1], 2)) if like is None else like.biases
        return replace(state, biases=biases)

    def spread(self, frames: slice) -> Array:
        located = np.asarray(np.isfinite(self.points_3d[frames]).all(axis=-1))
        wide = np.eye(3) * (_UNKNOWN * rest_size(self.body)) ** 2
        return np.where(located[..., None, None], self.covariances_3d[frames], wide)


@dataclass(frozen=True, eq=False)
class Beginning:
    """Some frames of a recording: where their fit begins, and which pixels were given (n_cameras, n_frames,
    n_markers)."""

    frames: slice
    pixels: Pixels
    seen: NDArray[np.bool_]
    start: Start

    @classmethod
    def of(cls, source: Source, tracks: Tracks, frames: slice, like: Start | None = None) -> Beginning:
        """With the animal's size as these frames show it, or that of `like`."""
        pixels, (points_3d, covariances_3d) = source.at(frames).pixels(), tracks.over(frames)
        trusted = np.asarray((pixels.prior_probability > 0.5).any(axis=0))
        points_3d = np.where(trusted[..., None], points_3d, np.nan)
        if like is None:
            start = Start.of(source.body, points_3d, covariances_3d, source.fps)
        else:
            start = like.moved(points_3d, covariances_3d)
        return cls(frames, pixels, pixels.given, start)

    def has(self, frames: slice) -> bool:
        return self.frames.start <= frames.start and frames.stop <= self.frames.stop

    def place(self, frames: slice) -> slice:
        """Where frames of the recording are in this."""
        return slice(frames.start - self.frames.start, frames.stop - self.frames.start)

    def at(self, frames: slice, offsets: Array) -> tuple[Pixels, Array]:
        """Pixels of some frames of the recording, of cameras with these offsets in time, and the spread of the markers
        from where the fit begins."""
        own = self.place(frames)
        return replace(self.pixels.at(own), offsets=offsets), self.start.spread(own)
