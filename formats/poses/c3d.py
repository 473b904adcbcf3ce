"""C3D, the motion capture format: points in single precision at a constant rate. Needs `ezc3d`."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import xarray as xr

from ...datasets import fps_of, pose_dataset
from ...datasets.atomic_files import atomic_write
from ..files import FormatError, need_extra
from .csv_tables import single_animal

MAX_FRAMES = 65_535  # the header counts in 16 bits; what lies beyond is cut off by many readers
_UNEVEN = 1e-3  # of a frame's duration, by which a step may differ from the others


def read_c3d(path: Path, *, fps: float | None = None, unit: str | None = None) -> xr.Dataset:
    """Read the points; a residual below 0 marks a missing one. The first frame's number gives the first time.

    Raises
    ------
    FormatError
        `ezc3d` is not installed, the file is no C3D or shorter than its header declares, or states no rate.
    """
    ezc3d = need_extra("ezc3d", "c3d", f"reading {path}")
    _check_length(path)
    try:
        content = ezc3d.c3d(str(path))
    except (OSError, ValueError, RuntimeError, IndexError) as error:
        raise FormatError(f"{path} cannot be read as C3D ({error}); export it again") from error
    points, head = content["data"]["points"], content["header"]["points"]
    labels = [str(name).strip() for name in _parameter(content, "LABELS", [])][: points.shape[1]]
    points_3d = np.moveaxis(np.asarray(points[:3], float), 0, -1).swapaxes(0, 1)
    missing = np.asarray(content["data"]["meta_points"]["residuals"])[0].T < 0
    points_3d[missing] = np.nan
    rate = float(fps or head["frame_rate"] or 0)
    if not rate > 0 or not len(points_3d):
        raise FormatError(
            f"{path} holds {len(points_3d)} frames at the rate {rate:g}; export it again, or give fps=..."
        )
    if len(labels) != points_3d.shape[1]:
        raise FormatError(f"{path} names {len(labels)} of its {points_3d.shape[1]} points; export it again")
    held = _parameter(content, "UNITS", ["mm"])
    times = (head["first_frame"] + np.arange(len(points_3d))) / rate
    return pose_dataset(points_3d, keypoints=labels, times=times, unit=unit or str(held[0] if held else "mm"))


def _parameter(content, name: str, default: list) -> list:
    return content["parameters"]["POINT"].get(name, {}).get("value", default)


def _check_length(path: Path) -> None:
    """Refuse a file that is no C3D, or shorter than its header declares: ezc3d reads on for ever behind its end."""
    with path.open("rb") as stream:
        head = stream.read(512)
    if len(head) < 512 or head[1] != 0x50:
        raise FormatError(f"{path} does not begin as a C3D file; export it again")
    words = np.frombuffer(head, "<u2")
    n_points, n_frames = int(words[1]), int(words[4]) - int(words[3]) + 1
    size, cell = path.stat().st_size, 4 if head[15] & 0x80 else 2  # a negative scale factor: numbers are floats
    first = 512 * (int(words[8]) - 1)
    if first < 512 or first + 4 * cell * n_points * max(n_frames, 0) > size:
        raise FormatError(
            f"{path} declares {n_frames} frames of {n_points} points and has {size / 2**20:.2f} MB: it is cut off; copy"
            " or export it again"
        )


def write_c3d(pose: xr.Dataset, path: Path) -> None:
    """Write points, names, unit and rate; a missing point is 0 with residual -1, as the format has it.

    Raises
    ------
    FormatError
        `ezc3d` is not installed, several individuals, more frames than the header counts, or uneven times.
    """
    pose = single_animal(pose, "a C3D file")
    n_frames, rate = pose.sizes["time"], fps_of(pose)
    if n_frames > MAX_FRAMES:
        raise FormatError(
            f"a C3D file counts {MAX_FRAMES} frames, the pose has {n_frames}; write pose.isel(time=slice(0,"
            f" {MAX_FRAMES})) and the rest, or let 'muybridge export c3d' split it"
        )
    times = np.asarray(pose["time"].values, float)
    if n_frames > 1 and np.abs(np.diff(times) * rate - 1).max() > _UNEVEN:
        raise FormatError(
            "C3D has one frame rate, and the pose's times are uneven; interpolate it to even times, or write TRC"
        )
    ezc3d = need_extra("ezc3d", "c3d", f"writing {path}")
    points_3d = np.moveaxis(pose["position"].transpose("time", "keypoint", "space").values, -1, 0).swapaxes(1, 2)
    missing = np.isnan(points_3d[0])
    content = ezc3d.c3d()
    for name, value in (
        ("RATE", [rate]),
        ("LABELS", [str(name) for name in pose["keypoint"].values]),
        ("UNITS", [str(pose["position"].attrs["units"])]),
    ):
        content["parameters"]["POINT"][name]["value"] = value
    content["header"]["points"]["first_frame"] = max(0, round(times[0] * rate))
    content["data"]["points"] = np.concatenate([np.where(missing, 0.0, points_3d), np.ones((1, *missing.shape))])
    content["data"]["meta_points"]["residuals"] = np.where(missing, -1.0, 0.0)[None]
    content["data"]["meta_points"]["camera_masks"] = np.zeros((7, *missing.shape), bool)
    with atomic_write(path) as partial:
        content.write(str(partial))
        try:
            _check_length(partial)
        except FormatError:  # on a full disk ezc3d says nothing
            raise OSError(errno.ENOSPC, f"{partial} is cut off") from None
