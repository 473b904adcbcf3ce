"""The 2D points of one camera's file in one form, whichever tool wrote it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...datasets.names import repeated_names
from ...numerics.arrays import Array
from ..files import FormatError
from ..tables.frame_rows import VARIANCES, PointTable, rows_to_frames
from ..video.instants import number_ranges

_COORDINATES = ("x", "y", "likelihood")
_FARTHEST = 1e9  # pixels; squares of larger numbers, and their sums, are soon beyond those a computer has
_MAX_SCORE = 1.5  # the refined height of a heatmap's peak stays below; a percentage or a logit does not


class Track(NamedTuple):
    """2D points of one camera.

    keypoints : names
    points_2d : (n_individuals, n_frames, n_keypoints, 2), pixels, NaN where missing
    confidence : (n_individuals, n_frames, n_keypoints), 0-1; 0 where the point is missing, else 1 if the file has none
    individuals : names, or None where the file holds a single animal without a name
    times : (n_frames,) seconds, or None where the file does not say
    camera : name of the camera where the file holds those of several, else None
    frames : (n_frames,) frame of the camera's video in each row, -1 where it has none; None: the row's own number
    note : what was changed on reading, or nothing
    variances : as points_2d, pixels squared, NaN where missing; None where the file states none
    """

    keypoints: tuple[str, ...]
    points_2d: Array
    confidence: Array
    individuals: tuple[str, ...] | None = None
    times: Array | None = None
    camera: str | None = None
    frames: NDArray[np.int64] | None = None
    note: str = ""
    variances: Array | None = None

    def rearranged(self, change: Callable[[Array], Array], confidence: Array) -> Track:
        """With its points and their variances changed in the same way, and the confidence given."""
        variances = None if self.variances is None else change(self.variances)
        return self._replace(points_2d=change(self.points_2d), confidence=confidence, variances=variances)

    def with_keypoints(self, names: dict[str, str]) -> Track:
        """The keypoints {name: new name} alone, in that order."""
        index = [self.keypoints.index(name) for name in names]
        chosen = self.rearranged(lambda values: values[:, :, index], self.confidence[:, :, index])
        return chosen._replace(keypoints=tuple(names.values()))


class FileRows(NamedTuple):
    """Consecutive rows of one camera's file, as it states them.

    keypoints : names
    values : (n_individuals, n_rows, n_keypoints, 3), x, y and confidence, NaN where missing; or 5, with the variances
        of x and y, NaN where they are not positive
    frames : (n_rows,) frame numbers
    individuals : names; None of one animal without a name
    is_scored : whether the file states confidences
    """

    keypoints: tuple[str, ...]
    values: Array
    frames: NDArray[np.int64]
    individuals: tuple[str, ...] | None = None
    is_scored: bool = True


class CameraRows(NamedTuple):
    """2D points of one camera as they are written: frames that the camera has.

    keypoints, individuals : names; no individuals of one animal
    points_2d : (n_individuals or 1, n_rows, n_keypoints, 2), pixels, NaN where missing
    confidence : (n_individuals or 1, n_rows, n_keypoints), 0-1
    frames : (n_rows,) frame numbers
    """

    keypoints: tuple[str, ...]
    points_2d: Array
    confidence: Array
    frames: NDArray[np.int64]
    individuals: tuple[str, ...] | None = None


def make_track(
    keypoints,
    points_2d: Array,
    confidence: Array | None,
    source: str,
    *,
    individuals=None,
    times=None,
    camera=None,
    scores: tuple[float, float] | None = None,
) -> Track:
    """A track in the library's terms: both coordinates NaN or neither, confidence within 0-1, 0 where missing.

    Tools whose score is the height of a heatmap's peak give a little more than 1; that is cut off.

    scores : the lowest and the highest of the whole recording, where the track is a part of it

    Raises
    ------
    FormatError
        The confidences of the present points are not probabilities: percentages, negative, or all 0; or a coordinate
        is too large to be a place in a picture.
    """
    points_2d = np.array(points_2d, dtype=float)
    points_2d[~np.isfinite(points_2d).all(axis=-1)] = np.nan
    present = ~np.isnan(points_2d[..., 0])
    far = points_2d[np.abs(points_2d) > _FARTHEST]
    if len(far):
        raise FormatError(f"{source} has the coordinate {far[0]:g}, which is no place in a picture; export it again")
    if confidence is None:
        confidence = present.astype(float)
    else:
        _check_scores(*(score_range(points_2d, confidence) if scores is None else scores), source)
        # a point without a score was placed by a person
        confidence = np.where(np.isnan(confidence), 1.0, np.clip(confidence, 0.0, 1.0)) * present
    return Track(tuple(map(str, keypoints)), points_2d, confidence, individuals, times, camera)


def score_range(points_2d: Array, confidence: Array) -> tuple[float, float]:
    """The lowest and the highest score of the points that are there; infinity and its negative where none is."""
    known = confidence[np.isfinite(points_2d).all(axis=-1) & ~np.isnan(confidence)]
    return float(known.min(initial=np.inf)), float(known.max(initial=-np.inf))


def _check_scores(lowest: float, highest: float, source: str) -> None:
    """Refuse scores of such a range, which are no probabilities."""
    if highest > _MAX_SCORE or lowest < 1 - _MAX_SCORE:
        raise FormatError(
            f"{source}: the likelihood goes from {lowest:g} to {highest:g}; it must be between 0 and 1 (divide a"
            " percentage by 100)"
        )
    if highest == 0:
        raise FormatError(f"{source}: the likelihood is 0 everywhere; remove its columns if it was not computed")


def track_of_rows(
    read: Callable[[Path, int | None], Iterator[FileRows]], path: Path, camera: str | None = None
) -> Track:
    """The track of a file whose rows are read all at once; nothing in it depends on the camera's name."""
    (rows,) = read(path, None)
    return rows_to_track(rows, str(path))


def rows_to_track(rows: FileRows, source: str, scores: tuple[float, float] | None = None) -> Track:
    """Rows of a file as a track, each at its frame.

    scores : as for `make_track`

    Raises
    ------
    FormatError
        As `make_track`, or the frame numbers leave gaps that would fill the memory.
    """
    values = np.stack([rows_to_frames(own, rows.frames, source) for own in rows.values])
    confidence = values[..., 2] if rows.is_scored else None
    names = rows.individuals
    track = make_track(rows.keypoints, values[..., :2], confidence, source, individuals=names, scores=scores)
    variances = values[..., 3:] if values.shape[-1] > 3 else None
    return track._replace(variances=variances, note=note_on_rows(rows.frames, source))


def table_to_rows(table: PointTable, frames: NDArray[np.int64], source: str) -> FileRows:
    """A table's columns by individual and keypoint.

    Raises
    ------
    FormatError
        As `_cube`.
    """
    individuals, keypoints, cube, is_scored = _cube(table, source)
    variances = _variances(table, [tuple(map(str, column)) for column in table.columns], individuals, keypoints)
    values = cube if variances is None else np.concatenate([cube, variances], axis=-1)
    return FileRows(keypoints, values, frames, None if individuals == ("",) else individuals, is_scored)


def _cube(table: PointTable, source: str) -> tuple[tuple[str, ...], tuple[str, ...], Array, bool]:
    """Individuals ("" where the table names none), keypoints, their x, y, likelihood, and whether it has likelihoods.

    The values are (n_individuals, n_rows, n_keypoints, 3), NaN where missing.

    Raises
    ------
    FormatError
        Columns are not (scorer, [individual,] keypoint, coordinate), a keypoint lacks x or y, the points are 3D, or
        two scorers are in the table.
    """
    columns = [tuple(map(str, column)) for column in table.columns]
    if not columns or {len(column) for column in columns} - {3, 4}:
        raise FormatError(f"{source} has columns {columns[:1]}; expected scorer, [individual,] bodypart, coordinate")
    if any(column[-1] == "z" for column in columns):
        raise FormatError(f"{source} holds 3D points (x, y, z) where 2D points of one camera are expected")
    wanted = [i for i, column in enumerate(columns) if column[-1] in _COORDINATES]
    scorers = sorted({columns[i][0] for i in wanted})
    if len(scorers) != 1:
        raise FormatError(f"{source} holds points of {len(scorers)} scorers {scorers}; split it into one file each")
    repeated = repeated_names("/".join(columns[i]) for i in wanted)
    if repeated:
        raise FormatError(f"{source} has the column {repeated[0]} more than once; give each keypoint its own name")
    place = {(*_animal_and_keypoint(columns[i]), columns[i][-1]): i for i in wanted}
    individuals, keypoints = (tuple(dict.fromkeys(parts)) for parts in list(zip(*place, strict=True))[:2])
    cube = np.full((len(individuals), len(table.values), len(keypoints), 3), np.nan)
    for a, individual in enumerate(individuals):
        for k, keypoint in enumerate(keypoints):
            held = [place.get((individual, keypoint, coordinate)) for coordinate in _COORDINATES]
            if (held[0] is None) != (held[1] is None):
                raise FormatError(f"{source}: keypoint '{keypoint}' has only one of x and y")
            for j, column in enumerate(held):
                if column is not None:
                    cube[a, :, k, j] = table.values[:, column]
    return individuals, keypoints, cube, any(coordinate == "likelihood" for *_, coordinate in place)


def note_on_rows(frames: NDArray[np.int64], source: str) -> str:
    """Frames without a row; tools that count from one leave out frame 0, and delay every point by a frame."""
    missing = np.setdiff1d(np.arange(frames.max(initial=-1) + 1), frames)
    if not len(missing):
        return ""
    if len(missing) > 1 or missing[0] > 0:
        return f"{Path(source).name} has no row for {len(missing)} frames ({number_ranges(missing)}): they are gaps"
    return (
        f"the rows of {Path(source).name} are numbered from 1, so that frame 0 is missing; if its first row is of the"
        " video's first frame, number them from 0"
    )


def _variances(
    table: PointTable, columns: list[tuple[str, ...]], individuals: tuple[str, ...], keypoints: tuple[str, ...]
) -> Array | None:
    """(n_individuals, n_rows, n_keypoints, 2) pixels squared, NaN where not positive; None without such columns."""
    place = {(*_animal_and_keypoint(column), column[-1]): i for i, column in enumerate(columns)}
    for names in VARIANCES:
        held = [[[place.get((a, k, name), -1) for name in names] for k in keypoints] for a in individuals]
        if min(i for of_animal in held for pair in of_animal for i in pair) >= 0:
            values = np.moveaxis(table.values[:, np.array(held)], 0, 1)
            return np.where(values > 0, values, np.nan)
    return None


def _animal_and_keypoint(column: tuple[str, ...]) -> tuple[str, str]:
    """Of (scorer, [individual,] keypoint, coordinate); the individual is empty where the table names none."""
    return (column[1], column[2]) if len(column) == 4 else ("", column[1])
