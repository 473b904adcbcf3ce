"""pandas' HDF5 tables read with h5py alone (``pandas.read_hdf`` executes code from a crafted file).

pandas keeps the column names of a "table" as a pickle in an attribute. Its operations are listed (`pickletools`), never
run: those that make lists, tuples, dictionaries, texts and integers are followed, any other is refused.
"""

from __future__ import annotations

import os
import pickletools
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import h5py
import numpy as np

from ..files import FormatError, as_text
from .frame_rows import PointTable
from .h5_arrays import ALL, read_array, read_numbers, rows_at_once

_PLAIN_INDEX = ("integer", "string", "float")


def read_pandas_h5(path: Path, rows: slice = ALL) -> PointTable:
    """The one table of numbers in an HDF5 file that pandas wrote, in "table" or "fixed" format, or some of its rows.

    Raises
    ------
    FormatError
        The file holds no such table or several, or names of its rows or columns that are not plain text.
    """
    with h5py.File(path, "r") as file:
        (group,) = _tables(file, path).values()
        kind = as_text(group.attrs["pandas_type"])
        try:
            if kind == "frame_table":
                return _read_appendable(group, path, rows)
            if kind == "frame":
                return _read_fixed(group, path, rows)
        except FormatError:
            raise
        except (KeyError, IndexError, ValueError) as error:
            raise FormatError(f"{path} lacks a part of its table ({error}); copy or export it again") from error
    raise FormatError(f"{path} holds a pandas object of kind '{kind}', which is not read; save it as CSV")


def read_pandas_h5_pieces(path: Path, n_rows: int | None = None) -> Iterator[PointTable]:
    """As `read_pandas_h5`, so many rows after the other; None: all at once.

    Raises
    ------
    FormatError
        As `read_pandas_h5`.
    """
    if n_rows is None:
        yield read_pandas_h5(path)
        return
    with h5py.File(path, "r") as file:
        (group,) = _tables(file, path).values()
        arrays = [node for node in (group.get(name) for name in group) if isinstance(node, h5py.Dataset) and node.shape]
        step = max((rows_at_once(node, 0, n_rows) for node in arrays), default=n_rows)
    for start in count(0, step):
        piece = read_pandas_h5(path, slice(start, start + step))
        for first in range(0, max(len(piece.values), 1), n_rows):
            own = slice(first, first + n_rows)
            yield piece._replace(values=piece.values[own], index=piece.index[own])
        if len(piece.values) < step:
            return


def _tables(file: h5py.File, path: Path) -> dict[str, h5py.Group]:
    """The pandas object of a file under its name."""
    held = {str(name): file.get(name) for name in file}
    tables = {k: node for k, node in held.items() if isinstance(node, h5py.Group) and "pandas_type" in node.attrs}
    if len(tables) != 1:
        raise FormatError(f"{path} holds {len(tables)} pandas tables {list(tables)}; expected one")
    return tables


def _read_appendable(group: h5py.Group, path: Path, own: slice) -> PointTable:
    """The "table" format: records of an index and blocks of values, the columns' names in attributes."""
    rows, attributes = read_array(group, "table", path, own), group["table"].attrs
    names = rows.dtype.names or ()
    blocks = sorted((n for n in names if n.startswith("values_block_")), key=lambda name: int(name.split("_")[-1]))
    columns, values = [], [np.empty((len(rows), 0))]
    for block in blocks:
        described = unpickled_text(attributes[f"{block}_kind"], path)
        numbers = rows[block].reshape(len(rows), -1)
        if not isinstance(described, list) or len(described) != numbers.shape[1] or numbers.dtype.kind not in "fiu":
            raise FormatError(f"{path}: the columns of {block} cannot be understood; save the table as CSV")
        columns += [tuple(map(str, name)) if isinstance(name, tuple) else (str(name),) for name in described]
        values.append(numbers.astype(np.float64))
    _check_index(attributes.get("index_kind", "integer"), path)
    return PointTable(columns, np.hstack(values), rows["index"])


def _read_fixed(group: h5py.Group, path: Path, own: slice) -> PointTable:
    """The "fixed" format: levels and codes of the columns' names, and blocks of values."""
    columns: list[tuple[str, ...]] = []
    values = []
    for b in range(_count(group, "nblocks")):
        if f"block{b}_items_nlevels" not in group.attrs:
            raise FormatError(f"{path}: the columns of a table must have levels scorer, bodypart, coordinate")
        columns += _names(group, f"block{b}_items", path)
        values.append(read_numbers(group, f"block{b}_values", path, own))
    if "axis1_nlevels" in group.attrs:
        index = np.array(["/".join(name) for name in _names(group, "axis1", path, own)])
    else:
        _check_index(group["axis1"].attrs.get("kind", "integer"), path)
        index = read_array(group, "axis1", path, own)
    return PointTable(columns, np.hstack([np.empty((len(index), 0)), *values]), index)


def _names(group: h5py.Group, axis: str, path: Path, own: slice = ALL) -> list[tuple[str, ...]]:
    """One tuple of texts per entry of an axis with several levels; empty where a level has no name."""
    parts = []
    for i in range(_count(group, f"{axis}_nlevels")):
        level = read_array(group, f"{axis}_level{i}", path)
        codes = read_array(group, f"{axis}_label{i}", path, own)
        if level.dtype.kind not in "SUOiu" or codes.dtype.kind not in "iu":
            raise FormatError(f"{path}: the names along '{axis}' are not stored as text; save the table as CSV")
        parts.append([as_text(level[code]) if code >= 0 else "" for code in codes])
    return list(zip(*parts, strict=True))


def _count(group: h5py.Group, name: str) -> int:
    return int(np.asarray(group.attrs[name]).item())


def _check_index(kind, path: Path) -> None:
    if not as_text(kind).startswith(_PLAIN_INDEX):
        raise FormatError(
            f"{path}: the rows are named by values of kind '{as_text(kind)}'; write the table again with frame numbers"
            " as its index"
        )


def unpickled_text(pickled, source: str | os.PathLike):
    """The value that a pickle (the bytes of an attribute) of lists, tuples, dicts, texts and integers describes.

    Raises
    ------
    FormatError
        It describes anything else (a class, a function call) or is damaged.
    """
    raw: bytes = pickled.encode("latin-1") if isinstance(pickled, str) else np.asarray(pickled).tobytes()
    stack: list = []
    memo: dict[int, object] = {}
    try:
        for operation, argument, _ in pickletools.genops(raw):
            if not _follow(operation.name, argument, stack, memo):
                raise FormatError(
                    f"{source}: its column names hold objects instead of plain text ({operation.name}), which are never"
                    " loaded; save the table as CSV"
                )
    except FormatError:
        raise
    except (IndexError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"{source}: the column names are damaged; save the table as CSV") from error
    return stack[-1] if stack else None


_VALUES = {"NONE", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1"}
_VALUES |= {"UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"}
_MARK = object()


def _since_mark(stack: list) -> list:
    """The values on the stack above the last mark, which are taken off."""
    at = len(stack) - 1 - stack[::-1].index(_MARK)
    items = stack[at + 1 :]
    del stack[at:]
    return items


def _follow(name: str, argument, stack: list, memo: dict[int, object]) -> bool:
    """Apply one operation of a pickle to the stack; False if it is not one of those that make plain values."""
    if name in ("PROTO", "FRAME", "STOP"):
        return True
    if name == "MARK":
        stack.append(_MARK)
    elif name in _VALUES:
        stack.append(argument)
    elif name in ("EMPTY_LIST", "EMPTY_TUPLE", "EMPTY_DICT"):
        stack.append({"EMPTY_LIST": [], "EMPTY_TUPLE": (), "EMPTY_DICT": {}}[name])
    elif name in ("LIST", "TUPLE"):
        items = _since_mark(stack)
        stack.append(items if name == "LIST" else tuple(items))
    elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
        items = tuple(stack[-int(name[-1]) :])
        del stack[-len(items) :]
        stack.append(items)
    elif name in ("APPEND", "APPENDS"):
        items = _since_mark(stack) if name == "APPENDS" else [stack.pop()]
        stack[-1].extend(items)
    elif name in ("DICT", "SETITEM", "SETITEMS"):
        items = [stack.pop(-2), stack.pop()] if name == "SETITEM" else _since_mark(stack)
        pairs = dict(zip(items[::2], items[1::2], strict=True))
        if name == "DICT":
            stack.append(pairs)
        else:
            stack[-1].update(pairs)
    elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
        memo[len(memo) if name == "MEMOIZE" else int(argument)] = stack[-1]
    elif name in ("GET", "BINGET", "LONG_BINGET"):
        stack.append(memo[int(argument)])
    else:
        return False
    return True
