"""Read and write 3D poses (netCDF, CSV), and convert them for the package `movement`."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import xarray as xr

from ...datasets import check_pose, fps_of, read_dataset, write_dataset
from ...datasets.netcdf import NETCDF_SUFFIXES
from ..files import FormatError, existing
from .csv_tables import read_pose_csv, write_pose_csv


def read_pose(path: str | os.PathLike, *, fps: float | None = None, unit: str | None = None) -> xr.Dataset:
    """Read a 3D pose from netCDF, anipose's CSV (pose-3d), or any CSV with columns NAME_x, NAME_y, NAME_z.

    Parameters
    ----------
    path : path
        A .csv or .nc file.
    fps : float, hertz, optional
        Frames per second; needed for anipose's CSV, which does not state it. It is never assumed.
    unit : str, optional
        World unit of a CSV that does not state it; "mm" by default.

    Returns
    -------
    Dataset
        A ``pose``: position in world units over time, keypoint and space, with what else the file holds. Absent frames
        and empty cells are NaN.

    Raises
    ------
    FormatError
        The file is missing, cut off, of an unknown kind, or the frame rate is unknown.

    Examples
    --------
    >>> from pathlib import Path
    >>> from muybridge.formats import read_pose
    >>> _ = Path("pose.csv").write_text("nose_x,nose_y,nose_z,fnum\\n1,2,3,0\\n1.5,2,3,1\\n")
    >>> read_pose("pose.csv", fps=50)["position"].values.tolist()
    [[[1.0, 2.0, 3.0]], [[1.5, 2.0, 3.0]]]
    """
    path = existing(path)
    if path.suffix.lower() == ".csv":
        return read_pose_csv(path, fps=fps, unit=unit)
    if path.suffix.lower() in NETCDF_SUFFIXES:
        return check_pose(read_dataset(path))
    raise FormatError(
        f"{path}: poses are read from .csv and {', '.join(NETCDF_SUFFIXES)} files, not from '{path.suffix}'"
    )


def write_pose(pose: xr.Dataset, path: str | os.PathLike, *, plain: bool = False) -> Path:
    """Write a 3D pose as netCDF, which keeps everything, or as CSV.

    Parameters
    ----------
    pose : Dataset or DataArray
        3D points with their unit, as `check_pose` takes them.
    path : path
        A name that ends in .nc or .csv; the file appears whole or not at all.
    plain : bool
        Of a CSV: only time, coordinates and confidence instead of anipose's columns.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    DatasetError
        The dataset is no pose.
    FormatError
        The suffix is unknown, or a CSV is asked to hold several individuals.

    Notes
    -----
    NaN becomes an empty cell. `read_pose` gives positions, error, number of cameras and score back to the last bit.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import pose_dataset
    >>> from muybridge.formats import write_pose
    >>> points_3d = np.array([[[1.0, 2.0, np.nan]], [[1.5, 2.0, 3.0]]])
    >>> pose = pose_dataset(points_3d, keypoints=["nose"], times=[0.0, 0.02], unit="mm")
    >>> print(write_pose(pose, "pose.csv", plain=True).read_text())
    time,nose_x,nose_y,nose_z
    0.0,,,
    0.02,1.5,2.0,3.0
    <BLANKLINE>
    """
    pose, path = check_pose(pose), Path(path)
    if path.suffix.lower() in NETCDF_SUFFIXES:
        return write_dataset(pose, path)
    if path.suffix.lower() != ".csv":
        raise FormatError(f"poses are written as .csv or {', '.join(NETCDF_SUFFIXES)}, not as '{path.suffix}' ({path})")
    write_pose_csv(pose, path, plain=plain)
    return path


def to_movement(pose: xr.Dataset, *, plural: bool = False) -> xr.Dataset:
    """Convert a pose or one view to the dataset of the package `movement`, which itself is not needed.

    Parameters
    ----------
    pose : Dataset
        A 3D pose, or one view of 2D points (``views.sel(view=...)``).
    plural : bool
        Name the dimensions keypoints and individuals, as older versions of `movement` did.

    Returns
    -------
    Dataset
        ``position`` over (time, space, keypoint, individual) and ``confidence``, with movement's attributes. Missing
        points and unknown confidences are NaN.

    Raises
    ------
    FormatError
        The dataset has several views.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import pose_dataset
    >>> from muybridge.formats import to_movement
    >>> pose = pose_dataset(np.zeros((2, 1, 3)), keypoints=["nose"], times=[0.0, 0.02], unit="mm")
    >>> to_movement(pose)["position"].dims
    ('time', 'space', 'keypoint', 'individual')
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
