"""3D poses on disk, and for `movement`."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import xarray as xr

from ...datasets import check_pose, fps_of, read_dataset, write_dataset
from ..files import FormatError, existing
from .csv_tables import read_pose_csv, write_pose_csv

_NETCDF = (".nc", ".nc4", ".netcdf", ".cdf")


def read_pose(path: str | os.PathLike, *, fps: float | None = None, unit: str | None = None) -> xr.Dataset:
    """Read a pose: netCDF, anipose's CSV (pose-3d), or any CSV with columns NAME_x, NAME_y, NAME_z.

    Parameters
    ----------
    fps : frames per second; needed for an anipose CSV, which does not hold it; it is never assumed
    unit : world unit of a CSV that does not say; None: "mm"

    Raises
    ------
    FormatError : the file is missing, cut off, of an unknown kind, or the frame rate is unknown
    """
    path = existing(path)
    if path.suffix.lower() == ".csv":
        return read_pose_csv(path, fps=fps, unit=unit)
    if path.suffix.lower() in _NETCDF:
        return check_pose(read_dataset(path))
    raise FormatError(f"{path}: poses are read from .csv and {', '.join(_NETCDF)} files, not from '{path.suffix}'")


def write_pose(pose: xr.Dataset, path: str | os.PathLike, *, plain: bool = False) -> Path:
    """Write a pose in the format of the suffix, atomically: netCDF (keeps everything) or CSV.

    A CSV has anipose's columns, or with `plain` only time, coordinates and confidence; `read_pose` gives positions,
    error, number of cameras and score back to the last bit.

    Raises
    ------
    DatasetError : the dataset is no pose
    FormatError : the suffix is unknown, or a CSV cannot hold several individuals
    """
    pose, path = check_pose(pose), Path(path)
    if path.suffix.lower() in _NETCDF:
        return write_dataset(pose, path)
    if path.suffix.lower() != ".csv":
        raise FormatError(f"poses are written as .csv or {', '.join(_NETCDF)}, not as '{path.suffix}' ({path})")
    write_pose_csv(pose, path, plain=plain)
    return path


def to_movement(pose: xr.Dataset, *, plural: bool = False) -> xr.Dataset:
    """The pose as the package `movement` keeps it: position (time, space, keypoint, individual) and confidence.

    Works for 3D poses and for one view of 2D points (``views.sel(view=...)``). `movement` itself is not needed.

    Parameters
    ----------
    plural : name the dimensions keypoints and individuals, as `movement` did before it dropped the plural

    Raises
    ------
    FormatError : the dataset still has several views
    """
    if "view" in pose["position"].dims:
        raise FormatError("movement keeps one view at a time: give views.sel(view=...)")
    names = ["position", *(["confidence"] if "confidence" in pose else [])]
    kept = pose[names]
    if "individual" not in kept.dims:
        kept = kept.expand_dims(individual=["individual_0"])
    kept = kept.transpose("time", "space", "keypoint", "individual", missing_dims="ignore")
    if "confidence" not in kept:
        kept["confidence"] = xr.full_like(kept["position"].isel(space=0, drop=True), np.nan)
    kept = kept.drop_vars([name for name in kept.coords if name not in kept.dims])
    unit = pose["position"].attrs.get("units", "")
    attributes = {"source_software": "muybridge", "ds_type": "poses", "time_unit": "seconds", "space_unit": unit}
    kept = kept.assign_attrs(attributes | {"fps": fps_of(pose)})
    return kept.rename({"keypoint": "keypoints", "individual": "individuals"}) if plural else kept
