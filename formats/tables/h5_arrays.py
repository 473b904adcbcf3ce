"""Read arrays of HDF5 files of unknown origin: no links to other files, no sizes that would fill the memory."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from ...datasets.atomic_files import LateError, atomic_write
from ..files import FormatError, check_size

ALL = slice(None)  # rows
Part = slice | tuple[slice, ...]


@contextmanager
def new_hdf5(path: Path) -> Iterator[h5py.File]:
    """Yield an HDF5 file to fill, which is written whole or not at all."""
    with atomic_write(path) as partial, LateError(partial) as held, h5py.File(held, "w") as file:
        yield file


def check_hdf5(path: os.PathLike) -> None:
    """FormatError where a file with HDF5's suffix is none."""
    if not h5py.is_hdf5(path):
        raise FormatError(f"{path} is no HDF5 file, or it is cut off; copy or make it again")


def read_array(group: h5py.Group, name: str, source: str | os.PathLike, part: Part = ALL) -> np.ndarray:
    """The values of one dataset of an HDF5 group, or some of its rows, or a slice of every axis.

    Raises
    ------
    FormatError
        As `own_array`.
    """
    return np.asarray(own_array(group, name, source)[() if part == ALL else part])


def own_array(group: h5py.Group, name: str, source: str | os.PathLike) -> h5py.Dataset:
    """A dataset of an HDF5 group that may be read.

    Raises
    ------
    FormatError
        It is absent, a link to another file, compressed by a filter that is not installed, or unreasonably large.
    """
    node = None if isinstance(group.get(name, getlink=True), h5py.ExternalLink) else group.get(name)
    if not isinstance(node, h5py.Dataset) or node.external:
        raise FormatError(f"{source} holds no array '{name}' of its own; export the file again")
    properties = node.id.get_create_plist()
    for i in range(properties.get_nfilters()):
        code, *_, label = properties.get_filter(i)
        if not h5py.h5z.filter_avail(code):
            raise FormatError(
                f"{source} is compressed with {label.decode() or code}, which is not installed; write it again without"
                " compression or with zlib"
            )
    check_size(node.size * node.dtype.itemsize, node.id.get_storage_size(), f"{source}: '{name}'")
    return node


def rows_at_once(node: h5py.Dataset, axis: int, n_rows: int) -> int:
    """A multiple of `n_rows` along an axis that is no shorter than the array's chunks: each is unpacked a few times."""
    return n_rows * (1 if node.chunks is None else max(1, math.ceil(min(node.chunks[axis], node.shape[axis]) / n_rows)))


def read_numbers(group: h5py.Group, name: str, source: str | os.PathLike, part: Part = ALL) -> np.ndarray:
    """As `read_array`, as float64; FormatError where it holds anything but numbers."""
    values = read_array(group, name, source, part)
    if values.dtype.kind not in "fiu":
        raise FormatError(f"{source}: '{name}' holds values of type {values.dtype} where numbers are expected")
    return values.astype(np.float64)
