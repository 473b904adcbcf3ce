"""Delays and camera poses of a recording too long for the memory: told by stretches of it, removed piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...datasets import frame_times
from ...datasets.builders import fps_of
from ...datasets.stretches import joined
from ...numerics.arrays import Array
from .frame_shift import shift_frames

# points per camera that are searched: delays are known to some 0.001 frames then, and a pose is fitted to 4000 points
_SAMPLED = 400_000
_STRETCHES = 40  # that they come from: windows in which a camera's movement is looked for, evenly over the recording
_APART_SECONDS = 0.5  # of missing frames between two stretches: the longest delay that is tried compares none of both
_PIECE = 20_000  # frames of the recording in memory at a time


@dataclass(frozen=True, eq=False)
class Sample:
    """Consecutive frames of a long recording in several stretches, between which frames are missing.

    views : the sampled views at an even frame rate, delays of the recording removed
    frames : (n_rows,) frame of the recording that each row is; of a missing row the frame that the next stretch begins
    spacing : frames from the beginning of one stretch to that of the next
    n_known : rows that are frames of the recording
    """

    views: xr.Dataset
    frames: NDArray[np.int64]
    spacing: int
    n_known: int


def sampled(views: xr.Dataset, offsets: Array) -> Sample:
    """Stretches evenly spread over opened views, the offsets (n_cameras, n_frames) removed.

    A recording that is no longer than the sample is one stretch.
    """
    n_frames, fps = views.sizes["time"], fps_of(views)
    n_points = views.sizes["keypoint"] * views.sizes.get("individual", 1)
    length = max(1, _SAMPLED // (n_points * _STRETCHES))
    if length * _STRETCHES >= n_frames:
        return Sample(shifted(views, 0, n_frames, offsets), np.arange(n_frames), n_frames, n_frames)
    apart = min(length, int(np.ceil(_APART_SECONDS * fps)))
    starts = np.linspace(0, n_frames - length, _STRETCHES).astype(np.int64)
    rows = np.concatenate([np.r_[[start] * apart, start : start + length] for start in starts.tolist()])[apart:]
    pieces = [shifted(views, start, start + length, offsets) for start in starts.tolist()]
    whole = joined([_at_rows(piece, i * (length + apart), fps) for i, piece in enumerate(pieces)])
    whole = whole.reindex(time=frame_times(len(rows), fps), method="nearest", tolerance=0.1 / fps)
    whole = whole.assign(confidence=whole["confidence"].fillna(0.0))
    return Sample(whole, rows, int(starts[1] - starts[0]), length * _STRETCHES)


def _at_rows(piece: xr.Dataset, first: int, fps: float) -> xr.Dataset:
    return piece.assign_coords(time=(first + np.arange(piece.sizes["time"])) / fps)


def shifted(views: xr.Dataset, start: int, stop: int, offsets: Array) -> xr.Dataset:
    """Frames of opened views as synchronous cameras would have seen them (`shift_frames`), read as far as needed.

    offsets : (n_cameras, n_frames), frames, of the whole recording
    """
    own = offsets[:, start:stop]
    low = max(0, start + min(0, int(np.floor(own.min(initial=0.0)))))
    high = min(views.sizes["time"], stop + max(0, int(np.ceil(own.max(initial=0.0)))))
    piece = views.isel(time=slice(low, high)).load()
    piece = shift_frames(piece, offsets[:, low:high]) if own.any() else piece
    return piece.isel(time=slice(start - low, stop - low)).copy(deep=True)  # a slice of an array keeps all of it


def shifted_pieces(views: xr.Dataset, offsets: Array) -> Iterator[xr.Dataset]:
    """All of opened views without the offsets (n_cameras, n_frames), one stretch of time after the other."""
    n_frames = views.sizes["time"]
    for start in range(0, n_frames, _PIECE):
        yield shifted(views, start, min(start + _PIECE, n_frames), offsets)
