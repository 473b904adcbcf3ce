"""The smoother without a skeleton: every keypoint is a track of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array, evenly_spread
from ...timeseries.medians import running_median
from .correlated_noise import CorrelatedNoise, Filter, estimate_correlation, smoother_filter
from .difference_prior import choose_order, smooth_tracks, tune_precisions
from .observations import Linearised, Observations, contradicted, learn_sigma, linearise, robust_start
from .unsteady_motion import (
    LOG_LEVELS,
    at_activity,
    between_cuts,
    disturbances,
    frames_of_activity,
    row_precisions,
    steady,
    with_activity,
    with_jumps,
)

_ORDER_FRAMES, _ORDER_KEYPOINTS = 400, 10  # that the order is chosen on: bounds time
_QUICK_FRAMES = 600  # that process variances are tuned on at first: bounds time
_PARTS = 4  # stretches that such frames are spread over
_NEIGHBOURS = 7  # frames of a median that two wrong neighbours do not move, whatever the frame rate
_FAR = 10.0  # usual distances from that median beyond which a point is isolated
_CORRELATION_RANGE = (2, 80)  # frames: the overlap of windows follows from it and must fit the memory
_CORRELATION_ROUNDS = 4  # between the correlation of errors and the process variances
_SETTLED = 0.05  # change of the logarithm of a likelihood's power that moves no standard deviation by 3 %
_QUIETEST = 0.02  # quantile of the activity that the reach of a displaced stretch is judged by
_ACTIVITY_ROUNDS = 4  # of the activity and the tracks at each linearisation
_LEARNING_ROUNDS, _ROUNDS = 2, 4  # of Gauss-Newton with inlier probabilities: learning, then of a window


@dataclass(frozen=True, eq=False)
class TimePrior:
    """Differences of this order are white, with one precision per keypoint (n_keypoints,).

    changes : (n_frames, 2) as of `steady`, with activity and jumps; None: neither
    activity_frames : see `with_activity`; 0: the activity is one all the time
    disturbed : see `with_activity`; NaN until it is known
    quietest : activity of the quietest frames
    """

    order: int
    precisions: Array
    changes: Array | None = None
    activity_frames: float = 0.0
    disturbed: float = np.nan
    quietest: float = 1.0

    def at(self, frames: slice) -> TimePrior:
        return self if self.changes is None else replace(self, changes=self.changes[frames])

    def rows(self, n_frames: int) -> Array:
        """(n_frames, n_keypoints) precision of the difference that begins at each frame."""
        changes = np.tile([1.0, 0.0], (n_frames, 1)) if self.changes is None else self.changes
        if len(changes) != n_frames:
            raise ValueError(f"the prior has changes of {len(changes)} frames and the window {n_frames} frames")
        return row_precisions(self.precisions, changes)

    def correlation_frames(self, pixel: float, activity: float = 1.0) -> int:
        """Frames over which the correlation of the stiffest track falls by a factor e, at this activity: a response
        decays over (P / I)^(1 / 2m).

        `pixel` is the noise of a point, world units.
        """
        scale = (self.precisions.max(initial=0.0) / activity * pixel**2) ** (0.5 / self.order)
        return int(np.clip(np.ceil(scale / np.sin(np.pi / (2 * self.order))), *_CORRELATION_RANGE))


@dataclass(frozen=True, eq=False)
class Tracks:
    """State of a smoother; points about the observations' centre.

    points_3d (n_frames, n_keypoints, 3), covariances (n_frames, n_keypoints, 3 lags, 3, 3), inlier_probability
    (n_cameras, n_frames, n_keypoints) where the pixels were last weighed; differences (n_frames, n_keypoints, 2) as of
    `smooth_tracks`, and the changes (n_frames, 2) of the prior
    """

    points_3d: Array
    covariances: Array
    inlier_probability: Array
    differences: Array
    changes: Array

    def at(self, frames: slice) -> Tracks:
        return Tracks(
            self.points_3d[frames],
            self.covariances[frames],
            self.inlier_probability[:, frames],
            self.differences[frames],
            self.changes[frames],
        )

    def of(self, keypoints: NDArray[np.bool_]) -> Tracks:
        """The tracks of some keypoints, a mask (n_keypoints,)."""
        return Tracks(
            self.points_3d[:, keypoints],
            self.covariances[:, keypoints],
            self.inlier_probability[:, :, keypoints],
            self.differences[:, keypoints],
            self.changes,
        )

    @property
    def known(self) -> NDArray[np.bool_]:
        """(n_keypoints,) keypoints that were located at all."""
        return np.asarray(np.isfinite(self.points_3d[..., 0]).any(axis=0))

    @property
    def spread(self) -> Array:
        """(n_frames, n_keypoints, 3, 3)"""
        return self.covariances[:, :, 0]


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
    most_power: float = np.inf,
) -> LearnedTracks:
    """The order and the process variances at maximum evidence, the observations with their noise, and the tracks.

    First the robust points are smoothed as Gaussian pseudo-observations, then Gauss-Newton on the exact projections
    with inlier probabilities, in which single rays count too; at last the errors are no longer taken for white.
    `lengths` are those of the stretches that follow each other in the arrays, and `most_power` bounds the power of a
    frame's likelihood.
    """
    lengths = between_cuts(start, lengths, frames_of_activity(fps))
    tracks, prior = _track_robust_points(observations, start, inliers, lengths, order)
    prior = replace(prior, activity_frames=frames_of_activity(fps))
    for _ in range(_LEARNING_ROUNDS):
        seen = linearise(observations, tracks.points_3d, tracks.spread, inflate=1.0)
        observations = replace(observations, sigma=learn_sigma(observations, seen))
        prior = replace(prior, changes=with_jumps(tracks.changes, tracks.differences, prior.precisions, prior.order))
        tracks, prior = _tune_and_smooth(seen, lengths, prior.order, prior, observations.anchor, sum(lengths))
    return _learn_lasting_errors(observations, tracks, prior, lengths, order, fps, most_power)


def _track_robust_points(
    observations: Observations, start: Array, inliers: NDArray[np.bool_], lengths: Sequence[int], order: int | None
) -> tuple[Tracks, TimePrior]:
    """Tracks through the robust points; those that the rest of their track contradicts are dropped."""
    anchor, longest = observations.anchor, _highest_order(lengths)
    first = robust_start(observations, start, inliers)
    steady = first.only(~_isolated(start, observations.pixel))
    tracks, prior = _tune_and_smooth(steady, lengths, min(order or 2, longest), None, anchor, _QUICK_FRAMES)
    for _ in range(2):  # the order is known in the second round
        seen = first.only(~contradicted(first, tracks.points_3d, tracks.spread))
        order = min(order or _order_of_some(seen, lengths, anchor), longest)
        near = prior if prior.order == order else None
        tracks, prior = _tune_and_smooth(seen, lengths, order, near, anchor, _QUICK_FRAMES)
    return tracks, prior


def _learn_lasting_errors(
    observations: Observations,
    tracks: Tracks,
    prior: TimePrior,
    lengths: Sequence[int],
    order: int | None,
    fps: float,
    most_power: float,
) -> LearnedTracks:
    """How the errors last, and with it the power of a frame, the process variances and an order that is not given: each
    depends on the others, since a smoother follows errors that last where it takes them for motion."""
    anchor = observations.anchor
    for _ in range(_CORRELATION_ROUNDS):
        white = replace(observations, power=np.ones_like(observations.power))
        seen = linearise(white, tracks.points_3d, tracks.spread, inflate=1.0)
        smoother = smoother_filter(seen, prior.precisions, prior.order)
        noise = estimate_correlation(observations, seen, fps, lengths)
        powers = noise.powers(smoother, most_power)
        settled = np.abs(np.log(powers / observations.powers)).max() < _SETTLED
        observations = replace(observations, powers=powers).at_activity(tracks.changes[:, 0])
        if settled:
            break
        best = order or _order_of_some(seen, lengths, anchor, noise)
        best = min(best, _highest_order(lengths))
        near = prior
        if best != prior.order:
            near = TimePrior(best, np.zeros_like(prior.precisions), activity_frames=prior.activity_frames)
        tracks, prior = _tune_and_smooth(seen, lengths, best, near, anchor, sum(lengths), noise, powers)
    smoother = smoother_filter(seen, prior.precisions, prior.order)
    activity = tracks.changes[:, 0]
    prior = replace(prior, changes=None, quietest=float(np.quantile([1.0, *activity], _QUIETEST)))
    return LearnedTracks(prior, observations.at_activity(activity), tracks, noise, smoother, seen)


def _highest_order(lengths: Sequence[int]) -> int:
    """Of differences that the longest stretch has any of."""
    return max(1, max(lengths) - 1)


def smooth_in_time(observations: Observations, start: Array, inliers: NDArray[np.bool_], prior: TimePrior) -> Tracks:
    """Tracks of a window of frames under a prior that is known but for its changes."""
    lengths = between_cuts(start, [observations.n_frames], prior.activity_frames)
    prior = replace(prior, changes=steady(lengths, prior.order))
    white = replace(observations, power=np.ones_like(observations.power))
    first = robust_start(observations, start, inliers)
    tracks = _smooth(first, prior, observations.anchor)
    kept = ~contradicted(first, tracks.points_3d, tracks.spread)
    if not kept.all():
        tracks = _smooth(first.only(kept), prior, observations.anchor)
    for i in range(_ROUNDS):
        seen = linearise(white, tracks.points_3d, tracks.spread, inflate=1.0)
        if i > 0:
            prior = replace(prior, changes=_jumps_anew(seen, tracks, prior, observations))
        tracks, prior = _smooth_unsteady(seen, prior, observations.anchor, observations.powers)
    return tracks


def _jumps_anew(seen: Linearised, tracks: Tracks, prior: TimePrior, observations: Observations) -> Array:
    """The changes of tracks, with jumps found beside the activity that they have, not those of the round before.

    Before the activity is known a run is full of jumps, and which frames they are at depends on a window's edges.
    """
    activity, added = tracks.changes.T
    found = np.isfinite(added) & (added > 0)  # infinite where a stretch ends
    if found.any():
        changes = np.stack([activity, np.where(found, 0.0, added)], axis=1)
        seen = seen.times(at_activity(observations.powers, activity))
        tracks = _smooth(seen, replace(prior, changes=changes), observations.anchor)
    return with_jumps(tracks.changes, tracks.differences, prior.precisions, prior.order)


def _isolated(points_3d: Array, pixel: float) -> NDArray[np.bool_]:
    """(n_frames, n_keypoints) points far from the median of their neighbours: one alone can ruin a process variance."""
    distance = np.linalg.norm(points_3d - running_median(points_3d, _NEIGHBOURS), axis=-1)
    usual = [np.median(d[np.isfinite(d)]) if np.isfinite(d).any() else 0.0 for d in distance.T]
    return distance > _FAR * (np.array(usual) + pixel)


def _order_of_some(
    seen: Linearised, lengths: Sequence[int], anchor: float, noise: CorrelatedNoise | None = None
) -> int:
    """The order of largest evidence, judged on a part of the frames and keypoints."""
    some, short = _part_of(lengths, _ORDER_FRAMES)
    information, vector = seen.information[some], seen.vector[some]
    known = np.flatnonzero(information.any(axis=(0, 2, 3)))
    few = known[evenly_spread(len(known), _ORDER_KEYPOINTS)]
    return choose_order(information[:, few], vector[:, few], short, anchor, noise and noise.errors(few))


def _part_of(lengths: Sequence[int], budget: int) -> tuple[NDArray[np.int64], list[int]]:
    """Frames of shorter stretches spread over the stretches, `budget` in all, and their lengths."""
    if sum(lengths) <= budget:
        return np.arange(sum(lengths)), list(lengths)
    n_parts = -(-_PARTS // len(lengths))
    ends = np.cumsum(lengths)
    edges = np.concatenate([np.linspace(end - n, end, n_parts + 1)[:-1] for end, n in zip(ends, lengths, strict=True)])
    short = budget // len(edges)
    return np.concatenate([np.arange(start, start + short) for start in edges.astype(int)]), [short] * len(edges)


def _smooth(seen: Linearised, prior: TimePrior, anchor: float) -> Tracks:
    changes = prior.changes if prior.changes is not None else steady([len(seen.vector)], prior.order)
    solved = smooth_tracks(seen.information, seen.vector, prior.order, changes, prior.precisions, anchor)
    return Tracks(*solved[:2], seen.weights, solved[2], changes)


def _smooth_unsteady(seen: Linearised, prior: TimePrior, anchor: float, powers: Array) -> tuple[Tracks, TimePrior]:
    """Tracks and the prior with the activity that explains them; a frame's likelihood, given with power one, has that
    of its activity."""
    assert prior.changes is not None
    tracks = _smooth(seen.times(at_activity(powers, prior.changes[:, 0])), prior, anchor)
    if not prior.activity_frames or len(tracks.changes) < 2:
        return tracks, prior
    if np.isnan(prior.disturbed):
        found, expected = disturbances(tracks.changes, tracks.differences, prior.precisions)
        prior = replace(prior, disturbed=float(found.sum() / max(expected.sum(), 1e-300)))
    for _ in range(_ACTIVITY_ROUNDS):
        known = prior.precisions, prior.activity_frames, prior.disturbed
        changes = with_activity(tracks.changes, tracks.differences, *known)
        prior = replace(prior, changes=changes)
        tracks = _smooth(seen.times(at_activity(powers, changes[:, 0])), prior, anchor)
    return tracks, prior


def _tune_and_smooth(
    seen: Linearised,
    lengths: Sequence[int],
    order: int,
    near: TimePrior | None,
    anchor: float,
    budget: int,
    noise: CorrelatedNoise | None = None,
    powers: Array | None = None,
) -> tuple[Tracks, TimePrior]:
    """Process variances tuned on `budget` frames, near those of a given prior, and the tracks of all frames, in which a
    frame's likelihood has these powers (n_levels, n_keypoints) by its activity."""
    known = None if near is None or not near.precisions.all() else near.precisions
    changes = steady(lengths, order) if near is None or near.changes is None else near.changes
    some, short = _part_of(lengths, budget)
    inside = changes if len(some) == len(changes) else steady(short, order)
    precisions, _ = tune_precisions(
        seen.information[some], seen.vector[some], order, inside, anchor, known, noise=noise and noise.errors()
    )
    prior = TimePrior(order, precisions, changes, near.activity_frames if near else 0.0)
    powers = np.ones((len(LOG_LEVELS), len(precisions))) if powers is None else powers
    return _smooth_unsteady(seen, prior, anchor, powers)
