"""Smoothing of recordings of any length: learn on some frames, then solve overlapping windows at bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from ..calibration import CameraRig
from ..datasets import Skeleton
from ..datasets.arrays import Array
from .posterior import Trajectory, derivatives
from .prior_time import informative_frames
from .smooth_observations import Observations, observe, observe_window
from .smooth_time import TimePrior, Tracks, learn_time_prior, smooth_in_time

_LEARNING_FRAMES = 2000
_WINDOW = 4000
_OVERLAP_RANGE = (100, 1000)
_DECAY = 34.0  # log of the factor by which a window's edge has faded where the overlap ends: round-off


@dataclass(frozen=True, eq=False)
class Problem:
    """A checked request: what `smooth` was asked to do."""

    points_2d: Array
    rig: CameraRig
    fps: float
    confidence: Array | None
    skeleton: Skeleton | None
    order: int | None

    @property
    def n_frames(self) -> int:
        return self.points_2d.shape[1]

    def at(self, frames) -> tuple[Array, CameraRig, Array | None]:
        confidence = None if self.confidence is None else self.confidence[:, frames]
        return np.ascontiguousarray(self.points_2d[:, frames]), self.rig, confidence


@dataclass(frozen=True, eq=False)
class Learned:
    """What holds for a whole recording, and the tracks of the frames it was learned on if these are all."""

    observations: Observations
    prior: TimePrior
    tracks: Tracks | None


def learn(problem: Problem) -> Learned:
    """Noise, order and process variances from the recording's best observed frames."""
    n_seen = np.isfinite(problem.points_2d[..., 0]).sum(axis=(0, 2))
    frames, lengths = informative_frames(n_seen, _LEARNING_FRAMES)
    observations, start, inliers = observe(*problem.at(frames))
    prior, observations, tracks = learn_time_prior(observations, start, inliers, lengths, problem.order)
    return Learned(observations, prior, tracks if len(frames) == problem.n_frames else None)


def overlap_frames(prior: TimePrior, information: float) -> int:
    """Frames after which an edge is forgotten: the smoother's impulse response decays over (P / I)^(1 / 2m)."""
    known = prior.precisions[np.isfinite(prior.precisions)]
    if not len(known):
        return _OVERLAP_RANGE[0]
    scale = (known.max() / information) ** (0.5 / prior.order)
    decay = np.sin(np.pi / (2 * prior.order))
    return int(np.clip(_DECAY * scale / decay, *_OVERLAP_RANGE))


def windows(n_frames: int, length: int, overlap: int) -> Iterator[tuple[slice, slice]]:
    """(frames to solve, frames to keep) of windows that overlap by `overlap` on either side of what they keep."""
    for start in range(0, n_frames, length):
        stop = min(start + length, n_frames)
        yield slice(max(0, start - overlap), min(n_frames, stop + overlap)), slice(start, stop)


def solve_windows(
    problem: Problem,
    *,
    pairs: Sequence[tuple[str, str]] | None,
    n_samples: int,
    seed: int,
    window: int | None,
    progress: bool,
) -> Trajectory:
    learned = learn(problem)
    n_cameras, n_frames, n_keypoints = problem.points_2d.shape[:3]
    points_3d = np.full((n_frames, n_keypoints, 3), np.nan)
    covariances = np.full((n_frames, n_keypoints, 3, 3, 3), np.nan)
    inlier_probability = np.full((n_cameras, n_frames, n_keypoints), np.nan)
    scale = (
        np.linalg.norm(learned.observations.arrays.t, axis=1).mean()
        / np.abs(learned.observations.arrays.K[:, 1, 1]).mean()
    )
    overlap = overlap_frames(learned.prior, 1 / (scale * np.median(learned.observations.sigma)) ** 2)
    plan = list(windows(n_frames, window or _WINDOW, overlap))
    for frames, kept in tqdm(plan, desc="smoothing", unit="window", disable=not progress or len(plan) < 2):
        if learned.tracks is not None and len(plan) == 1:
            tracks = learned.tracks
        else:
            observed = observe_window(learned.observations, *problem.at(frames))
            tracks = smooth_in_time(*observed, learned.prior)
        inner = slice(kept.start - frames.start, kept.stop - frames.start)
        points_3d[kept], covariances[kept] = tracks.points_3d[inner], tracks.covariances[inner]
        inlier_probability[:, kept] = tracks.inlier_probability[:, inner]
    inlier_probability[np.isnan(problem.points_2d[..., 0])] = np.nan
    velocities, velocity_covariances, accelerations, acceleration_covariances = derivatives(
        points_3d, covariances, problem.fps
    )
    return Trajectory(
        points_3d=points_3d + learned.observations.centre,
        covariances_3d=np.ascontiguousarray(covariances[:, :, 0]),
        inlier_probability=inlier_probability,
        velocities=velocities,
        velocity_covariances=velocity_covariances,
        accelerations=accelerations,
        acceleration_covariances=acceleration_covariances,
        sigma=learned.observations.sigma,
        order=learned.prior.order,
        process_stds=learned.prior.precisions**-0.5,
        fps=problem.fps,
        bone_lengths=np.zeros(0),
        bone_stds=np.zeros(0),
        pairs=(),
        cross_covariances=np.zeros((n_frames, 0, 3, 3)),
        samples=np.zeros((0, n_frames, n_keypoints, 3)),
    )
