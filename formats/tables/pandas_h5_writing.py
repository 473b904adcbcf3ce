"""pandas' HDF5 tables written with h5py alone, in the "fixed" format, which holds no pickle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from .frame_rows import PointTable
from .h5_arrays import new_hdf5

KEY = "df_with_missing"  # DeepLabCut's name for its one table
# {number of levels of the columns: their names}, and the attributes that PyTables gives groups and arrays
_LEVELS = {3: ("scorer", "bodyparts", "coords"), 4: ("scorer", "individuals", "bodyparts", "coords")}
_GROUP = {"CLASS": "GROUP", "TITLE": "", "VERSION": "1.0"}
_ARRAY = {"CLASS": "ARRAY", "FLAVOR": "numpy", "TITLE": "", "VERSION": "2.4", "transposed": np.uint8(1)}
_NO_NAME = "N."  # None, as PyTables keeps it


def write_pandas_h5(table: PointTable, path: Path) -> None:
    """Write a table as DeepLabCut does: frame numbers as its index, or names of pictures, split at their slashes.

    PyTables (``pandas.read_hdf``, napari-deeplabcut) finds the attributes that it writes itself.
    """
    with new_hdf5(path) as file:
        _set(file, _GROUP | {"PYTABLES_FORMAT_VERSION": "2.1"})
        group = file.create_group(KEY)
        _set(group, _GROUP | {"pandas_type": "frame", "encoding": "UTF-8", "errors": "strict", "ndim": 2, "nblocks": 1})
        names = _LEVELS[len(table.columns[0])]
        for axis in ("axis0", "block0_items"):
            _write_levels(group, axis, table.columns, names)
        if np.asarray(table.index).dtype.kind in "iu":
            _set(group, {"axis1_variety": "regular"})
            _array(group, "axis1", np.asarray(table.index, np.int64), {"kind": "integer", "name": _NO_NAME})
        else:
            parts = [tuple(str(name).split("/")) for name in table.index]
            _write_levels(group, "axis1", parts, (None,) * len(parts[0]))
        _array(group, "block0_values", np.asarray(table.values, float))


def _write_levels(
    group: h5py.Group, axis: str, entries: Sequence[tuple[str, ...]], names: Sequence[str | None]
) -> None:
    """The texts of each level of an axis' names, and which of them each entry has."""
    _set(group, {f"{axis}_variety": "multi", f"{axis}_nlevels": len(names)})
    for i, name in enumerate(names):
        level = sorted({entry[i] for entry in entries})
        place = {text: code for code, text in enumerate(level)}
        attributes = {"kind": "string", "nan_rep": "", "name": name or _NO_NAME, f"{axis}_name{name}": name or _NO_NAME}
        _array(group, f"{axis}_level{i}", np.char.encode(level, "utf-8"), attributes)
        _array(group, f"{axis}_label{i}", _smallest([place[entry[i]] for entry in entries]))


def _smallest(codes: ArrayLike) -> NDArray:
    codes = np.asarray(codes)
    return codes.astype(np.int8 if codes.max(initial=0) < 128 else np.int32)


def _array(group: h5py.Group, name: str, values: NDArray, attributes: Mapping = {}) -> None:
    _set(group.create_dataset(name, data=values), {**_ARRAY, **attributes})


def _set(node: h5py.Group | h5py.Dataset, attributes: Mapping) -> None:
    """Attributes as PyTables keeps them: texts of fixed length, an empty one as HDF5's null."""
    for name, value in attributes.items():
        if not isinstance(value, str):
            node.attrs[name] = value
        elif value:
            text = value.encode("utf-8")
            node.attrs.create(name, np.array(text, f"S{len(text)}"), dtype=h5py.string_dtype("utf-8", len(text)))
        else:
            node.attrs[name] = h5py.Empty("S1")
