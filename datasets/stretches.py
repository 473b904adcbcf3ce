"""Write a dataset as a netCDF file, one stretch of time after the other."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import h5netcdf
import h5py
import numpy as np
import xarray as xr

_CHUNK = 1024  # frames that are packed together: a stretch is read without unpacking much beside it


def write_pieces(pieces: Iterable[xr.Dataset], path: Path, n_frames: int) -> None:
    """Write consecutive stretches of a dataset of `n_frames`; an attribute that any of them has is the file's."""
    start = 0
    with h5netcdf.File(path, "w") as file:
        for piece in pieces:
            if start == 0:
                _prepare(file, piece, n_frames)
            stop = start + piece.sizes["time"]
            for name, values in piece.variables.items():
                if "time" in values.dims:
                    at = tuple(slice(start, stop) if dim == "time" else slice(None) for dim in values.dims)
                    file.variables[str(name)][at] = values.values
            start = stop
            file.attrs.update({key: value for key, value in piece.attrs.items() if key not in file.attrs})


def _prepare(file: h5netcdf.File, piece: xr.Dataset, n_frames: int) -> None:
    """Dimensions, variables and attributes as of the first piece, its time as long as the recording."""
    file.dimensions = {str(d): n_frames if d == "time" else int(n) for d, n in piece.sizes.items()}
    for name, values in piece.variables.items():
        text = values.dtype.kind in "UOT"
        shape = [n_frames if dim == "time" else piece.sizes[dim] for dim in values.dims]
        chunks = tuple(min(n, _CHUNK) if dim == "time" else n for dim, n in zip(values.dims, shape, strict=True))
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
