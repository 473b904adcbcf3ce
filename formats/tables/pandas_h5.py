"""pandas' HDF5 tables read with h5py alone (``pandas.read_hdf`` executes code from a crafted file).

pandas keeps the column names of a table in attributes as the text form of a pickle. They are read here as text, by a
reader that knows lists, tuples, dictionaries, strings and integers and refuses everything else: nothing is executed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from ...numerics.arrays import Array
from ..files import FormatError


def is_pandas_table(group) -> bool:
    """Whether an HDF5 object is a group in which pandas stored a table."""
    return "pandas_type" in getattr(group, "attrs", ())


def read_pandas_table(group, source: str | os.PathLike) -> tuple[Sequence[tuple[str, ...]], Array, np.ndarray]:
    """Columns, values (n_rows, n_columns) and index (n_rows,) of a table of numbers, "table" or "fixed" format.

    Raises
    ------
    FormatError : not of these formats, or its column names hold anything but plain text
    """
    kind = _text(group.attrs["pandas_type"])
    if kind == "frame_table" and "table" in group:
        return _read_appendable(group["table"], str(source))
    if kind == "frame" and "axis1" in group:
        return _read_fixed(group, str(source))
    raise FormatError(f"{source} holds a pandas object of kind '{kind}', which is not read; save it as CSV")


def _read_appendable(table, source: str) -> tuple[list[tuple[str, ...]], Array, np.ndarray]:
    rows = table[()]
    blocks = sorted((n for n in rows.dtype.names if n.startswith("values_block_")), key=lambda n: int(n.split("_")[-1]))
    columns, values = [], []
    for block in blocks:
        names = literal(table.attrs[f"{block}_kind"], source)
        numbers = np.asarray(rows[block]).reshape(len(rows), -1)
        if not isinstance(names, list) or len(names) != numbers.shape[1] or numbers.dtype.kind not in "fiu":
            raise FormatError(f"{source}: the columns of {block} cannot be understood; save the table as CSV")
        columns += [tuple(map(str, name)) if isinstance(name, tuple) else (str(name),) for name in names]
        values.append(numbers.astype(float))
    return columns, np.hstack(values), rows["index"]


def _read_fixed(group, source: str) -> tuple[list[tuple[str, ...]], Array, np.ndarray]:
    columns, values = [], []
    for b in range(int(group.attrs["nblocks"])):
        if f"block{b}_items_nlevels" not in group.attrs:
            raise FormatError(f"{source}: the columns of a table must have levels scorer, bodypart, coordinate")
        levels = range(int(group.attrs[f"block{b}_items_nlevels"]))
        names = [group[f"block{b}_items_level{i}"][()] for i in levels]
        labels = [group[f"block{b}_items_label{i}"][()] for i in levels]
        if any(level.dtype.kind not in "SU" for level in names):
            raise FormatError(f"{source}: the column names are not stored as text; save the table as CSV")
        parts = [[_text(level[i]) for i in label] for level, label in zip(names, labels, strict=True)]
        columns += list(zip(*parts, strict=True))
        values.append(np.asarray(group[f"block{b}_values"][()], dtype=float))
    index = group["axis1"][()] if "axis1" in group else np.arange(len(values[0]))
    return columns, np.hstack(values), index


def _text(value) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def literal(text: bytes | str, source: str):
    """The value that the text form of a pickle spells, if it is made of lists, tuples, dicts, strings and integers.

    Raises
    ------
    FormatError : it spells anything else (a class, a function call): such a file is refused, never followed
    """
    stack: list = []
    memo: dict[str, object] = {}
    lines = _Lines((text if isinstance(text, bytes) else text.encode("latin-1")), source)
    while (op := lines.op()) != ".":
        try:
            _apply(op, lines, stack, memo)
        except FormatError:
            raise
        except (IndexError, KeyError, ValueError) as error:
            raise FormatError(f"{source}: column names are damaged") from error
    return stack[-1] if stack else None


class _Mark:
    pass


class _Lines:
    """The operations of a protocol-0 pickle: one letter, then for some an argument up to the end of the line."""

    def __init__(self, text: bytes, source: str):
        self.text, self.at, self.source = text, 0, source

    def op(self) -> str:
        self.at += 1
        return chr(self.text[self.at - 1]) if self.at <= len(self.text) else "."

    def argument(self) -> str:
        end = self.text.index(b"\n", self.at)
        argument, self.at = self.text[self.at : end].decode("raw-unicode-escape"), end + 1
        return argument


def _apply(op: str, lines: _Lines, stack: list, memo: dict[str, object]) -> None:
    if op == "(":
        stack.append(_Mark)
    elif op in "ltd":
        items = []
        while (item := stack.pop()) is not _Mark:
            items.append(item)
        items.reverse()
        stack.append(
            {"l": list, "t": tuple, "d": lambda pairs: dict(zip(pairs[::2], pairs[1::2], strict=True))}[op](items)
        )
    elif op == "p":
        memo[lines.argument()] = stack[-1]
    elif op == "g":
        stack.append(memo[lines.argument()])
    elif op == "V":
        stack.append(lines.argument())
    elif op in "IL":
        stack.append(int(lines.argument().rstrip("L")))
    elif op == "N":
        stack.append(None)
    elif op == "a":
        item = stack.pop()
        stack[-1].append(item)
    elif op == "s":
        value, key = stack.pop(), stack.pop()
        stack[-1][key] = value
    else:
        raise FormatError(
            f"{lines.source}: its column names hold objects instead of plain text (operation {op!r}), which are never"
            " loaded; save the table as CSV"
        )
