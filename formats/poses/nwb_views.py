"""2D points of one camera in NWB with ndx-pose (as DeepLabCut and SLEAP write it), read with h5py alone."""

from __future__ import annotations

from pathlib import Path

import h5py

from ..files import FormatError
from ..predictions.tracks import Track, make_track
from ..tables.h5_arrays import check_hdf5
from .nwb import containers, name_of, read_container


def read_nwb_track(path: Path, camera: str | None = None) -> Track:
    """Read the one container of 2D series, or of several the one whose name holds the camera's.

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
        own = found if len(found) == 1 else [item for item in found if camera and camera in name_of(item[0])]
        if len(own) != 1:
            names = [name_of(group) for group, _ in found]
            raise FormatError(
                f"{path} holds 2D points under {names}, not one of which is camera '{camera}'; write a file per camera"
            )
        names, times, points_2d, confidence = read_container(*own[0], path)
    scores = None if confidence is None else confidence[None]
    of_several = camera if len(found) > 1 else None
    return make_track(names, points_2d[None], scores, str(path), times=times, camera=of_several)
