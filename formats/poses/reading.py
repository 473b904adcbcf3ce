"""Read and write 3D poses (netCDF, CSV), and convert them for the package `movement`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from ...datasets import check_pose, fps_of, read_dataset, write_dataset
from ..catalogue import format_of, recognised, written_as
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
        A file; its format is told by its suffix and by what it holds: netCDF, anipose's CSV (pose-3d), any CSV with
        columns NAME_x, NAME_y, NAME_z, and the others of the table "Poses".
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
    row = recognised("pose", path)
    pose = check_pose(row.reader(path, fps=fps, unit=unit))
    if keypoints is None:
        return pose
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
    pose: xr.Dataset,
    path: str | os.PathLike,
    *,
    format: str | None = None,
    plain: bool = False,
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
    row.writer(pose, path)
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
