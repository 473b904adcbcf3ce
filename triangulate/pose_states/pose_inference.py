"""Trajectories with pose states (GIMBAL; Zhang et al. 2021), by expectation-maximisation instead of sampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...datasets import Skeleton
from ...numerics.arrays import Array
from ..smoothing.joint_mode import Mode, find_mode, joint_posterior
from ..smoothing.observations import Observations
from ..smoothing.overlapping_windows import (
    Learned,
    Problem,
    Solution,
    Window,
    learn,
    open_window,
    scatter,
    solve_windows,
    tracks_alone,
)
from ..smoothing.perturbed_solutions import FrameNoise
from ..smoothing.ray_alternatives import reflected
from ..smoothing.smoother import check_problem, keypoint_pairs
from ..smoothing.trajectory import Trajectory
from .overridden_views import repair
from .pose_prior import PosePrior
from .window_states import Poser

_CLEAR = 0.15  # of a bone's length: uncertainty up to which a point may teach poses
_POSES_PER_STATE = 40


@dataclass(frozen=True, eq=False)
class PoseInference(Trajectory):
    """A trajectory with the pose states behind it.

    states : (n_frames,), the most probable state
    state_probabilities : (n_frames, n_states)
    headings : (n_frames,), radians about the rig's up: azimuth of the poses' own x axis
    repaired : (n_frames, n_keypoints), points whose views were overruled: they agree with each other on a place
        that the poses exclude
    prior : the pose prior used, given or learned
    """

    states: NDArray[np.int64]
    state_probabilities: Array
    headings: Array
    repaired: NDArray[np.bool_]
    prior: PosePrior


def infer_poses(
    points_2d: Any,
    rig: CameraRig,
    *,
    fps: float | None = None,
    skeleton: Skeleton,
    prior: PosePrior | None = None,
    n_states: int | None = None,
    confidence: Array | None = None,
    covariances_2d: Array | None = None,
    order: int | None = None,
    pairs: Sequence[tuple[str, str]] | str | None = None,
    window: int | None = None,
    progress: bool = False,
) -> PoseInference:
    """Posterior trajectories under a prior of pose states: `smooth` with what the animal's bones usually do.

    The skeleton is at some heading in one of some states; each state expects a direction of every bone (von
    Mises-Fisher). EM: headings and states in closed form given the points, then the same Gauss-Newton solve as
    `smooth` with their pull on the directions. Where most views of a keypoint agree on a place that the other bones
    exclude, and the poses outweigh them, these views are overruled for that stretch. `sample_poses` draws from the
    same posterior by Markov chains, instead of the Gaussian about its mode.

    Parameters
    ----------
    points_2d, fps, confidence, covariances_2d, order, pairs, window, progress : as for `smooth`
    skeleton : its bones form a tree
    prior : None: learned from the recording's own well observed frames
    n_states : states to learn where there is no prior; None: one per 40 frames, at most 50

    Raises
    ------
    ValueError : the rig has no `up` (the heading needs the vertical), the skeleton is no tree or not the prior's,
        or as `smooth`
    """
    problem, prior = check_pose_problem(points_2d, rig, fps, skeleton, prior, confidence, order, covariances_2d)
    chosen = keypoint_pairs(problem.skeleton, pairs)
    learned, prior = learn_poses(problem, prior, n_states)
    solve = partial(solve_pose_window, problem, learned, prior, chosen)
    trajectory, by_frame = solve_windows(problem, learned, solve, pairs=chosen, window=window, progress=progress)
    gamma = by_frame.get("state_probabilities", np.full((problem.n_frames, prior.n_states), np.nan))
    common = {field.name: getattr(trajectory, field.name) for field in fields(Trajectory)}
    return PoseInference(
        **common,
        states=np.argmax(gamma, axis=1),
        state_probabilities=gamma,
        headings=by_frame.get("headings", np.full(problem.n_frames, np.nan)),
        repaired=np.asarray(by_frame.get("repaired", np.zeros((problem.n_frames, problem.n_keypoints))), dtype=bool),
        prior=prior,
    )


def check_pose_problem(
    points_2d: Any,
    rig: CameraRig,
    fps: float | None,
    skeleton: Skeleton,
    prior: PosePrior | None,
    confidence: Array | None,
    order: int | None,
    covariances_2d: Array | None,
) -> tuple[Problem, PosePrior | None]:
    """A checked request, and the prior in the skeleton's order; see `infer_poses` for what is refused."""
    if rig.up is None:
        raise ValueError(
            "the heading of a pose needs the vertical, and this rig has none; give CameraRig(..., up=(x, y, z))"
        )
    problem = check_problem(points_2d, rig, fps, confidence, skeleton, order, covariances_2d)
    skeleton = problem.skeleton or skeleton
    if not len(skeleton.bones) or (skeleton.parents < 0).all():
        raise ValueError("pose states need a skeleton with bones; this one has none")
    return problem, None if prior is None else prior.in_order_of(skeleton)


def learn_poses(problem: Problem, prior: PosePrior | None, n_states: int | None) -> tuple[Learned, PosePrior]:
    """What holds for the whole recording, and the prior given or learned from it."""
    skeleton, up = problem.skeleton, problem.rig.up
    if skeleton is None or up is None:
        raise ValueError("poses need a skeleton and the vertical")
    learned = learn(problem)
    if prior is None:
        prior = learn_prior(learned, skeleton, up, n_states)
    return with_lengths(learned, prior), prior


def learn_prior(learned: Learned, skeleton: Skeleton, up: Array, n_states: int | None) -> PosePrior:
    """Pose prior from the frames that a recording was learned on, without its uncertain points."""
    points_3d = learned.tracks.points_3d.copy()
    length = np.nanmedian(learned.bones.lengths) if learned.bones is not None else np.nan
    uncertain = learned.tracks.spread.trace(axis1=2, axis2=3) > (_CLEAR * length) ** 2
    points_3d[uncertain] = np.nan
    if n_states is None:
        n_states = int(np.clip(len(points_3d) // _POSES_PER_STATE, 1, 50))
    return PosePrior.fit(points_3d, skeleton, n_states, up=up)


def with_lengths(learned: Learned, prior: PosePrior) -> Learned:
    """Bones that the recording could not measure take the length of the prior, whose bones have the same order."""
    if learned.bones is None:
        return learned
    unknown = ~np.isfinite(learned.bones.lengths)
    bones = replace(
        learned.bones,
        lengths=np.where(unknown, prior.bone_lengths, learned.bones.lengths),
        stds=np.where(unknown, prior.bone_stds, learned.bones.stds),
    )
    return replace(learned, bones=bones)


def solve_pose_window(
    problem: Problem,
    learned: Learned,
    prior: PosePrior,
    pairs: NDArray[np.int64],
    frames: slice,
    noise: FrameNoise | None,
) -> Solution:
    """Mode without states, repair of what the poses exclude, and the mode and covariances with the states' pull."""
    window = open_window(problem, learned, frames, noise)
    n_frames, n_keypoints = window.tracks.points_3d.shape[:2]
    poser = None if problem.rig.up is None else Poser.of(prior, window.known, problem.rig.up)
    if poser is None:
        nothing = {
            "state_probabilities": np.full((n_frames, prior.n_states), np.nan),
            "headings": np.full(n_frames, np.nan),
            "repaired": np.zeros((n_frames, n_keypoints), bool),
        }
        return replace(tracks_alone(window.tracks, len(pairs), 0), by_frame=nothing)
    found = pose_mode(window, poser)
    mode = found.mode
    joint = joint_posterior(found.observations, mode, window.prior, window.noise)
    gamma, headings = poser.states(mode.points_3d)
    repaired = np.zeros((n_frames, n_keypoints), bool)
    repaired[:, window.known] = found.overruled
    by_frame = {"state_probabilities": gamma, "headings": headings, "repaired": repaired}
    return replace(scatter(joint, window.tracks, window.known, pairs), by_frame=by_frame)


@dataclass(frozen=True, eq=False)
class PoseMode:
    """Where a window's poses come to rest: observations without the views that are overruled (n_frames, n_known),
    and the mode under the pull of the poser's states, judged at points_3d."""

    observations: Observations
    overruled: NDArray[np.bool_]
    points_3d: Array
    mode: Mode


def pose_mode(window: Window, poser: Poser) -> PoseMode:
    """Mode without states, repair of what the poses exclude, and the mode with the states' pull."""
    first = find_mode(window.observations, window.points_3d, window.spread, window.prior, window.bones)
    first = reflected(window.observations, first, window.prior, window.bones)
    observations, points_3d, overruled = repair(window, first.points_3d, poser)
    spread = np.zeros((*points_3d.shape, 3))
    pull = poser.pull_of(points_3d)
    mode = find_mode(observations, points_3d, spread, window.prior, window.bones, pull)
    doubts = tuple(doubt for doubt in first.doubts if not overruled[doubt.frames, doubt.k].any())
    return PoseMode(observations, overruled, points_3d, replace(mode, doubts=doubts))
