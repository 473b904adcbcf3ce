"""The exact posterior of trajectories with pose states, by Markov chains: the sampler's door."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from ...cameras import CameraRig
from ...datasets import Skeleton
from ...numerics.arrays import Array
from ...numerics.banded import one_blas_thread
from ...numerics.chain_diagnostics import FEWEST_DRAWS, rank_normalised
from ...numerics.threads import over_items
from ..pose_states.pose_inference import check_pose_problem, learn_poses, pose_mode
from ..pose_states.pose_prior import PosePrior
from ..pose_states.window_states import FRESH, Poser
from ..smoothing.joint_mode import find_mode
from ..smoothing.overlapping_windows import Window, open_window
from .markov_chain import gaussian_draws, plan, run_chain
from .target_density import Poses, Target

_PILOTS = 12
_WARMUP = 0.2  # of the draws that are kept
_R_HAT, _EFFECTIVE = 1.01, 400.0


@dataclass(frozen=True, eq=False)
class PoseSamples:
    """Draws of whole trajectories from their posterior, and how far they can be trusted.

    samples : (n_chains, n_samples, n_frames, n_keypoints, 3), world units; NaN for a keypoint that was never located
    states : (n_chains, n_samples, n_frames)
    headings : (n_chains, n_samples, n_frames), radians about the rig's up
    inlier_probability : (n_cameras, n_frames, n_keypoints), posterior; NaN where there is no pixel
    effective_sample_size, r_hat : (n_frames, n_keypoints, 3) of every coordinate: rank-normalised, of the bulk
        (Vehtari et al. 2021); NaN where nothing was drawn
    acceptance : (n_frames,) share of the proposals about a frame that were accepted
    memory : (n_keypoints,) for how many frames a detector's error lasts, which the model takes as 1
    repaired : (n_frames, n_keypoints), points whose views were overruled, as by `infer_poses`
    prior : the pose prior used, given or learned
    """

    samples: Array
    states: NDArray[np.int64]
    headings: Array
    inlier_probability: Array
    effective_sample_size: Array
    r_hat: Array
    acceptance: Array
    memory: Array
    repaired: NDArray[np.bool_]
    prior: PosePrior

    @cached_property
    def mean(self) -> Array:
        """(n_frames, n_keypoints, 3) posterior mean, world units."""
        return self.samples.mean(axis=(0, 1))

    @cached_property
    def covariance(self) -> Array:
        """(n_frames, n_keypoints, 3, 3) of the draws times `memory`, as in `infer_poses`; world units squared."""
        n_draws = self.samples.shape[0] * self.samples.shape[1]
        total = np.zeros((*self.mean.shape, 3))
        for chain in self.samples:
            for draw in chain:
                away = draw - self.mean
                total += away[..., :, None] * away[..., None, :]
        return total / (n_draws - 1) * self.memory[:, None, None]

    @cached_property
    def state_probabilities(self) -> Array:
        """(n_frames, n_states) share of the draws in each state."""
        return np.stack([(self.states == s).mean(axis=(0, 1)) for s in range(self.prior.n_states)], axis=-1)

    def summary(self) -> pd.DataFrame:
        """A row per keypoint: mean standard deviation (world units), smallest and median effective sample size,
        largest R-hat, and the share of coordinates of which R-hat or effective size is not good enough."""
        size, r_hat = self.effective_sample_size, self.r_hat
        poor = np.where(np.isnan(size), np.nan, (size < _EFFECTIVE) | (r_hat > _R_HAT))
        std = np.sqrt(self.covariance.trace(axis1=2, axis2=3))
        rows = {
            name: (std[:, k].mean(), size[:, k].min(), np.median(size[:, k]), r_hat[:, k].max(), poor[:, k].mean())
            for k, name in enumerate(self.prior.skeleton.keypoints)
        }
        columns = ["std", "effective_min", "effective_median", "r_hat_max", "poor"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns)

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence for R-hat above 1.01 and one for an effective size below 400, with the worst keypoint."""
        return (
            *self._complaint("R-hat", self.r_hat, _R_HAT, 1.0),
            *self._complaint("effective sample size", self.effective_sample_size, _EFFECTIVE, -1.0),
        )

    def _complaint(self, name: str, values: Array, limit: float, sign: float) -> tuple[str, ...]:
        """What is wrong with values (n_frames, n_keypoints, 3) whose sign times them should be below that of limit."""
        poor = sign * values > sign * limit
        if not poor.any():
            return ()
        frame, k, _ = np.unravel_index(np.nanargmax(sign * values), values.shape)
        worst, keypoint = values.flat[np.nanargmax(sign * values)], self.prior.skeleton.keypoints[k]
        share = poor.sum() / np.isfinite(values).sum()
        return (
            f"{name} is {worst:.4g} for keypoint '{keypoint}' in frame {frame}, and beyond {limit:g} in {share:.2%} of"
            " all coordinates: draw more samples",
        )


def sample_poses(
    points_2d: Any,
    rig: CameraRig,
    *,
    fps: float | None = None,
    skeleton: Skeleton,
    prior: PosePrior | None = None,
    n_states: int | None = None,
    confidence: Array | None = None,
    covariances_2d: Array | None = None,
    n_samples: int = 250,
    n_chains: int = 4,
    seed: int = 0,
    progress: bool = False,
) -> PoseSamples:
    """Draws from the exact posterior of which `infer_poses` finds the mode and a Gaussian about it.

    Blocks of frames move together by proposals of that Gaussian in coordinates in which bones keep their length, and
    a Metropolis decision makes the draws exact; inlier flags, states and headings are summed over in it, and drawn
    from their own distributions afterwards. Pixel noise, process variances, bone lengths and their spreads stay at
    their evidence values, views that `infer_poses` overrules are left out, and all chains begin near its mode: another
    mode, as of a keypoint seen by one camera, may never be visited.

    Memory grows with the draws, 24 bytes each per frame and keypoint, and by about 0.3 MB per frame of 20 keypoints.

    Parameters
    ----------
    points_2d, fps, skeleton, prior, n_states, confidence, covariances_2d : as for `infer_poses`
    n_samples, n_chains : draws per chain, and chains, which run on threads of their own; a fifth as many draws are
        made and dropped before
    seed : the same seed gives the same draws
    progress : show a bar

    Raises
    ------
    ValueError : too few samples or chains, or as `infer_poses`
    """
    if n_samples < FEWEST_DRAWS or n_chains < 1:
        raise ValueError(
            f"{n_chains} chains of {n_samples} samples were asked for; at least one chain of {FEWEST_DRAWS} is needed"
        )
    problem, prior = check_pose_problem(points_2d, rig, fps, skeleton, prior, confidence, None, covariances_2d)
    learned, prior = learn_poses(problem, prior, n_states)
    window = open_window(problem, learned, slice(0, problem.n_frames), None)
    known, shape = window.known, (n_chains, n_samples, problem.n_frames)
    repaired = np.zeros((problem.n_frames, problem.n_keypoints), bool)
    inlier = np.full(problem.points_2d.shape[:3], np.nan)
    samples = np.full((*shape, problem.n_keypoints, 3), np.nan)
    if not known.any():
        unknown = np.full(samples.shape[2:], np.nan)
        drawn = Draws(samples, np.zeros(shape, np.int64), np.full(shape, np.nan), inlier, unknown[:, 0, 0])
        return _samples(drawn, unknown, unknown, learned.memory, repaired, prior)
    target, repaired[:, known] = open_target(window, prior, rig.up)
    drawn = draw_chains(target, n_samples, n_chains, seed, progress)
    r_hat, effective = (np.full(samples.shape[2:], np.nan) for _ in range(2))
    r_hat[:, known], effective[:, known] = rank_normalised(drawn.points_3d)
    samples[:, :, :, known] = drawn.points_3d + target.observations.centre
    inlier[:, :, known] = drawn.inlier
    drawn = replace(drawn, points_3d=samples, inlier=inlier)
    return _samples(drawn, r_hat, effective, learned.memory, repaired, prior)


def _samples(
    drawn: Draws, r_hat: Array, effective: Array, memory: Array, repaired: NDArray[np.bool_], prior: PosePrior
) -> PoseSamples:
    return PoseSamples(
        samples=drawn.points_3d,
        states=drawn.states,
        headings=drawn.headings,
        inlier_probability=drawn.inlier,
        effective_sample_size=effective,
        r_hat=r_hat,
        acceptance=drawn.accepted,
        memory=memory,
        repaired=repaired,
        prior=prior,
    )


def open_target(window: Window, prior: PosePrior, up: Array | None) -> tuple[Target, NDArray[np.bool_]]:
    """What to draw from, about the mode of `infer_poses`, and the points (n_frames, n_known) it overruled."""
    poser = None if up is None else Poser.of(prior, window.known, up)
    if poser is None:
        mode = find_mode(window.observations, window.points_3d, window.spread, window.prior, window.bones)
        target = Target.about(window.observations, window.prior, window.bones, None, mode.points_3d)
        return target, np.zeros(mode.points_3d.shape[:2], bool)
    found = pose_mode(window, poser)
    poses = Poses(poser, poser.judge(found.points_3d).weights, FRESH)
    pull = poser.pull_of(found.points_3d)
    place = found.mode.points_3d
    return Target.about(found.observations, window.prior, window.bones, poses, place, pull), found.overruled


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
