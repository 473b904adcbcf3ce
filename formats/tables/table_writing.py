"""Tables of numbers written as text, every number to the last bit: NaN is an empty cell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...datasets.atomic_files import atomic_write
from ..files import FormatError

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what the text of a formula begins with
_CHUNK_ROWS = 1000  # written at once: 2 to 5 MB of text, in memory that is used again
_COMPILE_FROM = 1_000_000  # cells; loading the compiled function takes as long as Python needs for as many


def write_table(
    path: Path,
    columns: Mapping[str, NDArray],
    *,
    head: str | None = None,
    ending: str = "",
    separator: str = ",",
    missing: str = "",
) -> None:
    """Write {column name: (n_rows,) numbers} below a header.

    head : text above the rows; None: the columns' names
    ending : text behind the last cell of every row
    missing : the cell of NaN
    """
    if head is None:
        head = separator.join(map(quoted, columns)) + "\n"
    tail = f"{ending}\n"
    n_rows = len(next(iter(columns.values())))
    cells = compiled_cells if n_rows * len(columns) >= _COMPILE_FROM else plain_cells
    with atomic_write(path) as partial, partial.open("wb") as stream:
        stream.write(head.encode("utf-8"))
        for start in range(0, n_rows, _CHUNK_ROWS):
            part = [values[start : start + _CHUNK_ROWS] for values in columns.values()]
            stream.write(cells(part, tail, separator, missing))


def quoted(name: str) -> str:
    """A name as a cell: in quotes where it holds a comma, a quote or a line break.

    Raises
    ------
    FormatError
        A spreadsheet would compute the name.
    """
    check_cell(name)
    return '"' + name.replace('"', '""') + '"' if re.search(r'[,"\n]', name) else name


def check_cell(name: str) -> None:
    """FormatError where a spreadsheet would take a name for a formula, and run it."""
    if name.startswith(_FORMULA):
        raise FormatError(f"the name {name!r} would be a formula in a spreadsheet; let it begin with a letter")


def harmless_cell(text: str) -> str:
    """A text from elsewhere that neither steers a terminal nor is a formula: control characters become their codes."""
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return "'" + shown if text.startswith(_FORMULA) else shown


def plain_cells(part: list[NDArray], ending: str, separator: str, missing: str = "") -> bytes:
    written = [_cells(values, missing) for values in part]
    return "".join(separator.join(row) + ending for row in zip(*written, strict=True)).encode("utf-8")


def _cells(values: NDArray, missing: str) -> list[str]:
    """The cells of a column: numbers as `repr` writes them, to the last bit."""
    written = list(map(repr, values.tolist()))
    if values.dtype.kind == "f":
        for row in np.flatnonzero(np.isnan(values)).tolist():
            written[row] = missing
    return written


def compiled_cells(part: list[NDArray], ending: str, separator: str, missing: str = "") -> bytes:
    """As `plain_cells`, some eight times as fast."""
    from ._kernels_csv import CELL, put_rows

    values = np.ascontiguousarray(np.column_stack(part), dtype=np.float64)
    whole = np.array([column.dtype.kind in "iu" for column in part])
    tail, empty = (np.frombuffer(text.encode("utf-8"), np.uint8) for text in (ending, missing))
    out = np.empty(len(values) * (len(part) * CELL + len(tail)), np.uint8)
    n = put_rows(values, values.view(np.uint64), whole, tail, empty, _powers(), np.uint8(ord(separator)), out)
    return out[:n].tobytes()


@cache
def _powers() -> NDArray[np.uint64]:
    from ._kernels_csv import powers_of_ten

    return powers_of_ten()
