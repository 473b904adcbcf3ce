"""Points of long recordings on the disk, of which windows are read: a first pass tells what holds for all of a file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ....datasets.size_limit import beyond_memory
from ....numerics.arrays import Array
from ...catalogue import rows_of
from ...files import FormatError, check_size, existing, stored_bytes, unchanged
from ...tables.frame_rows import check_gaps
from ..picture_parts.placed_points import Placement, in_whole_picture, placement
from ..reading import read_track
from ..tracks import FileRows, Track, note_on_rows, rows_to_track, score_range

WINDOW = 10_000  # rows that are held at a time
_SAMPLE = 5000  # rows at least, spread over a file, by which it is told whether its points are of a part of the picture
# bytes of memory per byte of a file that is read whole; seen (docs/cost.md): 2 (JARVIS) to 5 (netCDF)
READ_WHOLE = 5.0


class _Part(NamedTuple):
    """Where a file's rows lie on the disk: the first one's number, the shape of their values, the place in bytes."""

    first: int
    shape: tuple[int, ...]
    place: int


class KeptTrack(NamedTuple):
    """The points of one camera's file, of which a window is read when it is asked for.

    path : the file
    sample : points of frames spread over the file, in the whole picture; with the times and the camera that it states
    numbers : (n_frames,) frame of the camera's video in each frame, or None: its own number
    frames : (n_rows,) frame numbers, increasing
    parts, kept : the values
    is_scored, scores : whether the file states confidences; the lowest and the highest
    placed : where its points lie in the picture
    """

    path: Path
    sample: Track
    numbers: NDArray[np.int64] | None
    frames: NDArray[np.int64]
    parts: list[_Part]
    kept: BinaryIO
    is_scored: bool
    scores: tuple[float, float]
    placed: Placement

    @property
    def n_frames(self) -> int:
        """Frames up to the last one that has a row."""
        return int(self.frames[-1]) + 1 if len(self.frames) else 0

    def window(self, start: int, stop: int) -> Track:
        """The points of some frames; fewer where the last ones have no row."""
        first, end = (int(i) for i in np.searchsorted(self.frames, [start, stop]))
        rows = FileRows(
            self.sample.keypoints,
            self._values(first, end),
            self.frames[first:end] - start,
            self.sample.individuals,
            self.is_scored,
        )
        track = rows_to_track(rows, str(self.path), self.scores)
        track = in_whole_picture(track, self.path, self.placed.of(slice(start, start + track.points_2d.shape[1])))
        numbers = None if self.numbers is None else self.numbers[start:stop]
        return track._replace(note=self.sample.note, camera=self.sample.camera, frames=numbers)

    def _values(self, first: int, end: int) -> Array:
        """(n_individuals, end - first, n_keypoints, n) values of some rows, missing where an individual has none."""
        n_individuals, _, n_keypoints, n = max(part.shape for part in self.parts)
        values = np.full((n_individuals, end - first, n_keypoints, n), np.nan)
        for at, shape, place in self.parts:
            own = slice(max(first, at), min(end, at + shape[1]))
            if own.start >= own.stop or not shape[0]:
                continue
            self.kept.seek(place)
            part = np.frombuffer(self.kept.read(8 * int(np.prod(shape)))).reshape(shape)
            values[: shape[0], own.start - first : own.stop - first] = part[:, own.start - at : own.stop - at]
        return values


def keep_track(source: str | os.PathLike, camera: str, kept: BinaryIO) -> KeptTrack:
    """The points of a camera's file, written to the end of another one's values.

    A file that is read whole (see `Format.by_rows`), or whose rows are in disorder, is held in memory meanwhile.

    Raises
    ------
    FormatError
        As `read_track`; or a file that would be held in memory is larger than that.
    """
    path = existing(source)
    rows = rows_of("views", path, WINDOW)
    with unchanged(path):
        found = None if rows is None else _after_first_pass(path, rows, kept)
    return _of_whole_file(path, camera, kept) if found is None else found


def _of_whole_file(path: Path, camera: str, kept: BinaryIO) -> KeptTrack:
    if reason := beyond_memory(READ_WHOLE * stored_bytes(path), f"files of the kind of {path.name} are"):
        raise FormatError(f"{path}: {reason}; or convert it: DeepLabCut's and SLEAP's tables are read by windows")
    track = read_track(path, camera)
    variances = [] if track.variances is None else [track.variances]
    values = np.concatenate([track.points_2d, track.confidence[..., None], *variances], axis=-1)
    n_frames = values.shape[1]
    pieces = (
        FileRows(track.keypoints, values[:, own], np.arange(n_frames)[own], track.individuals)
        for own in (slice(start, start + WINDOW) for start in range(0, max(n_frames, 1), WINDOW))
    )
    found = _after_first_pass(path, pieces, kept, Placement())
    assert found is not None  # its rows are in order
    sample = found.sample._replace(note=track.note, camera=track.camera, times=track.times)
    return found._replace(sample=sample, numbers=track.frames)


def _after_first_pass(
    path: Path, pieces: Iterable[FileRows], kept: BinaryIO, placed: Placement | None = None
) -> KeptTrack | None:
    """The track of consecutive pieces, which are looked at once; None of rows in disorder."""
    parts, numbers, scores, samples, every, last = [], [], [], [], 1, -1
    most: FileRows | None = None
    for piece in pieces:
        if len(piece.frames) and (piece.frames[0] <= last or (np.diff(piece.frames) <= 0).any()):
            return None
        last = int(piece.frames[-1]) if len(piece.frames) else last
        most = piece if most is None or len(piece.values) > len(most.values) else most
        parts.append(_Part(sum(map(len, numbers)), piece.values.shape, kept.seek(0, 2)))
        kept.write(np.ascontiguousarray(piece.values, float).tobytes())
        numbers.append(piece.frames)
        scores.append(score_range(piece.values[..., :2], piece.values[..., 2]))
        samples.append(piece._replace(values=piece.values[:, ::every].copy(), frames=piece.frames[::every]))
        if sum(len(own.frames) for own in samples) > 2 * _SAMPLE:
            samples, every = [_joined(samples, most, 2)], 2 * every
    if most is None:
        return None
    frames, limits = np.concatenate(numbers), (min(low for low, _ in scores), max(high for _, high in scores))
    row_bytes = 8 * int(np.prod([most.values.shape[i] for i in (0, 2, 3)]))
    check_gaps(last + 1, len(frames), row_bytes, str(path))
    check_size(row_bytes * min(last + 1, WINDOW), sum(8 * int(np.prod(part.shape)) for part in parts), str(path))
    seen = _joined(samples, most, 1)
    sample = rows_to_track(seen._replace(frames=np.arange(len(seen.frames))), str(path), limits)
    if placed is None:
        placed = placement(sample, path, seen.frames, last + 1)
        sample = in_whole_picture(sample, path, placed.of(seen.frames))
        sample = sample._replace(note="; ".join(filter(None, (note_on_rows(frames, str(path)), sample.note))))
    return KeptTrack(path, sample, None, frames, parts, kept, most.is_scored, limits, placed)


def _joined(pieces: list[FileRows], most: FileRows, every: int) -> FileRows:
    """Every n-th row of consecutive pieces, with the individuals of the one that has most."""
    shape = most.values.shape
    frames = np.concatenate([piece.frames for piece in pieces])
    values = np.full((shape[0], len(frames), *shape[2:]), np.nan)
    start = 0
    for piece in pieces:
        stop = start + len(piece.frames)
        if len(piece.values):
            values[: len(piece.values), start:stop] = piece.values
        start = stop
    return most._replace(values=values[:, ::every].copy(), frames=frames[::every])
