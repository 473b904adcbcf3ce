"""Where in the whole picture the points of a file lie, from what the files beside it declare."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ....numerics.arrays import Array
from ..tracks import Track
from .declared_crops import declared_corners
from .resized_pictures import Resizing, declared_resizing


class Placement(NamedTuple):
    """Where in the whole picture the points of a file lie.

    resizing : of the pictures that the points were found in; None where they were not resized
    corners : (2,) or (n_frames, 2) pixels, the corner that they are counted from; None: the picture's
    """

    resizing: Resizing | None = None
    corners: Array | None = None

    def of(self, frames: slice | NDArray[np.int64]) -> Placement:
        """That of some frames."""
        if self.corners is None or self.corners.ndim == 1:
            return self
        return self._replace(corners=self.corners[frames])


def placement(track: Track, path: Path, frames: NDArray[np.int64] | None = None, n_frames: int = 0) -> Placement:
    """What the files beside a file of 2D points declare of the pictures, as far as its points bear it out.

    frames, n_frames : of which frames of the file the track is, and their number, where it is a part of it
    """
    resizing = declared_resizing(path, track.points_2d)
    points_2d = _unresized(track, path, resizing).points_2d
    rows = np.arange(points_2d.shape[1]) if frames is None else frames
    return Placement(resizing, declared_corners(path, points_2d, rows, n_frames or len(rows)))


def in_whole_picture(track: Track, path: Path, found: Placement | None = None) -> Track:
    """The points of a file in pixels of the whole picture, with a note where they were not."""
    found = placement(track, path) if found is None else found
    return _beyond_corner(_unresized(track, path, found.resizing), path, found.corners)


def _unresized(track: Track, path: Path, found: Resizing | None) -> Track:
    """Points that Lightning Pose left in pixels of the picture that its network saw."""
    if found is None:
        return track
    factor = np.array(found.whole) / np.array(found.resized)
    sizes = [f"{width:g}x{height:g}" for width, height in (found.resized, found.whole)]
    note = (
        f"the points of {path.name} lie within the {sizes[0]} px that Lightning Pose resized its pictures to"
        f" ({found.config.name}); they were stretched to the {sizes[1]} px before that. If they were of these already,"
        " move that file away"
    )
    variances = None if track.variances is None else track.variances * factor**2
    return _noted(track._replace(points_2d=track.points_2d * factor, variances=variances), note)


def _beyond_corner(track: Track, path: Path, corners: Array | None) -> Track:
    """Points that a tool counted from the corner of a part of the picture."""
    if corners is None:
        return track
    x, y = np.atleast_2d(corners)[0]
    moves = "" if corners.ndim == 1 else " in the first frame"
    note = f"the points of {path.name} were counted from the corner ({x:g}, {y:g}) of a part of the picture{moves}"
    moved: Array = track.points_2d + (corners if corners.ndim == 1 else corners[:, None])
    return _noted(track._replace(points_2d=moved), f"{note}, as the files beside it say: they are of the whole now")


def _noted(track: Track, note: str) -> Track:
    return track._replace(note="; ".join(filter(None, (track.note, note))))
