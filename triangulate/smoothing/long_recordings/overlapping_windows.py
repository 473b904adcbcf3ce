"""Smoothing of recordings of any length: learn on some frames, then solve overlapping windows at bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ....numerics.arrays import Array, isotropic
from ....numerics.banded import one_blas_thread
from ....numerics.threads import in_advance, n_processors
from ..bone_lengths import Bones
from ..independent_tracks import TimePrior, Tracks
from ..joint_mode import JointPosterior, joint_posterior, pair_covariances
from ..modes.mode_search import find_mode
from ..modes.ray_alternatives import reflected
from ..observations import Observations
from ..perturbed_solutions import FrameNoise, draw_noise
from ..trajectory import Trajectory, derivatives
from ..unsteady_motion import at_activity
from .learning import Learned
from .tracked_frames import TrackedFrames, overlap_frames, track_window, window_length, windows

_MOST_THREADS = 4  # windows at once: bounds memory
_MOST_AHEAD = 32  # windows that are begun elsewhere at once, whose results wait here
_DERIVATIVES = ("velocities", "velocity_covariances", "accelerations", "acceleration_covariances")
_BY_FRAME = (
    "points_3d", "covariances_3d", "inlier_probability", *_DERIVATIVES, "cross_covariances", "samples",
)  # fmt: skip
_TIME_AXIS = {"inlier_probability": 1, "samples": 1}  # of all others it is the first
T = TypeVar("T")


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


def open_window(learned: Learned, tracked: TrackedFrames, noise: FrameNoise | None) -> Window:
    """A window whose keypoints are tracked each by itself: the joint solution starts from there."""
    tracks, known = tracked.tracks, tracked.tracks.known
    bones = learned.bones or Bones.of_known_lengths(np.zeros((0, 2), np.int64), *np.zeros((3, 0)))
    some = noise.at(tracked.frames).of(known, bones.usable(known)) if noise is not None else None
    prior = replace(learned.prior, precisions=learned.prior.precisions[known], changes=tracks.changes)
    displacement, own = learned.displacement[known], tracked.observations.of(known)
    return Window(own, tracks, known, prior, bones.among(known), some, learned.problem.fps, displacement)


def solve_window(learned: Learned, tracked: TrackedFrames, noise: FrameNoise | None) -> Solution:
    """Tracks of a window, and with bones their joint posterior; keypoints that were never located stay NaN."""
    window, pairs = open_window(learned, tracked, noise), learned.problem.pairs
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


Solve = Callable[[TrackedFrames, FrameNoise | None], Solution]


def solve_windows(learned: Learned, solve: Solve, **options: Any) -> tuple[Trajectory, dict[str, Array]]:
    """What `solved_windows` gives put together: the trajectory, and what the solutions hold `by_frame` besides."""
    whole, converged = {}, True
    for kept, part, part_converged in solved_windows(learned, solve, **options):
        for name, values in part.items():
            axis = _TIME_AXIS.get(name, 0)
            if name not in whole:
                shape = (*values.shape[:axis], learned.problem.n_frames, *values.shape[axis + 1 :])
                whole[name] = np.empty(shape, values.dtype)
            whole[name][(slice(None),) * axis + (kept,)] = values
        converged &= part_converged
    own = {name: whole.pop(name) for name in _BY_FRAME}
    return Trajectory(**own, **constants(learned), converged=converged), whole


def solved_windows(
    learned: Learned,
    solve: Solve,
    *,
    n_samples: int = 0,
    seed: int = 0,
    window: float | None = None,
    progress: bool = False,
    executor: Executor | None = None,
) -> Iterator[tuple[slice, dict[str, Array], bool]]:
    """The windows in order: the frames that each keeps, the arrays of these, and whether it converged.

    executor : where windows are solved, such as a pool of processes; None: threads

    Raises
    ------
    ValueError : `window` is no positive number of seconds
    """
    if window is not None and not window > 0:
        raise ValueError(f"window must be a positive number of seconds, got {window!r}")
    problem, joint = learned.problem, learned.bones is not None or n_samples > 0
    n_bones = 0 if learned.bones is None else len(learned.bones.pairs)
    noise = draw_noise(n_samples, problem.n_frames, problem.n_keypoints, n_bones, seed) if n_samples else None
    displaced = draw_displacements(learned, n_samples, seed)[:, None]
    length = window_length(learned, joint) if window is None else max(1, round(window * problem.fps))
    plan = list(windows(problem.n_frames, length, overlap_frames(learned)))
    solve_part = partial(_solved_part, learned, solve, displaced)
    solutions = _solutions(plan, solve_part, noise, executor)
    quiet = not progress or len(plan) < 2
    for (_, kept), (part, converged) in tqdm(solutions, "smoothing", len(plan), unit="window", disable=quiet):
        yield kept, part, converged


def tracks_of(learned: Learned, frames: slice) -> tuple[Array, Array]:
    """Points and covariances of some frames, each keypoint by itself: those of a window that keeps these frames."""
    overlap, displaced = overlap_frames(learned), draw_displacements(learned, 0, 0)[:, None]
    wide = slice(max(0, frames.start - overlap), min(learned.problem.n_frames, frames.stop + overlap))
    found, _ = _solved_part(learned, partial(solve_window, learned), displaced, wide, frames, None)
    return found["points_3d"], found["covariances_3d"]


def draw_displacements(learned: Learned, n_samples: int, seed: int) -> Array:
    """(n_samples, n_keypoints, 3) draws of the displacement of each keypoint, one for all frames of a draw."""
    values, vectors = np.linalg.eigh(learned.displacement)
    root = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
    draws = np.random.default_rng([seed, 1]).normal(size=(n_samples, len(root), 3))
    return np.einsum("kij,skj->ski", root, draws)


def _solved_part(
    learned: Learned, solve: Solve, displaced: Array, frames: slice, kept: slice, noise: FrameNoise | None
) -> tuple[dict[str, Array], bool]:
    """A window's share of a trajectory's arrays, in the world's coordinates with derivatives: only the frames kept.

    displaced : (n_samples, 1, n_keypoints, 3) by how much each draw differs by `Learned.displacement`
    """
    problem = learned.problem
    tracked = track_window(learned, frames, kept, learned.bones is not None or noise is not None)
    part, frames = solve(tracked, noise), tracked.frames
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
    tasks = (partial(solve, *window, noise) for window in plan)
    with one_blas_thread(), closing(in_advance(tasks, n_ahead, n_threads, executor)) as solutions:
        yield from zip(plan, solutions, strict=True)


def constants(learned: Learned) -> dict[str, Any]:
    """What of a trajectory does not depend on time."""
    bones = learned.bones
    return {
        "sigma": learned.observations.sigma,
        "order": learned.prior.order,
        "process_stds": _inverse_root(learned.prior.precisions),
        "shared_std": np.sqrt(learned.shared[0]),
        "fps": learned.problem.fps,
        "bone_lengths": np.zeros(0) if bones is None else bones.lengths,
        "bone_stds": np.zeros(0) if bones is None else bones.stds,
        "pairs": learned.problem.pairs,
    }


def _inverse_root(precisions: Array) -> Array:
    return np.divide(1.0, np.sqrt(precisions), out=np.full(len(precisions), np.inf), where=precisions > 0)
