"""A board that stands still shows the same view again and again: its frames count as one.

The errors of a corner finder depend on where in a pixel a corner lies, and on how the board leans: frames of a standing
board repeat them, so that many such frames are no more knowledge than one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from ...numerics.robust_scale import present_mean
from .recordings import Timeline

_STILL = 0.25  # pixels, root mean square over a view's corners: errors of finders change over some tenths of a pixel
_LEAST_VIEWS = 10  # different ones: with fewer, what is missing is motion, and nothing is put together


def standing_frames(corners: Array, timeline: Timeline) -> NDArray[np.int64]:
    """(n_frames,) the frame whose view each one repeats: the middle one of a stretch in which no camera sees motion.

    corners (n_cameras, n_frames, n_corners, 2), pixels, NaN where unseen; a frame without a board stands for itself.
    """
    shown = np.isfinite(corners[..., 0])
    n_frames = corners.shape[1]
    stands_for = np.arange(n_frames)
    stretch, seen = [0], shown.any(axis=-1)
    candidates = _alike(corners, shown, np.arange(1, n_frames), np.arange(n_frames - 1))
    candidates &= np.diff(timeline.recording_of) == 0
    for frame in range(1, n_frames + 1):
        if (
            frame < n_frames
            and candidates[frame - 1]
            and _alike(corners, shown, np.array([frame]), np.array([stretch[0]]))[0]
        ):
            stretch.append(frame)
            continue
        stands_for[stretch] = stretch[len(stretch) // 2]
        stretch = [frame]
    n_views = len(np.unique(stands_for[seen.any(axis=0)]))
    return stands_for if n_views >= _LEAST_VIEWS else np.arange(n_frames)


def _alike(corners: Array, shown: NDArray[np.bool_], frames, others) -> NDArray[np.bool_]:
    """Whether the same cameras see the board at the same places in `frames` and in `others`."""
    both = shown[:, frames] & shown[:, others]
    square = ((corners[:, frames] - corners[:, others]) ** 2).sum(axis=-1)
    total, n = np.where(both, square, 0.0).sum(axis=-1), both.sum(axis=-1)
    same = shown[:, frames].any(axis=-1) == shown[:, others].any(axis=-1)
    still = total <= _STILL**2 * n
    return (same & still).all(axis=0) & both.any(axis=(0, 2))


def standing_means(corners: Array, stands_for: NDArray[np.int64]) -> Array:
    """The corners with each standing board's views averaged into the frame that stands for them, NaN in the others."""
    merged = corners.copy()
    for frame in np.flatnonzero(np.bincount(stands_for, minlength=len(stands_for)) > 1):
        merged[:, stands_for == frame] = np.nan
        merged[:, frame] = present_mean(corners[:, stands_for == frame], 1)
    return merged


def standing_sentence(stands_for: NDArray[np.int64]) -> tuple[str, ...]:
    """A note where frames repeat one another's view."""
    n_frames, n_views = len(stands_for), len(np.unique(stands_for))
    if n_views == n_frames:
        return ()
    sizes = np.unique(stands_for, return_counts=True)[1]
    repeated = sizes[sizes > 1]
    return (
        f"the board stood still in {repeated.sum()} of {n_frames} frames, in {len(repeated)} place"
        f"{'s' if len(repeated) > 1 else ''}: each place counts as one view",
    )
