"""Matlab's files of version 4 to 7, read after their declared size was checked."""

from __future__ import annotations

import zlib
from pathlib import Path

from ..files import FormatError, check_size

_HEADER = 128  # bytes before the first variable
_COMPRESSED = 15  # the kind of a variable that is packed by zlib
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
        check_size(_unpacked_size(path), path.stat().st_size, path)
        content = loadmat(path, simplify_cells=False)
    except FormatError:
        raise
    except (MatReadError, NotImplementedError, ValueError, OSError, TypeError, zlib.error) as error:
        raise FormatError(f"{path} cannot be read as a Matlab file of version 4 to 7 ({error}); save -v7") from error
    return {name: value for name, value in content.items() if not name.startswith("__")}


def _unpacked_size(path: Path) -> int:
    """Bytes of the variables of a version 7 file without compression; the file's own size of another.

    scipy's reader ends the process at some files that are cut off: they are refused here.
    """
    content = path.read_bytes()
    little = content[126:128] == b"IM"
    if content[:10] != b"MATLAB 5.0" or not (little or content[126:128] == b"MI"):
        return len(content)
    order = "little" if little else "big"
    at, total = _HEADER, 0
    while at + 8 <= len(content):
        kind, n = (int.from_bytes(content[i : i + 4], order) for i in (at, at + 4))
        if at + 8 + n > len(content):
            raise FormatError(f"{path} is cut off within a variable; copy or save it again")
        total += _inflated(content[at + 8 : at + 8 + n]) if kind == _COMPRESSED else n
        at += 8 + n
    return total


def _inflated(packed: bytes) -> int:
    unpacker, total = zlib.decompressobj(), 0
    while packed and not unpacker.eof:
        total += len(unpacker.decompress(packed, _STEP))
        packed = unpacker.unconsumed_tail
    return total
