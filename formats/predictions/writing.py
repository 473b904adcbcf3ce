"""Write 2D points of all cameras for other tools: one file or folder per camera."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import xarray as xr

from ...datasets import check_views
from ...datasets.individuals import individual_names
from ..catalogue import format_of
from ..files import FormatError
from .instant_rows import frames_of_view
from .tracks import CameraRows


def write_views(views: xr.Dataset, folder: str | os.PathLike, *, format: str = "deeplabcut-csv") -> list[Path]:
    """Write the 2D points of every camera in another tool's format.

    Parameters
    ----------
    views : Dataset or DataArray
        2D points, as `check_views` takes them.
    folder : path
        Where the files appear, each named by its camera; made if absent.
    format : str
        "deeplabcut-csv", "deeplabcut-h5", "lightning-pose-csv", "sleap-h5", "openpose-json", or of all
        cameras in one file: "netcdf" (views.nc), "nwb" (views.nwb, with the extra).

    Returns
    -------
    list of Path
        The files or folders that were written, one per camera.

    Raises
    ------
    FormatError
        The format is unknown, a camera's name is no file name, or the views are of several detectors.

    Notes
    -----
    Points, confidence, names and their order, and frame numbers come back to the last bit through `read_views`. Of
    these formats only netCDF and NWB have a place for times; NWB has none for frame numbers. A missing point is an
    empty cell or NaN, in JSON 0, 0, 0.

    Examples
    --------
    >>> from muybridge.datasets import frame_times, views_dataset
    >>> from muybridge.formats import read_views, write_views
    >>> views = views_dataset([[[[1.5, 2.0]]]], cameras=["top"], keypoints=["nose"], times=frame_times(1, fps=30))
    >>> path, = write_views(views, "for-deeplabcut", format="deeplabcut-h5")
    >>> path.name, read_views({"top": path}, fps=30)["position"].values.tolist()
    ('top.h5', [[[[1.5, 2.0]]]])
    """
    views, folder, row = check_views(views), Path(folder), format_of("views", format, written=True)
    if row.name in ("netcdf", "nwb"):
        path = folder / f"views{row.suffixes[0]}"
        row.writer(views, path)
        return [path]
    if "detector" in views.dims:
        raise FormatError("the views are of several detectors: write each views.sel(detector=...), or combine_ensemble")
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for camera in map(str, views["view"].values):
        if Path(camera).name != camera:
            raise FormatError(f"the camera's name '{camera}' cannot be a file's; rename it with views.assign_coords")
        paths.append(folder / f"{camera}{row.ending or row.suffixes[0]}")
        row.writer(camera_rows(views, camera), paths[-1])
    return paths


def camera_rows(views: xr.Dataset, camera: str) -> CameraRows:
    """What is written of one camera: the frames that it has."""
    own, frames = views.sel(view=camera), frames_of_view(views, camera)
    individuals = tuple(individual_names(own)) or None
    own = own if individuals else own.expand_dims("individual")
    own = own.isel(time=np.flatnonzero(frames >= 0))
    order = ("individual", "time", "keypoint")
    return CameraRows(
        tuple(map(str, own["keypoint"].values)),
        own["position"].transpose(*order, "space").values,
        own["confidence"].transpose(*order).values,
        frames[frames >= 0],
        individuals,
    )
