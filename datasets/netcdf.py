"""Read and write datasets as netCDF files, and record in their attributes how they were made."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import xarray as xr

from .atomic_files import LateError, atomic_write
from .hdf5_contents import foreign_content
from .size_limit import endless, oversize
from .validators import DatasetError


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
    with opened_dataset(path) as dataset, _as_dataset_error(path):
        return dataset.load()


@contextmanager
def opened_dataset(path: Path) -> Iterator[xr.Dataset]:
    """The dataset of a file, which is read as it is used.

    Raises
    ------
    DatasetError : as `read_dataset`
    """
    if not path.is_file():
        raise DatasetError(f"there is no dataset file {path}")
    with ExitStack() as stack:
        with _as_dataset_error(path):
            if reason := foreign_content(path):
                raise DatasetError(f"{path}: {reason}")
            dataset = stack.enter_context(xr.open_dataset(path, engine="h5netcdf", decode_times=False))
            if reason := oversize(dataset.nbytes, path.stat().st_size):
                raise DatasetError(f"{path}: {reason}")
            for name, coordinate in dataset.coords.items():
                if coordinate.dtype.kind == "O":
                    dataset[name] = np.array([str(value) for value in coordinate.values])
        yield dataset


@contextmanager
def _as_dataset_error(path: Path) -> Iterator[None]:
    try:
        yield
    except DatasetError:
        raise
    except (OSError, ValueError, KeyError) as error:
        raise DatasetError(f"{path} cannot be read as netCDF-4 ({error}); make it again") from error


def read_attributes(path: Path) -> dict:
    """The attributes of a dataset's file, without its variables, which take ten times as long to open."""
    import h5netcdf

    with h5netcdf.File(path, "r") as file:
        return dict(file.attrs)


def declared_bytes(path: Path) -> int:
    """Bytes of all arrays of a dataset's file in memory, by its header."""
    import h5netcdf

    with h5netcdf.File(path, "r") as file:
        return sum(math.prod(array.shape) * array.dtype.itemsize for array in file.variables.values())


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
