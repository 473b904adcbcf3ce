"""Hours of video from file to file: a stretch of time in memory at once."""

from __future__ import annotations

import os
from pathlib import Path

import h5netcdf
import h5py
import numpy as np
import xarray as xr

from ..cameras import CameraRig
from ..datasets import DatasetError, Skeleton
from ..datasets.atomic_files import atomic_write
from .framewise_methods import framewise_pieces, needed_symmetries
from .reconstruction import described, matching_rig


def reconstruct_file(
    source: str | os.PathLike,
    rig: CameraRig,
    destination: str | os.PathLike,
    *,
    method: str = "ransac",
    window: int | None = None,
    max_gap: int = 0,
    skeleton: Skeleton | None = None,
    swaps: bool = False,
    chunk_frames: int = 5000,
    **options,
) -> Path:
    """As `reconstruct` by a method that works frame by frame, from a file of views to a file of poses.

    The file holds what `write_dataset(reconstruct(...))` would; memory stays that of one stretch of `chunk_frames`.

    Parameters
    ----------
    source : netCDF file of views, without an `individual` dimension
    destination : netCDF file; written whole or not at all
    method, window, max_gap, skeleton, swaps, options : as in `reconstruct`

    Returns
    -------
    the path of `destination`

    Raises
    ------
    DatasetError : the source is missing, no netCDF file, malformed, or names a camera that the rig does not have
    ValueError : the method looks at all of time at once
    """
    source, destination = Path(source), Path(destination)
    if not source.is_file():
        raise DatasetError(f"there is no dataset file {source}")
    opened = xr.open_dataset(source, engine="h5netcdf", decode_times=False)
    with atomic_write(destination) as partial, opened as views:
        if "individual" in views.dims:
            raise DatasetError(f"{source} holds several individuals; reconstruct them one by one")
        rig = matching_rig(views, rig)
        settings = {"method": method, "window": window, "max_gap": max_gap, "swaps": swaps, **options}
        sides = needed_symmetries(skeleton, views) if swaps else None
        pieces = framewise_pieces(views, rig, method, window, max_gap, chunk_frames, options, sides)
        _write(pieces, partial, views, rig, settings)
    return destination


def _write(pieces, path: Path, views: xr.Dataset, rig: CameraRig, settings: dict) -> None:
    n_frames, start = views.sizes["time"], 0
    with h5netcdf.File(path, "w") as file:
        for piece in pieces:
            if start == 0:
                piece = described(piece, views, rig, settings)
                _prepare(file, piece, n_frames)
            stop = start + piece.sizes["time"]
            for name, values in piece.variables.items():
                if "time" in values.dims:
                    at = tuple(slice(start, stop) if dim == "time" else slice(None) for dim in values.dims)
                    file.variables[str(name)][at] = values.values
            start = stop


def _prepare(file: h5netcdf.File, piece: xr.Dataset, n_frames: int) -> None:
    """Dimensions, variables and attributes as of the first piece, its time as long as the recording."""
    file.dimensions = {str(d): n_frames if d == "time" else int(n) for d, n in piece.sizes.items()}
    for name, values in piece.variables.items():
        text = values.dtype.kind in "UOT"
        shape = [n_frames if dim == "time" else piece.sizes[dim] for dim in values.dims]
        chunks = tuple(min(n, 1024) if dim == "time" else n for dim, n in zip(values.dims, shape, strict=True))
        large = values.dtype.kind == "f" and values.ndim > 1
        variable = file.create_variable(
            str(name),
            tuple(map(str, values.dims)),
            dtype=h5py.string_dtype() if text else values.dtype,
            **({"chunks": chunks, "compression": "gzip", "compression_opts": 1} if large else {}),
        )
        for key, value in values.attrs.items():
            variable.attrs[str(key)] = value
        if "time" not in values.dims:
            variable[...] = np.array([str(v) for v in values.values], dtype=object) if text else values.values
    for key, value in piece.attrs.items():
        file.attrs[str(key)] = value
