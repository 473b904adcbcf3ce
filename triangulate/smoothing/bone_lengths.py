"""Bones: pairs of keypoints whose distance is Gaussian, with mean and spread learned from the tracks."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from ...numerics.robust_scale import robust_std
from ..noise.lasting_errors import autocorrelation
from .independent_tracks import Tracks

_FINEST_SPREAD = 3e-3  # of a bone's length: markers on skin move at least as much
_OUTLYING = 5.0  # standard deviations from the median beyond which a length is left out
_UNCORRELATED = 0.1  # autocorrelation at which the sum over lags ends
_GRID = 15  # values of the standard deviation tried at once, twice: the second grid's steps are 6 % at most
# Left and right bones differ by so much in the logarithm of their length, the labels' places included: the standard
# deviation of that is known within a factor of two (log-normal), from where the recording's own pairs tell it.
_ASYMMETRY, _ASYMMETRY_SPREAD = 0.05, 0.7
_ASYMMETRIES = np.geomspace(0.005, 0.5, 24)  # that are tried


@dataclass(frozen=True, eq=False)
class Bones:
    """Pairs of keypoints (n_bones, 2) whose distance is Gaussian about a length that is the same in all frames.

    lengths, length_stds : (n_bones,) world units, what is known of that length
    own_stds : (n_bones,) of a frame's distance about it
    own_averaged : (n_bones,) what that variance is multiplied by, because deviations last while the smoother averages
        over frames
    smoothed : (n_bones,) frames that the smoother averages over
    """

    pairs: NDArray[np.int64]
    lengths: Array
    length_stds: Array
    own_stds: Array
    own_averaged: Array
    smoothed: Array

    @classmethod
    def of_known_lengths(cls, pairs: NDArray[np.int64], lengths: Array, stds: Array, averaged: Array) -> Bones:
        """Bones that deviate from frame to frame alone."""
        return cls(pairs, lengths, np.zeros(len(pairs)), stds, averaged, np.ones(len(pairs)))

    @property
    def own_frame_stds(self) -> Array:
        """(n_bones,) of a frame that averages over frames as the deviations do, where the lengths are given."""
        return self.own_stds * np.sqrt(self.own_averaged)

    @property
    def stds(self) -> Array:
        """(n_bones,) of a frame's distance, of which the length is not known."""
        return np.hypot(self.own_stds, self.length_stds)

    @property
    def averaged(self) -> Array:
        """(n_bones,) as `own_averaged`, of `stds`: an error of the length lasts."""
        both = self.own_stds**2 * self.own_averaged + self.length_stds**2 * self.smoothed
        return both / self.stds**2

    @property
    def frame_stds(self) -> Array:
        """(n_bones,) as `own_frame_stds`, of `stds`."""
        return self.stds * np.sqrt(self.averaged)

    def each_frame_alone(self) -> Bones:
        """The same bones, whose lengths are as uncertain but need not be the same in all frames."""
        return Bones.of_known_lengths(self.pairs, self.lengths, self.stds, self.averaged)

    def usable(self, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(n_bones,) bones of known length between known keypoints."""
        return known[self.pairs].all(axis=1) & np.isfinite(self.lengths)

    def among(self, known: NDArray[np.bool_]) -> Bones:
        """Bones between keypoints that are known (n_keypoints,), numbered among these."""
        kept = self.some(self.usable(known))
        return replace(kept, pairs=(np.cumsum(known) - 1)[kept.pairs])

    def some(self, which: NDArray) -> Bones:
        """Some of the bones: a mask, or their positions in another order."""
        return Bones(*(getattr(self, field.name)[which] for field in fields(self)))


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
    """Terms of bones of given length, linearised at points_3d (n_frames, n_keypoints, 3): |d| ~ N(length, std²) along
    d / |d|."""
    d = points_3d[:, bones.pairs[:, 0]] - points_3d[:, bones.pairs[:, 1]]
    direction = d / np.maximum(np.linalg.norm(d, axis=-1, keepdims=True), 1e-12)
    weight = bones.own_frame_stds**-2
    information = weight[:, None, None] * direction[..., :, None] * direction[..., None, :]
    return PairTerms(bones.pairs, information, (weight * bones.lengths)[:, None] * direction)


def measure_bones(
    pairs: NDArray[np.int64], mirror: NDArray[np.int64], tracks: Tracks, finest: float, averaged: Array, times: Array
) -> Bones:
    """Mean length and spread of each bone from the tracks, by maximum likelihood with the tracks' own uncertainty, and
    with that of the bone of the other side.

    A track's length l_t ~ N(length, std² + s_t²), with s_t² the variance of the two ends along the bone. No spread
    is smaller than `finest` (world units). `mirror` (n_keypoints,) as of a Skeleton. The smoother averages a keypoint
    over `averaged` (n_keypoints,) frames; its errors have the integrated autocorrelation time `times` (n_keypoints,),
    frames. Bones that no frame measures have NaN.
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
    n_averaged = averaged[pairs].max(axis=1, initial=0)
    fits = [
        _mean_and_spread(observed[:, b], noise[:, b], finest, n_averaged[b], times[pair].max())
        for b, pair in enumerate(pairs)
    ]
    lengths, of_means, own, own_averaged = np.array(fits).reshape(-1, 4).T
    lengths, of_means = _with_other_sides(lengths, of_means, _other_sides(pairs, mirror))
    # the uncertainty of the mean: there are fewer independent values than frames
    return Bones(pairs, lengths, np.sqrt(of_means), np.sqrt(own), own_averaged, n_averaged)


def _other_sides(pairs: NDArray[np.int64], mirror: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n, 2) positions of the bones that are each other's mirror image."""
    place = {frozenset(pair): b for b, pair in enumerate(pairs.tolist())}
    others = [place.get(frozenset(pair), b) for b, pair in enumerate(mirror[pairs].tolist())]
    return np.array([(b, other) for b, other in enumerate(others) if b < other], np.int64).reshape(-1, 2)


def _with_other_sides(lengths: Array, variances: Array, sides: NDArray[np.int64]) -> tuple[Array, Array]:
    """Means of lengths and their variances, given that those of both sides (n, 2) are nearly the same."""
    sides = sides[np.isfinite(variances[sides]).all(axis=1) & (lengths[sides] > 0).all(axis=1)]
    if not len(sides):
        return lengths, variances
    logs, spreads = np.log(lengths[sides]), variances[sides] / lengths[sides] ** 2
    between = spreads.sum(axis=1) + _ASYMMETRIES[:, None] ** 2
    likelihood = -0.5 * (np.log(between) + (logs[:, 0] - logs[:, 1]) ** 2 / between).sum(axis=1)
    prior = -0.5 * (np.log(_ASYMMETRIES / _ASYMMETRY) / _ASYMMETRY_SPREAD) ** 2
    asymmetry = _ASYMMETRIES[np.argmax(likelihood + prior)]
    seen_there = spreads[:, ::-1] + asymmetry**2  # variance of one side as the other tells it
    share = spreads / (spreads + seen_there)
    lengths, variances = lengths.copy(), variances.copy()
    lengths[sides] = np.exp(logs + share * (logs[:, ::-1] - logs))
    variances[sides] = share * seen_there * lengths[sides] ** 2
    return lengths, variances


def _mean_and_spread(
    values: Array, variances: Array, finest: float, n_averaged: float, n_correlated: float
) -> tuple[float, float, float, float]:
    """Maximum likelihood of the mean and the variance of a Gaussian seen with known noise: the mean and its own
    variance, the variance and what it counts in a frame, as `Bones.own_averaged`.

    Values beyond five deviations are left out.
    """
    good = np.isfinite(values) & np.isfinite(variances)
    if not good.any():
        return np.nan, np.nan, np.nan, 1.0
    series, values, variances = values, values[good], variances[good]
    centre = float(np.median(values))
    kept = np.abs(values - centre) <= _OUTLYING * np.maximum(robust_std(values), np.sqrt(variances))
    values, variances = values[kept], variances[kept]
    least = max(finest, _FINEST_SPREAD * centre)
    std, mean, precision = _most_likely(values, variances, least, max(2 * least, centre))
    lasting = _lasting(np.where(good, series - mean, np.nan), int(4 * n_averaged))
    # at the least spread there is no evidence of any: what lasts are the errors of the tracks
    share = std**2 / (std**2 + np.mean(variances)) if std > 1.01 * least else 0.0
    return mean, float(n_correlated / precision), std**2, float(min(1 + (lasting - 1) * share, n_averaged))


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
