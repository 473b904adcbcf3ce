"""Pose states of the keypoints of a window: the direction they expect of every bone, and how probable each bone is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from ...numerics.arrays import Array
from ...numerics.hidden_markov import forward_backward
from ..smoothing.joint_mode import Directions
from .pose_prior import PosePrior
from .state_model import (
    Evidence,
    StateModel,
    bone_directions,
    expected_directions,
    mean_headings,
    upright,
    weigh_states,
)

OFF_POSE = 0.02  # prior probability that a bone does not follow the pose: its direction is uniform then
_SECONDS_OFF_POSE = 1.0  # that a bone stays off the known poses, on average: a movement or two
_POSES_PER_SECOND = 20.0  # independent poses: successive frames show nearly the same one
_LOG_UNIFORM = -np.log(4 * np.pi)  # log density of a direction that nothing is known of


@dataclass(frozen=True, eq=False)
class BoneEvidence:
    """Predictive density of each bone's direction in each frame, given the other bones.

    log_density : (n_frames, n_bones) log predictive density of its direction given the other bones' directions
    weights : (n_frames, n_bones) probability that it follows the pose
    expected : (n_frames, n_bones, 3) its expected direction, shorter than 1 where unsure, world axes
    """

    log_density: Array
    weights: Array
    expected: Array


@dataclass(frozen=True, eq=False)
class PoseModel:
    """A pose prior for some keypoints: pairs (n_bones, 2) of (keypoint, parent) among these; `rotation` turns z up."""

    model: StateModel
    pairs: NDArray[np.int64]
    rotation: Array
    fps: float

    @classmethod
    def of(cls, prior: PosePrior, known: NDArray[np.bool_], up: Array, fps: float) -> PoseModel:
        """For the `known` keypoints, of those of the prior."""
        kept, model = known[prior.pairs].all(axis=1), prior.model
        some = replace(model, directions=model.directions[:, kept], concentrations=model.concentrations[:, kept])
        return cls(some, (np.cumsum(known) - 1)[prior.pairs[kept]], upright(up), fps)

    @property
    def frame_weight(self) -> float:
        """Power of a frame's evidence: independent poses per frame."""
        return min(1.0, _POSES_PER_SECOND / self.fps)

    def directions(self, points_3d: Array) -> Array:
        """(n_frames, n_bones, 3) unit vectors in the upright frame."""
        return bone_directions(points_3d, self.pairs) @ self.rotation.T

    def states(self, points_3d: Array) -> tuple[Array, Array]:
        """State probabilities (n_frames, n_states) and headings (n_frames,) given the points."""
        evidence = weigh_states(self.directions(points_3d), self.model)
        gamma = self.model.forward_backward(evidence.log_evidence)[0]
        return gamma, mean_headings(gamma, evidence)

    def followed_at(self, points_3d: Array) -> FollowedPoses:
        """Bones that do not follow the pose at points_3d have no weight."""
        return FollowedPoses(self, self.bone_evidence(points_3d).weights)

    def bone_evidence(self, points_3d: Array) -> BoneEvidence:
        """Each bone given the others."""
        directions = self.directions(points_3d)
        weights = np.isfinite(directions[..., 0]).astype(float)
        n_frames, n_bones = weights.shape
        log_density, expected = np.zeros((n_frames, n_bones)), np.zeros((n_frames, n_bones, 3))
        for k in range(n_bones):
            others, alone = weights.copy(), weights.copy()
            others[:, k], alone[:, k] = 0.0, 1.0
            without = weigh_states(directions, self.model, others)
            logits = without.log_evidence + self.model.log_probabilities
            total = np.asarray(logsumexp(logits, axis=1, keepdims=True))
            with_it = weigh_states(directions, self.model, alone).log_evidence + self.model.log_probabilities
            log_density[:, k] = logsumexp(with_it, axis=1) - total[:, 0]
            equal = np.ones((self.model.n_states, 1))
            one = replace(self.model, directions=self.model.directions[:, [k]], concentrations=equal)
            expected[:, k] = expected_directions(np.exp(logits - total), without, one)[:, 0]
        return BoneEvidence(log_density, self._on_pose(log_density), expected @ self.rotation)

    def _on_pose(self, log_density: Array) -> Array:
        """(n_frames, n_bones) probability that a bone follows the pose: it leaves it for a while, not for a frame."""
        leave = min(1.0, 1 / (_SECONDS_OFF_POSE * self.fps))
        enter = min(1.0, OFF_POSE / (1 - OFF_POSE) * leave)
        transitions = np.array([[1 - leave, leave], [enter, 1 - enter]])
        start = np.array([OFF_POSE, 1 - OFF_POSE])
        weights = np.empty_like(log_density)
        for b, own in enumerate(log_density.T):
            both = self.frame_weight * np.column_stack([np.full(len(own), _LOG_UNIFORM), own])
            weights[:, b] = forward_backward(both, start, transitions)[0][:, 1]
        return weights


@dataclass(frozen=True, eq=False)
class FollowedPoses:
    """A pose model, and how far each bone follows it: weights (n_frames, n_bones). Of points it gives the directions
    that are expected of the bones, the E-step of expectation-maximisation."""

    pose_model: PoseModel
    weights: Array

    def evidence(self, points_3d: Array, frames: slice = slice(None)) -> Evidence:
        """Of each state, at the points of these frames."""
        return weigh_states(self.pose_model.directions(points_3d), self.pose_model.model, self.weights[frames])

    def __call__(self, points_3d: Array, frames: slice = slice(None)) -> Directions:
        own, evidence = self.pose_model, self.evidence(points_3d, frames)
        gamma = own.model.forward_backward(evidence.log_evidence)[0]
        natural = expected_directions(gamma, evidence, own.model) @ own.rotation
        return Directions(own.pairs, own.frame_weight * self.weights[frames, :, None] * natural)
