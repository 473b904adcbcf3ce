"""DeepLabCut's tables of long recordings, read by windows of time: a first pass tells what holds for all of a file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ....numerics.arrays import Array
from ...catalogue import recognised
from ...files import HDF5_SUFFIXES, existing
from ...tables.declared_crops import boxes_file
from ...tables.deeplabcut_csv import read_csv_pieces
from ...tables.frame_rows import VARIANCES, PointTable, check_gaps, frames_from_index
from ...tables.h5_arrays import check_hdf5
from ...tables.pandas_h5 import read_pandas_h5
from ..deeplabcut import read_deeplabcut
from ..tracks import Track, in_whole_picture, note_on_rows, score_range, table_to_cube, table_to_track

WINDOW = 10_000  # rows that are held at a time
_SAMPLE = 20_000  # rows spread over a file, by which it is told whether its points are of a part of the picture
_EKS = {name for names in VARIANCES for name in names}


class LongTable(NamedTuple):
    """The points of one camera's file, of which a window is read when it is asked for.

    path : the file
    columns : as `PointTable` has them
    frames : (n_rows,) frame numbers, increasing
    rows : first row, the one after the last and n_columns to (n_rows, n_columns) values
    scores : the lowest and the highest confidence
    sample : points of frames spread over the file
    note : what is changed on reading, or nothing
    """

    path: Path
    columns: list[tuple[str, ...]]
    frames: NDArray[np.int64]
    rows: Callable[[int, int, int], Array]
    scores: tuple[float, float]
    sample: Track
    note: str

    @property
    def n_frames(self) -> int:
        """Frames up to the last one that has a row."""
        return int(self.frames[-1]) + 1

    def window(self, start: int, stop: int) -> Track:
        """The points of some frames; fewer where the last ones have no row."""
        first, end = np.searchsorted(self.frames, [start, stop])
        table = PointTable(
            self.columns, self.rows(int(first), int(end), len(self.columns)), self.frames[first:end] - start
        )
        track = table_to_track(table, table.index, str(self.path), self.scores)
        return in_whole_picture(track, self.path, self.sample)._replace(note=self.note)


def open_long_table(path: Path, folder: Path, held: ExitStack) -> LongTable | None:
    """A table of DeepLabCut's layout to read by windows; None of one that is read whole.

    Those are tables of another kind, with variances, with a part of the picture for each frame, or with rows in
    disorder. The values of a CSV are kept in a file without a name in the folder until `held` is closed.

    Raises
    ------
    FormatError : as `read_track`
    """
    path = existing(path)
    if path.is_dir() or recognised("views", path).reader is not read_deeplabcut or boxes_file(path) is not None:
        return None
    if path.suffix.lower() in HDF5_SUFFIXES:
        return _after_first_pass(path, _hdf5_pieces(path), partial(_hdf5_rows, path))
    kept = held.enter_context(tempfile.TemporaryFile(dir=folder))  # noqa: SIM115 (`held` closes it)
    return _after_first_pass(path, _kept_pieces(path, kept), partial(_kept_rows, kept))


def _after_first_pass(
    path: Path, pieces: Iterator[PointTable], rows: Callable[[int, int, int], Array]
) -> LongTable | None:
    """The table of consecutive pieces, which are looked at once."""
    columns, frames, scores, samples, every = [], [], [], [], 1
    for piece in pieces:
        columns = piece.columns
        if _EKS & {str(column[-1]) for column in columns}:
            return None
        frames.append(frames_from_index(piece.index, str(path)))
        cube = table_to_cube(piece, str(path))[2]
        scores.append(score_range(cube[..., :2], cube[..., 2]))
        samples.append(piece.values[::every].copy())
        if sum(map(len, samples)) > 2 * _SAMPLE:
            samples, every = [np.concatenate(samples)[::2].copy()], 2 * every
    numbers = np.concatenate([np.empty(0, np.int64), *frames])
    if not len(numbers) or (np.diff(numbers) <= 0).any():
        return None
    check_gaps(int(numbers[-1]) + 1, len(numbers), 8 * len(columns), str(path))
    lowest, highest = (limit(own) for limit, own in zip((min, max), zip(*scores, strict=True), strict=True))
    values = np.concatenate(samples)
    order = np.arange(len(values))
    sample = table_to_track(PointTable(columns, values, order), order, str(path), (lowest, highest))
    notes = (note_on_rows(numbers, str(path)), in_whole_picture(sample._replace(note=""), path).note)
    return LongTable(path, columns, numbers, rows, (lowest, highest), sample, "; ".join(filter(None, notes)))


def _hdf5_pieces(path: Path) -> Iterator[PointTable]:
    check_hdf5(path)
    for start in count(0, WINDOW):
        piece = read_pandas_h5(path, slice(start, start + WINDOW))
        yield piece
        if len(piece.values) < WINDOW:
            return


def _hdf5_rows(path: Path, first: int, end: int, n_columns: int) -> Array:
    return read_pandas_h5(path, slice(first, end)).values.reshape(-1, n_columns)


def _kept_pieces(path: Path, kept: BinaryIO) -> Iterator[PointTable]:
    """The pieces of a CSV, whose values are written to a file as they come."""
    for piece in read_csv_pieces(path, WINDOW):
        kept.write(np.ascontiguousarray(piece.values, float).tobytes())
        yield piece


def _kept_rows(kept: BinaryIO, first: int, end: int, n_columns: int) -> Array:
    kept.seek(8 * first * n_columns)
    return np.frombuffer(kept.read(8 * (end - first) * n_columns)).reshape(-1, n_columns)
