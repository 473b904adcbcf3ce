"""HDF5 files as pandas writes them, made with h5py alone."""

import pickle  # noqa: TID251 (pickles are written here, never loaded)

import h5py
import numpy as np


def write_table_format(path, columns, values, index, *, protocol=0, **options):
    """``to_hdf(format="table")``: records of index and values, column names as a pickle in an attribute."""
    index = np.asarray(index)
    values = np.asarray(values)
    rows = np.empty(len(values), [("index", index.dtype), ("values_block_0", values.dtype, values.shape[1:])])
    rows["index"], rows["values_block_0"] = index, values
    with h5py.File(path, "w") as file:
        group = file.create_group("df_with_missing")
        group.attrs["pandas_type"] = np.bytes_(b"frame_table")
        table = group.create_dataset("table", data=rows, **options)
        table.attrs["index_kind"] = np.bytes_(b"string" if index.dtype.kind == "S" else b"integer")
        table.attrs["values_block_0_kind"] = np.void(pickle.dumps(list(columns), protocol=protocol))
    return path


def write_fixed_format(path, columns, values, index, *, kind=b"integer"):
    """``to_hdf(format="fixed")``: levels and codes of the names; `index` is an array, or a list of tuples (levels)."""
    with h5py.File(path, "w") as file:
        group = file.create_group("df_with_missing")
        group.attrs["pandas_type"], group.attrs["nblocks"] = np.bytes_(b"frame"), 1
        _write_levels(group, "block0_items", columns)
        group["block0_values"] = np.asarray(values)
        if isinstance(index, list):
            _write_levels(group, "axis1", index)
        else:
            group["axis1"] = index
            group["axis1"].attrs["kind"] = np.bytes_(kind)
    return path


def _write_levels(group, axis, names):
    group.attrs[f"{axis}_nlevels"] = len(names[0])
    for i in range(len(names[0])):
        level = sorted({name[i] for name in names})
        group[f"{axis}_level{i}"] = np.array(level, "S")
        group[f"{axis}_label{i}"] = np.array([level.index(name[i]) for name in names], "i1")
