"""The joint mode of a window: Gauss-Newton steps of all frames, then of those that still move.

What is done at a frame depends on the frames around it alone, so that the mode does not depend on where a window ends.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

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
    system = JointSystem.of(observations, prior)
    for inflate in _INFLATE:
        seen = linearise(observations, points_3d, spread, inflate)
        directions = direction_model(points_3d) if direction_model is not None else None
        points_3d = _solution(system, seen, _terms(bones, directions, points_3d))
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
    margin = 4 * prior.correlation_frames(observations.lasting_pixel)
    points_3d, tolerance = points_3d.copy(), _TOLERANCE * observations.pixel
    for _ in range(_ITERATIONS):
        if not moving.any():
            break
        then = np.zeros_like(moving)
        for frames in stretches(moving, margin):
            own, here = observations.at(frames), points_3d[frames]
            directions = direction_model(here, frames=frames) if direction_model is not None else None
            terms = _with_resistance(_terms(bones, directions, here), bones, here)
            ends = frames.start > 0, frames.stop < len(moving)
            seen = _held(linearise(own, here), here, ends, system.order, HELD / own.pixel**2)
            solved = _solution(system.part(frames), seen, terms)
            then[frames] = np.abs(solved - here).max(axis=(1, 2)) > tolerance
            points_3d[frames] = solved
        moving = then
    directions = direction_model(points_3d) if direction_model is not None else None
    seen, terms = linearise(observations, points_3d), _terms(bones, directions, points_3d)
    return Mode(points_3d, seen, terms, system, bones, bool(moving.mean() <= 1 - _CONVERGED_SHARE))


def stretches(moving: NDArray[np.bool_], margin: int) -> list[slice]:
    """Runs of frames with those up to `margin` away, joined where they meet."""
    from scipy.ndimage import binary_dilation

    return runs_of(np.asarray(binary_dilation(moving, np.ones(2 * margin + 1, bool)), dtype=bool))


def _solution(system: JointSystem, seen: Linearised, terms: PairTerms) -> Array:
    """(n_frames, n_keypoints, 3) where the linearised terms lead."""
    factor, vector = system.factor(seen, terms)
    return solve(factor, vector.reshape(-1)).reshape(vector.shape)


def _held(seen: Linearised, points_3d: Array, ends: tuple[bool, bool], order: int, precision: float) -> Linearised:
    """The terms with the first and the last frames, where `ends` says so, held at points_3d."""
    hold = np.zeros((len(points_3d), 1, 1))
    for frames in itertools.compress((slice(0, order), slice(-order, None)), ends):
        hold[frames] = precision
    information = seen.information + hold[..., None] * np.eye(3)
    return replace(seen, information=information, vector=seen.vector + hold * points_3d)


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
