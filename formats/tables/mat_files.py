"""Matlab's files of version 4 to 7, read after their declared size was checked."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from ...datasets.size_limit import oversize
from ..files import FormatError, check_size

_HEADER = 128  # bytes before the first variable
_COMPRESSED = 15  # the kind of a variable that is packed by zlib
_MATRIX = 14  # the kind of an array, which may hold others
_CELL = 8  # bytes of a number, or of the place of a cell
ByteOrder = Literal["little", "big"]
_STEP = 1 << 24  # bytes that are unpacked at a time to count them


def read_mat(path: Path) -> dict:
    """{variable: value} as `scipy.io.loadmat` gives them, without Matlab's own entries.

    Raises
    ------
    FormatError
        No such file, version 7.3 (HDF5), cut off, or larger than the memory limit.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        check_size(_declared_size(path), path.stat().st_size, path)
        content = loadmat(path, simplify_cells=False)
    except FormatError:
        raise
    except (MatReadError, NotImplementedError, ValueError, OSError, TypeError, IndexError, zlib.error) as error:
        raise FormatError(f"{path} cannot be read as a Matlab file of version 4 to 7 ({error}); save -v7") from error
    return {name: value for name, value in content.items() if not name.startswith("__")}


def _declared_size(path: Path) -> int:
    """Bytes that a version 7 file needs: of its variables without compression, or of the cells of its largest array.

    Cells need them before any is read. scipy's reader ends the process at some files that are cut off: they are refused
    here. Of another version the file's own size.
    """
    stored, total, largest = path.stat().st_size, 0, 0
    order, elements = _elements(path)
    if order is None:
        return stored
    for kind, content in elements:
        total += _inflated(content, stored) if kind == _COMPRESSED else len(content)
        if oversize(total, stored):
            break
        if kind == _COMPRESSED:
            content = zlib.decompressobj().decompress(content)
            kind, content = int.from_bytes(content[:4], order), content[8:]
        parts = [content] if kind == _MATRIX else []
        while parts:
            own, inner = _array_of(parts.pop(), order)
            largest, parts = max(largest, own), parts + inner
    return max(total, _CELL * largest)


def _elements(path: Path) -> tuple[ByteOrder | None, Iterator[tuple[int, bytes]]]:
    """Byte order and the elements (kind, bytes) of a version 7 file; None of another version."""
    content = path.read_bytes()
    little = content[126:128] == b"IM"
    if content[:10] != b"MATLAB 5.0" or not (little or content[126:128] == b"MI"):
        return None, iter(())
    order: ByteOrder = "little" if little else "big"
    return order, _split(content, order, path)


def _split(content: bytes, order: ByteOrder, path: Path) -> Iterator[tuple[int, bytes]]:
    at = _HEADER
    while at + 8 <= len(content):
        kind, n = (int.from_bytes(content[i : i + 4], order) for i in (at, at + 4))
        if at + 8 + n > len(content):
            raise FormatError(f"{path} is cut off within a variable; copy or save it again")
        yield kind, content[at + 8 : at + 8 + n]
        at += 8 + n


def _inflated(packed: bytes, stored: int) -> int:
    """Bytes that a compressed element unpacks to; counted up to what is too much."""
    unpacker, total = zlib.decompressobj(), 0
    while packed and not unpacker.eof and not oversize(total, stored):
        total += len(unpacker.decompress(packed, _STEP))
        packed = unpacker.unconsumed_tail
    return total


def _array_of(content: bytes, order: ByteOrder) -> tuple[int, list[bytes]]:
    """Number of elements that a matrix declares, and the matrices in it: of its cells or fields."""
    at, number, n, inner = 0, 0, 0, []
    while at + 8 <= len(content):
        kind, size = (int.from_bytes(content[i : i + 4], order) for i in (at, at + 4))
        start = at + 8
        if kind >> 16:  # a short element: its size and its bytes are within the first eight
            kind, size, start = kind & 0xFFFF, kind >> 16, at + 4
        if number == 1:  # after the flags: the dimensions
            dims = content[start : start + size]
            n = math.prod(int.from_bytes(dims[i : i + 4], order) for i in range(0, len(dims), 4))
        elif kind == _MATRIX:
            inner.append(content[start : start + size])
        at, number = max(start + size + (-size % 8 if start == at + 8 else 0), at + 8), number + 1
    return n, inner
