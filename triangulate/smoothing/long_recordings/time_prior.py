"""The prior in time of a recording: order, process variances and how errors last, learned on some of its frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ....numerics.arrays import Array, evenly_spread
from ....numerics.robust_scale import present_median
from ..correlated_noise import CorrelatedNoise, Filter, smoother_filter
from ..difference_prior import choose_order, tune_precisions
from ..error_correlation import estimate_correlation
from ..independent_tracks import TimePrior, Tracks, smooth, smooth_unsteady
from ..observations import Linearised, Observations, contradicted, learn_sigma, linearise, robust_start
from ..unsteady_motion import LOG_LEVELS, between_cuts, frames_of_activity, steady, with_jumps

_ORDER_FRAMES, _ORDER_KEYPOINTS = 400, 10  # that the order is chosen on: bounds time
_QUICK_FRAMES = 600  # that process variances are tuned on at first: bounds time
_PARTS = 4  # stretches that such frames are spread over
_CALM, _CALM_SQUARE = 0.25, 1.2125  # a quantile, and that of a chi-square of three degrees of freedom
_STIFF = 0.1  # of the variance that so many of the calmest differences show, errors included: tracks to start from
_LEAST_CHANGE = 0.1  # of a pixel's span: differences of less are not told from none
_ROUNDS = 2  # of Gauss-Newton with inlier probabilities: from stiff tracks, and again while the noise is learned, too
_CORRELATION_ROUNDS = 4  # between the correlation of errors and the process variances
_SETTLED = 0.05  # change of the logarithm of a likelihood's power that moves no standard deviation by 3 %
_QUIETEST = 0.02  # quantile of the activity that the reach of a displaced stretch is judged by


@dataclass(frozen=True, eq=False)
class LearnedTracks:
    """What was learned with the tracks of some frames of a recording.

    prior : without changes
    observations : with their noise, and the power of a frame's likelihood
    tracks : of the frames learned on
    noise : how the errors last in time
    smoother : what the tracks do to errors
    seen : the observations at the tracks, with power one
    """

    prior: TimePrior
    observations: Observations
    tracks: Tracks
    noise: CorrelatedNoise
    smoother: Filter
    seen: Linearised


def learn_time_prior(
    observations: Observations,
    start: Array,
    inliers: NDArray[np.bool_],
    lengths: Sequence[int],
    order: int | None,
    fps: float,
    most_power: float,
) -> LearnedTracks:
    """The order and the process variances at maximum evidence, the observations with their noise, and the tracks.

    First stiff tracks through the robust points, then Gauss-Newton on the exact projections with inlier probabilities,
    in which single rays count too; at last the errors are no longer taken for white: how they last, the power of a
    frame, the process variances and an order that is not given depend on each other, since a smoother follows errors
    that last where it takes them for motion.
    `lengths` are those of the stretches that follow each other in the arrays, and `most_power` bounds the power of a
    frame's likelihood.
    """
    activity_frames = frames_of_activity(fps)
    frames = _Frames(between_cuts(start, lengths, activity_frames), order, observations.anchor)
    tracks, prior = _from_stiff_tracks(observations, start, inliers, frames)
    prior = replace(prior, activity_frames=activity_frames)
    for _ in range(_ROUNDS):
        seen = linearise(observations, tracks.points_3d, tracks.spread, inflate=1.0)
        observations = replace(observations, sigma=learn_sigma(observations, seen))
        prior = replace(prior, changes=with_jumps(tracks.changes, tracks.differences, prior.precisions, prior.order))
        tracks, prior = frames.tune_and_smooth(seen, prior)
    for _ in range(_CORRELATION_ROUNDS):
        white = replace(observations, power=np.ones_like(observations.power))
        seen = linearise(white, tracks.points_3d, tracks.spread, inflate=1.0)
        smoother = smoother_filter(seen, prior.precisions, prior.order)
        noise = estimate_correlation(observations, seen, fps, frames.lengths)
        powers = noise.powers(smoother, most_power)
        settled = np.abs(np.log(powers / observations.powers)).max() < _SETTLED
        observations = replace(observations, powers=powers).at_activity(tracks.changes[:, 0])
        if settled:
            break
        near = prior.with_order(frames.best_order(seen, noise))
        tracks, prior = frames.tune_and_smooth(seen, near, noise=noise, powers=powers)
    smoother = smoother_filter(seen, prior.precisions, prior.order)
    activity = tracks.changes[:, 0]
    prior = replace(prior, changes=None, quietest=float(np.quantile([1.0, *activity], _QUIETEST)))
    return LearnedTracks(prior, observations.at_activity(activity), tracks, noise, smoother, seen)


def _from_stiff_tracks(
    observations: Observations, start: Array, inliers: NDArray[np.bool_], frames: _Frames
) -> tuple[Tracks, TimePrior]:
    """Tracks, order and process variances that the pixels near stiff tracks make most likely.

    Where few cameras see a keypoint and many pixels are wrong, the robust points are, too: a loose track follows them,
    which makes them probable. Few of them lie near a stiff track, and right pixels loosen it.
    """
    m = min(frames.order or 2, frames.highest_order)
    prior = TimePrior(m, _stiff_precisions(start, m, observations.pixel), steady(frames.lengths, m))
    tracks = smooth(robust_start(observations, start, inliers), prior, observations.anchor)
    for _ in range(_ROUNDS):
        seen = linearise(observations, tracks.points_3d, tracks.spread, inflate=1.0)
        tracks, prior = frames.tune_and_smooth(seen, prior, _QUICK_FRAMES)
    seen = linearise(observations, tracks.points_3d, tracks.spread, inflate=1.0)
    seen = seen.only(~contradicted(seen, tracks.points_3d, tracks.spread))
    return frames.tune_and_smooth(seen, prior.with_order(frames.best_order(seen)), _QUICK_FRAMES)


def _stiff_precisions(points_3d: Array, order: int, pixel: float) -> Array:
    """(n_keypoints,) of robust points' differences: a keypoint without any has the others' median, 0 if all are."""
    squares = (np.diff(points_3d, order, axis=0) ** 2).sum(axis=-1)
    calm = [np.quantile(own[np.isfinite(own)], _CALM) if np.isfinite(own).any() else np.nan for own in squares.T]
    usual = present_median(np.array(calm))
    variances = _STIFF * np.where(np.isfinite(calm), calm, usual) / _CALM_SQUARE
    return np.nan_to_num(1 / np.maximum(variances, (_LEAST_CHANGE * pixel) ** 2))


@dataclass(frozen=True, eq=False)
class _Frames:
    """The frames that are learned on, in stretches of these lengths that follow each other in the arrays.

    order : of the differences, where it is given; anchor : that of the observations
    """

    lengths: list[int]
    order: int | None
    anchor: float

    @property
    def highest_order(self) -> int:
        """Of differences that the longest stretch has any of."""
        return max(1, max(self.lengths) - 1)

    def best_order(self, seen: Linearised, noise: CorrelatedNoise | None = None) -> int:
        """The order given, or that of largest evidence, judged on a part of the frames and keypoints."""
        if self.order is not None:
            return min(self.order, self.highest_order)
        some, short = self._part(_ORDER_FRAMES)
        information, vector = seen.information[some], seen.vector[some]
        known = np.flatnonzero(information.any(axis=(0, 2, 3)))
        few = known[evenly_spread(len(known), _ORDER_KEYPOINTS)]
        best = choose_order(information[:, few], vector[:, few], short, self.anchor, noise and noise.errors(few))
        return min(best, self.highest_order)

    def tune_and_smooth(
        self,
        seen: Linearised,
        near: TimePrior,
        budget: int | None = None,
        noise: CorrelatedNoise | None = None,
        powers: Array | None = None,
    ) -> tuple[Tracks, TimePrior]:
        """Process variances tuned on `budget` frames, near those of a given prior, and the tracks of all frames, in
        which a frame's likelihood has these powers (n_levels, n_keypoints) by its activity."""
        order, known = near.order, near.precisions if near.precisions.all() else None
        changes = steady(self.lengths, order) if near.changes is None else near.changes
        some, short = self._part(budget or len(changes))
        inside = changes if len(some) == len(changes) else steady(short, order)
        part, lasting = (seen.information[some], seen.vector[some]), noise and noise.errors()
        precisions, _ = tune_precisions(*part, order, inside, self.anchor, known, noise=lasting)
        powers = np.ones((len(LOG_LEVELS), len(precisions))) if powers is None else powers
        return smooth_unsteady(seen, TimePrior(order, precisions, changes, near.activity_frames), self.anchor, powers)

    def _part(self, budget: int) -> tuple[NDArray[np.int64], list[int]]:
        """Frames of shorter stretches spread over the stretches, `budget` in all, and their lengths."""
        total, ends = sum(self.lengths), np.cumsum(self.lengths)
        if total <= budget:
            return np.arange(total), self.lengths
        n_parts = -(-_PARTS // len(ends))
        edges = np.concatenate([np.linspace(*ab, n_parts + 1)[:-1] for ab in pairwise([0, *ends])])
        short = budget // len(edges)
        return np.concatenate([np.arange(start, start + short) for start in edges.astype(int)]), [short] * len(edges)
