"""CSV tables read to the last bit of their numbers."""

from __future__ import annotations

import csv
from itertools import islice
from pathlib import Path

import numpy as np

from ...numerics.arrays import Array
from ..files import FormatError

_EXACT_SINCE = (3, 1)  # from this version on pandas reads every float exactly without being asked


def read_csv(path: Path, **options):
    """``pandas.read_csv`` that keeps every bit of the numbers, in all versions of pandas."""
    import pandas as pd

    version = tuple(int(part) for part in pd.__version__.split(".")[:2])
    if version < _EXACT_SINCE:
        options["float_precision"] = "round_trip"
    return pd.read_csv(path, low_memory=False, **options)


def header_of(path: Path, skip: int = 0) -> list[str]:
    """The cells of one of a CSV's first rows, without blanks around; empty where there is none."""
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
        try:
            return [cell.strip() for cell in next(islice(csv.reader(stream), skip, None), [])]
        except csv.Error:
            return []


def read_numbers_csv(path: Path, texts: tuple[str, ...] = ()) -> dict[str, Array]:
    """{column: (n_rows,) numbers} of a CSV with one header row; columns of `texts` are left out.

    Raises
    ------
    FormatError
        No row, a cell that is no number (the row is named), or a last row that is cut off.
    """
    import pandas as pd

    try:
        table = read_csv(path, encoding="utf-8-sig", index_col=False)
    except (ValueError, pd.errors.ParserError) as error:
        raise FormatError(f"{path} is no table: {error}") from error
    table = table.drop(columns=[name for name in table.columns if name in texts or str(name).startswith("Unnamed")])
    if len(table) == 0:
        raise FormatError(f"{path} holds no row below its header; copy or make the file again")
    check_last_row(path, len(header_of(path)))
    numbers = {}
    for name in table.columns:
        values = np.asarray(pd.to_numeric(table[name], errors="coerce"), float)
        bad = (pd.isna(values) & table[name].notna()).to_numpy().nonzero()[0]
        if len(bad):
            raise FormatError(
                f"{path}, row {bad[0] + 2}: '{name}' is {table[name].iloc[bad[0]]!r} where a number is expected"
            )
        numbers[str(name)] = values
    return numbers


def check_last_row(path: Path, n_columns: int) -> None:
    """Refuse a file that was cut off: it would be read as a shorter recording."""
    with path.open("rb") as stream:
        stream.seek(0, 2)
        size = stream.tell()
        # 200 bytes per cell: more than a number or the path of a picture needs
        stream.seek(max(0, size - 200 * n_columns - 4096))
        last = stream.read().rstrip(b"\r\n").rsplit(b"\n", 1)[-1].decode("utf-8", "replace")
    cells = next(csv.reader([last]), [])
    if len(cells) != n_columns:
        raise FormatError(
            f"{path} is cut off: its last row has {len(cells)} of {n_columns} columns; copy or make the file again"
        )
