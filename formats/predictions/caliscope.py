"""caliscope's ``xy.csv``: the 2D points of all cameras in one long table, a row per point."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from ..files import FormatError, check_size
from ..tables.exact_csv import header_of, read_numbers_csv
from .tracks import Track, make_track

_NEEDED = ("sync_index", "point_id", "img_loc_x", "img_loc_y")


def is_caliscope(path: Path) -> bool:
    """Whether a CSV has the columns of caliscope's 2D points."""
    return set(_NEEDED) <= set(header_of(path))


def read_caliscope(path: Path, camera: str | None = None) -> Track:
    """Read the points of one camera, recognised by the number at the end of its name (cam_0, port_0, 0).

    Row i of the track is the instant ``sync_index`` i, from the file's first on, so that all cameras have as many; its
    frame is ``frame_index``, its time the mean ``frame_time`` of the cameras. Keypoints are the file's point numbers.

    Raises
    ------
    FormatError
        The camera is not in the table, or a point is there twice.
    """
    table = read_numbers_csv(path)
    port = next((name for name in ("cam_id", "port") if name in table), None)
    if port is None:
        raise FormatError(f"{path} has no column 'cam_id' or 'port' that names the cameras; export it again")
    cameras = np.unique(table[port]).astype(int).tolist()
    number = re.search(r"(\d+)$", camera or "")
    wanted = int(number[1]) if number else cameras[0] if len(cameras) == 1 else None
    if wanted not in cameras:
        raise FormatError(
            f"{path} holds the cameras {cameras}; call this one by its number, such as cam_{cameras[0]}, not '{camera}'"
        )
    instants, points = table["sync_index"].astype(int), table["point_id"].astype(int)
    names, column = np.unique(points, return_inverse=True)
    first, n_rows = instants.min(), int(np.ptp(instants)) + 1
    check_size(16 * n_rows * len(names), path.stat().st_size, str(path))
    own = table[port] == wanted
    if len(np.unique(np.stack([instants[own], points[own]]), axis=1).T) < own.sum():
        raise FormatError(f"{path}: camera {wanted} has a point twice at one sync_index; split the table by recording")
    values = np.full((1, n_rows, len(names), 2), np.nan)
    values[0, instants[own] - first, column[own]] = np.stack([table["img_loc_x"][own], table["img_loc_y"][own]], -1)
    keypoints = [f"point_{i}" for i in names]
    times = _times(table, instants - first, table[port], n_rows)
    track = make_track(keypoints, values, None, str(path), times=times, camera=camera)
    if "frame_index" not in table:
        return track
    frames = np.full(n_rows, -1)
    frames[instants[own] - first] = table["frame_index"][own]
    return track._replace(frames=frames)


def _times(table: dict[str, Array], rows: NDArray, cameras: Array, n_rows: int) -> Array | None:
    """Mean time of the cameras at each instant, seconds from the first; None where they do not increase."""
    if "frame_time" not in table:
        return None
    _, once = np.unique(np.stack([rows, cameras]), axis=1, return_index=True)
    n = np.bincount(rows[once], minlength=n_rows)
    mean = np.bincount(rows[once], table["frame_time"][once], n_rows)[n > 0] / n[n > 0]
    times = np.interp(np.arange(n_rows), np.flatnonzero(n), mean)
    return times - times[0] if (np.diff(times) > 0).all() else None
