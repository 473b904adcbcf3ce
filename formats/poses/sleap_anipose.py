"""sleap-anipose's ``points3d.h5``: one array of 3D points, without names, times and unit."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import xarray as xr

from ...datasets import pose_dataset
from ..files import FormatError
from ..tables.h5_arrays import check_hdf5, new_hdf5, read_numbers
from .csv_tables import times_of


def read_points3d(path: Path, *, fps: float | None = None, unit: str | None = None) -> xr.Dataset:
    """Read ``tracks (n_frames, n_tracks, n_nodes, 3)``; one track is an animal without a name, the unit "mm".

    Raises
    ------
    FormatError
        There is no such array, or the frame rate is not given.
    """
    check_hdf5(path)
    with h5py.File(path, "r") as file:
        tracks = read_numbers(file, "tracks", path)
    if tracks.ndim != 4 or tracks.shape[-1] != 3 or 0 in tracks.shape:
        raise FormatError(f"{path}: 'tracks' has shape {tracks.shape}; expected (n_frames, n_tracks, n_nodes, 3)")
    points_3d = np.moveaxis(tracks, 1, 0)
    keypoints = [f"keypoint_{i}" for i in range(tracks.shape[2])]
    times = times_of(len(tracks), fps, path)
    pose = points_3d[0] if len(points_3d) == 1 else points_3d
    return pose_dataset(pose, keypoints=keypoints, times=times, unit=unit or "mm")


def write_points3d(pose: xr.Dataset, path: Path) -> None:
    """Write ``tracks`` of all individuals; names, times, unit and all other variables are left out."""
    position = pose["position"] if "individual" in pose.dims else pose["position"].expand_dims("individual")
    with new_hdf5(path) as file:
        file["tracks"] = position.transpose("time", "individual", "keypoint", "space").values
