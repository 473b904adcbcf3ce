"""Read and write a dataset's netCDF file one stretch of time after the other."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import h5netcdf
import h5py
import numpy as np
import xarray as xr

from .atomic_files import LateError
from .netcdf import opened_dataset

_STRETCH = 20_000  # frames that are read at a time
_CHUNK = 1024  # frames that are packed together: a stretch is read without unpacking much beside it
_JUDGED = 400_000  # points per camera of the middle of a long recording: what concerns whole cameras shows there
_STORED = {np.dtype(bool): np.dtype(np.int8)}


def judged_frames(n_frames: int, n_points: int) -> slice:
    """The frames, of `n_points` per camera each, by which whole cameras of a recording are judged: its middle."""
    n_judged = max(1, _JUDGED // n_points)
    start = max(0, (n_frames - n_judged) // 2)
    return slice(start, min(start + n_judged, n_frames))


def read_thinned(path: Path, most: int, without: Collection[str] = ()) -> xr.Dataset:
    """A dataset, without some variables, of at most so many instants: of a longer one every n-th; it says so.

    The attribute `every` holds n, `n_frames` how many instants the file has. One stretch of time is read after the
    other.
    """
    with opened_dataset(path) as whole:
        opened, n_frames = whole.drop_vars(without, errors="ignore"), whole.sizes["time"]
        every = -(-n_frames // most)
        if every < 2:
            return opened.load()
        length = every * max(1, _STRETCH // every)
        pieces = [
            opened.isel(time=slice(start, start + length)).load().isel(time=slice(None, None, every)).copy(deep=True)
            for start in range(0, n_frames, length)
        ]  # copies: a slice of an array keeps all of it
    return joined(pieces).assign_attrs(every=every, n_frames=n_frames)


def joined(pieces: list[xr.Dataset]) -> xr.Dataset:
    """Consecutive stretches of a dataset as one."""
    if len(pieces) == 1:
        return pieces[0]
    return xr.concat(
        pieces, dim="time", data_vars="minimal", coords="minimal", compat="override", join="override",
        combine_attrs="override",
    )  # fmt: skip


def write_pieces(pieces: Iterable[xr.Dataset], path: Path, n_frames: int) -> None:
    """Write consecutive stretches of a dataset of `n_frames`; an attribute that any of them has is the file's."""
    with LateError(path) as held, h5netcdf.File(held, "w") as file:
        start = 0
        for piece in pieces:
            if start == 0:
                _prepare(file, piece, n_frames)
            _write(file, piece, start)
            start += piece.sizes["time"]
            held.check()


def _write(file: h5netcdf.File, piece: xr.Dataset, start: int) -> None:
    """A piece that begins at frame `start`."""
    for name, values in piece.variables.items():
        if "time" in values.dims:
            own = slice(start, start + piece.sizes["time"])
            at = tuple(own if dim == "time" else slice(None) for dim in values.dims)
            file.variables[str(name)][at] = _stored(values)
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
            dtype=h5py.string_dtype() if text else _STORED.get(values.dtype, values.dtype),
            **({"chunks": chunks, "compression": "gzip", "compression_opts": 1} if large else {}),
        )
        for key, value in (values.attrs | ({"dtype": "bool"} if values.dtype == bool else {})).items():
            variable.attrs[str(key)] = value
        if "time" not in values.dims:
            variable[...] = np.array([str(v) for v in values.values], dtype=object) if text else values.values


def _stored(values: xr.Variable) -> np.ndarray:
    """Values as netCDF holds them: it has no truth values, which xarray reads by the attribute `dtype`."""
    return values.values.astype(_STORED.get(values.dtype, values.dtype))
