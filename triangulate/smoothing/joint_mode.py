"""The smoother with a skeleton: all keypoints at once, tied by bones whose length and spread are learned."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from ...numerics.banded import factorise, selected_inverse, solve
from ...numerics.runs import runs_of
from ...numerics.threads import over_rows
from . import _kernels_smooth
from .bone_lengths import Bones, PairTerms, bone_terms
from .difference_prior import difference_gram, stencil
from .independent_tracks import TimePrior
from .observations import Linearised, Observations, linearise
from .perturbed_solutions import FrameNoise, perturb

_MORE_ITERATIONS = 20  # of the frames that still move; three or four are usual
_TOLERANCE = 0.03  # of a pixel's span in the world
_CONVERGED_SHARE = 0.999  # share of the frames that must have converged
_INFLATE = (1.0, 0.3, 0.1)  # share of the points' covariance that widens the inliers, step by step
_SHORTEST = 1e-2  # of the longest bone: the direction between closer points is undefined
_STEPS = (1.0, 0.5, 0.25, 0.1, 0.03)  # of a Gauss-Newton step, in the line search
_GAIN = 1e-3  # least fall of the cost, minus a log probability, that is worth a step
HELD = 1e8  # precision of a point that is held fixed, per pixel squared

DirectionModel = Callable[..., "Directions"]  # of points_3d, and of the frames that these are, where they are not all


@dataclass(frozen=True, eq=False)
class JointPosterior:
    """Mode and covariances of all keypoints of a window, points about the observations' centre.

    points_3d : (n_frames, n_keypoints, 3)
    within : (n_frames, 3 n_keypoints, 3 n_keypoints)
    lagged : (n_frames, n_keypoints, 2, 3, 3), of a keypoint with itself one and two frames later
    inlier_probability : (n_cameras, n_frames, n_keypoints)
    samples : (n_samples, n_frames, n_keypoints, 3)
    """

    points_3d: Array
    within: Array
    lagged: Array
    inlier_probability: Array
    converged: bool
    samples: Array

    def spread(self) -> Array:
        """(n_frames, n_keypoints, 3, 3)"""
        return pair_covariances(self.within, np.repeat(np.arange(self.points_3d.shape[1])[:, None], 2, axis=1))


def pair_covariances(within: Array, pairs: NDArray[np.int64]) -> Array:
    """(n_frames, n_pairs, 3, 3) blocks (a, b) of covariances within frames (n_frames, block, block)."""
    n_frames, block = within.shape[:2]
    frames = within.reshape(n_frames, block // 3, 3, block // 3, 3)
    return frames[:, pairs[:, 0], :, pairs[:, 1]].swapaxes(0, 1)


@dataclass(frozen=True, eq=False)
class JointSystem:
    """The banded system of one window: its time prior and room for its matrix, used again at every iteration.

    gram : (n_frames, order + 1) of `difference_gram`, which the tracks' precisions scale, or (n_frames, n_keypoints,
    order + 1) with them, where `rows` (n_frames, n_keypoints) are the precisions of each difference
    """

    gram: Array
    precisions: Array
    anchor: float
    order: int
    band: Array
    rows: Array | None = None

    @classmethod
    def of(cls, observations: Observations, prior: TimePrior) -> JointSystem:
        n_frames, n_keypoints = observations.n_frames, observations.n_keypoints
        order = min(prior.order, max(1, n_frames - 1))
        rows = None if prior.changes is None else prior.rows(n_frames)
        gram = _gram(n_frames, order, max(order, 2), rows)  # the posterior's lags need two frames of band
        block = 3 * n_keypoints
        band = np.empty((block * n_frames, block * max(order, 2) + 1))
        return cls(gram, prior.precisions, observations.anchor, order, band, rows)

    def part(self, frames: slice) -> JointSystem:
        """The system of some of the frames, in the same room."""
        n_frames = frames.stop - frames.start
        rows = None if self.rows is None else self.rows[frames]
        gram = _gram(n_frames, self.order, self.gram.shape[-1] - 1, rows)
        return replace(self, gram=gram, rows=rows, band=self.band[: 3 * len(self.precisions) * n_frames])

    def factor(self, seen: Linearised, terms: PairTerms) -> tuple[Array, Array]:
        """Factor of the posterior precision, in place, and precision times mode (n_frames, n_keypoints, 3)."""
        vector = seen.vector.copy()
        for b, (first, second) in enumerate(terms.pairs):
            vector[:, first] += terms.vector[:, b]
            vector[:, second] -= terms.vector[:, b]
        gram = self.gram if self.gram.ndim == 3 else self.gram[:, None] * self.precisions[:, None]
        fixed = seen.information, gram, self.anchor, terms.pairs, terms.information
        over_rows(lambda a, b: _kernels_smooth.joint_band(*fixed, a, b, self.band), len(gram), smallest=200)
        return factorise(self.band), vector

    def time_cost(self, points_3d: Array) -> float:
        """Minus the log of the time prior, up to a constant."""
        squares = (np.diff(points_3d, self.order, axis=0) ** 2).sum(axis=2)
        weights = self.precisions if self.rows is None else self.rows[: len(squares)]
        return 0.5 * float((weights * squares).sum() + self.anchor * (points_3d**2).sum())


def _gram(n_frames: int, order: int, width: int, rows: Array | None) -> Array:
    """(n_frames, width + 1) of `difference_gram`, or (n_frames, n_keypoints, width + 1) with the precisions `rows`
    (n_frames, n_keypoints) of every difference."""
    if rows is None:
        gram = difference_gram(n_frames, order)
    else:
        grams = [_kernels_smooth.weighted_gram(stencil(order), np.ascontiguousarray(row)) for row in rows.T]
        gram = np.stack(grams, axis=1)
    return np.pad(gram, [(0, 0)] * (gram.ndim - 1) + [(0, width - order)])


@dataclass(frozen=True, eq=False)
class Directions:
    """DirectionModel on the directions d / |d| of pairs (keypoint, parent): the density exp(natural · d / |d|).

    pairs (n_pairs, 2), natural (n_frames, n_pairs, 3)
    """

    pairs: NDArray[np.int64]
    natural: Array

    def terms(self, points_3d: Array) -> PairTerms:
        """Linearised at points_3d: curvature |natural| / |d|² across d, and the exact gradient."""
        d = points_3d[:, self.pairs[:, 0]] - points_3d[:, self.pairs[:, 1]]
        length = np.linalg.norm(d, axis=-1, keepdims=True)
        length = np.maximum(length, max(_SHORTEST * length.max(initial=0.0), 1e-12))
        direction = d / length
        across = np.eye(3) - direction[..., :, None] * direction[..., None, :]
        strength = np.linalg.norm(self.natural, axis=-1, keepdims=True) / length**2
        return PairTerms(
            self.pairs, strength[..., None] * across, np.einsum("tpij,tpj->tpi", across, self.natural) / length
        )

    def cost(self, points_3d: Array) -> float:
        d = points_3d[:, self.pairs[:, 0]] - points_3d[:, self.pairs[:, 1]]
        return -float((self.natural * d / np.maximum(np.linalg.norm(d, axis=-1, keepdims=True), 1e-12)).sum())


@dataclass(frozen=True, eq=False)
class AlternativeMode:
    """Another mode of keypoint `k` in some frames: its offset from the mode (n, 3), and share of the probability."""

    k: int
    frames: slice
    offset: Array
    share: float


@dataclass(frozen=True, eq=False)
class Mode:
    """Where the Gauss-Newton iterations converged.

    seen, terms : of the observations and the bones there; factor : of their system, None where it is not computed yet;
    alternatives : other modes, which differ in one keypoint each
    """

    points_3d: Array
    seen: Linearised
    terms: PairTerms
    system: JointSystem
    factor: Array | None
    converged: bool
    alternatives: tuple[AlternativeMode, ...] = ()


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
    width, tolerance = _INFLATE[0], _TOLERANCE * observations.pixel
    seen, step = linearise(observations, points_3d, spread, width), np.zeros_like(points_3d)
    for inflate in (*_INFLATE[1:], 0.0, 0.0):
        directions = direction_model(points_3d) if direction_model is not None else None
        at, terms = seen, _terms(bones, directions, points_3d)
        factor, vector = system.factor(at, terms)
        step = solve(factor, vector.reshape(-1)).reshape(points_3d.shape) - points_3d
        cost = partial(_cost, system, bones, directions)
        before = seen if inflate == width else None
        points_3d, seen = _descend(observations, cost, points_3d, step, spread, inflate, before)
        width = inflate
        if inflate == 0.0 and np.quantile(np.abs(step), _CONVERGED_SHARE) < tolerance:
            return Mode(points_3d, at, terms, system, factor, True)
    return converge_near(
        observations, points_3d, np.abs(step).max(axis=(1, 2)) > tolerance, prior, bones, direction_model, system
    )


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
    margin, tolerance = 4 * prior.correlation_frames(observations.lasting_pixel), _TOLERANCE * observations.pixel
    points_3d = points_3d.copy()
    for _ in range(_MORE_ITERATIONS):
        if not moving.any():
            break
        still = np.zeros_like(moving)
        for frames in stretches(moving, margin):
            part = observations.at(frames)
            own = (
                (lambda points, frames=frames: direction_model(points, frames)) if direction_model is not None else None
            )
            ends = frames.start > 0, frames.stop < len(moving)
            step = _step_between(part, points_3d[frames], system.part(frames), bones, own, ends)
            points_3d[frames] += step
            still[frames] = np.abs(step).max(axis=(1, 2)) > tolerance
        moving = still
    directions = direction_model(points_3d) if direction_model is not None else None
    seen, terms = linearise(observations, points_3d), _terms(bones, directions, points_3d)
    return Mode(points_3d, seen, terms, system, None, bool(moving.mean() <= 1 - _CONVERGED_SHARE))


def stretches(moving: NDArray[np.bool_], margin: int) -> list[slice]:
    """Runs of frames with those up to `margin` away, joined where they meet."""
    from scipy.ndimage import binary_dilation

    return runs_of(np.asarray(binary_dilation(moving, np.ones(2 * margin + 1, bool)), dtype=bool))


def _step_between(
    observations: Observations,
    points_3d: Array,
    system: JointSystem,
    bones: Bones,
    direction_model: DirectionModel | None,
    ends: tuple[bool, bool],
) -> Array:
    """A Gauss-Newton step of some frames whose first and last ones stay where they are, if these are `ends`."""
    directions = direction_model(points_3d) if direction_model is not None else None
    seen = linearise(observations, points_3d)
    hold = seen.information, seen.vector
    for frames in itertools.compress((slice(0, system.order), slice(-system.order, None)), ends):
        hold[0][frames] += HELD / observations.pixel**2 * np.eye(3)
        hold[1][frames] += HELD / observations.pixel**2 * points_3d[frames]
    factor, vector = system.factor(seen, _terms(bones, directions, points_3d))
    step = solve(factor, vector.reshape(-1)).reshape(points_3d.shape) - points_3d
    cost = partial(_cost, system, bones, directions)
    return _descend(observations, cost, points_3d, step, np.zeros((*step.shape, 3)), 0.0, seen)[0] - points_3d


def _terms(bones: Bones, directions: Directions | None, points_3d: Array) -> PairTerms:
    terms = bone_terms(bones, points_3d)
    return terms if directions is None else terms.and_also(directions.terms(points_3d))


def joint_posterior(
    observations: Observations, mode: Mode, prior: TimePrior, noise: FrameNoise | None = None
) -> JointPosterior:
    """Covariances about a mode (Laplace's approximation, widened by the alternative modes), inlier probabilities, and
    draws if noise is given."""
    points_3d = mode.points_3d
    factor = mode.factor if mode.factor is not None else mode.system.factor(mode.seen, mode.terms)[0]
    within, lagged = selected_inverse(factor, 3 * observations.n_keypoints)
    _widen(within, lagged, mode.alternatives)
    samples = np.zeros((0, *points_3d.shape))
    if noise is not None:
        rows = prior.rows(observations.n_frames)
        b = perturb(noise, mode.seen.information, rows, prior.order, observations.anchor, mode.terms)
        samples = points_3d + solve(factor, b.reshape(len(b), -1).T).T.reshape(b.shape)
    posterior = JointPosterior(points_3d, within, lagged, mode.seen.weights, mode.converged, samples)
    return replace(posterior, inlier_probability=linearise(observations, points_3d, posterior.spread(), 1.0).weights)


def _widen(within: Array, lagged: Array, alternatives: tuple[AlternativeMode, ...]) -> None:
    """Add the second moment of the alternative modes about this one, in place: share times offset offset'."""
    for alternative in alternatives:
        frames, rows, d = alternative.frames, slice(3 * alternative.k, 3 * alternative.k + 3), alternative.offset
        within[frames, rows, rows] += alternative.share * d[:, :, None] * d[:, None, :]
        for lag in (1, 2):
            pair = d[:-lag, :, None] * d[lag:, None, :]
            lagged[frames, alternative.k, lag - 1][: len(pair)] += alternative.share * pair


def _descend(
    observations: Observations,
    cost: Callable[[Array, Linearised], float],
    points_3d: Array,
    step: Array,
    spread: Array,
    inflate: float,
    seen: Linearised | None,
) -> tuple[Array, Linearised]:
    """The step, and the observations seen from there; shortened until the cost falls where `seen` from points_3d is
    given, and none if it hardly does.

    While the inlier densities narrow from step to step, costs cannot be compared.
    """
    least = cost(points_3d, seen) - _GAIN if seen is not None else np.inf
    best = None
    for scale in _STEPS:
        trial = points_3d + scale * step
        there = linearise(observations, trial, spread, inflate)
        value = cost(trial, there)
        if value <= least:
            best, least = (trial, there), value
            if scale == 1.0:
                break
        elif best is not None:  # a shortened step is shortened on while that helps: it may leap to and fro
            break
    return best or (points_3d, seen or linearise(observations, points_3d, spread, inflate))


def _cost(
    system: JointSystem, bones: Bones, directions: Directions | None, points_3d: Array, seen: Linearised
) -> float:
    length = np.linalg.norm(points_3d[:, bones.pairs[:, 0]] - points_3d[:, bones.pairs[:, 1]], axis=-1)
    cost = (
        seen.cost
        + system.time_cost(points_3d)
        + 0.5 * float((((length - bones.lengths) / bones.frame_stds) ** 2).sum())
    )
    return cost if directions is None else cost + directions.cost(points_3d)
