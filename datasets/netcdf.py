"""Datasets on disk: one netCDF file per stage, written atomically, with the provenance in its attributes."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import xarray as xr

from .atomic_files import atomic_write
from .validators import DatasetError


def write_dataset(dataset: xr.Dataset, path: str | os.PathLike) -> Path:
    """Write a dataset as netCDF-4; a killed run leaves the old file or none, never half of one."""
    # str dtypes of numpy 2 (StringDType) and fixed-width unicode both arrive as variable-length strings on disk
    encoding = {name: {"zlib": True, "complevel": 1} for name, v in dataset.data_vars.items() if v.dtype.kind == "f"}
    with atomic_write(path) as partial:
        dataset.to_netcdf(partial, engine="h5netcdf", encoding=encoding)
    return Path(path)


def read_dataset(path: str | os.PathLike) -> xr.Dataset:
    """Read a netCDF file whole into memory.

    Raises
    ------
    DatasetError : the file is missing, truncated or no netCDF-4 file
    """
    path = Path(path)
    if not path.is_file():
        raise DatasetError(f"there is no dataset file {path}")
    try:
        with xr.open_dataset(path, engine="h5netcdf", decode_times=False) as dataset:
            dataset = dataset.load()
    except (OSError, ValueError, KeyError) as error:
        raise DatasetError(f"{path} cannot be read as netCDF-4 ({error}); make it again") from error
    for name, coordinate in dataset.coords.items():
        if coordinate.dtype.kind == "O":
            dataset[name] = np.array([str(value) for value in coordinate.values])
    return dataset


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def content_hash(path: str | os.PathLike) -> str:
    """Hash of a file's content (of every file's name and content below it, for a folder; hidden files do not count)."""
    path, digest = Path(path), hashlib.blake2b(digest_size=16)
    # a hidden file is no input: the board's corners are kept in one, beside the images
    files = sorted(p for p in path.rglob("*") if p.is_file() and not _hidden(p, path)) if path.is_dir() else [path]
    for file in files:
        if path.is_dir():
            digest.update(str(file.relative_to(path)).encode())
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def with_provenance(dataset: xr.Dataset, step: str, options: dict, inputs: dict[str, str] | None = None) -> xr.Dataset:
    """The dataset with attributes that say how it was made: version, step, options and input hashes (as JSON)."""
    from .. import __version__

    return dataset.assign_attrs(
        muybridge_version=__version__,
        step=step,
        options=json.dumps(options, sort_keys=True, default=str),
        inputs=json.dumps(inputs or {}, sort_keys=True),
    )
