"""The joint mode of a window: Gauss-Newton steps, damped at the frames where they leap.

What is done at a frame depends on the frames around it alone, so that the mode does not depend on where a window ends.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ....numerics.arrays import Array
from ....numerics.banded import solve
from ....numerics.runs import runs_of
from ..bone_lengths import Bones, PairTerms, bone_terms
from ..independent_tracks import TimePrior
from ..joint_mode import HELD, DirectionModel, Directions, JointSystem, Mode
from ..observations import Linearised, Observations, linearise

_INFLATE = (1.0, 0.3, 0.1)  # share of the points' covariance that widens the inliers, step by step
_ITERATIONS = 200  # of the frames that still move; most need three to six, single views of a limb some dozens
_TOLERANCE = 0.002  # of a pixel's span in the world: less than a hundredth of a standard deviation
_CONVERGED_SHARE = 0.999  # share of the frames that must have converged
_LEAST_DAMPING = 0.01  # precision, per pixel squared, of a prior at the present points; less is none
_MORE_DAMPING, _LESS_DAMPING = 8.0, 0.125  # factors after a leap and after a step
_TRIES = 8  # of more damping in one step
_LEAP = 0.75  # of a step's own curvature, by which the cost is higher than expected
_NOTHING = 1e-6  # of a cost, minus a log probability


def find_mode(
    observations: Observations,
    points_3d: Array,
    spread: Array,
    prior: TimePrior,
    bones: Bones,
    direction_model: DirectionModel | None = None,
) -> Mode:
    """Joint mode by Gauss-Newton on the exact projections, from points_3d (n_frames, n_keypoints, 3), none of them
    NaN.

    The inlier densities start as wide as the points' uncertainty `spread` (n_frames, n_keypoints, 3, 3) and narrow to
    the pixel noise, so that a single ray is not rejected before the skeleton has brought the point near it. Then only
    the frames that still move are solved on (`converge_near`). `direction_model` computes the directions that the pose
    states expect at some points (the E-step of an EM iteration).
    """
    system, damping = JointSystem.of(observations, prior), np.zeros(len(points_3d))
    reach = prior.correlation_frames(observations.lasting_pixel)
    for inflate in _INFLATE:
        part = Stretch.of(observations, system, bones, direction_model, points_3d, wide=(spread, inflate))
        step, damping = _damped_step(part, damping, reach)
        points_3d = points_3d + step
    return converge_near(observations, points_3d, np.ones(len(points_3d), bool), prior, bones, direction_model, system)


def converge_near(
    observations: Observations,
    points_3d: Array,
    moving: NDArray[np.bool_],
    prior: TimePrior,
    bones: Bones,
    direction_model: DirectionModel | None = None,
    system: JointSystem | None = None,
) -> Mode:
    """The mode near points_3d where only some frames (n_frames,) still move: the others hold the ends of each stretch.

    `system` lends its room. Converged if all but a thousandth of the frames did.
    """
    system = system or JointSystem.of(observations, prior)
    reach = prior.correlation_frames(observations.lasting_pixel)
    tolerance = _TOLERANCE * observations.pixel
    points_3d, damping = points_3d.copy(), np.zeros(len(points_3d))
    for _ in range(_ITERATIONS):
        if not moving.any():
            break
        then = np.zeros_like(moving)
        for frames in stretches(moving, 4 * reach):
            own = partial(direction_model, frames=frames) if direction_model is not None else None
            ends = frames.start > 0, frames.stop < len(moving)
            part = Stretch.of(observations.at(frames), system.part(frames), bones, own, points_3d[frames], ends)
            step, damping[frames] = _damped_step(part, damping[frames], reach)
            points_3d[frames] += step
            then[frames] = (np.abs(step).max(axis=(1, 2)) > tolerance) | (damping[frames] > 0)
        moving = then
    directions = direction_model(points_3d) if direction_model is not None else None
    seen, terms = linearise(observations, points_3d), _terms(bones, directions, points_3d)
    return Mode(points_3d, seen, terms, system, bones, bool(moving.mean() <= 1 - _CONVERGED_SHARE))


def stretches(moving: NDArray[np.bool_], margin: int) -> list[slice]:
    """Runs of frames with those up to `margin` away, joined where they meet."""
    return runs_of(_widened(moving, margin))


def _widened(frames: NDArray[np.bool_], margin: int) -> NDArray[np.bool_]:
    from scipy.ndimage import binary_dilation

    return np.asarray(binary_dilation(frames, np.ones(2 * margin + 1, bool)), dtype=bool)


@dataclass(frozen=True, eq=False)
class Stretch:
    """Some frames, of which the first and last ones are held where they are, linearised at points_3d.

    seen : with the held ends; terms : of bones and directions; wide : whether inliers are widened, as of `linearise`
    """

    observations: Observations
    system: JointSystem
    bones: Bones
    directions: Directions | None
    points_3d: Array
    seen: Linearised
    terms: PairTerms
    wide: bool

    @classmethod
    def of(
        cls,
        observations: Observations,
        system: JointSystem,
        bones: Bones,
        direction_model: DirectionModel | None,
        points_3d: Array,
        ends: tuple[bool, bool] = (False, False),
        wide: tuple[Array | None, float] = (None, 0.0),
    ) -> Stretch:
        """`ends` : whether the first and the last frames are held; `wide` : spread and share of `linearise`"""
        directions = direction_model(points_3d) if direction_model is not None else None
        seen = linearise(observations, points_3d, *wide)
        hold = np.zeros(len(points_3d))
        for frames in itertools.compress((slice(0, system.order), slice(-system.order, None)), ends):
            hold[frames] = HELD / observations.pixel**2
        terms, is_wide = _terms(bones, directions, points_3d), wide[1] > 0
        if not is_wide:
            terms = _with_resistance(terms, bones, points_3d)
        return cls(observations, system, bones, directions, points_3d, _drawn_to(seen, points_3d, hold), terms, is_wide)

    def step(self, damping: Array) -> Array:
        """The Gauss-Newton step with a prior of precisions `damping` (n_frames,) about the present points."""
        factor, vector = self.system.factor(_drawn_to(self.seen, self.points_3d, damping), self.terms)
        return solve(factor, vector.reshape(-1)).reshape(self.points_3d.shape) - self.points_3d

    def costs(self, points_3d: Array) -> Array:
        """(n_frames,) minus the log probability of bones and directions."""
        length = np.linalg.norm(points_3d[:, self.bones.pairs[:, 0]] - points_3d[:, self.bones.pairs[:, 1]], axis=-1)
        costs = 0.5 * (((length - self.bones.lengths) / self.bones.own_frame_stds) ** 2).sum(axis=1)
        return costs if self.directions is None else costs + self.directions.costs(points_3d)

    def surprise(self, step: Array) -> tuple[Array, Array]:
        """(n_frames,) twice: by how much more the cost rises than the linearisation says, and its curvature along the
        step, with that of the prior in time.

        Where inliers are widened, their weights alone are: that has no cost.
        """
        there, (a, b) = self.points_3d + step, self.terms.pairs.T
        along, apart = step[:, a] - step[:, b], self.points_3d[:, a] - self.points_3d[:, b]
        tied, slope = _quadratic(self.terms, along, apart)
        more = self.costs(there) - self.costs(self.points_3d) - slope - tied
        seen, slope = _quadratic(self.seen, step, self.points_3d)
        if not self.wide:
            more += linearise(self.observations, there).cost - self.seen.cost - slope - seen
        return more, tied + seen + self.system.time_costs(step)


def _quadratic(terms: Linearised | PairTerms, step: Array, here: Array) -> tuple[Array, Array]:
    """(n_frames,) twice: of Gaussian terms the curvature along a step, halved, and the slope."""
    curvature = np.einsum("tki,tkij,tkj->t", step, terms.information, step)
    gradient = np.einsum("tkij,tkj->tki", terms.information, here) - terms.vector
    return 0.5 * curvature, np.einsum("tki,tki->t", step, gradient)


def _damped_step(part: Stretch, damping: Array, reach: int) -> tuple[Array, Array]:
    """A step (n_frames, n_keypoints, 3), damped more around the frames where it would leap; and the next damping."""
    unit = part.observations.pixel**-2
    for _ in range(_TRIES):
        step = part.step(unit * damping)
        more, curvature = (_sums_around(values, reach) for values in part.surprise(step))
        leaps = more > _LEAP * curvature + _NOTHING
        if not leaps.any():
            break
        damping = np.where(_widened(leaps, reach), np.maximum(_MORE_DAMPING * damping, _LEAST_DAMPING), damping)
    less = _LESS_DAMPING * damping
    return step, np.where(less < _LEAST_DAMPING, 0.0, less)


def _sums_around(values: Array, reach: int) -> Array:
    """(n_frames,) sums over the frames up to `reach` away."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    frames = np.arange(len(values))
    return total[np.minimum(frames + reach + 1, len(values))] - total[np.maximum(frames - reach, 0)]


def _drawn_to(seen: Linearised, points_3d: Array, precisions: Array) -> Linearised:
    """The terms with a prior of these precisions (n_frames,) about points_3d."""
    strength = precisions[:, None, None]
    return replace(
        seen, information=seen.information + strength[..., None] * np.eye(3), vector=seen.vector + strength * points_3d
    )


def _terms(bones: Bones, directions: Directions | None, points_3d: Array) -> PairTerms:
    terms = bone_terms(bones, points_3d)
    return terms if directions is None else terms.and_also(directions.terms(points_3d))


def _with_resistance(terms: PairTerms, bones: Bones, points_3d: Array) -> PairTerms:
    """The terms with what a bone that is too long resists across itself, which makes steps leap where it is left out
    (and would narrow a covariance: bones are too long as often as too short)."""
    d = points_3d[:, bones.pairs[:, 0]] - points_3d[:, bones.pairs[:, 1]]
    length = np.maximum(np.linalg.norm(d, axis=-1), 1e-12)
    strength = np.maximum(1 - bones.lengths / length, 0.0) / bones.own_frame_stds**2
    direction = d / length[..., None]
    across = np.eye(3) - direction[..., :, None] * direction[..., None, :]
    information = terms.information.copy()
    information[:, : len(bones.pairs)] += strength[..., None, None] * across
    return replace(terms, information=information)
