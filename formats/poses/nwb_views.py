"""2D points in NWB with ndx-pose (as DeepLabCut and SLEAP write it): read with h5py alone, written by `ndx-pose`."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import xarray as xr

from ...datasets.atomic_files import atomic_write
from ..files import FormatError
from ..predictions.tracks import Track, make_track
from ..tables.h5_arrays import check_hdf5
from .nwb import MODULE, check_nwb_names, containers, name_of, new_nwb, read_container, series_of


def read_nwb_track(path: Path, camera: str | None = None) -> Track:
    """Read the one container of 2D series, or of several the one whose name is, or holds, the camera's.

    Raises
    ------
    FormatError
        There are no 2D points, or several containers of which not exactly one is the camera's.
    """
    check_hdf5(path)
    with h5py.File(path, "r") as file:
        found = containers(file, 2)
        if not found:
            raise FormatError(f"{path} holds no 2D points of ndx-pose (PoseEstimationSeries of x, y)")
        own = found if len(found) == 1 else [item for item in found if camera == name_of(item[0])]
        own = own or [item for item in found if camera and camera in name_of(item[0])]
        if len(own) != 1:
            names = [name_of(group) for group, _ in found]
            raise FormatError(
                f"{path} holds 2D points under {names}, not one of which is camera '{camera}'; write a file per camera"
            )
        names, times, points_2d, confidence = read_container(*own[0], path)
    scores = None if confidence is None else confidence[None]
    of_several = camera if len(found) > 1 else None
    return make_track(names, points_2d[None], scores, str(path), times=times, camera=of_several)


def write_nwb_views(views: xr.Dataset, path: Path) -> None:
    """Write a container per camera under its name, with times and confidence.

    Raises
    ------
    FormatError
        The packages are not installed, a name cannot be one in NWB, or there are several animals or detectors.
    """
    for dimension in ("individual", "detector"):
        if dimension in views.dims:
            raise FormatError(f"NWB holds 2D points of one {dimension}: write views.sel({dimension}=...) of each")
    pynwb, ndx, file = new_nwb(views, path, "2D points by muybridge")
    cameras, names = ([str(name) for name in views[dim].values] for dim in ("view", "keypoint"))
    check_nwb_names(cameras, "camera")
    skeleton = ndx.Skeleton(name="subject", nodes=names, edges=np.zeros((0, 2), np.uint8))
    module = file.create_processing_module(MODULE, "2D points of all cameras")
    module.add(ndx.Skeletons(skeletons=[skeleton]))
    frame = "(0, 0) is the centre of the picture's first pixel; y points down"
    for camera in cameras:
        series = series_of(ndx, views.sel(view=camera), unit="pixels", reference_frame=frame)
        module.add(
            ndx.PoseEstimation(
                name=camera, pose_estimation_series=series, skeleton=skeleton, source_software="muybridge"
            )
        )
    with atomic_write(path) as partial, pynwb.NWBHDF5IO(str(partial), "w") as io:
        io.write(file)
