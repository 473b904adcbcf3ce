"""The smoother with a skeleton: all keypoints at once, tied by bones whose length and spread are learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..datasets.arrays import Array
from . import _kernels_smooth
from .banded import factorise, selected_inverse, solve
from .prior_time import difference_gram, run_frames
from .sampling import FrameNoise, perturb
from .smooth_observations import Linearised, Observations, linearise
from .smooth_time import TimePrior, Tracks

_MAX_ITERATIONS = 12
_TOLERANCE = 0.03  # of a pixel's span in the world
_INFLATE = (1.0, 0.3, 0.1)
_FINEST_SPREAD = 3e-3  # of a bone's length: skin is never firmer
_REPEATS = 10.0  # frames over which a smoothed length tells nothing new


@dataclass(frozen=True, eq=False)
class Bones:
    """Pairs of keypoints (n_bones, 2) whose distance is Gaussian: lengths and stds (n_bones,), world units."""

    pairs: NDArray[np.int64]
    lengths: Array
    stds: Array

    def usable(self, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(n_bones,) bones of known length between known keypoints."""
        return known[self.pairs].all(axis=1) & np.isfinite(self.lengths)

    def among(self, known: NDArray[np.bool_]) -> Bones:
        """Bones between keypoints that are known (n_keypoints,), numbered among these."""
        index = np.cumsum(known) - 1
        kept = self.usable(known)
        return Bones(index[self.pairs[kept]], self.lengths[kept], self.stds[kept])


@dataclass(frozen=True, eq=False)
class PairTerms:
    """Gaussian terms on the differences x_a - x_b of pairs (a, b) of keypoints (n_pairs, 2).

    information (n_frames, n_pairs, 3, 3), and vector (n_frames, n_pairs, 3): precision times target
    """

    pairs: NDArray[np.int64]
    information: Array
    vector: Array

    def and_also(self, more: PairTerms) -> PairTerms:
        return PairTerms(
            np.concatenate([self.pairs, more.pairs]),
            np.concatenate([self.information, more.information], axis=1),
            np.concatenate([self.vector, more.vector], axis=1),
        )


def bone_terms(bones: Bones, points_3d: Array) -> PairTerms:
    """The bones' lengths, linearised at points_3d (n_frames, n_keypoints, 3): |d| ~ N(length, std²) along d / |d|."""
    d = points_3d[:, bones.pairs[:, 0]] - points_3d[:, bones.pairs[:, 1]]
    direction = d / np.maximum(np.linalg.norm(d, axis=-1, keepdims=True), 1e-12)
    weight = bones.stds**-2
    information = weight[:, None, None] * direction[..., :, None] * direction[..., None, :]
    return PairTerms(bones.pairs, information, (weight * bones.lengths)[:, None] * direction)


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
    """The banded system of one window: its time prior and room for its matrix, used again at every iteration."""

    gram: Array
    precisions: Array
    anchor: float
    order: int
    band: Array

    @classmethod
    def of(cls, observations: Observations, prior: TimePrior) -> JointSystem:
        n_frames, n_keypoints = observations.n_frames, observations.n_keypoints
        gram = difference_gram(n_frames, min(prior.order, max(1, n_frames - 1)))
        gram = np.pad(gram, ((0, 0), (0, max(0, 3 - gram.shape[1]))))  # the posterior's lags need two frames of band
        block = 3 * n_keypoints
        band = np.empty((block * n_frames, block * (gram.shape[1] - 1) + 1))
        return cls(gram, prior.precisions, observations.anchor, prior.order, band)

    def factor(self, seen: Linearised, terms: PairTerms) -> tuple[Array, Array]:
        """Factor of the posterior precision, in place, and precision times mode (n_frames, n_keypoints, 3)."""
        vector = seen.vector.copy()
        for b, (first, second) in enumerate(terms.pairs):
            vector[:, first] += terms.vector[:, b]
            vector[:, second] -= terms.vector[:, b]
        fixed = seen.information, self.gram, self.precisions, self.anchor, terms.pairs, terms.information
        run_frames(lambda start, stop: _kernels_smooth.joint_band(*fixed, start, stop, self.band), len(self.gram))
        return factorise(self.band), vector

    def time_cost(self, points_3d: Array) -> float:
        """Minus the log of the time prior, up to a constant."""
        differences = np.diff(points_3d, min(self.order, max(1, len(points_3d) - 1)), axis=0)
        return 0.5 * float(
            (self.precisions * (differences**2).sum(axis=(0, 2))).sum() + self.anchor * (points_3d**2).sum()
        )


@dataclass(frozen=True, eq=False)
class Directions:
    """Pull on the directions d / |d| of pairs (keypoint, parent): the density exp(natural · d / |d|).

    pairs (n_pairs, 2), natural (n_frames, n_pairs, 3)
    """

    pairs: NDArray[np.int64]
    natural: Array

    def terms(self, points_3d: Array) -> PairTerms:
        """Linearised at points_3d: curvature |natural| / |d|² across d, and the exact gradient."""
        d = points_3d[:, self.pairs[:, 0]] - points_3d[:, self.pairs[:, 1]]
        length = np.maximum(np.linalg.norm(d, axis=-1, keepdims=True), 1e-12)
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
class Mode:
    """Where the Gauss-Newton iterations came to rest, and the system of the last of them."""

    points_3d: Array
    factor: Array
    seen: Linearised
    terms: PairTerms
    converged: bool


def find_mode(
    observations: Observations,
    points_3d: Array,
    spread: Array,
    prior: TimePrior,
    bones: Bones,
    pull: Callable[[Array], Directions] | None = None,
) -> Mode:
    """Joint mode by Gauss-Newton on the exact projections, from points_3d (n_frames, n_keypoints, 3), none of them
    NaN.

    The inlier densities start as wide as the points' uncertainty `spread` (n_frames, n_keypoints, 3, 3) and narrow to
    the pixel noise, so that a single ray is not rejected before the skeleton has brought the point near it. Steps that
    raise the cost are halved. `pull` gives the directions that the pose states expect at some points (the E-step of
    an EM iteration).
    """
    system = JointSystem.of(observations, prior)
    converged, width = False, _INFLATE[0]
    seen = linearise(observations, points_3d, spread, width)
    for iteration in range(_MAX_ITERATIONS):
        inflate = _INFLATE[iteration + 1] if iteration + 1 < len(_INFLATE) else 0.0
        directions = pull(points_3d) if pull is not None else None
        at, terms = seen, bone_terms(bones, points_3d)
        if directions is not None:
            terms = terms.and_also(directions.terms(points_3d))
        factor, vector = system.factor(at, terms)
        step = solve(factor, vector.reshape(-1)).reshape(points_3d.shape) - points_3d
        cost = partial(_cost, system, bones, directions)
        points_3d, seen = _descend(
            observations, cost, points_3d, step, spread, inflate, seen if inflate == width else None
        )
        width = inflate
        if np.quantile(np.abs(step), 0.999) < _TOLERANCE * observations.pixel and inflate == 0.0:
            converged = True
            break
    return Mode(points_3d, factor, at, terms, converged)


def joint_posterior(
    observations: Observations, mode: Mode, prior: TimePrior, noise: FrameNoise | None = None
) -> JointPosterior:
    """Covariances about a mode (Laplace's approximation), inlier probabilities, and draws if there is noise to make
    them of."""
    points_3d = mode.points_3d
    within, lagged = selected_inverse(mode.factor, 3 * observations.n_keypoints)
    samples = np.zeros((0, *points_3d.shape))
    if noise is not None:
        b = perturb(noise, mode.seen.information, prior.precisions, prior.order, observations.anchor, mode.terms)
        samples = points_3d + solve(mode.factor, b.reshape(len(b), -1).T).T.reshape(b.shape)
    posterior = JointPosterior(points_3d, within, lagged, mode.seen.weights, mode.converged, samples)
    return replace(posterior, inlier_probability=linearise(observations, points_3d, posterior.spread(), 1.0).weights)


def _descend(
    observations: Observations,
    cost: Callable[[Array, Linearised], float],
    points_3d: Array,
    step: Array,
    spread: Array,
    inflate: float,
    seen: Linearised | None,
) -> tuple[Array, Linearised]:
    """The step, and the observations seen from there; halved until the cost falls where `seen` from points_3d is
    given.

    While the inlier densities narrow from step to step, costs cannot be compared.
    """
    before = cost(points_3d, seen) if seen is not None else np.inf
    trial = points_3d
    for scale in (1.0, 0.5, 0.25):
        trial = points_3d + scale * step
        seen = linearise(observations, trial, spread, inflate)
        if cost(trial, seen) <= before + 1e-9 * abs(before):
            break
    return trial, seen


def _cost(
    system: JointSystem, bones: Bones, directions: Directions | None, points_3d: Array, seen: Linearised
) -> float:
    length = np.linalg.norm(points_3d[:, bones.pairs[:, 0]] - points_3d[:, bones.pairs[:, 1]], axis=-1)
    cost = seen.cost + system.time_cost(points_3d) + 0.5 * float((((length - bones.lengths) / bones.stds) ** 2).sum())
    return cost if directions is None else cost + directions.cost(points_3d)


def measure_bones(pairs: NDArray[np.int64], tracks: Tracks, finest: float) -> Bones:
    """Mean length and spread of each bone from the tracks, by maximum likelihood with the tracks' own uncertainty.

    A track's length l_t ~ N(length, std² + s_t²), with s_t² the variance of the two ends along the bone. No spread
    is smaller than `finest` (world units); bones of which an end was never located have NaN.
    """
    d = tracks.points_3d[:, pairs[:, 0]] - tracks.points_3d[:, pairs[:, 1]]
    observed = np.linalg.norm(d, axis=-1)
    direction = d / np.maximum(observed[..., None], 1e-12)
    both = tracks.spread[:, pairs[:, 0]] + tracks.spread[:, pairs[:, 1]]
    noise = np.einsum("tbi,tbij,tbj->tb", direction, both, direction)
    # a distance of uncertain points is too long by half the variance across it, over the length
    across = both.trace(axis1=2, axis2=3) - noise
    observed = observed - 0.5 * across / np.maximum(observed, 1e-12)
    fits = [_mean_and_spread(observed[:, b], noise[:, b], finest) for b in range(len(pairs))]
    lengths, stds = np.array(fits).reshape(-1, 2).T
    return Bones(pairs, lengths, stds)


def _mean_and_spread(values: Array, variances: Array, finest: float) -> tuple[float, float]:
    """Maximum likelihood of the mean and the std of a Gaussian seen with known noise, on a grid of the std.

    Values seen with more than twice the usual noise, and those beyond five deviations, are left out.
    """
    good = np.isfinite(values) & np.isfinite(variances)
    if not good.any():
        return np.nan, np.nan
    good &= variances <= 4 * np.median(variances[good])
    values, variances = values[good], variances[good]
    centre = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - centre)))
    kept = np.abs(values - centre) <= 5 * np.maximum(spread, np.sqrt(variances))
    values, variances = values[kept], variances[kept]
    low = max(finest, _FINEST_SPREAD * centre)
    grid = np.geomspace(low, max(2 * low, centre), 80)
    total = grid[:, None] ** 2 + variances
    means = (values / total).sum(axis=1) / (1 / total).sum(axis=1)
    likelihood = -0.5 * (np.log(total) + (values - means[:, None]) ** 2 / total).sum(axis=1)
    best = int(np.argmax(likelihood))
    # the mean itself is known no better than this: smoothed values repeat themselves over some frames
    doubt = _REPEATS / (1 / total[best]).sum()
    return float(means[best]), float(np.hypot(grid[best], np.sqrt(doubt)))
