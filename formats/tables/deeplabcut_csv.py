"""CSV tables with DeepLabCut's header: rows scorer, [individuals,] bodyparts, coords above one row per frame."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain, takewhile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files import FormatError
from .exact_csv import check_rows, check_text, column_numbers, read_csv
from .frame_rows import VARIANCES, PointTable
from .table_writing import quoted, write_table

_HEADER = ("scorer", "individuals", "bodyparts", "coords")
_READ = ("x", "y", "z", "likelihood", *chain.from_iterable(VARIANCES))


def read_csv_pieces(path: Path, n_rows: int | None = None) -> Iterator[PointTable]:
    """The columns x, y, (z,) likelihood and EKS' variances of a table; other coordinates are left out.

    So many rows after the other; None: all at once. The index is the frame number, or the picture's name, which newer
    versions of DeepLabCut split over three columns.

    Raises
    ------
    FormatError
        No such header, a cell that is no number, or a last row that is cut off (a truncated file).
    """
    import pandas as pd

    header = _checked_header(path)
    check_rows(path, len(header[0]), len(header))
    options = {"skiprows": len(header), "header": None, "names": range(len(header[0]))}
    try:
        if n_rows is None:
            yield _points(read_csv(path, **options), header, path)
            return
        with read_csv(path, **options, chunksize=n_rows) as pieces:
            for i, table in enumerate(pieces):
                yield _points(table, header, path, i * n_rows)
    except (ValueError, pd.errors.ParserError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"{path} is not a table of numbers below its header: {error}") from error


def _checked_header(path: Path) -> list[list[str]]:
    check_text(path)
    header = _header(path)
    if not set(header[-1]) & set(_READ):
        raise FormatError(f"{path} has no column named x or y in its header row 'coords'")
    return header


def _points(table: Any, header: list[list[str]], path: Path, before: int = 0) -> PointTable:
    """The points of a data frame with so many rows of the file before it."""
    keep, above = [i for i, name in enumerate(header[-1]) if name in _READ], len(header) + before
    columns = [column_numbers(table[i], path, above, "/".join(row[i] for row in header[1:])) for i in keep]
    values = np.stack(columns, axis=-1)
    return PointTable([tuple(row[i] for row in header) for i in keep], values, _index(table, keep[0]))


def _index(table, n_columns: int) -> NDArray:
    """Row names from the first columns, joined as a path; numbers where there is one column of numbers."""
    if n_columns == 1:
        return table[0].to_numpy()
    cells = table[list(range(n_columns))].astype(object)
    return np.array(["/".join(str(cell).strip() for cell in row if cell == cell) for row in cells.to_numpy()])


def _header(path: Path) -> list[list[str]]:
    """The three or four header rows, their cells without blanks around."""
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
        try:
            rows = [[cell.strip() for cell in row] for _, row in zip(range(4), csv.reader(stream), strict=False)]
        except csv.Error as error:
            raise FormatError(f"{path} is no table: {error}") from error
    header = list(takewhile(lambda row: bool(row) and row[0].lower() in _HEADER, rows))
    found = [row[0].lower() for row in header]
    if found not in ([*_HEADER], [name for name in _HEADER if name != "individuals"]):
        first = rows[0][:4] if rows else []
        raise FormatError(
            f"{path} does not begin with the header rows scorer, bodyparts, coords of DeepLabCut and Lightning Pose;"
            f" its first row is {first}"
        )
    if len({len(row) for row in header}) != 1:
        raise FormatError(f"{path}: the header rows have different numbers of columns")
    return header


def write_deeplabcut_csv(table: PointTable, path: Path) -> None:
    """Write a table of numbers below DeepLabCut's header, every number to the last bit; NaN is an empty cell."""
    names = _HEADER if len(table.columns[0]) == 4 else [name for name in _HEADER if name != "individuals"]
    rows = zip(names, zip(*table.columns, strict=True), strict=True)
    head = "".join(",".join(map(quoted, [name, *cells])) + "\n" for name, cells in rows)
    columns = {"index": np.asarray(table.index, np.int64)} | {
        str(i): np.asarray(values, float) for i, values in enumerate(np.transpose(table.values))
    }
    write_table(path, columns, head=head)
