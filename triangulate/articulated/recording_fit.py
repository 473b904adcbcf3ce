"""A body fitted to a recording: where to begin, what is learned from its best stretch, and all frames in windows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ...cameras import CameraRig
from ...numerics.arrays import Array
from ..bodies.kinematic_tree import Body
from ..smoothing.difference_prior import informative_frames
from ..smoothing.long_recordings.tracked_frames import windows
from ..smoothing.smoother import smooth
from ..smoothing.trajectory import Trajectory
from .body_posterior import BodyFit, by_frame, described
from .body_prior import Model, body_size
from .body_state import State
from .pixel_noise import PixelNoise
from .pixel_terms import USUAL_PRIOR, Pixels
from .side_exchanges import exchanged_sides
from .starting_pose import fitted_size, root_angles, starting_state
from .trajectory_fit import ROUNDS, Fit, first_model, fit_trajectory

_PRIOR_RANGE = (0.02, 0.98)  # of an inlier, from a detector's confidence
_WINDOW, _LEAST_WINDOW, _OVERLAP = 300, 20, 30  # frames: solved at once, at least so many, and on either side besides
_ROUNDS_WITH_OFFSETS = 10  # of solving and learning: offsets and markers settle in turns
_UNKNOWN = 0.1  # of the body's size: standard deviation of a marker that is not located


@dataclass(frozen=True, eq=False)
class Observed:
    """points_2d (n_cameras, n_frames, n_markers, 2) in the order of the body's markers, NaN where missing; confidence
    likewise, or None; log_outlier (n_cameras, n_markers) density of an outlier; noise, or None if it is to be learned.
    """

    points_2d: Array
    rig: CameraRig
    fps: float
    body: Body
    confidence: Array | None
    log_outlier: Array
    noise: PixelNoise | None = None

    def pixels(self) -> Pixels:
        right = np.full(self.points_2d.shape[:-1], USUAL_PRIOR)
        if self.confidence is not None:
            right = np.clip(self.confidence, *_PRIOR_RANGE)
        log_prior = np.log(np.stack([right / USUAL_PRIOR, (1 - right) / (1 - USUAL_PRIOR)], axis=-1))
        return Pixels(self.rig, self.points_2d, log_prior, self.log_outlier, self.body.skeleton.mirror,
                      np.zeros(len(self.rig)), np.zeros(right.shape, bool))  # fmt: skip


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
    def of(cls, declared: Body, smoothed: Trajectory, trusted: NDArray[np.bool_]) -> Start:
        points_3d = np.where(trusted[..., None], smoothed.points_3d, np.nan)
        body, size_std = fitted_size(declared, points_3d, smoothed.covariances_3d)
        root, size = root_angles(body, points_3d), body.marker_std / declared.marker_std
        return cls(body, size, size_std, points_3d, smoothed.covariances_3d, root, smoothed.fps)

    def state(self, frames: slice, n_cameras: int, like: State | None = None) -> State:
        state = starting_state(
            self.body, self.points_3d[frames], self.covariances_3d[frames], self.fps, self.root[frames], like
        )
        biases = np.zeros((n_cameras, self.points_3d.shape[1], 2)) if like is None else like.biases
        return replace(state, biases=biases)

    def spread(self, frames: slice) -> Array:
        located = np.asarray(np.isfinite(self.points_3d[frames]).all(axis=-1))
        wide = np.eye(3) * (_UNKNOWN * body_size(self.body)) ** 2
        return np.where(located[..., None, None], self.covariances_3d[frames], wide)


@dataclass(frozen=True, eq=False)
class Recording:
    """What is fitted, where to begin, and what was learned from its best stretch."""

    observed: Observed
    pixels: Pixels
    start: Start
    length: int
    best: slice
    learned: Fit

    @property
    def n_frames(self) -> int:
        return self.observed.points_2d.shape[1]

    @property
    def whole(self) -> bool:
        """Whether the best stretch is all there is."""
        return self.best == slice(0, self.n_frames)

    def refitted(self, model: Model, state: State) -> Recording:
        """With the best stretch fitted again where more is known than was learned here."""
        known = replace(model, deviation_std=self.learned.deviations.std)
        pixels, spread = self.pixels.at(self.best), self.start.spread(self.best)
        return replace(self, learned=fit_trajectory(pixels, known, state, spread, rounds=2, learn=False))

    def fitted(self, progress: bool = False) -> BodyFit:
        """All frames, in windows, with the constants as the best stretch shows them."""
        fit, fps, points_2d = self.learned, self.observed.fps, self.observed.points_2d
        if self.whole:
            return described(fit, fps, points_2d, by_frame(fit, fps))
        plan = list(windows(self.n_frames, self.length, _OVERLAP))
        changing, converged = {}, fit.converged
        for frames, kept in tqdm(plan, "fitting the body", unit="window", disable=not progress):
            own = self._window(frames)
            converged &= own.converged
            inner = slice(kept.start - frames.start, kept.stop - frames.start)
            for name, values in by_frame(own, fps).items():
                changing.setdefault(name, np.empty((self.n_frames, *values.shape[1:])))[kept] = values[inner]
        return replace(described(fit, fps, points_2d, changing), converged=converged)

    def _window(self, frames: slice) -> Fit:
        learned = self.learned
        known = replace(learned.model, deviation_std=learned.deviations.std)
        start = replace(self.start, body=known.body).state(frames, len(self.pixels.rig), learned.state)
        spread, root = self.start.spread(frames), learned.posterior.root
        return fit_trajectory(self.pixels.at(frames), known, start, spread, rounds=2, learn=False, root=root)


def learn(observed: Observed, *, order: int | None, time_offsets: bool, window: float | None) -> Recording:
    """See `fit_body`."""
    if window is not None and not window > 0:
        raise ValueError(f"window must be a positive number of seconds, got {window!r}")
    points_2d, rig, fps = observed.points_2d, observed.rig, observed.fps
    smoothed = smooth(points_2d, rig, fps=fps, confidence=observed.confidence, order=2)  # a start: no choice of order
    if not np.isfinite(smoothed.points_3d).any():
        raise ValueError("no keypoint is seen by two cameras in any frame; the animal cannot be placed")
    pixels = observed.pixels()
    start = Start.of(observed.body, smoothed, trusted=np.asarray((pixels.prior_probability > 0.5).any(axis=0)))
    pixels, start = straightened(pixels, start)
    length = _WINDOW if window is None else max(_LEAST_WINDOW, round(window * fps))
    frames = informative_frames(pixels.seen.sum(axis=(0, 2)), length + 2 * _OVERLAP, n_stretches=1)[0]
    best = slice(int(frames[0]), int(frames[-1]) + 1)

    state, noise = start.state(best, len(rig)), observed.noise or _first_noise(smoothed)
    model = first_model(start.body, fps, order, state, noise, start.size, start.size_std)
    learned = fit_trajectory(
        pixels.at(best), model, state, start.spread(best),
        rounds=_ROUNDS_WITH_OFFSETS if time_offsets else ROUNDS, find_offsets=time_offsets,
    )  # fmt: skip
    pixels = replace(pixels, offsets=learned.pixels.offsets)
    return Recording(observed, pixels, start, length, best, learned)


def straightened(pixels: Pixels, start: Start) -> tuple[Pixels, Start]:
    """With left and right exchanged, in all views, where markers jump from one side to the other and back."""
    pairs = exchanged_sides(start.body, start.points_3d)
    if not pairs.any():
        return pixels, start
    points_3d = np.where(pairs[..., None], start.points_3d[:, pixels.partner], start.points_3d)
    covariances_3d = np.where(pairs[..., None, None], start.covariances_3d[:, pixels.partner], start.covariances_3d)
    root = root_angles(start.body, points_3d)
    return pixels.with_exchanged(pairs), replace(start, points_3d=points_3d, covariances_3d=covariances_3d, root=root)


def _first_noise(smoothed: Trajectory) -> PixelNoise:
    known = np.isfinite(smoothed.sigma)
    sigma = np.where(known, smoothed.sigma, smoothed.sigma[known].mean())
    return PixelNoise.of(sigma, 0.3 * float(sigma.mean()))
