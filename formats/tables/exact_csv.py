"""CSV tables read to the last bit of their numbers."""

from __future__ import annotations

import csv
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ...numerics.arrays import Array
from ..files import FormatError, check_size

_LONGEST_ROW = 1 << 26  # bytes; a row of a million numbers has a third of it
_BLOCK = 1 << 20  # bytes that are looked at together
_PER_COLUMN = 10_000  # bytes that pandas and the readers need for a column, whatever it holds
_EXACT_SINCE = (3, 1)  # from this version on pandas reads every float exactly without being asked


def read_csv(path: Path, **options):
    """``pandas.read_csv`` that keeps every bit of the numbers, in all versions of pandas."""
    import pandas as pd

    version = tuple(int(part) for part in pd.__version__.split(".")[:2])
    if version < _EXACT_SINCE:
        options["float_precision"] = "round_trip"
    return pd.read_csv(path, low_memory=False, **options)


def check_columns(path: Path) -> None:
    """FormatError where the first row has more columns than the memory limit allows."""
    with path.open("rb") as stream:
        n_columns = stream.readline(_LONGEST_ROW).count(b",") + 1
    check_size(n_columns * _PER_COLUMN, 0, f"{path}: for {n_columns} columns")


def check_text(path: Path) -> None:
    """FormatError where the first rows are not in UTF-8, have no commas between their cells, or too many columns, or
    where a row is longer than any table's."""
    check_columns(path)
    _check_lines(path)
    with path.open("rb") as stream:
        first = b"".join(islice(stream, 4))
    try:
        first.decode("utf-8")
    except UnicodeDecodeError:
        what = "UTF-16" if first.startswith((b"\xff\xfe", b"\xfe\xff")) else "another encoding, or no text"
        raise FormatError(f"{path} is in {what}; save it as CSV in UTF-8") from None
    for separator, name in ((b";", "semicolons"), (b"\t", "tabs")):
        if separator in first and b"," not in first.partition(b"\n")[0]:
            raise FormatError(
                f"{path} has {name} between its cells; save it with commas between cells and points in numbers (0.5)"
            )


def _check_lines(path: Path) -> None:
    """FormatError where a row would fill the memory."""
    length = 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            length = length + len(block) if b"\n" not in block else len(block) - block.rindex(b"\n")
            if length > _LONGEST_ROW:
                raise FormatError(
                    f"{path} has a row of more than {_LONGEST_ROW >> 20} MB, which no table of points has; copy or make"
                    " it again"
                )


def header_of(path: Path, skip: int = 0) -> list[str]:
    """The cells of one of a CSV's first rows, without blanks around; empty where there is none."""
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
        try:
            return [cell.strip() for cell in next(islice(csv.reader(stream), skip, None), [])]
        except csv.Error:
            return []


def read_numbers_csv(path: Path) -> dict[str, Array]:
    """{column: (n_rows,) numbers} of a CSV with one header row.

    Raises
    ------
    FormatError
        No row, a cell that is no number, or a row that is cut off; the row is named.
    """
    import pandas as pd

    check_text(path)
    try:
        table = read_csv(path, encoding="utf-8-sig", index_col=False)
    except (ValueError, pd.errors.ParserError) as error:
        raise FormatError(f"{path} is no table: {error}") from error
    table = table.drop(columns=[name for name in table.columns if str(name).startswith("Unnamed")])
    if len(table) == 0:
        raise FormatError(f"{path} holds no row below its header; copy or make the file again")
    check_rows(path, len(header_of(path)))
    return {str(name): column_numbers(table[name], path) for name in table.columns}


def column_numbers(column: Any, path: Path, n_header: int = 1, name: str | None = None) -> Array:
    """(n_rows,) numbers of a table's column (a Series); FormatError names the row of the first cell that is none."""
    import pandas as pd

    try:
        return column.to_numpy(dtype=float)
    except (TypeError, ValueError):
        values = np.asarray(pd.to_numeric(column, errors="coerce"), float)
        bad = np.flatnonzero(np.isnan(values) & column.notna().to_numpy())
        row = int(bad[0]) if len(bad) else 0
        cell, what = column.iloc[row], name or column.name
        raise FormatError(
            f"{path}, row {row + n_header + 1}: '{what}' is {cell!r} where a number is expected"
        ) from None


def check_rows(path: Path, n_columns: int, n_header: int = 1) -> None:
    """Refuse a file with a row that is cut off: its last cells would be read as missing.

    Raises
    ------
    FormatError
        A row has fewer cells than the header; the first is named.
    """
    if _all_rows_whole(path, n_columns):
        return
    with path.open("rb") as stream:
        for i, line in enumerate(stream):
            if i < n_header or line.count(b",") >= n_columns - 1 or not line.strip():
                continue
            n = len(next(csv.reader([line.decode("utf-8", "replace")])))
            if n < n_columns:
                raise FormatError(
                    f"{path} is cut off: row {i + 1} has {n} of {n_columns} cells; copy or make the file again"
                )


def _all_rows_whole(path: Path, n_columns: int) -> bool:
    """Whether commas and line breaks are as many as whole rows have, which saves to count them row by row.

    No row has more cells than the header: such a file cannot be read as a table at all.
    """
    n_commas, n_lines, block = 0, 0, b""
    with path.open("rb") as stream:
        while more := stream.read(_BLOCK):
            block = more
            if b'"' in block:
                return False
            cells = np.frombuffer(block, np.uint8)
            n_commas += int(np.count_nonzero(cells == ord(",")))
            n_lines += block.count(b"\n")
    return block.endswith(b"\n") and n_commas == n_lines * (n_columns - 1)
