"""DeepLabCut's tables of points (also Lightning Pose's and anipose's 2D): CSV, and HDF5 written by pandas."""

from __future__ import annotations

import csv
from pathlib import Path

import h5py

from ..files import FormatError, read_csv
from ..tables.frame_rows import frames_from_index
from ..tables.pandas_h5 import is_pandas_table, read_pandas_table
from .tracks import Track, table_to_track

_HEADER = ("scorer", "individuals", "bodyparts", "coords")


def read_deeplabcut_csv(path: Path) -> Track:
    """Read a CSV with the header rows scorer, [individuals,] bodyparts, coords.

    Rows are placed by their frame number (the first column, or the number at the end of an image's name), so a
    missing row is a frame of NaN. Empty cells are missing. Coordinates other than x, y, likelihood are passed over.

    Raises
    ------
    FormatError : no such header, a cell that is no number, or a row that is cut off (a truncated file)
    """
    import pandas as pd

    header, n_header = _header(path)
    n_index = next((i for i, name in enumerate(header[-1]) if name in ("x", "y", "likelihood")), len(header[-1]))
    keep = [i for i, name in enumerate(header[-1]) if name in ("x", "y", "likelihood")]
    if not keep:
        raise FormatError(f"{path} has no column named x or y in its header row 'coords'")
    try:
        table = read_csv(path, skiprows=n_header, header=None, names=range(len(header[0])))
        values = table[keep].to_numpy(dtype=float)
    except (ValueError, pd.errors.ParserError) as error:
        raise FormatError(f"{path} is not a table of numbers below its header: {error}") from error
    _check_whole(path, len(header[0]))
    # newer DeepLabCut splits an image's path over three index columns: the last one names the image
    frames = frames_from_index(table[n_index - 1].to_numpy(), str(path))
    columns = [tuple(row[i] for row in header) for i in keep]
    return table_to_track(columns, values, frames, str(path))


def _header(path: Path) -> tuple[list[list[str]], int]:
    with path.open(newline="", encoding="utf-8-sig") as stream:
        rows = [row for _, row in zip(range(4), csv.reader(stream), strict=False)]
    header = [row for row in rows if row and row[0].strip().lower() in _HEADER]
    found = [row[0].strip().lower() for row in header]
    if found not in ([*_HEADER], [name for name in _HEADER if name != "individuals"]):
        first = rows[0][:4] if rows else []
        raise FormatError(
            f"{path} does not begin with the header rows scorer, bodyparts, coords of DeepLabCut and Lightning Pose;"
            f" its first row is {first}"
        )
    if len({len(row) for row in header}) != 1:
        raise FormatError(f"{path}: the header rows have different numbers of columns")
    return header, len(header)


def _check_whole(path: Path, n_columns: int) -> None:
    """A file that was cut off loads as a shorter recording; its last row gives it away."""
    with path.open("rb") as stream:
        stream.seek(0, 2)
        size = stream.tell()
        stream.seek(max(0, size - 200 * n_columns - 4096))
        last = stream.read().rstrip(b"\r\n").rsplit(b"\n", 1)[-1].decode("utf-8", "replace")
    cells = next(csv.reader([last]), [])
    if len(cells) != n_columns:
        raise FormatError(
            f"{path} is cut off: its last row has {len(cells)} of {n_columns} columns; copy or make the file again"
        )


def read_deeplabcut_h5(path: Path) -> Track:
    """Read a table that pandas wrote to HDF5 (DeepLabCut's .h5, anipose's pose-2d and pose-2d-filtered), with h5py.

    Raises
    ------
    FormatError : no such table in the file
    """
    with h5py.File(path, "r") as file:
        tables = [key for key in file if is_pandas_table(file[key])]
        if len(tables) != 1:
            raise FormatError(f"{path} holds {len(tables)} pandas tables {tables}; expected one")
        columns, values, index = read_pandas_table(file[tables[0]], path)
    return table_to_track(columns, values, frames_from_index(index, str(path)), str(path))
