"""Density that the sampler draws from, the one whose mode `infer_poses` finds, and a Gaussian near it.

    target(x) = Π mixture(pixel | x)^power · exp(-½ x'Qx) · Π exp(-½ ((|d| - length) / std)²)
                · evidence(directions)^share

over the positions x of all keypoints in all frames. Q are the time prior's differences and the weak anchor; d runs
over the bones; the mixture sums over inlier and outlier, the evidence over the Markov chain of states and over every
frame's heading. Given x these follow from their own distributions, so that positions alone need a Markov chain.

The Gaussian is the Gauss-Newton one of `infer_poses`, in coordinates in which it fits: a bone that swings keeps its
length, which bends the space of positions. The bend is a shear, so that densities need no further factor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from ..pose_states.state_model import StateModel
from ..pose_states.window_states import FollowedPoses
from ..smoothing.bone_lengths import Bones, PairTerms, bone_terms, parents_first
from ..smoothing.difference_prior import stencil
from ..smoothing.independent_tracks import TimePrior
from ..smoothing.joint_mode import JointSystem
from ..smoothing.observations import Linearised, Observations, linearise
from . import _kernels_sampler

_NEAR = 21  # frames over which the spread of bones is averaged: of the coordinates, so speed alone


@dataclass(frozen=True, eq=False)
class Place:
    """Positions of all frames, and what the target is there over the proposal.

    away : (n_frames, n_keypoints, 3) from the origin, before bones are bent: the proposal's coordinates
    points_3d : (n_frames, n_keypoints, 3), about the observations' centre
    log_weights : (n_frames,) of pixels, bones and anchor
    log_steps : (n_frames,) of the differences of a frame and those after it
    log_evidence : (n_frames, n_states) of the directions
    inlier : (n_cameras, n_frames, n_keypoints) probabilities, NaN where there is no pixel
    """

    away: Array
    points_3d: Array
    log_weights: Array
    log_steps: Array
    log_evidence: Array
    inlier: Array

    def moved(self, other: Place, blocks: NDArray[np.int64], reach: int) -> Place:
        """The other place in some blocks of frames (n_blocks, 2), which are at least `reach` frames apart."""
        mixed = {name: getattr(self, name).copy() for name in ("away", "points_3d", "log_weights", "log_evidence")}
        inlier, log_steps = self.inlier.copy(), self.log_steps.copy()
        for start, stop in blocks:
            for name, values in mixed.items():
                values[start:stop] = getattr(other, name)[start:stop]
            inlier[:, start:stop] = other.inlier[:, start:stop]
            rows = slice(max(0, start - reach), stop)
            log_steps[rows] = other.log_steps[rows]
        return Place(**mixed, log_steps=log_steps, inlier=inlier)


@dataclass(frozen=True, eq=False)
class Target:
    """The density, and the Gaussian proposal about `origin` (n_frames, n_keypoints, 3), which is best its mode.

    seen and terms are the observations and the pairs of keypoints, linearised at the origin; bent (n_frames, n_bones)
    is the share of a bone's shortening, as it swings, that the coordinates take care of.
    """

    observations: Observations
    prior: TimePrior
    bones: Bones
    poses: FollowedPoses
    origin: Array
    seen: Linearised
    terms: PairTerms
    bent: Array

    @classmethod
    def about(
        cls,
        observations: Observations,
        prior: TimePrior,
        bones: Bones,
        poses: FollowedPoses,
        origin: Array,
    ) -> Target:
        """The target with the Gaussian of the Gauss-Newton terms at `origin`; bones run from parent to child."""
        order = parents_first(bones.pairs)
        bones = bones.some(np.array(order, int)).each_frame_alone()
        origin = np.ascontiguousarray(origin)
        terms = bone_terms(bones, origin).and_also(poses(origin).terms(origin))
        bent = np.ones((len(origin), len(bones.pairs)))
        return cls(observations, prior, bones, poses, origin, linearise(observations, origin), terms, bent)

    def fitted(self, ways: list[Array]) -> Target:
        """The target in coordinates that are bent as suits some draws of the Gaussian, (n_frames, n_keypoints, 3).

        Where a bone is not bent its spread pays for it, where it is bent the differences in time of all that hangs on
        it do: the share makes the sum of both variances least.
        """
        from scipy.ndimage import uniform_filter1d

        shorter = np.stack([self._shorter(away) for away in ways])
        straight = (shorter**2).mean(axis=0) / self.bones.frame_stds**2
        changes = (np.diff(shorter, self.order, axis=1) ** 2).mean(axis=0)
        hanging = self.rows.copy()
        for parent, child in self.bones.pairs[::-1]:
            hanging[:, parent] += hanging[:, child]
        changes = changes * hanging[: len(changes), self.bones.pairs[:, 1]]
        changes = np.pad(changes, ((0, self.n_frames - len(changes)), (0, 0)), mode="edge" if len(changes) else "empty")
        straight, changes = (uniform_filter1d(x, _NEAR, axis=0, mode="nearest") for x in (straight, changes))
        return replace(self, bent=straight / np.maximum(straight + changes, 1e-300))

    @property
    def n_frames(self) -> int:
        return self.origin.shape[0]

    @property
    def states(self) -> StateModel:
        return self.poses.pose_model.model

    @property
    def share(self) -> float:
        """Power of the directions' evidence."""
        return self.poses.pose_model.frame_weight

    @property
    def order(self) -> int:
        return min(self.prior.order, max(1, self.n_frames - 1))

    @cached_property
    def rows(self) -> Array:
        """(n_frames, n_keypoints) precision of the difference that begins at each frame, 0 past the last one."""
        rows = self.prior.rows(self.n_frames).copy()
        rows[max(0, self.n_frames - self.order) :] = 0.0
        return rows

    @cached_property
    def gram(self) -> Array:
        """(n_frames, n_keypoints, order + 1) band of the time prior's precision, without the anchor."""
        weights, gram = stencil(self.order), np.zeros((*self.rows.shape, self.order + 1))
        count = max(0, self.n_frames - self.order)
        for i in range(self.order + 1):
            for j in range(self.order + 1 - i):
                gram[i : i + count, :, j] += weights[i] * weights[i + j] * self.rows[:count]
        return gram

    def factor(self, gram: Array) -> Array:
        """Banded Cholesky factor of the proposal's precision, with the time prior's gram given."""
        system = JointSystem.of(self.observations, self.prior)
        wide = np.zeros((*gram.shape[:2], system.gram.shape[-1]))
        wide[..., : gram.shape[2]] = gram
        return replace(system, gram=wide).factor(self.seen, self.terms)[0]

    def at(self, away: Array) -> Place:
        """The place a way (n_frames, n_keypoints, 3) from the origin."""
        away, points_3d = np.ascontiguousarray(away), np.empty_like(self.origin)
        bend: Any = _kernels_sampler.bend
        bend(self.origin, away, self.bones.pairs, self.bent * self._shorter(away), points_3d)
        log_weights, inlier = np.empty(self.n_frames), np.full(self.observations.prior.shape, np.nan)
        weigh: Any = _kernels_sampler.local_log_weights
        weigh(*self._fixed, points_3d, away, log_weights, inlier)
        evidence = self.poses.evidence(points_3d).log_evidence
        return Place(away, points_3d, log_weights, self._log_steps(points_3d, away), evidence, inlier)

    def headings(self, points_3d: Array, states: NDArray[np.int64], rng: np.random.Generator) -> Array:
        """(n_frames,) drawn from their von Mises distributions given positions and states."""
        model, d = self.states, self.poses.pose_model.directions(points_3d)
        weighted = (self.poses.weights * model.concentrations[states])[..., None] * model.directions[states]
        cosine = (weighted[..., 0] * d[..., 0] + weighted[..., 1] * d[..., 1]).sum(axis=1)
        sine = (weighted[..., 0] * d[..., 1] - weighted[..., 1] * d[..., 0]).sum(axis=1)
        return rng.vonmises(np.arctan2(sine, cosine), np.hypot(cosine, sine))

    def _shorter(self, away: Array) -> Array:
        """(n_frames, n_bones) how much bones must shorten to keep their length, on a way from the origin."""
        shorter = np.empty((self.n_frames, len(self.bones.pairs)))
        kernel: Any = _kernels_sampler.shortenings
        kernel(self.origin, np.ascontiguousarray(away), self.bones.pairs, self.bones.lengths, shorter)
        return shorter

    def _log_steps(self, points_3d: Array, away: Array) -> Array:
        """(n_frames,) log of the time prior over the proposal's, difference by difference, but for the slope at the
        origin, which belongs to frames."""
        straight = np.diff(away, self.order, axis=0)
        bent = np.diff(points_3d - self.origin - away, self.order, axis=0)
        steps = -((bent * (straight + 0.5 * bent)).sum(axis=2) * self.rows[: len(bent)]).sum(axis=1)
        return np.pad(steps, (0, self.n_frames - len(steps)))

    @cached_property
    def _fixed(self) -> tuple[Any, ...]:
        observations = self.observations
        variance = (observations.sigma[:, None, :] * observations.scale) ** 2
        odds = np.log(observations.prior / (1 - observations.prior) / (2 * np.pi * variance))
        odds = odds - observations.log_outlier[:, None]
        odds[np.isnan(observations.points_2d[..., 0])] = np.nan
        return (
            observations.arrays,
            _kernels_sampler.PixelOdds(
                np.ascontiguousarray(observations.points_2d),
                np.ascontiguousarray(odds),
                np.ascontiguousarray(1 / variance),
                np.ascontiguousarray(observations.power),
            ),
            _kernels_sampler.Quadratic(
                origin=self.origin,
                slope=couple(self.gram, self.origin),
                anchor=observations.anchor,
                information=self.seen.information,
                pairs=self.terms.pairs,
                pair_information=np.ascontiguousarray(self.terms.information),
            ),
            _kernels_sampler.BoneLengths(self.bones.pairs, self.bones.lengths, self.bones.frame_stds),
        )


def couple(gram: Array, away: Array) -> Array:
    """Precision of the time prior, or of a part of its gram (n_frames, n_keypoints, order + 1), times `away`
    (n_frames, n_keypoints, 3)."""
    product = gram[:, :, :1] * away
    for j in range(1, gram.shape[2]):
        product[:-j] += gram[:-j, :, j, None] * away[j:]
        product[j:] += gram[:-j, :, j, None] * away[:-j]
    return product
