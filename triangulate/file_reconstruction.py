"""Reconstruction of long recordings from file to file, one stretch of time in memory at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from pathlib import Path

import h5netcdf
import h5py
import numpy as np
import xarray as xr

from ..cameras import CameraRig
from ..datasets import DatasetError, Skeleton
from ..datasets.atomic_files import atomic_write
from ..datasets.validators import singular_dims
from . import framewise_methods, window_reconstruction
from .diagnosis.confidence import cause_of, with_confidence
from .framewise_methods import framewise_pieces, needed_symmetries
from .points.input_checks import matching_rig
from .pose_states.pose_prior import PosePrior
from .reconstruction import Settings, check_settings, described
from .stored_coverage import with_coverage_of_file


def reconstruct_file(
    source: str | os.PathLike,
    rig: CameraRig,
    destination: str | os.PathLike,
    *,
    method: str = "ransac",
    window: float | None = None,
    max_gap: float = 0.0,
    skeleton: Skeleton | None = None,
    prior: PosePrior | None = None,
    swaps: bool = False,
    chunk_frames: int = 5000,
    check_coverage: bool = False,
    executor: Executor | None = None,
    **options,
) -> Path:
    """Reconstruct a file of views into a file of poses, stretch by stretch, at bounded memory.

    The file holds what `write_dataset(reconstruct(...))` would; memory stays that of a few stretches of time.

    Parameters
    ----------
    source : str or path
        File (netCDF) of views, without an `individual` dimension.
    rig : CameraRig
        Cameras of at least the views' names.
    destination : str or path
        File (netCDF) to make; written whole or not at all.
    method : {"ransac", "dlt", "median", "pairs", "smooth", "gimbal"}
        As in `reconstruct`.
    window, max_gap : float, seconds, optional
        As in `reconstruct`.
    skeleton : Skeleton, optional
        As in `reconstruct`.
    prior : PosePrior, optional
        For "gimbal". None: learned from the recording.
    swaps, check_coverage : bool
        As in `reconstruct`.
    chunk_frames : int, frames
        Held in memory at a time by the methods that work frame by frame.
    executor : concurrent.futures.Executor, optional
        Where the windows of "smooth" and "gimbal" are solved: a `ProcessPoolExecutor`, or
        `dask.distributed.Client(...).get_executor()`, whose workers see the same file. None: threads.
    **options
        Further keyword arguments of the method's own function.

    Returns
    -------
    pathlib.Path
        The path of `destination`.

    Raises
    ------
    DatasetError
        The source is missing, no netCDF file, malformed, or names a camera that the rig does not have.
    ValueError
        The method uses all of time at once ("articulated"), or does not take an option given.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.datasets import read_dataset, views_dataset, write_dataset
    >>> from muybridge.triangulate import reconstruct_file
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> rig = CameraRig(tuple(Camera(f"cam_{x}", (1280, 1024), K, [], np.eye(3), [x, 0, 1000]) for x in (-200, 0, 200)))
    >>> points_2d = rig.project(np.random.default_rng(0).uniform(-50, 50, (40, 1, 3)))
    >>> views = views_dataset(points_2d, cameras=rig.names, keypoints=["nose"], times=np.arange(40) / 100)
    >>> path = reconstruct_file(write_dataset(views, "views.nc"), rig, "pose.nc", method="dlt")
    >>> read_dataset(path)["position"].shape
    (40, 1, 3)
    """
    if method not in (*framewise_methods.METHODS, *window_reconstruction.METHODS):
        known = [*framewise_methods.METHODS, *window_reconstruction.METHODS]
        raise ValueError(f"method {method!r} uses all of time at once; in pieces there are {known}")
    by_frame = chunk_frames if method in framewise_methods.METHODS else None
    settings = Settings(method, skeleton, prior, None, window, max_gap, swaps, by_frame, check_coverage, options)
    check_settings(method, prior, None, max_gap, by_frame, options)
    source, destination = Path(source), Path(destination)
    if not source.is_file():
        raise DatasetError(f"there is no dataset file {source}")
    with atomic_write(destination) as partial, xr.open_dataset(source, engine="h5netcdf", decode_times=False) as opened:
        views = singular_dims(opened)
        if "individual" in views.dims:
            raise DatasetError(f"{source} holds several individuals; reconstruct them one by one")
        if "detector" in views.dims:
            raise DatasetError(
                f"{source} holds several detectors' predictions; write combine_ensemble(views) and read that"
            )
        rig = matching_rig(views, rig)
        if by_frame is None:
            pieces = window_reconstruction.modelled_pieces(source, views, rig, settings, executor)
        else:
            sides = needed_symmetries(skeleton, views) if swaps else None
            pieces = framewise_pieces(views, rig, method, window, max_gap, chunk_frames, options, sides)
        pieces = _with_confidence(pieces, views, rig)
        if check_coverage:
            pieces = with_coverage_of_file(pieces, views, rig, settings)
        _write(pieces, partial, views, rig, settings.recorded)
    return destination


def _with_confidence(pieces: Iterable[xr.Dataset], views: xr.Dataset, rig: CameraRig) -> Iterator[xr.Dataset]:
    cause, start = cause_of(views, rig), 0
    for piece in pieces:
        stop = start + piece.sizes["time"]
        yield with_confidence(piece, views.isel(time=slice(start, stop)).load(), rig, cause)
        start = stop


def _write(pieces, path: Path, views: xr.Dataset, rig: CameraRig, settings: dict) -> None:
    n_frames, start = views.sizes["time"], 0
    with h5netcdf.File(path, "w") as file:
        for piece in pieces:
            if start == 0:
                piece = described(piece, rig, settings)
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
