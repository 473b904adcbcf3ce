"""What one camera's file of 2D points holds, whichever tool wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from ..files import FormatError
from ..tables.frame_rows import rows_to_frames


class Track(NamedTuple):
    """2D points of one camera.

    keypoints : names
    points_2d : (n_individuals, n_frames, n_keypoints, 2), pixels, NaN where missing
    confidence : (n_individuals, n_frames, n_keypoints), 0-1, 0 where the point is missing; None: the file has none
    individuals : names, or None where the file knows a single animal without a name
    times : (n_frames,) seconds, or None where the file does not say
    """

    keypoints: tuple[str, ...]
    points_2d: Array
    confidence: Array | None
    individuals: tuple[str, ...] | None = None
    times: Array | None = None


def make_track(keypoints, points_2d: Array, confidence: Array | None, individuals=None, times=None) -> Track:
    """A track in the library's terms: both coordinates NaN or neither, confidence within 0-1, 0 where missing.

    Tools whose score is the height of a heatmap's peak give a little more than 1; that is cut off.
    """
    points_2d = np.array(points_2d, dtype=float)
    points_2d[~np.isfinite(points_2d).all(axis=-1)] = np.nan
    if confidence is not None:
        present = ~np.isnan(points_2d[..., 0])
        # a point without a score was placed by a person
        confidence = np.where(np.isnan(confidence), 1.0, np.clip(confidence, 0.0, 1.0)) * present
    return Track(tuple(map(str, keypoints)), points_2d, confidence, individuals, times)


def table_to_track(columns: Sequence[tuple[str, ...]], values: Array, frames: NDArray[np.int64], source: str) -> Track:
    """A table with columns (scorer, [individual,] keypoint, x | y | likelihood) as a track.

    Parameters
    ----------
    columns : one tuple per column; other coordinate names are passed over, as are "single" animals' body-free points
    values : (n_rows, n_columns)
    frames : (n_rows,)

    Raises
    ------
    FormatError : columns are not of this form, a keypoint lacks x or y, or two scorers disagree
    """
    columns = [tuple(map(str, column)) for column in columns]
    if not columns or {len(column) for column in columns} - {3, 4}:
        raise FormatError(f"{source} has columns {columns[:1]}; expected scorer, [individual,] bodypart, coordinate")
    wanted = [i for i, column in enumerate(columns) if column[-1] in ("x", "y", "likelihood")]
    scorers = sorted({columns[i][0] for i in wanted})
    if len(scorers) != 1:
        raise FormatError(f"{source} holds points of {len(scorers)} scorers {scorers}; split it into one file each")
    names = [columns[i][1:-1] if len(columns[i]) == 4 else ("", columns[i][1]) for i in wanted]
    individuals, keypoints = (tuple(dict.fromkeys(parts)) for parts in zip(*names, strict=True))
    place = {(*name, columns[i][-1]): i for name, i in zip(names, wanted, strict=True)}
    cube = np.full((len(individuals), len(values), len(keypoints), 3), np.nan)
    for a, individual in enumerate(individuals):
        for k, keypoint in enumerate(keypoints):
            held = [place.get((individual, keypoint, what)) for what in ("x", "y", "likelihood")]
            if (held[0] is None) != (held[1] is None):
                raise FormatError(f"{source}: keypoint '{keypoint}' has only one of x and y")
            for j, column in enumerate(held):
                if column is not None:
                    cube[a, :, k, j] = values[:, column]
    cube = np.stack([rows_to_frames(table, frames) for table in cube])
    scored = any(what == "likelihood" for *_, what in place)
    return make_track(
        keypoints, cube[..., :2], cube[..., 2] if scored else None, None if individuals == ("",) else individuals
    )
