"""Samples of the exact posterior of trajectories with pose states, by Markov chains."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ...cameras import CameraRig
from ...datasets import Skeleton
from ...numerics.arrays import Array
from ...numerics.banded import one_blas_thread
from ...numerics.threads import over_items
from ..noise.detector_noise import DetectorNoise
from ..pose_states.pose_inference import learn_poses, pose_mode
from ..pose_states.pose_prior import PosePrior
from ..pose_states.window_states import PoseModel
from ..smoothing.long_recordings.overlapping_windows import Window, draw_displacements, open_window
from ..smoothing.long_recordings.tracked_frames import track_frames
from ..smoothing.smoother import check_problem
from .chain_diagnostics import FEWEST_DRAWS, rank_normalised
from .markov_chain import gaussian_draws, plan, run_chain
from .pose_samples import PoseSamples
from .target_density import Target

_PILOTS = 12  # draws of the Gaussian: the variance of its weights is then known to some 40 %; speed alone
_WARMUP = 0.2  # of the draws that are kept, made before and dropped: chains begin near the mode


def sample_poses(
    points_2d: Any,
    rig: CameraRig,
    *,
    fps: float | None = None,
    skeleton: Skeleton,
    prior: PosePrior | None = None,
    n_states: int | None = None,
    confidence: Array | None = None,
    noise: DetectorNoise | None = None,
    n_samples: int = 250,
    n_chains: int = 4,
    seed: int = 0,
    progress: bool = False,
) -> PoseSamples:
    """Draws from the exact posterior of which `infer_poses` finds the mode and a Gaussian about it.

    Blocks of frames move together by proposals of that Gaussian in coordinates in which bones keep their length, and a
    Metropolis decision makes the draws exact; inlier flags, states and headings are summed over in it, and drawn from
    their own distributions afterwards.

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
        As for `infer_poses`.
    n_states : int, optional
        As for `infer_poses`.
    confidence : ndarray, shape (n_cameras, n_frames, n_keypoints), optional
        As for `smooth`.
    noise : DetectorNoise, optional
        As for `smooth`.
    n_samples : int
        Draws per chain, at least 8; a fifth as many are made and dropped before.
    n_chains : int
        Chains, each on a thread of its own.
    seed : int
        The same seed gives the same draws.
    progress : bool
        Show a bar.

    Returns
    -------
    PoseSamples
        The draws, with R-hat and effective sample sizes.

    Raises
    ------
    ValueError
        Too few samples or chains, or as `infer_poses`.

    See Also
    --------
    infer_poses : The mode of the same posterior, much faster.

    Notes
    -----
    Pixel noise, process variances, bone lengths and their spreads stay at their evidence values, views that
    `infer_poses` overrides are left out, and all chains begin near its mode: an alternative mode, as of a keypoint seen
    by one camera, may not be visited. Memory grows with the draws, 24 bytes each per frame and keypoint, and by about
    0.3 MB per frame of 20 keypoints.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.datasets import Skeleton
    >>> from muybridge.triangulate import sample_poses
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> cameras = [Camera(f"cam_{x}", (1280, 1024), K, [], np.eye(3), [x, 0, 1000]) for x in (-200, 0, 200)]
    >>> rig = CameraRig(tuple(cameras), up=(0, 0, 1))
    >>> leg = Skeleton(("hip", "knee", "paw"), (("hip", "knee"), ("knee", "paw")))
    >>> swing = 0.5 * np.sin(np.arange(30) / 10)[:, None]
    >>> thigh = 40 * np.hstack([np.sin(swing), 0 * swing, -np.cos(swing)])
    >>> truth = np.stack([0 * thigh, thigh, thigh - [0, 0, 40]], axis=1)
    >>> points_2d = rig.project(truth) + np.random.default_rng(0).normal(0, 0.5, (3, 30, 3, 2))
    >>> drawn = sample_poses(points_2d, rig, fps=30.0, skeleton=leg, n_states=1, n_samples=8, n_chains=2)
    >>> drawn.samples.shape
    (2, 8, 30, 3, 3)
    """
    if n_samples < FEWEST_DRAWS or n_chains < 1:
        raise ValueError(
            f"{n_chains} chains of {n_samples} samples were asked for; at least one chain of {FEWEST_DRAWS} is needed"
        )
    problem = check_problem(points_2d, rig, fps, confidence, skeleton, None, noise)
    learned, prior = learn_poses(problem, prior, n_states)
    tracked = track_frames(learned, slice(0, problem.n_frames))
    window = open_window(learned, tracked, None)
    known, shape = window.known, (n_chains, n_samples, problem.n_frames)
    samples = np.full((*shape, problem.n_keypoints, 3), np.nan)
    states, headings, accepted = np.zeros(shape, np.int64), np.full(shape, np.nan), np.full(problem.n_frames, np.nan)
    inlier = np.full((len(problem.rig), problem.n_frames, problem.n_keypoints), np.nan)
    overridden = np.zeros((problem.n_frames, problem.n_keypoints), bool)
    r_hat, effective = (np.full(samples.shape[2:], np.nan) for _ in range(2))
    if known.any():
        target, overridden[:, known] = open_target(window, prior, np.asarray(rig.up))
        drawn = draw_chains(target, n_samples, n_chains, seed, progress)
        r_hat[:, known], effective[:, known] = rank_normalised(drawn.points_3d)
        displaced = draw_displacements(learned, n_chains * n_samples, seed).reshape(n_chains, n_samples, 1, -1, 3)
        samples[:, :, :, known] = drawn.points_3d + target.observations.centre + displaced[:, :, :, known]
        inlier[:, :, known] = drawn.inlier
        states, headings, accepted = drawn.states, drawn.headings, drawn.accepted
    return PoseSamples(
        samples=samples,
        states=states,
        headings=headings,
        inlier_probability=inlier,
        effective_sample_size=effective,
        r_hat=r_hat,
        acceptance=accepted,
        overridden=overridden,
        prior=prior,
    )


def open_target(window: Window, prior: PosePrior, up: Array) -> tuple[Target, NDArray[np.bool_]]:
    """The density to draw from, about the mode of `infer_poses`, and the points (n_frames, n_known) overridden."""
    found = pose_mode(window, PoseModel.of(prior, window.known, up, window.fps))
    target = Target.about(found.observations, window.prior, window.bones, found.poses, found.mode.points_3d)
    return target, found.overridden


@dataclass(frozen=True, eq=False)
class Draws:
    """Draws of all chains, as in `PoseSamples`, points about the observations' centre.

    points_3d (n_chains, n_samples, n_frames, n_keypoints, 3), states and headings (n_chains, n_samples, n_frames),
    inlier (n_cameras, n_frames, n_keypoints) probabilities, accepted (n_frames,) share
    """

    points_3d: Array
    states: NDArray[np.int64]
    headings: Array
    inlier: Array
    accepted: Array


def draw_chains(target: Target, n_samples: int, n_chains: int, seed: int, progress: bool = False) -> Draws:
    """Chains on threads of their own, each from a draw of the Gaussian; every chain has its own random numbers."""
    shape, n_warmup = (n_chains, n_samples, target.n_frames), math.ceil(_WARMUP * n_samples)
    points_3d, headings = np.empty((*shape, *target.origin.shape[1:])), np.empty(shape)
    states = np.empty(shape, np.int64)
    inlier, accepted = np.zeros((n_chains, *target.observations.prior.shape)), np.zeros((n_chains, target.n_frames))
    generators = [np.random.default_rng([seed, c]) for c in range(n_chains + 1)]
    ways = gaussian_draws(target, max(n_chains, _PILOTS), generators[-1])
    target = target.fitted(ways)
    starts = [target.at(away) for away in ways]
    partitions = plan(target, starts)
    bar = tqdm(total=n_chains * (n_warmup + n_samples), desc="sampling", unit="sweep", disable=not progress)

    def run(c: int) -> None:
        chain = run_chain(target, partitions, starts[c], n_warmup, n_samples, generators[c], bar.update)
        for i, draw in enumerate(chain):
            points_3d[c, i], states[c, i], headings[c, i] = draw.points_3d, draw.states, draw.headings
            inlier[c] += draw.inlier
            accepted[c] += draw.accepted

    with bar, one_blas_thread():
        over_items(run, range(n_chains))
    return Draws(points_3d, states, headings, inlier.mean(axis=0) / n_samples, accepted.mean(axis=0) / n_samples)
