"""Read and write 3D poses and kinematics in the formats of the catalogue."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from ...datasets import check_kinematics, check_pose, read_dataset, write_dataset
from ..catalogue import format_of, read_as, recognised, written_as
from ..files import FormatError, existing


def read_pose(
    path: str | os.PathLike,
    *,
    fps: float | None = None,
    unit: str | None = None,
    keypoints: Sequence[str] | None = None,
) -> xr.Dataset:
    """Read a 3D pose from the file of any tool that docs/formats.md lists.

    Parameters
    ----------
    path : path
        A file; its format is recognised by its suffix and by what it holds: netCDF, anipose's CSV (pose-3d), any
        CSV with columns NAME_x, NAME_y, NAME_z, and the others of the table "Poses".
    fps : float, hertz, optional
        Frames per second, where the file does not state them (anipose's CSV). They are never assumed.
    unit : str, optional
        World unit of a file that does not state it; by default the one its tool works in, of a CSV "mm".
    keypoints : sequence of str, optional
        Names of the keypoints in the file's order, for formats without names.

    Returns
    -------
    Dataset
        A ``pose``: position in world units over time, keypoint and space, with what else the file holds. Absent frames
        and empty cells are NaN.

    Raises
    ------
    FormatError
        The file is missing, cut off, of an unknown kind, has names of its own, or the frame rate is unknown.

    Examples
    --------
    >>> from pathlib import Path
    >>> from muybridge.formats import read_pose
    >>> _ = Path("pose.csv").write_text("nose_x,nose_y,nose_z,fnum\\n1,2,3,0\\n1.5,2,3,1\\n")
    >>> read_pose("pose.csv", fps=50)["position"].values.tolist()
    [[[1.0, 2.0, 3.0]], [[1.5, 2.0, 3.0]]]
    """
    path = existing(path)
    pose = check_pose(read_as("pose", path, fps=fps, unit=unit))
    if keypoints is None:
        return pose
    row = recognised("pose", path)
    names = [str(name) for name in keypoints]
    if not row.unnamed or len(names) != pose.sizes["keypoint"]:
        held = "has names of its own" if not row.unnamed else f"has {pose.sizes['keypoint']}, not {len(names)}"
        raise FormatError(f"{path}: keypoints names the points of a file without names; this one {held}")
    return pose.assign_coords(keypoint=names)


def read_netcdf(path: Path, *, fps: float | None = None, unit: str | None = None) -> xr.Dataset:
    """A pose that `write_pose` wrote; it states its times and unit itself."""
    return read_dataset(path)


def write_netcdf(pose: xr.Dataset, path: Path) -> None:
    """A pose with everything that it holds."""
    write_dataset(pose, path)


def write_pose(
    pose: xr.Dataset, path: str | os.PathLike, *, format: str | None = None, plain: bool = False, rig: Any = None
) -> Path:
    """Write a 3D pose as netCDF, which keeps everything, or for another tool.

    Parameters
    ----------
    pose : Dataset or DataArray
        3D points with their unit, as `check_pose` takes them.
    path : path
        The file, which appears whole or not at all.
    format : str, optional
        Name of one of the formats of docs/formats.md; None: the first of the path's suffix (.csv: anipose's).
    plain : bool
        The format "csv": only time, coordinates and confidence instead of anipose's columns.
    rig : CameraRig, optional
        The cameras, for a format that has a place for them (NWB).

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    DatasetError
        The dataset is no pose.
    FormatError
        The suffix or format is unknown, or it cannot hold several individuals, or so many frames.

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
    if plain and format is None and path.suffix.lower() == ".csv":
        format = "csv"
    row = written_as("pose", path) if format is None else format_of("pose", format, written=True)
    if rig is not None and not row.cameras:
        raise FormatError(f"the format '{row.name}' has no place for cameras; write them with write_rig")
    row.writer(pose, path, **({} if rig is None else {"rig": rig}))
    return path


def write_kinematics(kinematics: xr.Dataset, path: str | os.PathLike, *, format: str | None = None) -> Path:
    """Write joint angles, velocities and what else a ``kinematics`` dataset holds.

    Parameters
    ----------
    kinematics : Dataset
        As `check_kinematics` takes it.
    path : path
        The file, which appears whole or not at all.
    format : str, optional
        "netcdf" and "parquet" keep everything, "csv" every variable over time, "mot" the angles (OpenSim); None: the
        one of the path's suffix.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    DatasetError
        The dataset is no kinematics.
    FormatError
        The suffix or format is unknown, or cannot hold the dataset.

    Examples
    --------
    >>> import xarray as xr
    >>> from muybridge.formats import write_kinematics
    >>> angle = xr.Variable(("time", "joint"), [[0.5], [1.25]], {"units": "rad"})
    >>> kinematics = xr.Dataset({"angle": angle}, {"time": [0.0, 0.02], "joint": ["knee"]})
    >>> print(write_kinematics(kinematics, "angles.csv").read_text())
    time,knee_angle
    0.0,0.5
    0.02,1.25
    <BLANKLINE>
    """
    kinematics, path = check_kinematics(kinematics), Path(path)
    row = written_as("kinematics", path) if format is None else format_of("kinematics", format, written=True)
    row.writer(kinematics, path)
    return path


def read_kinematics(path: str | os.PathLike) -> xr.Dataset:
    """Read joint angles and what else a file of `write_kinematics`, or OpenSim's MOT, holds.

    Parameters
    ----------
    path : path
        A netCDF, Parquet or MOT file.

    Returns
    -------
    Dataset
        A ``kinematics`` dataset; angles in radians.

    Raises
    ------
    FormatError
        The file is missing, cut off or of an unknown kind.

    Examples
    --------
    >>> import xarray as xr
    >>> from muybridge.formats import read_kinematics, write_kinematics
    >>> angle = xr.Variable(("time", "joint"), [[0.5], [1.25]], {"units": "rad"})
    >>> kinematics = xr.Dataset({"angle": angle}, {"time": [0.0, 0.02], "joint": ["knee"]})
    >>> read_kinematics(write_kinematics(kinematics, "angles.mot"))["angle"].values.tolist()
    [[0.5], [1.25]]
    """
    path = existing(path)
    return check_kinematics(read_as("kinematics", path))
