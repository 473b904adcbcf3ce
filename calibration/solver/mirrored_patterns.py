"""Decide whether a mirrored pattern is a two-sided board seen from behind or a flipped video.

A single view of a plane cannot distinguish the two: each explains the same pixels with another pose. Over several
frames only one of them moves rigidly with the other cameras' views.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...cameras import Camera
from ...numerics.arrays import Array
from ..boards.patterns import Board
from ..errors import CalibrationError
from .initial_poses import MIN_PAIR_VIEWS, board_outline, plane_poses, relative_pose

_CLEARLY = 0.6  # share of the other choice's error that the better choice may have at most


def flip_corners(corners: Array, width: int) -> Array:
    """Corners (..., 2) of the horizontally flipped image."""
    return np.stack([width - 1 - corners[..., 0], corners[..., 1]], axis=-1)


def mostly_mirrored(seen: NDArray[np.bool_], mirrored: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n_cameras,) cameras that show the mirrored pattern in at least 80 % of the frames (n_cameras, n_frames).

    A few plain sights among them are false: grazing views, in which a flipped marker was taken for another one.
    """
    return np.any(seen, axis=1) & ((mirrored & seen).sum(axis=1) >= 0.8 * seen.sum(axis=1))


def decide_flips(
    board: Board, cameras: list[Camera], corners: Array, mirrored: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Which cameras' videos are flipped, (n_cameras,), and sentences that say what was decided.

    Parameters
    ----------
    cameras : their first lenses; where these are guessed, the principal points lie in the middle
    corners : (n_cameras, n_frames, n_corners, 2), pixels as stored
    mirrored : (n_cameras, n_frames) frames that show the pattern's mirror image

    Raises
    ------
    CalibrationError : a camera sees only the mirrored pattern and no other camera settles why
    """
    seen = np.asarray(np.isfinite(corners).any(axis=(2, 3)))
    always = mostly_mirrored(seen, mirrored)
    if not always.any():
        return always, ()
    corners = np.where((always[:, None] & ~mirrored)[..., None, None], np.nan, corners)
    names, flipped, notes = [camera.name for camera in cameras], np.zeros(len(cameras), bool), []
    known = {int(c): _poses(corners[c], board, cameras[c]) for c in np.flatnonzero(~always)}
    open_ = [int(c) for c in np.flatnonzero(always)]
    while open_:
        tried = [_compare(corners[c], board, cameras[c], known) for c in open_]
        clear = [min(errors) / max(max(errors), 1e-12) if np.isfinite(errors).all() else np.inf for errors in tried]
        best = int(np.argmin(clear))
        if clear[best] > _CLEARLY:
            raise CalibrationError(_unresolved(names, open_, bool(known)))
        c = open_.pop(best)
        flipped[c] = tried[best][1] < tried[best][0]
        own = flip_corners(corners[c], cameras[c].size[0]) if flipped[c] else corners[c]
        known[c] = _poses(own, board, cameras[c])
        what = "its video is flipped (K[0, 0] < 0)" if flipped[c] else "it sees the back of the board"
        notes.append(f"camera '{names[c]}' shows the pattern mirrored: by the other cameras, {what}")
    return flipped, tuple(notes)


def _poses(corners: Array, board: Board, camera: Camera) -> tuple[Array, Array]:
    """R (n_frames, 2, 3, 3) and t (n_frames, 2, 3) of `plane_poses`."""
    return plane_poses(corners, board.points, camera)[:2]


def _compare(corners: Array, board: Board, camera: Camera, known) -> tuple[float, float]:
    """Disagreement with the known cameras if the camera sees the board's back, and if its video is flipped."""
    errors, outline = [], board_outline(board)
    for own in (corners, flip_corners(corners, camera.size[0])):
        poses = _poses(own, board, camera)
        fits = [relative_pose(poses, other, outline) for other in known.values()]
        enough = [fit.error for fit in fits if fit is not None and fit.n_shared >= MIN_PAIR_VIEWS]
        errors.append(float(np.median(enough)) if enough else np.inf)
    return errors[0], errors[1]


def _unresolved(names: list[str], cameras: list[int], any_plain: bool) -> str:
    """The message that a mirrored pattern cannot be explained."""
    which = ", ".join(f"'{names[c]}'" for c in cameras)
    which = f"camera {which} shows" if len(cameras) == 1 else f"cameras {which} show"
    why = (
        "too few frames are shared with cameras that see it plainly"
        if any_plain
        else "no camera sees it plainly, so a flipped video cannot be distinguished from the back of the board"
    )
    return (
        f"{which} the board's pattern mirrored, and {why}; flip the video (or the print), or record the"
        " board where another camera sees its front at the same time"
    )
