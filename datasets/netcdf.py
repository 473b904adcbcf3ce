"""Read and write datasets as netCDF files, and record in their attributes how they were made."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import h5py
import numpy as np
import xarray as xr
from h5netcdf.attrs import Attributes

from .atomic_files import LateError, atomic_write
from .hdf5_contents import foreign_content
from .size_limit import endless, oversize
from .validators import DatasetError

_SMALL = 16e6  # bytes of a file that is read at once where parts are asked for: some 10 ms
# of netCDF-4: an array's dimensions by number, and the name of a dimension without coordinates
_DIMENSIONS, _NO_VARIABLE = "_Netcdf4Coordinates", "This is a netCDF dimension but not a netCDF variable"


def write_dataset(dataset: xr.Dataset, path: str | os.PathLike) -> Path:
    """Write a dataset as netCDF-4, whole or not at all.

    Parameters
    ----------
    dataset : Dataset
        Any dataset of the library; its attributes are kept.
    path : path
        The file, replaced if it exists; its folder is made if absent.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    OSError
        The folder may not be written, or the disk is full; the file that was there is untouched.

    Examples
    --------
    >>> from muybridge.datasets import frame_times, read_dataset, views_dataset, write_dataset
    >>> views = views_dataset([[[[1.0, 2.0]]]], cameras=["top"], keypoints=["nose"], times=frame_times(1, fps=30))
    >>> path = write_dataset(views, "views.nc")
    >>> read_dataset(path).equals(views)
    True
    """
    import h5netcdf
    from xarray.backends import H5NetCDFStore

    # str dtypes of numpy 2 (StringDType) and fixed-width unicode both arrive as variable-length strings on disk
    encoding = {name: {"zlib": True, "complevel": 1} for name, v in dataset.data_vars.items() if v.dtype.kind == "f"}
    with atomic_write(path) as partial, LateError(partial) as held, h5netcdf.File(held, "w") as file:
        dataset.dump_to_store(H5NetCDFStore(file), encoding=encoding)
    return Path(path)


def read_dataset(path: str | os.PathLike) -> xr.Dataset:
    """Read a netCDF file into memory.

    Parameters
    ----------
    path : path
        A netCDF-4 file.

    Returns
    -------
    Dataset
        All variables, coordinates and attributes; times as numbers, names as text.

    Raises
    ------
    DatasetError
        The file is missing, truncated, no netCDF-4 file, or declares more than the memory limit.

    Examples
    --------
    >>> import xarray as xr
    >>> from muybridge.datasets import read_dataset, write_dataset
    >>> path = write_dataset(xr.Dataset({"angle": ("time", [1.0, 2.0])}, {"time": [0.0, 0.1]}), "angles.nc")
    >>> read_dataset(path)["angle"].values.tolist()
    [1.0, 2.0]
    """
    path = Path(path)
    _checked_bytes(path)
    return _read(path)


@contextmanager
def opened_dataset(path: Path) -> Iterator[xr.Dataset]:
    """The dataset of a file, which is read as it is used; a small one is read at once.

    Raises
    ------
    DatasetError : as `read_dataset`
    """
    if _checked_bytes(path) <= _SMALL:
        yield _read(path)
        return
    with ExitStack() as stack:
        with _as_dataset_error(path):
            dataset = _with_text(stack.enter_context(xr.open_dataset(path, engine="h5netcdf", decode_times=False)))
        yield dataset


def _checked_bytes(path: Path) -> int:
    """Bytes that a file declares; a file that is missing, or that must not be read, is a `DatasetError`."""
    if not path.is_file():
        raise DatasetError(f"there is no dataset file {path}")
    with _as_dataset_error(path):
        if reason := foreign_content(path):
            raise DatasetError(f"{path}: {reason}")
        n_bytes = declared_bytes(path)
        if reason := oversize(n_bytes, path.stat().st_size):
            raise DatasetError(f"{path}: {reason}")
    return n_bytes


def _read(path: Path) -> xr.Dataset:
    """All of a checked file; those that this library wrote in one pass.

    xarray's reader asks HDF5 for the dimensions of every array several times, which takes a millisecond for each,
    however small; it reads the files of others, which may hold more of netCDF-4.
    """
    with _as_dataset_error(path):
        with h5py.File(path, "r") as file:
            whole = _arrays_of(file) if "h5netcdf" in str(file.attrs.get("_NCProperties")) else None
        if whole is None:
            whole = xr.load_dataset(path, engine="h5netcdf", decode_times=False)
        return _with_text(xr.decode_cf(whole, decode_times=False))


def _arrays_of(file: h5py.File) -> xr.Dataset | None:
    """The arrays of a file of h5netcdf as they are stored; None where one is in a group, or has no dimensions."""
    scales = {name: node for name, node in file.items() if node.attrs.get("CLASS") == b"DIMENSION_SCALE"}
    names = {int(node.attrs["_Netcdf4Dimid"]): name for name, node in scales.items()}
    variables = {}
    for name, node in file.items():
        if _NO_VARIABLE in str(node.attrs.get("NAME")):
            continue
        if not isinstance(node, h5py.Dataset) or (node.ndim and _DIMENSIONS not in node.attrs):
            return None
        dims = [names[number] for number in np.ravel(cast(Any, node.attrs[_DIMENSIONS]))] if node.ndim else []
        values = np.asarray(node.asstr()[()], str) if h5py.check_string_dtype(node.dtype) else node[()]
        variables[name] = xr.Variable(dims, values, _attributes(node))
    return xr.Dataset(variables, attrs=_attributes(file))


def _attributes(node: h5py.HLObject) -> dict:
    return dict(Attributes(node.attrs, lambda _: None, h5py))


def _with_text(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with names as text, not as objects."""
    for name, coordinate in dataset.coords.items():
        if coordinate.dtype.kind == "O":
            dataset[name] = np.array([str(value) for value in coordinate.values])
    return dataset


@contextmanager
def _as_dataset_error(path: Path) -> Iterator[None]:
    try:
        yield
    except DatasetError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path} cannot be read as netCDF-4 ({error}); make it again") from error


def read_attributes(path: Path) -> dict:
    """The attributes of a dataset's file, without its variables, which take ten times as long to open."""
    with h5py.File(path, "r") as file:
        return _attributes(file)


def declared_bytes(path: Path) -> int:
    """Bytes of all arrays of a dataset's file in memory, by its header."""
    sizes = list[int]()

    def count(_: str, node: h5py.HLObject) -> None:
        if isinstance(node, h5py.Dataset):
            sizes.append(math.prod(node.shape or ()) * node.dtype.itemsize)

    with h5py.File(path, "r") as file:
        file.visititems(count)
    return sum(sizes)


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def content_hash(path: str | os.PathLike) -> str:
    """Hash of the content of a file, or of the names and contents of all files in a folder.

    Parameters
    ----------
    path : path
        A file, or a folder, of which hidden files are left out.

    Returns
    -------
    str
        32 hexadecimal digits (BLAKE2b).

    Examples
    --------
    >>> from pathlib import Path
    >>> from muybridge.datasets import content_hash
    >>> for name in ("a.txt", "b.txt"):
    ...     _ = Path(name).write_text("same")
    >>> content_hash("a.txt") == content_hash("b.txt")
    True
    """
    path, digest = Path(path), hashlib.blake2b(digest_size=16)
    # a hidden file is no input: the board's corners are kept in one, beside the images
    files = sorted(p for p in path.rglob("*") if p.is_file() and not _hidden(p, path)) if path.is_dir() else [path]
    for file in files:
        if reason := endless(file):
            raise DatasetError(f"{reason}; give a file")
        if path.is_dir():
            digest.update(str(file.relative_to(path)).encode())
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def with_provenance(dataset: xr.Dataset, step: str, options: dict, inputs: dict[str, str] | None = None) -> xr.Dataset:
    """The dataset with attributes that record how it was made.

    Parameters
    ----------
    dataset : Dataset
        Any dataset.
    step : str
        Name of the step or function.
    options : dict
        Options of the step; stored as JSON.
    inputs : dict of str to str, optional
        Hash of each input's content; stored as JSON.

    Returns
    -------
    Dataset
        A copy with the attributes ``muybridge_version``, ``step``, ``options`` and ``inputs``.

    Examples
    --------
    >>> import xarray as xr
    >>> from muybridge.datasets import with_provenance
    >>> with_provenance(xr.Dataset(), "smooth", {"window": 0.2}).attrs["options"]
    '{"window": 0.2}'
    """
    from .. import __version__

    return dataset.assign_attrs(
        muybridge_version=__version__,
        step=step,
        options=json.dumps(options, sort_keys=True, default=str),
        inputs=json.dumps(inputs or {}, sort_keys=True),
    )
