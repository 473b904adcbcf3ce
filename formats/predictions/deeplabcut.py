"""DeepLabCut's tables of one camera (CSV, HDF5), whose layout Lightning Pose and EKS share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..tables.deeplabcut_csv import read_csv_pieces, write_deeplabcut_csv
from ..tables.frame_rows import PointTable, frames_from_index
from ..tables.h5_arrays import check_hdf5
from ..tables.pandas_h5 import read_pandas_h5_pieces
from ..tables.pandas_h5_writing import write_pandas_h5
from .tracks import CameraRows, FileRows, table_to_rows

SCORER = "muybridge"
_LIGHTNING_POSE = "heatmap_tracker"


def deeplabcut_rows(path: Path, n_rows: int | None = None) -> Iterator[FileRows]:
    """Read the points of a table, each row at its frame, so many rows after the other; None: all at once.

    Raises
    ------
    FormatError
        The file is no such table, is cut off, or a row has no frame number.
    """
    for table in point_tables(path, n_rows):
        yield table_to_rows(table, frames_from_index(table.index, str(path)), str(path))


def point_tables(path: Path, n_rows: int | None = None) -> Iterator[PointTable]:
    """A CSV or HDF5 table in DeepLabCut's layout, so many rows after the other; None: all at once.

    Raises
    ------
    FormatError
        The file is no such table, or is cut off.
    """
    if path.suffix.lower() == ".csv":
        return read_csv_pieces(path, n_rows)
    check_hdf5(path)
    return read_pandas_h5_pieces(path, n_rows)


def write_csv(rows: CameraRows, path: Path) -> None:
    """Write DeepLabCut's CSV; the likelihood of a missing point is that of the rows."""
    write_deeplabcut_csv(_table(rows, SCORER), path)


def write_h5(rows: CameraRows, path: Path) -> None:
    """Write DeepLabCut's HDF5."""
    write_pandas_h5(_table(rows, SCORER), path)


def write_lightning_pose(rows: CameraRows, path: Path) -> None:
    """Write Lightning Pose's CSV, the same table under its scorer."""
    write_deeplabcut_csv(_table(rows, _LIGHTNING_POSE), path)


def _table(rows: CameraRows, scorer: str) -> PointTable:
    columns = [
        (scorer, *([individual] if rows.individuals else []), keypoint, coordinate)
        for individual in rows.individuals or ("",)
        for keypoint in rows.keypoints
        for coordinate in ("x", "y", "likelihood")
    ]
    values = np.concatenate([rows.points_2d, rows.confidence[..., None]], axis=-1)
    return PointTable(columns, np.moveaxis(values, 1, 0).reshape(len(rows.frames), -1), rows.frames)
