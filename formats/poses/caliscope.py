"""caliscope's ``xyz.csv``: 3D points in metres, a row per point, and its wide table with names (``_labelled.csv``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from ...datasets import pose_dataset
from ..files import FormatError, check_size
from ..tables.exact_csv import header_of, read_numbers_csv
from ..tables.table_writing import write_table
from .csv_tables import single_animal, times_of

_COORDINATES = ("x_coord", "y_coord", "z_coord")


def is_xyz(path: Path) -> bool:
    """Whether a CSV has caliscope's columns."""
    return {"sync_index", "point_id", *_COORDINATES} <= set(header_of(path))


def read_xyz(path: Path, *, fps: float | None = None, unit: str | None = None) -> xr.Dataset:
    """Read the points by their numbers, point_0, ...; times are ``frame_time`` where the table has it, else by `fps`.

    Raises
    ------
    FormatError
        A row is cut off or no number, a point is there twice in an instant, or the frame rate is unknown.
    """
    table = read_numbers_csv(path)
    instants = table["sync_index"].astype(int)
    names, column = np.unique(table["point_id"].astype(int), return_inverse=True)
    rows, n_frames = instants - instants.min(), int(np.ptp(instants)) + 1
    check_size(24 * n_frames * len(names), path.stat().st_size, path)
    if len(np.unique(rows * len(names) + column)) < len(rows):
        raise FormatError(f"{path} has a point twice at one sync_index; split it by recording")
    points_3d = np.full((n_frames, len(names), 3), np.nan)
    points_3d[rows, column] = np.stack([table[name] for name in _COORDINATES], -1)
    if fps is None and "frame_time" in table:
        present, first = np.unique(rows, return_index=True)
        times = np.interp(np.arange(n_frames), present, table["frame_time"][first])
    else:
        times = times_of(n_frames, fps, path, first=int(instants.min()))
    return pose_dataset(points_3d, keypoints=[f"point_{i}" for i in names], times=times, unit=unit or "m")


def write_xyz(pose: xr.Dataset, path: Path) -> None:
    """Write a row per point that is there, in metres where the unit is known; names become the points' numbers.

    Raises
    ------
    FormatError
        Several individuals, or a unit other than m, cm, mm.
    """
    pose = single_animal(pose, "caliscope's table")
    scale = in_metres(str(pose["position"].attrs["units"]), "caliscope works in metres")
    points_3d = pose["position"].transpose("time", "keypoint", "space").values
    frames, numbers = np.nonzero(np.isfinite(points_3d[..., 0]))
    listed = points_3d[frames, numbers] * scale
    columns = {"sync_index": frames, "point_id": numbers} | dict(zip(_COORDINATES, listed.T, strict=True))
    write_table(path, columns | {"frame_time": np.asarray(pose["time"].values, float)[frames]})


def in_metres(unit: str, why: str) -> float:
    """Metres per unit; FormatError where the unit is no known one."""
    known = {"m": 1.0, "cm": 0.01, "mm": 0.001}
    if unit not in known:
        raise FormatError(f"{why}, and the pose's unit is '{unit}'; give it in one of {list(known)}")
    return known[unit]
