"""Arrays of an .npz file, read after their declared size was checked; no pickle is opened."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from .size_limit import oversize


def read_npz(path: str | os.PathLike, needed: Sequence[str] = ()) -> dict[str, NDArray]:
    """{name: array} of a file that `numpy.savez` wrote, and that has at least the arrays `needed`.

    Raises
    ------
    ValueError
        The file is no such archive, is damaged, holds a pickle, lacks an array, or declares more than the memory
        limit.
    """
    path = Path(path)
    try:
        reason = oversize(_declared(path), path.stat().st_size)
        if reason:
            raise ValueError(reason)
        with np.load(path, allow_pickle=False) as file:
            content = {name: file[name] for name in file.files}
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError) as error:
        raise ValueError(f"it is no .npz file, cut off or damaged ({error})") from error
    except IsADirectoryError as error:
        raise ValueError("it is a folder, no .npz file") from error
    if lacking := [name for name in needed if name not in content]:
        raise ValueError(f"it has no {lacking[0]!r}; it holds {list(content)}")
    return content


def _declared(path: Path) -> int:
    """Bytes of all arrays, by their headers."""
    total = 0
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            with archive.open(entry) as stream:
                read = npy.read_array_header_1_0 if npy.read_magic(stream) == (1, 0) else npy.read_array_header_2_0
                shape, _, dtype = read(stream)
            total += max(entry.file_size, int(np.prod([int(n) for n in shape], dtype=object)) * dtype.itemsize)
    return total
