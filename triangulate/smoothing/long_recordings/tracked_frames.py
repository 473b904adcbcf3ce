"""Windows that overlap until the edge of one has no influence on what it keeps, and the tracks of their keypoints."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ....numerics.arrays import Array
from ..independent_tracks import TimePrior, Tracks, smooth_in_time
from ..observations import Observations, observe_window
from .learning import Learned

_WINDOW = 4000  # frames of a window of tracks: bounds memory
_BAND_BYTES = 110e6  # bytes of the banded matrix of a window
_FEWEST_WINDOW = 100  # frames that a window keeps at least, whatever the memory: below, all work would be overlap
_DECAY = 10  # correlation times that windows overlap: the influence of an edge has fallen by exp(10)
ROOM = 2  # a window whose edges reach far may have so many times the frames of others: bounds memory


def overlap_frames(learned: Learned) -> int:
    """Frames after which a window's edge has no more influence, as a rule; see `far_enough`."""
    return _DECAY * learned.prior.correlation_frames(learned.observations.lasting_pixel)


def most_frames(learned: Learned, joint: bool) -> int:
    """Frames of a window whose band fits the memory meant for it; tracks alone need little."""
    if not joint:
        return _WINDOW
    block = 3 * learned.problem.n_keypoints
    return int(_BAND_BYTES / (8 * block * (block * max(2, learned.prior.order) + 1)))


def window_length(learned: Learned, joint: bool) -> int:
    """Frames that a window keeps. An even number of windows if they are few: so many threads solve them."""
    n_frames, most, overlap = learned.problem.n_frames, most_frames(learned, joint), overlap_frames(learned)
    if not joint or n_frames <= most:
        return most
    if n_frames <= 2 * (most - overlap):
        return -(-n_frames // 2)
    n_windows = -(-n_frames // int(np.clip(most - 2 * overlap, _FEWEST_WINDOW, _WINDOW)))
    return -(-n_frames // (n_windows + n_windows % 2))


def windows(n_frames: int, length: int, overlap: int) -> Iterator[tuple[slice, slice]]:
    """(frames to solve, frames to keep) of windows that overlap by `overlap` on either side of what they keep."""
    n_windows = 1 if n_frames <= length else -(-n_frames // length)
    edges = np.linspace(0, n_frames, n_windows + 1).astype(int).tolist()
    for start, stop in itertools.pairwise(edges):
        yield slice(max(0, start - overlap), min(n_frames, stop + overlap)), slice(start, stop)


@dataclass(frozen=True, eq=False)
class TrackedFrames:
    """Some frames, their observations and tracks."""

    frames: slice
    observations: Observations
    tracks: Tracks


def track_frames(learned: Learned, frames: slice) -> TrackedFrames:
    """Tracks of some frames: those learned on, if these are the whole recording."""
    if learned.whole:
        return TrackedFrames(frames, learned.observations.at(frames), learned.tracks.at(frames))
    observations, start, inliers = observe_window(learned.observations, *learned.problem.at(frames))
    tracks = smooth_in_time(observations, start, inliers, learned.prior)
    return TrackedFrames(frames, observations.at_activity(tracks.changes[:, 0]), tracks)


def track_window(learned: Learned, frames: slice, kept: slice, joint: bool) -> TrackedFrames:
    """Tracks of a window that is extended where its edges have an influence, if there is room."""
    most = ROOM * most_frames(learned, joint)
    while True:
        tracked = track_frames(learned, frames)
        wider = far_enough(learned, tracked, kept, max(most, frames.stop - frames.start))
        if wider == frames:
            return tracked
        frames = wider


def far_enough(learned: Learned, tracked: TrackedFrames, kept: slice, most: int) -> slice:
    """The frames, with as many more as an edge lacks to have no influence: a track is averaged over longer where the
    animal rests, or few cameras see the keypoint."""
    frames, room = tracked.frames, (most - (kept.stop - kept.start)) // 2
    times = correlation_times(learned.prior, tracked.tracks)
    before, after = times[: kept.start - frames.start], times[kept.stop - frames.start :]
    start, stop = frames.start - _lacking(before[::-1]), frames.stop + _lacking(after)
    start, stop = max(start, min(kept.start - room, frames.start), 0), min(stop, max(kept.stop + room, frames.stop))
    return slice(start, min(stop, learned.problem.n_frames))


def correlation_times(prior: TimePrior, tracks: Tracks) -> Array:
    """(n_frames, n_known) frames over which a change of a track falls by a factor e.

    With observations of variance v in every frame and differences of order m and precision p, that is
    T = (p v)^(1 / 2m) / s, s = sin(pi / 2m), and the track's own variance is v / (2 m s² T); v follows from both.
    """
    known, m = tracks.known, prior.order
    s = np.sin(np.pi / (2 * m))
    variances = np.diagonal(tracks.spread[:, known], axis1=-2, axis2=-1).max(axis=-1)
    precisions = prior.precisions[known] / tracks.changes[:, :1]
    return np.maximum((precisions * variances * 2 * m * s ** (2 - 2 * m)) ** (1 / (2 * m - 1)), 1.0)


def _lacking(times: Array) -> int:
    """Frames that an overlap lacks, of the correlation times (n, n_known) of its frames, the farthest last."""
    if not times.size:
        return 0
    return int(np.ceil((np.maximum(0.0, _DECAY - (1 / times).sum(axis=0)) * times[-1]).max()))
