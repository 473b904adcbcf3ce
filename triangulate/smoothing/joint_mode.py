"""The smoother with a skeleton: all keypoints at once, tied by bones whose length and spread are learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from ...numerics.banded import factorise, selected_inverse, solve
from ...numerics.threads import over_rows
from . import _kernels_smooth
from .bone_lengths import Bones, PairTerms
from .difference_prior import stencil
from .independent_tracks import TimePrior
from .observations import Linearised, Observations, linearise
from .perturbed_solutions import FrameNoise, perturb

_SHORTEST = 1e-2  # of the longest bone: the direction between closer points is undefined
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

    rows : (n_frames, n_keypoints) precision of each keypoint's difference that begins at a frame
    gram : (n_frames, n_keypoints, width + 1) the band that these make, as `_kernels_smooth.weighted_gram`
    """

    rows: Array
    gram: Array
    anchor: float
    order: int
    band: Array

    @classmethod
    def of(cls, observations: Observations, prior: TimePrior) -> JointSystem:
        n_frames, n_keypoints = observations.n_frames, observations.n_keypoints
        order = min(prior.order, max(1, n_frames - 1))
        rows, block = prior.rows(n_frames), 3 * n_keypoints
        band = np.empty((block * n_frames, block * max(order, 2) + 1))  # the posterior's lags need two frames of band
        return cls(rows, _gram(rows, order), observations.anchor, order, band)

    def part(self, frames: slice) -> JointSystem:
        """The system of some of the frames, in the same room."""
        rows = self.rows[frames]
        return replace(self, rows=rows, gram=_gram(rows, self.order), band=self.band[: 3 * rows.size])

    def factor(self, seen: Linearised, terms: PairTerms) -> tuple[Array, Array]:
        """Factor of the posterior precision, in place, and precision times mode (n_frames, n_keypoints, 3)."""
        vector = seen.vector.copy()
        for b, (first, second) in enumerate(terms.pairs):
            vector[:, first] += terms.vector[:, b]
            vector[:, second] -= terms.vector[:, b]
        fixed = seen.information, self.gram, self.anchor, terms.pairs, np.ascontiguousarray(terms.information)
        over_rows(lambda a, b: _kernels_smooth.joint_band(*fixed, a, b, self.band), len(self.gram), smallest=200)
        return factorise(self.band), vector


def _gram(rows: Array, order: int) -> Array:
    """(n_frames, n_keypoints, width + 1) bands of differences with these precisions (n_frames, n_keypoints)."""
    grams = [_kernels_smooth.weighted_gram(stencil(order), np.ascontiguousarray(row)) for row in rows.T]
    return np.pad(np.stack(grams, axis=1), [(0, 0), (0, 0), (0, max(2 - order, 0))])


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


@dataclass(frozen=True, eq=False)
class AlternativeMode:
    """Another mode of keypoint `k` in some frames: its offset from the mode (n, 3), and share of the probability."""

    k: int
    frames: slice
    offset: Array
    share: float


@dataclass(frozen=True, eq=False)
class Mode:
    """Where the iterations converged (`mode_search`).

    seen, terms : of the observations and of the bones, whose lengths are given, there; alternatives : other modes, each
        with one keypoint elsewhere
    """

    points_3d: Array
    seen: Linearised
    terms: PairTerms
    system: JointSystem
    bones: Bones
    converged: bool
    alternatives: tuple[AlternativeMode, ...] = ()


def joint_posterior(
    observations: Observations, mode: Mode, prior: TimePrior, noise: FrameNoise | None = None
) -> JointPosterior:
    """Covariances about a mode (Laplace's approximation, widened by what is not known of the bones' lengths and by the
    alternative modes), inlier probabilities, and draws if noise is given."""
    points_3d = mode.points_3d
    factor, _ = mode.system.factor(mode.seen, mode.terms)
    within, lagged = selected_inverse(factor, 3 * observations.n_keypoints)
    stretched = _as_lengths_vary(mode, factor)
    flat = stretched.reshape(*within.shape[:2], -1)
    within += flat @ flat.swapaxes(1, 2)
    for lag in (1, 2):
        lagged[:-lag, :, lag - 1] += stretched[:-lag] @ stretched[lag:].swapaxes(-1, -2)
    _widen(within, lagged, mode.alternatives)
    samples = np.zeros((0, *points_3d.shape))
    if noise is not None:
        rows = prior.rows(observations.n_frames)
        b = perturb(noise, mode.seen.information, rows, prior.order, observations.anchor, mode.terms)
        samples = points_3d + solve(factor, b.reshape(len(b), -1).T).T.reshape(b.shape)
        samples += np.einsum("fkib,sb->sfki", stretched, noise.lengths)
    posterior = JointPosterior(points_3d, within, lagged, mode.seen.weights, mode.converged, samples)
    return replace(posterior, inlier_probability=linearise(observations, points_3d, posterior.spread(), 1.0).weights)


def _as_lengths_vary(mode: Mode, factor: Array) -> Array:
    """(n_frames, n_keypoints, 3, n_bones) by how much the mode moves where a bone is longer, in all frames, by the
    standard deviation of its length."""
    bones, (n_frames, n_keypoints) = mode.bones, mode.points_3d.shape[:2]
    force = np.zeros((n_frames, n_keypoints, 3, len(bones.pairs)))
    for b, (first, second) in enumerate(bones.pairs):
        force[:, first, :, b] = mode.terms.vector[:, b] * (bones.length_stds / bones.lengths)[b]
        force[:, second, :, b] = -force[:, first, :, b]
    if not force.any():
        return force
    return np.ascontiguousarray(solve(factor, force.reshape(3 * n_frames * n_keypoints, -1))).reshape(force.shape)


def _widen(within: Array, lagged: Array, alternatives: tuple[AlternativeMode, ...]) -> None:
    """Add the second moment of the alternative modes about this one, in place: share times offset offset'."""
    for alternative in alternatives:
        frames, rows, d = alternative.frames, slice(3 * alternative.k, 3 * alternative.k + 3), alternative.offset
        within[frames, rows, rows] += alternative.share * d[:, :, None] * d[:, None, :]
        for lag in (1, 2):
            pair = d[:-lag, :, None] * d[lag:, None, :]
            lagged[frames, alternative.k, lag - 1][: len(pair)] += alternative.share * pair
