"""3D points of Label3D (``*_dannce.mat``), DANNCE (``save_data_AVG.mat``) and JARVIS (``data3D.csv``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from ...datasets import pose_dataset
from ...numerics.arrays import Array
from ..files import FormatError
from ..predictions.jarvis import read_jarvis_table
from ..predictions.label3d import keypoints_of, label_array, label_frames, labels_of
from ..tables.frame_rows import rows_to_frames
from ..tables.mat_files import read_mat
from .csv_tables import times_of


def read_dannce(path: Path, *, fps: float | None = None, unit: str | None = None) -> xr.Dataset:
    """Read predictions (``pred``, ``p_max``; of sDANNCE with several animals) or labelled points (``labelData``).

    Labelled points stand at their frames, others are NaN; the unit is millimetres, in which these tools work.

    Raises
    ------
    FormatError
        The file holds neither, or the frame rate is not given.
    """
    content = read_mat(path)
    if "pred" not in content:
        label = labels_of(content, path)[0]
        points_3d, frames = label_array(label, "data_3d", 3, path), label_frames(label, path)
        points_3d = rows_to_frames(points_3d, frames, str(path))
        return _pose(points_3d, None, keypoints_of(content, points_3d.shape[-2]), fps, unit, path)
    predicted = np.asarray(content["pred"])
    if predicted.dtype.kind not in "fiu" or predicted.ndim not in (3, 4) or predicted.shape[-2] != 3:
        raise FormatError(
            f"{path}: 'pred' has shape {predicted.shape}; expected (n_frames, [n_animals,] 3, n_keypoints)"
        )
    points_3d = np.swapaxes(predicted.astype(float), -1, -2)
    scores = np.asarray(content.get("p_max", np.empty(0)), float)
    scores = scores if scores.shape == points_3d.shape[:-1] else None
    if points_3d.ndim == 4:
        points_3d, scores = np.moveaxis(points_3d, 1, 0), None if scores is None else np.moveaxis(scores, 1, 0)
        if len(points_3d) == 1:
            points_3d, scores = points_3d[0], None if scores is None else scores[0]
    return _pose(points_3d, scores, keypoints_of(content, points_3d.shape[-2]), fps, unit, path)


def _pose(points_3d: Array, scores: Array | None, names: list[str], fps, unit, path: Path) -> xr.Dataset:
    confidence = None if scores is None else np.nan_to_num(np.clip(scores, 0, 1))
    times = times_of(points_3d.shape[-3], fps, path)
    return pose_dataset(points_3d, keypoints=names, times=times, unit=unit or "mm", confidence=confidence)


def read_jarvis_pose(path: Path, *, fps: float | None = None, unit: str | None = None) -> xr.Dataset:
    """Read JARVIS' 3D points, whose unit is that of its calibration, millimetres by default.

    Raises
    ------
    FormatError
        The table is cut off or holds 2D points, or the frame rate is not given.
    """
    names, points_3d, scores = read_jarvis_table(path)
    if points_3d.shape[-1] != 3:
        raise FormatError(f"{path} holds 2D points of one camera; read them with read_views")
    return _pose(points_3d, scores, names, fps, unit, path)
