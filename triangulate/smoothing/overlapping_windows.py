"""Smoothing of recordings of any length: learn on some frames, then solve overlapping windows at bounded memory."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ...numerics.arrays import Array, isotropic
from ...numerics.banded import one_blas_thread
from ...numerics.threads import n_processors
from .bone_lengths import Bones, measure_bones
from .correlated_noise import CorrelatedNoise, displacement_covariances
from .difference_prior import informative_frames
from .independent_tracks import TimePrior, Tracks, learn_time_prior, smooth_in_time
from .joint_mode import JointPosterior, find_mode, joint_posterior, pair_covariances
from .observations import Observations, observe, observe_window
from .perturbed_solutions import FrameNoise, draw_noise
from .problem import Problem
from .ray_alternatives import reflected
from .trajectory import Trajectory, derivatives
from .unsteady_motion import USUAL, at_activity

_LEARNING_FRAMES = 2000  # bounds time and memory of learning
_WINDOW = 4000  # frames of a window of tracks: bounds memory
_BAND_BYTES = 110e6  # bytes of the banded matrix of a window
_MOST_THREADS = 4  # windows at once: bounds memory
_MOST_AHEAD = 32  # windows that are begun elsewhere at once, whose results wait here
_FEWEST_WINDOW = 100  # frames that a window keeps at least, whatever the memory: below, all work would be overlap
_DECAY = 12  # correlation times that windows overlap: the influence of an edge has fallen by exp(12)
_DECAY_AT_REST = 4  # likewise while the animal is quiet: 2 % are left of a difference that is a part of the error bar
_FINEST_BONE = 0.05  # of a pixel's span
_DERIVATIVES = ("velocities", "velocity_covariances", "accelerations", "acceleration_covariances")
_BY_FRAME = (
    "points_3d", "covariances_3d", "inlier_probability", *_DERIVATIVES, "cross_covariances", "samples",
)  # fmt: skip
_TIME_AXIS = {"inlier_probability": 1, "samples": 1}  # of all others it is the first
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Learned:
    """What holds for a whole recording, and the tracks of the frames it was learned on (`whole` if these are all).

    noise : how the errors last in time
    displacement : (n_keypoints, 3, 3), world units squared, of the errors that never change or that all views share
    shared : (n_keypoints,) thrice, variances along an axis of what all views share: of positions, where `displacement`
        has it, of velocities and of accelerations, in world units and frames
    averaged_frames : (n_keypoints,) that the smoother averages over
    derivative_factors : (n_levels, n_keypoints) twice, of the variances of velocities and accelerations, at levels of
        activity
    """

    observations: Observations
    prior: TimePrior
    bones: Bones | None
    tracks: Tracks
    whole: bool
    noise: CorrelatedNoise
    displacement: Array
    shared: tuple[Array, Array, Array]
    averaged_frames: Array
    derivative_factors: tuple[Array, Array]


def learn(problem: Problem) -> Learned:
    """Noise and how it lasts, order, process variances and bones from the recording's best observed frames."""
    frames, lengths = informative_frames(problem.n_seen(), _LEARNING_FRAMES)
    observations, start, inliers = observe(*problem.at(frames), problem.noise, problem.spread)
    has_bones = problem.skeleton is not None and len(problem.skeleton.bones) > 0
    # bones contradict errors that never change: beside them a frame counts no more than if its errors were white
    most_power = 1.0 if has_bones else np.inf
    found = learn_time_prior(observations, start, inliers, lengths, problem.order, problem.fps, most_power)
    observations, noise, tracks = found.observations, found.noise, found.tracks
    powers = observations.powers
    averaged = 1 / found.smoother.gain(powers[USUAL]).mean(axis=1)
    bones = None
    if problem.skeleton is not None and has_bones:
        finest = _FINEST_BONE * observations.pixel
        times = noise.smoothed_times(found.smoother, powers[USUAL])
        bones = measure_bones(problem.skeleton.bone_indices, tracks, finest, averaged, times)
    shared = noise.common_variances(found.smoother, powers[USUAL])
    motion = noise.motion_shares(
        found.smoother, powers, found.prior.precisions, tracks.points_3d, tracks.changes, lengths
    )
    return Learned(
        observations=observations,
        prior=found.prior,
        bones=bones,
        tracks=tracks,
        whole=len(frames) == problem.n_frames,
        displacement=displacement_covariances(noise, found.seen) + isotropic(shared[0]),
        shared=shared,
        noise=noise,
        averaged_frames=averaged,
        derivative_factors=noise.derivative_factors(found.smoother, powers, motion),
    )


def overlap_frames(learned: Learned) -> int:
    """Frames after which a window's edge has no more influence; while the animal is quiet, hardly any."""
    prior, pixel = learned.prior, learned.observations.lasting_pixel
    quiet = prior.correlation_frames(pixel, prior.quietest)
    return max(_DECAY * prior.correlation_frames(pixel), _DECAY_AT_REST * quiet)


def window_length(n_frames: int, n_keypoints: int, learned: Learned, joint: bool) -> int:
    """Frames that a window keeps, such that its band fits the memory meant for it; tracks alone need little.

    An even number of windows if they are few: so many threads solve them.
    """
    if not joint:
        return _WINDOW
    block, overlap = 3 * n_keypoints, overlap_frames(learned)
    most = int(_BAND_BYTES / (8 * block * (block * max(2, learned.prior.order) + 1)))
    if n_frames <= most:
        return most
    if n_frames <= 2 * (most - overlap):
        return -(-n_frames // 2)
    n_windows = -(-n_frames // int(np.clip(most - 2 * overlap, _FEWEST_WINDOW, _WINDOW)))
    return -(-n_frames // (n_windows + n_windows % 2))


def windows(n_frames: int, length: int, overlap: int) -> Iterator[tuple[slice, slice]]:
    """(frames to solve, frames to keep) of windows that overlap by `overlap` on either side of what they keep."""
    n_windows = 1 if n_frames <= length else -(-n_frames // length)
    edges = np.linspace(0, n_frames, n_windows + 1).astype(int).tolist()
    for start, stop in itertools.pairwise(edges):
        yield slice(max(0, start - overlap), min(n_frames, stop + overlap)), slice(start, stop)


@dataclass(frozen=True, eq=False)
class Solution:
    """Posterior of some frames, as `Trajectory`; points about the observations' centre, covariances with lags; the
    activity (n_frames,) as of `steady`."""

    points_3d: Array
    covariances: Array
    inlier_probability: Array
    cross_covariances: Array
    samples: Array
    converged: bool
    activity: Array
    by_frame: dict[str, Array] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Window:
    """A window ready to be solved: what was observed of the keypoints known there, and where they roughly are.

    displacement : (n_known, 3, 3) as in `Learned`
    """

    observations: Observations
    tracks: Tracks
    known: NDArray[np.bool_]
    prior: TimePrior
    bones: Bones
    noise: FrameNoise | None
    fps: float
    displacement: Array

    @property
    def spread(self) -> Array:
        """(n_frames, n_known, 3, 3) covariances of the tracks of the known keypoints."""
        return self.tracks.spread[:, self.known]

    @property
    def points_3d(self) -> Array:
        """(n_frames, n_known, 3) tracks of the known keypoints."""
        return self.tracks.points_3d[:, self.known]


def open_window(problem: Problem, learned: Learned, frames: slice, noise: FrameNoise | None) -> Window:
    """Track every keypoint of a window by itself: the joint solution starts from there."""
    observations, tracks = window_tracks(problem, learned, frames)
    known = tracks.known
    bones = learned.bones or Bones(np.zeros((0, 2), np.int64), np.zeros(0), np.zeros(0), np.ones(0))
    some = noise.at(frames).of(known, bones.usable(known)) if noise is not None else None
    precisions = learned.prior.precisions[known]
    prior = replace(learned.prior, precisions=precisions, changes=tracks.changes)
    displacement = learned.displacement[known]
    return Window(observations.of(known), tracks, known, prior, bones.among(known), some, problem.fps, displacement)


def solve_window(
    problem: Problem, learned: Learned, pairs: NDArray[np.int64], frames: slice, noise: FrameNoise | None
) -> Solution:
    """Tracks of a window, and with bones their joint posterior; keypoints that were never located stay NaN."""
    window = open_window(problem, learned, frames, noise)
    if (learned.bones is None and noise is None) or not window.known.any():
        return tracks_alone(window.tracks, len(pairs), 0 if noise is None else len(noise.observed))
    mode = find_mode(window.observations, window.points_3d, window.spread, window.prior, window.bones)
    mode = reflected(window.observations, mode, window.prior, window.bones)
    joint = joint_posterior(window.observations, mode, window.prior, window.noise)
    return scatter(joint, window.tracks, window.known, pairs)


def tracks_alone(tracks: Tracks, n_pairs: int, n_samples: int) -> Solution:
    """Tracks as the solution of a window without bones."""
    samples = np.full((n_samples, *tracks.points_3d.shape), np.nan)
    cross = np.full((len(tracks.points_3d), n_pairs, 3, 3), np.nan)
    return Solution(
        tracks.points_3d, tracks.covariances, tracks.inlier_probability, cross, samples, True, tracks.changes[:, 0]
    )


def window_tracks(problem: Problem, learned: Learned, frames: slice) -> tuple[Observations, Tracks]:
    """Observations of a window and its tracks: those learned on, if these are the whole recording."""
    if learned.whole:
        return learned.observations.at(frames), learned.tracks.at(frames)
    observations, start, inliers = observe_window(learned.observations, *problem.at(frames))
    tracks = smooth_in_time(observations, start, inliers, learned.prior)
    return observations.at_activity(tracks.changes[:, 0]), tracks


def scatter(joint: JointPosterior, tracks: Tracks, known: NDArray[np.bool_], pairs: NDArray[np.int64]) -> Solution:
    """The joint posterior of the known keypoints among all keypoints."""
    points_3d, covariances = tracks.points_3d.copy(), tracks.covariances.copy()
    points_3d[:, known] = joint.points_3d
    covariances[:, known, 0], covariances[:, known, 1:] = joint.spread(), joint.lagged
    inlier_probability = tracks.inlier_probability.copy()
    inlier_probability[:, :, known] = joint.inlier_probability
    cross = np.full((len(points_3d), len(pairs), 3, 3), np.nan)
    both = known[pairs].all(axis=1)
    cross[:, both] = pair_covariances(joint.within, (np.cumsum(known) - 1)[pairs[both]])
    samples = np.full((len(joint.samples), *points_3d.shape), np.nan)
    samples[:, :, known] = joint.samples
    return Solution(points_3d, covariances, inlier_probability, cross, samples, joint.converged, tracks.changes[:, 0])


def solve_windows(
    problem: Problem,
    learned: Learned,
    solve: Callable[[slice, FrameNoise | None], Solution],
    *,
    pairs: NDArray[np.int64],
    n_samples: int = 0,
    seed: int = 0,
    window: float | None = None,
    progress: bool = False,
) -> tuple[Trajectory, dict[str, Array]]:
    """Solve every window, put together what each keeps, and what the solutions hold `by_frame` besides.

    Raises
    ------
    ValueError : `window` is no positive number of seconds
    """
    whole, converged = {}, True
    for kept, part, part_converged in solved_windows(
        problem, learned, solve, pairs=pairs, n_samples=n_samples, seed=seed, window=window, progress=progress
    ):
        for name, values in part.items():
            axis = _TIME_AXIS.get(name, 0)
            if name not in whole:
                shape = (*values.shape[:axis], problem.n_frames, *values.shape[axis + 1 :])
                whole[name] = np.empty(shape, values.dtype)
            whole[name][(slice(None),) * axis + (kept,)] = values
        converged &= part_converged
    own = {name: whole.pop(name) for name in _BY_FRAME}
    return Trajectory(**own, **constants(problem, learned, pairs), converged=converged), whole


def solved_windows(
    problem: Problem,
    learned: Learned,
    solve: Callable[[slice, FrameNoise | None], Solution],
    *,
    pairs: NDArray[np.int64],
    n_samples: int = 0,
    seed: int = 0,
    window: float | None = None,
    progress: bool = False,
    executor: Executor | None = None,
) -> Iterator[tuple[slice, dict[str, Array], bool]]:
    """The windows in order: the frames that each keeps, the arrays of these, and whether it converged.

    executor : where windows are solved, such as a pool of processes; None: threads
    """
    if window is not None and not window > 0:
        raise ValueError(f"window must be a positive number of seconds, got {window!r}")
    n_frames, n_keypoints = problem.n_frames, problem.n_keypoints
    n_bones = 0 if learned.bones is None else len(learned.bones.pairs)
    noise = draw_noise(n_samples, n_frames, n_keypoints, n_bones, seed) if n_samples else None
    displaced = draw_displacements(learned, n_samples, seed)[:, None]
    if window is None:
        length = window_length(n_frames, n_keypoints, learned, learned.bones is not None or n_samples > 0)
    else:
        length = max(1, round(window * problem.fps))
    plan = list(windows(n_frames, length, overlap_frames(learned)))
    solutions = _solutions(plan, partial(_solved_part, problem, learned, pairs, solve, displaced), noise, executor)
    quiet = not progress or len(plan) < 2
    for (_, kept), (part, converged) in tqdm(solutions, "smoothing", len(plan), unit="window", disable=quiet):
        yield kept, part, converged


def draw_displacements(learned: Learned, n_samples: int, seed: int) -> Array:
    """(n_samples, n_keypoints, 3) draws of the displacement of each keypoint, one for all frames of a draw."""
    values, vectors = np.linalg.eigh(learned.displacement)
    root = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
    draws = np.random.default_rng([seed, 1]).normal(size=(n_samples, len(root), 3))
    return np.einsum("kij,skj->ski", root, draws)


def _solved_part(
    problem: Problem,
    learned: Learned,
    pairs: NDArray[np.int64],
    solve: Callable[[slice, FrameNoise | None], Solution],
    displaced: Array,
    frames: slice,
    kept: slice,
    noise: FrameNoise | None,
) -> tuple[dict[str, Array], bool]:
    """A window's share of a trajectory's arrays, in the world's coordinates with derivatives: only the frames kept.

    displaced : (n_samples, 1, n_keypoints, 3) by how much each draw differs by `Learned.displacement`
    """
    part = solve(frames, noise)
    centre = learned.observations.centre
    arrays = {
        "points_3d": part.points_3d + centre,
        "covariances_3d": part.covariances[:, :, 0] + learned.displacement,
        "inlier_probability": np.where(problem.missing(frames), np.nan, part.inlier_probability),
        **dict(zip(_DERIVATIVES, derivatives(part.points_3d, part.covariances, problem.fps), strict=True)),
        "cross_covariances": part.cross_covariances,
        "samples": part.samples + displaced + centre,
        **part.by_frame,
    }
    for power, name in enumerate(_DERIVATIVES[1::2], 1):
        factor, shared = learned.derivative_factors[power - 1], learned.shared[power] * problem.fps ** (2 * power)
        arrays[name] = arrays[name] * at_activity(factor, part.activity)[..., None, None] + isotropic(shared)
    inner = slice(kept.start - frames.start, kept.stop - frames.start)
    return {n: v[(slice(None),) * _TIME_AXIS.get(n, 0) + (inner,)] for n, v in arrays.items()}, part.converged


def _solutions(
    plan: list[tuple[slice, slice]],
    solve: Callable[[slice, slice, FrameNoise | None], T],
    noise: FrameNoise | None,
    executor: Executor | None,
) -> Iterator[tuple[tuple[slice, slice], T]]:
    """Windows with their solutions, in order; only as many at a time as there are processors: memory stays bounded."""
    n_threads = max(min(n_processors(), len(plan), _MOST_THREADS), 1)
    n_ahead = n_threads if executor is None else _MOST_AHEAD
    with ExitStack() as stack:
        stack.enter_context(one_blas_thread())
        pool = executor or stack.enter_context(ThreadPoolExecutor(n_threads))
        waiting = deque()
        for window in plan:
            waiting.append((window, pool.submit(solve, *window, noise)))
            if len(waiting) >= n_ahead:
                done, future = waiting.popleft()
                yield done, future.result()
        while waiting:
            done, future = waiting.popleft()
            yield done, future.result()


def constants(problem: Problem, learned: Learned, pairs: NDArray[np.int64]) -> dict[str, Any]:
    """What of a trajectory does not depend on time."""
    bones = learned.bones
    return {
        "sigma": learned.observations.sigma,
        "order": learned.prior.order,
        "process_stds": _inverse_root(learned.prior.precisions),
        "shared_std": np.sqrt(learned.shared[0]),
        "fps": problem.fps,
        "bone_lengths": np.zeros(0) if bones is None else bones.lengths,
        "bone_stds": np.zeros(0) if bones is None else bones.stds,
        "pairs": pairs,
    }


def _inverse_root(precisions: Array) -> Array:
    return np.divide(1.0, np.sqrt(precisions), out=np.full(len(precisions), np.inf), where=precisions > 0)
