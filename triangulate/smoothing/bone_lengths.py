"""Bones: pairs of keypoints whose distance is Gaussian, with mean and spread learned from the tracks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from ...numerics.robust_scale import robust_std
from ..noise.lasting_errors import autocorrelation
from .independent_tracks import Tracks

_FINEST_SPREAD = 3e-3  # of a bone's length: markers on skin move at least as much
_USUAL_NOISE = 2.0  # times the median noise up to which a length is used
_OUTLYING = 5.0  # standard deviations from the median beyond which a length is left out
_UNCORRELATED = 0.1  # autocorrelation at which the sum over lags ends
_GRID = 15  # values of the standard deviation tried at once, twice: the second grid's steps are 6 % at most


@dataclass(frozen=True, eq=False)
class Bones:
    """Pairs of keypoints (n_bones, 2) whose distance is Gaussian: lengths and stds (n_bones,), world units.

    averaged : (n_bones,) what the variance of a frame is multiplied by, because deviations from the length last while
        the smoother averages over frames
    """

    pairs: NDArray[np.int64]
    lengths: Array
    stds: Array
    averaged: Array

    @property
    def frame_stds(self) -> Array:
        """(n_bones,) standard deviation of a frame that averages over frames as the deviations do."""
        return self.stds * np.sqrt(self.averaged)

    def usable(self, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(n_bones,) bones of known length between known keypoints."""
        return known[self.pairs].all(axis=1) & np.isfinite(self.lengths)

    def among(self, known: NDArray[np.bool_]) -> Bones:
        """Bones between keypoints that are known (n_keypoints,), numbered among these."""
        index = np.cumsum(known) - 1
        kept = self.usable(known)
        return Bones(index[self.pairs[kept]], self.lengths[kept], self.stds[kept], self.averaged[kept])


def parents_first(pairs: NDArray[np.int64]) -> list[int]:
    """Rows of pairs (n_bones, 2) of (parent, child) so ordered that a keypoint is a child before it is a parent."""
    waiting, order = list(range(len(pairs))), []
    while waiting:
        children = set(pairs[waiting, 1].tolist())
        ready = [b for b in waiting if int(pairs[b, 0]) not in children]
        order += ready
        waiting = [b for b in waiting if b not in ready]
    return order


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
    weight = bones.frame_stds**-2
    information = weight[:, None, None] * direction[..., :, None] * direction[..., None, :]
    return PairTerms(bones.pairs, information, (weight * bones.lengths)[:, None] * direction)


def measure_bones(pairs: NDArray[np.int64], tracks: Tracks, finest: float, averaged: Array, correlated: Array) -> Bones:
    """Mean length and spread of each bone from the tracks, by maximum likelihood with the tracks' own uncertainty.

    A track's length l_t ~ N(length, std² + s_t²), with s_t² the variance of the two ends along the bone. No spread
    is smaller than `finest` (world units). The smoother averages a keypoint over `averaged` (n_keypoints,) frames; its
    errors have the integrated autocorrelation time `correlated` (n_keypoints,), frames. Bones that no frame measures
    have NaN.
    """
    d = tracks.points_3d[:, pairs[:, 0]] - tracks.points_3d[:, pairs[:, 1]]
    observed = np.linalg.norm(d, axis=-1)
    direction = d / np.maximum(observed[..., None], 1e-12)
    both = tracks.spread[:, pairs[:, 0]] + tracks.spread[:, pairs[:, 1]]
    noise = np.einsum("tbi,tbij,tbj->tb", direction, both, direction)
    # a distance of uncertain points is too long by half the variance across it, over the length; where that is no small
    # correction, the distance says nothing
    across = both.trace(axis1=2, axis2=3) - noise
    observed = np.where(across < observed**2, observed - 0.5 * across / np.maximum(observed, 1e-12), np.nan)
    fits = [
        _mean_and_spread(observed[:, b], noise[:, b], finest, averaged[pair].max(), correlated[pair].max())
        for b, pair in enumerate(pairs)
    ]
    lengths, stds, averaged = np.array(fits).reshape(-1, 3).T
    return Bones(pairs, lengths, stds, averaged)


def _mean_and_spread(
    values: Array, variances: Array, finest: float, n_averaged: float, n_correlated: float
) -> tuple[float, float, float]:
    """Maximum likelihood of the mean and the std of a Gaussian seen with known noise, on a grid of the std; and
    `Bones.averaged`.

    Values seen with more than twice the usual noise, and those beyond five deviations, are left out.
    """
    good = np.isfinite(values) & np.isfinite(variances)
    if not good.any():
        return np.nan, np.nan, 1.0
    series, good = values, good & (variances <= _USUAL_NOISE**2 * np.median(variances[good]))
    values, variances = values[good], variances[good]
    centre = float(np.median(values))
    kept = np.abs(values - centre) <= _OUTLYING * np.maximum(robust_std(values), np.sqrt(variances))
    values, variances = values[kept], variances[kept]
    least = max(finest, _FINEST_SPREAD * centre)
    std, mean, precision = _most_likely(values, variances, least, max(2 * least, centre))
    # the uncertainty of the mean is part of the spread: there are fewer independent values than frames
    own, of_mean = std**2, n_correlated / precision
    lasting = _lasting(np.where(good, series - mean, np.nan), int(4 * n_averaged))
    # at the least spread there is no evidence of any: what lasts are the errors of the tracks
    share = own / (own + np.mean(variances)) if std > 1.01 * least else 0.0
    own_averaged = own * min(1 + (lasting - 1) * share, n_averaged)
    total = own + of_mean
    return mean, float(np.sqrt(total)), float((own_averaged + of_mean * n_averaged) / total)


def _most_likely(values: Array, variances: Array, least: float, largest: float) -> tuple[float, float, float]:
    """Standard deviation between both bounds at the largest likelihood, and the mean and its precision there."""
    coarse = np.geomspace(least, largest, _GRID)
    best = int(np.argmax(_likelihood(coarse, values, variances)[0]))
    fine = np.geomspace(coarse[max(best - 1, 0)], coarse[min(best + 1, _GRID - 1)], _GRID)
    likelihood, means, precisions = _likelihood(fine, values, variances)
    best = int(np.argmax(likelihood))
    return float(fine[best]), float(means[best]), float(precisions[best])


def _lasting(deviations: Array, longest: int) -> float:
    """Integrated autocorrelation time in frames of deviations (n_frames,), NaN where missing (Sokal 1997, eq. 2.14)."""
    n_lags = min(longest, len(deviations) - 1)
    correlation = autocorrelation(deviations[None, :, None, None], n_lags, [len(deviations)])[0][0]
    small = correlation < _UNCORRELATED
    return 1 + 2 * float(correlation[: int(np.argmax(small)) if small.any() else n_lags].sum())


def _likelihood(stds: Array, values: Array, variances: Array) -> tuple[Array, Array, Array]:
    """Of values of known noise about a common mean, for each std of their own: log likelihood, mean, its precision."""
    precisions = 1 / (stds[:, None] ** 2 + variances)
    weights = precisions.sum(axis=1)
    means = precisions @ values / weights
    return 0.5 * (np.log(precisions) - precisions * (values - means[:, None]) ** 2).sum(axis=1), means, weights
