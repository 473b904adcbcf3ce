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
    """The pixels of a source with left and right exchanged, in all views, where most of them show the other side: the
    robust points (n_frames, n_markers) jump from one side to the other and back there."""

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

    def at(self, frames: slice | NDArray[np.int64]) -> Observed:
        own, pairs = self.source.at(frames), self.exchanged[frames]
        return own.with_exchanged(pairs) if pairs.any() else own

    @property
    def n_frames(self) -> int:
        return self.source.n_frames

    @property
    def n_keypoints(self) -> int:
        return self.source.n_markers

    def read(self, frames: slice | NDArray[np.int64]) -> Given:
        """As the smoother takes them."""
        own = self.at(frames)
        return own.points_2d, own.confidence, np.ones(own.points_2d.shape[:-1])


@dataclass(frozen=True, eq=False)
class Tracks:
    """The markers smoothed each by itself, some frames at a time, by what was learned for the whole recording."""

    learned: learning.Learned

    @classmethod
    def of(cls, pixels: SidesPutBack) -> Tracks:
        problem = Problem(pixels, pixels.source.rig, pixels.source.fps, None, 2)  # a start: no choice of the order
        return cls(learning.learn(problem))

    @property
    def sigma(self) -> Array:
        """(n_cameras, n_markers) pixels"""
        return self.learned.observations.sigma

    def over(self, frames: slice) -> tuple[Array, Array]:
        with one_blas_thread():
            return tracks_of(self.learned, frames)


@dataclass(frozen=True, eq=False)
class Beginning:
    """Some frames of a recording, and where their fit begins.

    body, size, size_std : the body in the animal's size, that size over the declared one, its standard deviation as a
        share
    points_3d, covariances_3d : smoothed, NaN where no pixel is trusted
    root : (n_frames, 6) as of `root_angles`
    """

    frames: slice
    pixels: Pixels
    body: Body
    size: float
    size_std: float
    points_3d: Array
    covariances_3d: Array
    root: Array
    fps: float

    @classmethod
    def of(cls, pixels: SidesPutBack, tracks: Tracks, frames: slice) -> Beginning:
        """With the animal's size as these frames show it."""
        own, points_3d, covariances_3d = _trusted(pixels, tracks, frames)
        if not np.isfinite(points_3d).any():
            raise ValueError("no keypoint is seen by two cameras in any frame; the animal cannot be placed")
        declared, fps = pixels.source.body, pixels.source.fps
        body, size_std = fitted_size(declared, points_3d, covariances_3d)
        size, root = body.marker_std / declared.marker_std, root_angles(body, points_3d)
        return cls(frames, own, body, size, size_std, points_3d, covariances_3d, root, fps)

    def elsewhere(self, pixels: SidesPutBack, tracks: Tracks, frames: slice) -> Beginning:
        """Other frames of the same animal."""
        own, points_3d, covariances_3d = _trusted(pixels, tracks, frames)
        root = root_angles(self.body, points_3d, self.root.mean(axis=0))
        return replace(self, frames=frames, pixels=own, points_3d=points_3d, covariances_3d=covariances_3d, root=root)

    def has(self, frames: slice) -> bool:
        return self.frames.start <= frames.start and frames.stop <= self.frames.stop

    def place(self, frames: slice) -> slice:
        """Where frames of the recording are in this."""
        return slice(frames.start - self.frames.start, frames.stop - self.frames.start)

    def state(self, frames: slice, body: Body, like: State | None = None) -> State:
        """Where the fit of some frames of the recording begins; but for the angles as `like`, if there is one."""
        own = self.place(frames)
        state = starting_state(body, self.points_3d[own], self.covariances_3d[own], self.fps, self.root[own], like)
        n_cameras, _, n_markers, _ = self.pixels.points_2d.shape
        return replace(state, biases=np.zeros((n_cameras, n_markers, 2)) if like is None else like.biases)

    def at(self, frames: slice, offsets: Array) -> tuple[Pixels, Array]:
        """Pixels of some frames of the recording, of cameras with these offsets in time, and the spread of the markers
        from where the fit begins."""
        own = self.place(frames)
        located = np.asarray(np.isfinite(self.points_3d[own]).all(axis=-1))
        wide = np.eye(3) * (_UNKNOWN * rest_size(self.body)) ** 2
        spread = np.where(located[..., None, None], self.covariances_3d[own], wide)
        return replace(self.pixels.at(own), offsets=offsets), spread


def _trusted(pixels: SidesPutBack, tracks: Tracks, frames: slice) -> tuple[Pixels, Array, Array]:
    """Pixels of some frames, and smoothed points with covariances, NaN where no pixel is trusted."""
    own, (points_3d, covariances_3d) = pixels.at(frames).pixels(), tracks.over(frames)
    trusted = np.asarray((own.prior_probability > 0.5).any(axis=0))
    return own, np.where(trusted[..., None], points_3d, np.nan), covariances_3d
