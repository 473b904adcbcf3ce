"""Movement that is not the same all the time: times at which an animal rests or runs, and jumps of the whole body.

The variance of the difference that begins at a frame is that of the keypoint times an activity of that frame, the same
for all keypoints, plus what a jump adds. Both are found from the disturbances of the smoothed tracks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from ...numerics.robust_scale import present_median

_JUMP = 10.0  # log odds against a jump at some frame, of some size
_ACTIVITY_STD = 2.0  # of the logarithm of the activity, a variance: speeds of rest and run differ by a factor of e
_ACTIVITY_SECONDS = 1.0  # over which the activity's logarithm keeps 1 / e of its size: longer than a stride
_CUT = 10.0  # times as fast as within a second around it: what no animal does from one frame to the next
_CUT_STAYS = 0.25  # of that second, on either side, in which the animal stays where it was and where it is
_FURTHEST = 2.0  # change of the logarithm in one round

LOG_LEVELS = np.arange(-12.0, 12.1, 2.0)  # logarithms of the activities for which tables say what passes a smoother
USUAL = len(LOG_LEVELS) // 2  # the level of activity one


def frames_of_activity(fps: float) -> float:
    """Frames over which the activity's logarithm keeps 1 / e of its size."""
    return _ACTIVITY_SECONDS * fps


def steady(lengths: Sequence[int], order: int) -> Array:
    """(n_frames, 2) the activity at each frame and what is added to the variance of the difference that begins there:
    one and nothing, and infinity where a stretch ends before it does."""
    added = np.concatenate([np.where(np.arange(n) < n - order, 0.0, np.inf) for n in lengths])
    return np.stack([np.ones_like(added), added], axis=1)


def between_cuts(points_3d: Array, lengths: Sequence[int], activity_frames: float) -> list[int]:
    """Lengths of the stretches of recordings, each divided where the whole animal is elsewhere from one frame to the
    next, by more than its own extent, and stays there: joined films, or an animal that was set down elsewhere.

    Parameters
    ----------
    points_3d : (n_frames, n_keypoints, 3) robust points, NaN where unknown
    lengths : of the stretches that follow each other in the arrays
    activity_frames : of `frames_of_activity`
    """
    divided, start = list[int](), 0
    for n in lengths:
        cuts = _cuts(points_3d[start : start + n], round(activity_frames))
        divided += np.diff([0, *cuts, n]).tolist()
        start += n
    return divided


def _cuts(points_3d: Array, n_around: int) -> list[int]:
    """Frames at which the animal is elsewhere than in the last frame in which it was located, judged by so many frames
    on either side."""
    located = np.flatnonzero(np.isfinite(points_3d[..., 0]).sum(axis=1) >= 3)
    if len(located) < 2:
        return []
    middle = present_median(points_3d[located], axis=1)
    extent = 2 * float(present_median(np.linalg.norm(points_3d[located] - middle[:, None], axis=-1)))
    step = np.linalg.norm(np.diff(middle, axis=0), axis=1)
    speed, around, beside = step / np.diff(located), max(2, n_around), max(2, round(_CUT_STAYS * n_around))
    cuts = list[int]()
    for i in np.flatnonzero(step > extent):
        before, after = middle[max(0, i + 1 - beside) : i + 1], middle[i + 1 : i + 1 + beside]
        others = np.delete(speed[max(0, i - around) : i + around + 1], min(i, around))
        stays = np.linalg.norm(np.median(before, axis=0) - np.median(after, axis=0)) > extent
        if stays and min(len(before), len(after)) > 1 and speed[i] > _CUT * np.median(others):
            cuts.append(int(located[i + 1]))
    return cuts


def row_precisions(precisions: Array, changes: Array) -> Array:
    """(n_frames, n_keypoints) precision of the difference that begins at each frame, with `changes` as of `steady`."""
    return 1 / (changes[:, :1] / np.maximum(precisions, 1e-300) + changes[:, 1:])


def disturbances(changes: Array, differences: Array, precisions: Array) -> tuple[Array, Array]:
    """(n_frames,) twice: the smoothed disturbances' squares in all keypoints' coordinates over the variances that the
    keypoints' precisions give these differences, and what the prior expects of that.

    Of a track's smoothed disturbance u = P Dx, whose variance is N = P - P² Var(Dx) if the prior is right.
    """
    rows = row_precisions(precisions, changes)
    known = np.isfinite(differences[..., 0]) & (rows > 0)
    own = changes[:, :1] / np.maximum(precisions, 1e-300)
    squares, spread = _disturbances(differences, rows, known)
    found, expected = ((own * part).sum(axis=1, where=known) for part in (squares, 3 * spread))
    return found, expected


def with_activity(
    changes: Array, differences: Array, precisions: Array, activity_frames: float, disturbed: float = 1.0
) -> Array:
    """`changes` with an activity nearer to the most probable one: a round of Newton's method between two smoothings.

    With respect to the logarithm of a part v of a difference's variance, the log evidence has the derivative
    (u² - N) v / 2 per coordinate, exactly; see `disturbances`. The activity's logarithm is an Ornstein-Uhlenbeck
    process about 0.

    Parameters
    ----------
    differences : (n_frames, n_keypoints, 2) of `smooth_tracks`
    activity_frames : over which the process keeps 1 / e of its size
    disturbed : the disturbances of the whole recording over what the prior expects: less than 1 where errors last,
        which the smoother takes for fewer white ones
    """
    from scipy.linalg import solveh_banded

    found, expected = disturbances(changes, differences, precisions)
    expected = disturbed * expected
    log, keep = np.log(changes[:, 0]), np.exp(-1 / activity_frames)
    scale = 1 / (_ACTIVITY_STD**2 * (1 - keep**2))
    process = np.stack([np.full(len(log), -scale * keep), np.full(len(log), scale * (1 + keep**2))])  # banded
    process[1, [0, -1]] = scale
    pull = process[1] * log
    pull[1:] += process[0, 1:] * log[:-1]
    pull[:-1] += process[0, 1:] * log[1:]
    process[1] += 0.5 * np.maximum(found, expected)
    step = np.clip(solveh_banded(process, 0.5 * (found - expected) - pull), -_FURTHEST, _FURTHEST)
    return np.stack([np.exp(np.clip(log + step, *LOG_LEVELS[[0, -1]])), changes[:, 1]], axis=1)


def at_activity(table: Array, activity: Array) -> Array:
    """(n_frames, n_keypoints) what a table (n_levels, n_keypoints) of positive values has at activities (n_frames,)."""
    step = LOG_LEVELS[1] - LOG_LEVELS[0]
    place = np.clip((np.log(activity) - LOG_LEVELS[0]) / step, 0, len(LOG_LEVELS) - 1)
    low = np.minimum(place.astype(int), len(LOG_LEVELS) - 2)
    share = (place - low)[:, None]
    log = np.log(np.maximum(table, 1e-300))
    return np.exp((1 - share) * log[low] + share * log[low + 1])


def _disturbances(differences: Array, rows: Array, known: NDArray[np.bool_]) -> tuple[Array, Array]:
    """(n_frames, n_keypoints) twice: squares of the smoothed disturbances, and the variance of a coordinate."""
    squares = np.where(known, rows**2 * differences[..., 0], 0.0)
    return squares, np.where(known, np.maximum(rows - rows**2 * differences[..., 1], 0.0), 0.0)


def with_jumps(changes: Array, differences: Array, precisions: Array, order: int) -> Array:
    """`changes`, with more added where the whole body was accelerated at once, found from all keypoints' differences.

    A track's smoothed disturbance u = P Dx has the variance N = P - P² Var(Dx) if the prior is right, and
    a further variance a of that difference changes the log evidence by -log(1 + a N) / 2 + a u² / (1 + a N) / 2 per
    coordinate, exactly (auxiliary residuals: Harvey and Koopman 1992; de Jong and Penzer 1998). The largest of some
    neighbouring gains is taken, if it pays for its own prior probability.

    Parameters
    ----------
    differences : (n_frames, n_keypoints, 2) of `smooth_tracks`
    """
    from scipy.ndimage import maximum_filter1d

    rows = row_precisions(precisions, changes)
    known = np.isfinite(differences[..., 0]) & (rows > 0)
    squares, spread = _disturbances(differences, rows, known)
    excess = (squares / np.maximum(spread, 1e-300)).sum(axis=1, where=spread > 1e-9 * rows)
    candidates = np.flatnonzero(excess > 3 * known.sum(axis=1) + 2 * _JUMP)
    if not len(candidates):
        return changes
    size = 1 / np.median(precisions[precisions > 0])
    grid = size * np.geomspace(1e-2, 1e6, 50)
    n, u = spread[candidates, :, None], squares[candidates, :, None]
    gains = (-1.5 * np.log1p(grid * n) + 0.5 * grid * u / (1 + grid * n)).sum(axis=1)
    gain = np.zeros(len(changes))
    gain[candidates] = gains.max(axis=1)
    peaks = (gain >= maximum_filter1d(gain, 2 * order + 3)) & (gain > _JUMP)
    more = np.zeros(len(changes))
    more[candidates] = grid[gains.argmax(axis=1)]
    return np.stack([changes[:, 0], changes[:, 1] + np.where(peaks, more, 0.0)], axis=1)
