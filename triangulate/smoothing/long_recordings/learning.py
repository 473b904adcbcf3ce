"""What holds for a whole recording, learned on some of its frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....numerics.arrays import Array, isotropic
from ..bone_lengths import Bones, measure_bones
from ..correlated_noise import CorrelatedNoise, displacement_covariances
from ..independent_tracks import TimePrior, Tracks
from ..observations import Observations, observe
from ..problem import Problem, informative_frames
from ..unsteady_motion import USUAL
from .time_prior import learn_time_prior

_LEARNING_FRAMES = 2000  # bounds time and memory of learning
_FINEST_BONE = 0.05  # of a pixel's span


@dataclass(frozen=True, eq=False)
class Learned:
    """What holds for a whole recording, that of `problem`, and the tracks of the frames it was learned on (`whole` if
    these are all).

    noise : how the errors last in time
    displacement : (n_keypoints, 3, 3), world units squared, of the errors that never change or that all views share
    shared : (n_keypoints,) thrice, variances along an axis of what all views share: of positions, where `displacement`
        has it, of velocities and of accelerations, in world units and frames
    derivative_factors : (n_levels, n_keypoints) twice, of the variances of velocities and accelerations, at levels of
        activity
    """

    problem: Problem
    observations: Observations
    prior: TimePrior
    bones: Bones | None
    tracks: Tracks
    whole: bool
    noise: CorrelatedNoise
    displacement: Array
    shared: tuple[Array, Array, Array]
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
        bones = measure_bones(problem.skeleton.bone_indices, problem.skeleton.mirror, tracks, finest, averaged, times)
    shared = noise.common_variances(found.smoother, powers[USUAL])
    motion = noise.motion_shares(
        found.smoother, powers, found.prior.precisions, tracks.points_3d, tracks.changes, lengths
    )
    return Learned(
        problem=problem,
        observations=observations,
        prior=found.prior,
        bones=bones,
        tracks=tracks,
        whole=len(frames) == problem.n_frames,
        displacement=displacement_covariances(noise, found.seen) + isotropic(shared[0]),
        shared=shared,
        noise=noise,
        derivative_factors=noise.derivative_factors(found.smoother, powers, motion),
    )
