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
from ..noise.detector_noise import DetectorNoise
from ..smoothing.joint_mode import Mode, joint_posterior
from ..smoothing.long_recordings.learning import Learned, learn
from ..smoothing.long_recordings.overlapping_windows import (
    Solution,
    Window,
    open_window,
    scatter,
    solve_windows,
    tracks_alone,
)
from ..smoothing.long_recordings.tracked_frames import TrackedFrames
from ..smoothing.modes.mode_search import find_mode
from ..smoothing.modes.ray_alternatives import reflected
from ..smoothing.observations import Observations
from ..smoothing.perturbed_solutions import FrameNoise
from ..smoothing.problem import Problem
from ..smoothing.smoother import check_problem
from ..smoothing.trajectory import Trajectory
from .displaced_keypoints import search_displaced
from .inferred_poses import PoseInference
from .pose_prior import PosePrior
from .trained_lengths import check_size, with_lengths, with_trained_lengths
from .window_states import FollowedPoses, PoseModel

_CLEAR = 0.15  # of a bone's length: uncertainty up to which a point is used to learn poses
_SECONDS_PER_STATE = 0.4  # of the frames that the states are learned on


def infer_poses(
    points_2d: Any,
    rig: CameraRig,
    *,
    fps: float | None = None,
    skeleton: Skeleton,
    prior: PosePrior | None = None,
    n_states: int | None = None,
    confidence: Array | None = None,
    noise: DetectorNoise | None = None,
    order: int | None = None,
    pairs: Sequence[tuple[str, str]] | str | None = None,
    window: float | None = None,
    progress: bool = False,
) -> PoseInference:
    """Posterior trajectories under a prior of pose states: `smooth` with the usual directions of the animal's bones.

    The animal has a heading and is in one of some states, each of which expects a direction of every bone (von
    Mises-Fisher). Expectation-maximisation: headings and states in closed form given the points, then the Gauss-Newton
    solution of `smooth` with the expected directions. Where views agree on a place of a keypoint that the lengths of
    its bones or the poses make improbable, another place is searched; these views are overridden for a stretch if they
    are more probably displaced together. The lengths of a prior that is given are a prior on those of this animal.

    Parameters
    ----------
    points_2d : ndarray, shape (n_cameras, n_frames, n_keypoints, 2), pixels, or xarray.Dataset
        As for `smooth`.
    rig : CameraRig
        The cameras, with `up`.
    fps : float, optional, hertz
        Frames per second; needed unless `points_2d` is a dataset.
    skeleton : Skeleton
        Its bones form a tree.
    prior : PosePrior, optional
        Of the same bones, which are matched by name. By default learned from the recording's own well observed frames.
    n_states : int, optional
        States to learn where there is no prior. By default one per 0.4 seconds, at most 50.
    confidence : ndarray, shape (n_cameras, n_frames, n_keypoints), optional
        As for `smooth`.
    noise : DetectorNoise, optional
        As for `smooth`.
    order : {1, 2, 3, 4}, optional
        As for `smooth`.
    pairs : sequence of (str, str), or "all", optional
        As for `smooth`.
    window : float, optional, seconds
        As for `smooth`.
    progress : bool
        Show a bar on long recordings.

    Returns
    -------
    PoseInference
        The trajectory with states and headings.

    Raises
    ------
    ValueError
        The rig has no `up` (the heading needs the vertical), the skeleton is no tree or has other bones than the
        prior, the recording's bones are less than half or more than twice as long as the prior's, or as `smooth`.
    TypeError
        The prior is no PosePrior.

    Warns
    -----
    UserWarning
        The recording's bones are by more than a quarter longer or shorter than the prior's.

    See Also
    --------
    sample_poses : Draws from the same posterior by Markov chains, instead of the Gaussian about its mode.

    References
    ----------
    Zhang et al. (2021), Animal pose estimation from video data with a hierarchical von Mises-Fisher-Gaussian model,
    AISTATS.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.datasets import Skeleton
    >>> from muybridge.triangulate import PosePrior, infer_poses
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> cameras = [Camera(f"cam_{x}", (1280, 1024), K, [], np.eye(3), [x, 0, 1000]) for x in (-200, 0, 200)]
    >>> rig = CameraRig(tuple(cameras), up=(0, 0, 1))
    >>> leg = Skeleton(("hip", "knee", "paw"), (("hip", "knee"), ("knee", "paw")))
    >>> swing = 0.5 * np.sin(np.arange(60) / 10)[:, None]
    >>> thigh = 40 * np.hstack([np.sin(swing), 0 * swing, -np.cos(swing)])
    >>> truth = np.stack([0 * thigh, thigh, thigh - [0, 0, 40]], axis=1)
    >>> prior = PosePrior.fit(truth, leg, 2)
    >>> found = infer_poses(rig.project(truth), rig, fps=30.0, skeleton=leg, prior=prior)
    >>> found.state_probabilities.shape, found.overridden.any(), bool(np.abs(found.points_3d - truth).max() < 0.5)
    ((60, 2), np.False_, True)
    """
    problem = check_problem(points_2d, rig, fps, confidence, skeleton, order, noise, pairs)
    learned, prior = learn_poses(problem, prior, n_states)
    solve = partial(solve_pose_window, learned, prior)
    trajectory, by_frame = solve_windows(learned, solve, window=window, progress=progress)
    found: dict[str, Any] = {field.name: getattr(trajectory, field.name) for field in fields(Trajectory)} | by_frame
    return PoseInference(**found, states=by_frame["state_probabilities"].argmax(axis=1), prior=prior)


def learn_poses(problem: Problem, prior: PosePrior | None, n_states: int | None) -> tuple[Learned, PosePrior]:
    """What holds for the whole recording, and the prior given or learned from it, in the skeleton's order.

    Raises
    ------
    ValueError : the rig has no vertical, the skeleton no bones or other ones than the prior, or sizes are far apart
    TypeError : `prior` is no pose prior
    """
    skeleton, up = problem.skeleton, problem.rig.up
    if prior is not None and not isinstance(prior, PosePrior):
        raise TypeError(f"prior is {type(prior).__name__}; pose states take a PosePrior (PosePrior.fit)")
    if up is None:
        raise ValueError(
            "the heading of a pose needs the vertical, and this rig has none; give CameraRig(..., up=(x, y, z))"
        )
    if skeleton is None or not len(skeleton.bones) or (skeleton.parents < 0).all():
        raise ValueError("pose states need a skeleton with bones; this one has none")
    if prior is None:
        learned = learn(problem)
        prior = learn_prior(learned, skeleton, up, n_states, problem.fps)
        return with_lengths(learned, prior), prior
    prior = prior.in_order_of(skeleton)
    learned = learn(problem)
    if learned.bones is not None:
        check_size(learned.bones, prior)
    return with_trained_lengths(learned, prior), prior


def learn_prior(learned: Learned, skeleton: Skeleton, up: Array, n_states: int | None, fps: float) -> PosePrior:
    """Pose prior from the frames that a recording was learned on, without its uncertain points."""
    points_3d = learned.tracks.points_3d.copy()
    length = np.nanmedian(learned.bones.lengths) if learned.bones is not None else np.nan
    uncertain = learned.tracks.spread.trace(axis1=2, axis2=3) > (_CLEAR * length) ** 2
    points_3d[uncertain] = np.nan
    if n_states is None:
        n_states = int(np.clip(round(len(points_3d) / (_SECONDS_PER_STATE * fps), 6), 1, 50))
    return PosePrior.fit(points_3d, skeleton, n_states, up=up)


def solve_pose_window(learned: Learned, prior: PosePrior, tracked: TrackedFrames, noise: FrameNoise | None) -> Solution:
    """Mode without states, overridden views, and the mode and covariances with the states' expected directions."""
    window, problem = open_window(learned, tracked, noise), learned.problem
    pose_model = PoseModel.of(prior, window.known, np.asarray(problem.rig.up), problem.fps)
    overridden = np.zeros(window.tracks.points_3d.shape[:2], bool)
    if window.known.any():
        found = pose_mode(window, pose_model)
        points_3d, overridden[:, window.known] = found.mode.points_3d, found.overridden
        joint = joint_posterior(found.observations, found.mode, window.prior, window.noise)
        solution = scatter(joint, window.tracks, window.known, problem.pairs)
    else:
        points_3d, solution = window.points_3d, tracks_alone(window.tracks, len(problem.pairs), 0)
    gamma, headings = pose_model.states(points_3d)
    by_frame = {"state_probabilities": gamma, "headings": headings, "overridden": overridden}
    return replace(solution, by_frame=by_frame)


@dataclass(frozen=True, eq=False)
class PoseMode:
    """Mode of a window with pose states: observations without the views that are overridden (n_frames, n_known), and
    the mode with the directions that the states expect of the bones that follow them."""

    observations: Observations
    overridden: NDArray[np.bool_]
    poses: FollowedPoses
    mode: Mode


def pose_mode(window: Window, pose_model: PoseModel) -> PoseMode:
    """Mode without states, overridden views, and the mode with the states' expected directions."""
    first = find_mode(window.observations, window.points_3d, window.spread, window.prior, window.bones)
    first = reflected(window.observations, first, window.prior, window.bones)
    observations, points_3d, overridden = search_displaced(window, first.points_3d, pose_model)
    spread = np.zeros((*points_3d.shape, 3))
    poses = pose_model.followed_at(points_3d)
    mode = find_mode(observations, points_3d, spread, window.prior, window.bones, poses)
    alternatives = tuple(
        alternative for alternative in first.alternatives if not overridden[alternative.frames, alternative.k].any()
    )
    return PoseMode(observations, overridden, poses, replace(mode, alternatives=alternatives))
