"""The smoother without a skeleton: every keypoint is a track of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array, taken
from .difference_prior import smooth_tracks
from .observations import Linearised, Observations, contradicted, linearise, robust_start
from .unsteady_motion import (
    at_activity,
    between_cuts,
    disturbances,
    row_precisions,
    steady,
    with_activity,
    with_jumps,
)

_CORRELATION_RANGE = (2, 80)  # frames: the overlap of windows follows from it and must fit the memory
_ACTIVITY_ROUNDS = 20  # of the activity and the tracks at each linearisation, at most: a rest after a run needs ten
_SETTLED = 0.1  # change of the activity's logarithm that moves no standard deviation of a track by 3 %
_ROUNDS = 4  # of Gauss-Newton with inlier probabilities, of a window
_FRAME_AXES = {"points_3d": 0, "covariances": 0, "inlier_probability": 1, "differences": 0, "changes": 0}
_KEYPOINT_AXES = {"points_3d": 1, "covariances": 1, "inlier_probability": 2, "differences": 1}


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
        return taken(self, {"changes": 0}, frames)

    def with_order(self, order: int) -> TimePrior:
        """The prior, or one of another order, of which neither precisions nor changes are known."""
        if order == self.order:
            return self
        return TimePrior(order, np.zeros_like(self.precisions), activity_frames=self.activity_frames)

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
        return taken(self, _FRAME_AXES, frames)

    def of(self, keypoints: NDArray[np.bool_]) -> Tracks:
        """The tracks of some keypoints, a mask (n_keypoints,)."""
        return taken(self, _KEYPOINT_AXES, keypoints)

    @property
    def known(self) -> NDArray[np.bool_]:
        """(n_keypoints,) keypoints that were located at all."""
        return np.asarray(np.isfinite(self.points_3d[..., 0]).any(axis=0))

    @property
    def spread(self) -> Array:
        """(n_frames, n_keypoints, 3, 3)"""
        return self.covariances[:, :, 0]


def smooth_in_time(observations: Observations, start: Array, inliers: NDArray[np.bool_], prior: TimePrior) -> Tracks:
    """Tracks of a window of frames under a prior that is known but for its changes."""
    lengths = between_cuts(start, [observations.n_frames], prior.activity_frames)
    prior = replace(prior, changes=steady(lengths, prior.order))
    white = replace(observations, power=np.ones_like(observations.power))
    first = robust_start(observations, start, inliers)
    tracks = smooth(first, prior, observations.anchor)
    kept = ~contradicted(first, tracks.points_3d, tracks.spread)
    if not kept.all():
        tracks = smooth(first.only(kept), prior, observations.anchor)
    for i in range(_ROUNDS):
        seen = linearise(white, tracks.points_3d, tracks.spread, inflate=1.0)
        if i > 0:
            prior = replace(prior, changes=_jumps_anew(seen, tracks, prior, observations))
        tracks, prior = smooth_unsteady(seen, prior, observations.anchor, observations.powers)
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
        tracks = smooth(seen, replace(prior, changes=changes), observations.anchor)
    return with_jumps(tracks.changes, tracks.differences, prior.precisions, prior.order)


def smooth(seen: Linearised, prior: TimePrior, anchor: float) -> Tracks:
    assert prior.changes is not None
    solved = smooth_tracks(seen.information, seen.vector, prior.order, prior.changes, prior.precisions, anchor)
    return Tracks(*solved[:2], seen.weights, solved[2], prior.changes)


def smooth_unsteady(seen: Linearised, prior: TimePrior, anchor: float, powers: Array) -> tuple[Tracks, TimePrior]:
    """Tracks and the prior with the activity that explains them; a frame's likelihood, given with power one, has that
    of its activity."""
    assert prior.changes is not None
    tracks = smooth(seen.times(at_activity(powers, prior.changes[:, 0])), prior, anchor)
    if not prior.activity_frames or len(tracks.changes) < 2:
        return tracks, prior
    if np.isnan(prior.disturbed):
        found, expected = disturbances(tracks.changes, tracks.differences, prior.precisions)
        prior = replace(prior, disturbed=float(found.sum() / max(expected.sum(), 1e-300)))
    for _ in range(_ACTIVITY_ROUNDS):
        known = prior.precisions, prior.activity_frames, prior.disturbed
        changes = with_activity(tracks.changes, tracks.differences, *known)
        prior = replace(prior, changes=changes)
        step = np.abs(np.log(changes[:, 0] / tracks.changes[:, 0])).max()
        tracks = smooth(seen.times(at_activity(powers, changes[:, 0])), prior, anchor)
        if step < _SETTLED:
            break
    return tracks, prior
