"""Labels in Label3D's and DANNCE's ``*_dannce.mat``: the 2D and 3D points of every camera's labelled frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from ..files import FormatError
from ..tables.frame_rows import frames_from_index, rows_to_frames
from ..tables.mat_files import read_mat
from .tracks import Track, make_track


def read_label3d(path: Path, camera: str | None = None) -> Track:
    """Read ``labelData`` of one camera, which ``camnames`` names (Camera1, ... where it is absent).

    Matlab's first pixel is (1, 1): one is subtracted. Frames are ``data_frame``, which these tools count from 0.

    Raises
    ------
    FormatError
        The file holds no labels, or not this camera's.
    """
    content = read_mat(path)
    cells = labels_of(content, path)
    names = camera_names(content, len(cells))
    if camera not in names and len(names) > 1:
        raise FormatError(f"{path} holds the cameras {names}, not '{camera}'; call the cameras by these names")
    label = cells[names.index(camera)] if camera in names else cells[0]
    points, frames = label_array(label, "data_2d", 2, path), label_frames(label, path)
    values = rows_to_frames(points - 1.0, frames, str(path))
    return make_track(keypoints_of(content, points.shape[1]), values[None], None, str(path), camera=camera)


def labels_of(content: dict, path: Path) -> list[dict[str, Array]]:
    """The fields of ``labelData``, a dictionary per camera.

    Raises
    ------
    FormatError
        There is none, or it is empty.
    """
    cells = np.asarray(content.get("labelData", np.empty(0)), dtype=object).ravel()
    found: list[Any] = [entry[0, 0] if isinstance(entry, np.ndarray) and entry.dtype.names else None for entry in cells]
    if not found or any(entry is None for entry in found):
        raise FormatError(
            f"{path} holds no 'labelData' with points of each camera (it has {sorted(content)}); as cameras it is read"
            " by read_rig"
        )
    return [{name: entry[name] for name in entry.dtype.names} for entry in found]


def label_array(label: dict[str, Array], name: str, n_space: int, path: Path) -> Array:
    """(n_rows, n_keypoints, n_space) of ``data_2d`` or ``data_3d``."""
    values = np.asarray(label.get(name, np.empty(0)))
    if values.ndim != 2 or values.dtype.kind not in "fiu" or values.shape[1] % n_space or not values.size:
        raise FormatError(f"{path}: labelData has '{name}' of shape {values.shape}; expected a row of points per frame")
    return values.astype(float).reshape(len(values), -1, n_space)


def label_frames(label: dict[str, Array], path: Path) -> NDArray[np.int64]:
    """(n_rows,) frame numbers, from 0."""
    return frames_from_index(np.ravel(label.get("data_frame", np.empty(0))), str(path))


def camera_names(content: dict, n: int) -> list[str]:
    """Names of the cameras: ``camnames``, else Camera1, Camera2, ..."""
    named = [str(np.ravel(name)[0]) for name in np.ravel(content.get("camnames", np.empty(0)))]
    return named if len(named) == n else [f"Camera{i}" for i in range(1, n + 1)]


def keypoints_of(content: dict, n: int) -> list[str]:
    """Names of Label3D's ``skeleton``, else keypoint_0, keypoint_1, ..."""
    skeleton = content.get("skeleton")
    if isinstance(skeleton, np.ndarray) and skeleton.dtype.names and "joint_names" in skeleton.dtype.names:
        names = [str(np.ravel(name)[0]) for name in np.ravel(skeleton["joint_names"].ravel()[0])]
        if len(names) == n:
            return names
    return [f"keypoint_{i}" for i in range(n)]
