"""3D poses as CSV: anipose's columns (NAME_x, _y, _z, _error, _ncams, _score, fnum) and a plain table over time."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...datasets import fps_of, pose_dataset
from ...datasets.atomic_files import atomic_write
from ...numerics.arrays import Array
from ..files import FormatError
from ..tables.exact_csv import read_csv
from ..tables.frame_rows import frames_from_index, rows_to_frames
from . import _kernels

AXES = ("x", "y", "z")
EXTRAS = ("error", "ncams", "score")
TRANSFORM = tuple([f"M_{i}{j}" for i in range(3) for j in range(3)] + [f"center_{i}" for i in range(3)])
_CHUNK_NUMBERS = 2_000_000


def read_pose_csv(path: Path, *, fps: float | None = None, unit: str | None = None) -> xr.Dataset:
    """Read a table with columns NAME_x, NAME_y, NAME_z per keypoint, in the file's order.

    `error` (mean reprojection error, pixels) and `score` of anipose become variables of these names beside
    `n_cameras`; `confidence` is the score cut off at 1, 0 where missing. Times come from a ``time`` column, else from
    anipose's ``fnum`` and `fps`; absent frames become rows of NaN.

    Raises
    ------
    FormatError : no such columns, no numbers, a file cut off, or the frame rate is unknown
    """
    import pandas as pd

    try:
        table = read_csv(path)
    except (ValueError, pd.errors.ParserError) as error:
        raise FormatError(f"{path} is no table: {error}") from error
    columns = [str(name) for name in table.columns]
    keypoints = [
        name[:-2] for name in columns if name.endswith("_x") and {f"{name[:-2]}_{a}" for a in AXES} <= set(columns)
    ]
    if not keypoints:
        raise FormatError(f"{path} has no columns NAME_x, NAME_y, NAME_z; it has {columns[:6]}")
    if len(table) == 0:
        raise FormatError(f"{path} holds no frame")
    numbers = _numbers(table, path)
    frames = _frames(numbers, table, path)
    points_3d = rows_to_frames(_stack(numbers, keypoints, AXES), frames)
    held = {
        name: rows_to_frames(_stack(numbers, keypoints, (name,))[..., 0], frames)
        for name in EXTRAS
        if all(f"{keypoint}_{name}" in numbers for keypoint in keypoints)
    }
    times = _times(numbers, frames, fps, path)
    unit = unit or (str(table["unit"].iloc[0]) if "unit" in table else "mm")
    confidence = np.nan_to_num(np.clip(held["score"], 0, 1)) if "score" in held else None
    pose = pose_dataset(
        points_3d, keypoints=keypoints, times=times, unit=unit, n_cameras=held.get("ncams"), confidence=confidence
    )
    for name, units in (("error", "pixel"), ("score", "1")):
        if name in held:
            pose[name] = (("time", "keypoint"), held[name], {"units": units})
    if set(TRANSFORM) <= set(numbers):
        pose.attrs["anipose_transform"] = np.array([numbers[name][0] for name in TRANSFORM])
    if "fnum" in numbers:
        pose.attrs["first_frame"] = int(numbers["fnum"].min())
    if "time" not in numbers and set(TRANSFORM) <= set(numbers):
        pose.attrs["source"] = "anipose"
    return pose


def _numbers(table, path: Path) -> dict[str, Array]:
    numbers = {}
    for name in table.columns:
        if name == "unit":
            continue
        try:
            numbers[str(name)] = table[name].to_numpy(dtype=float)
        except (TypeError, ValueError) as error:
            raise FormatError(f"{path}: column '{name}' is not made of numbers ({error})") from error
    return numbers


def _stack(numbers: dict[str, Array], keypoints: list[str], parts: tuple[str, ...]) -> Array:
    """(n_rows, n_keypoints, n_parts)"""
    return np.stack([np.stack([numbers[f"{keypoint}_{part}"] for part in parts], -1) for keypoint in keypoints], 1)


def _frames(numbers: dict[str, Array], table, path: Path) -> NDArray[np.int64]:
    """Each row's frame, counted from the file's first."""
    if "fnum" not in numbers:
        return np.arange(len(table))
    if np.isnan(numbers["fnum"]).any():
        raise FormatError(f"{path} is cut off: a row has no frame number 'fnum'; make it again")
    return frames_from_index(numbers["fnum"] - numbers["fnum"].min(), str(path))


def _times(numbers: dict[str, Array], frames: NDArray[np.int64], fps: float | None, path: Path) -> Array:
    n_frames = int(frames.max()) + 1
    if fps is not None:
        if not fps > 0:
            raise FormatError(f"the frame rate must be a positive number of frames per second, got {fps!r}")
        first = numbers["fnum"].min() if "fnum" in numbers else 0
        return (first + np.arange(n_frames)) / fps
    if "time" in numbers:
        if np.isnan(numbers["time"]).any():
            raise FormatError(f"{path} is cut off: a row has no time; make it again")
        return np.interp(np.arange(n_frames), frames, numbers["time"])
    raise FormatError(f"the frame rate is not in {path} and is never assumed: give fps=... (frames per second)")


def write_pose_csv(pose: xr.Dataset, path: Path, *, plain: bool = False) -> None:
    """Write anipose's columns, or with `plain` only time, NAME_x, NAME_y, NAME_z and NAME_confidence.

    Every number comes back to the last bit. Two columns ``time`` (seconds) and ``unit``, which anipose passes over,
    keep what its format forgets; a pose that was read from anipose is written without them, as it came. What has no
    column is left out (covariances, velocities): netCDF keeps all.

    Raises
    ------
    FormatError : several individuals
    """
    if "individual" in pose.dims:
        n_individuals = pose.sizes["individual"]
        if n_individuals != 1:
            raise FormatError(f"a CSV holds one animal, the pose {n_individuals}; write each pose.sel(individual=...)")
        pose = pose.squeeze("individual", drop=True)
    columns = _plain_columns(pose) if plain else _anipose_columns(pose)
    unit = None if plain or _is_anipose(pose) else str(pose["position"].attrs["units"])
    values = np.column_stack([values for values, _ in columns.values()])
    as_integer = np.array([integer for _, integer in columns.values()])
    for name, column, integer in zip(columns, values.T, as_integer, strict=True):
        if integer and not np.array_equal(column, np.round(column)):
            as_integer[list(columns).index(name)] = False
    with atomic_write(path) as partial, partial.open("wb") as stream:
        names = [*columns, "unit"] if unit is not None else list(columns)
        stream.write((",".join(_quoted(name) for name in names) + "\n").encode())
        rows = max(1, _CHUNK_NUMBERS // values.shape[1])
        for start in range(0, len(values), rows):
            text = csv_rows(values[start : start + rows], as_integer)
            if unit is not None:
                text = text.replace(b"\n", f",{_quoted(unit)}\n".encode())
            stream.write(text)


def csv_rows(values: Array, as_integer: NDArray[np.bool_]) -> bytes:
    """(n_rows, n_columns) as comma-separated lines, each number as short as it can be without losing a bit.

    NaN is an empty cell; columns marked `as_integer` have no decimal point.
    """
    size = np.abs(values)
    odd = (size != 0) & ((size < _kernels.SMALLEST) | (size >= _kernels.LARGEST))
    if not odd.any():
        out = np.empty(26 * values.size + 2, dtype=np.uint8)
        return out[: _kernels.write_rows(np.ascontiguousarray(values), as_integer, out)].tobytes()
    lines = []
    for row, is_odd in zip(values, odd.any(axis=1), strict=True):
        if is_odd:
            cells = (
                "" if x != x else str(int(x)) if whole else repr(x)
                for x, whole in zip(row.tolist(), as_integer, strict=True)
            )
            lines.append((",".join(cells) + "\n").encode())
        else:
            lines.append(csv_rows(row[None], as_integer))
    return b"".join(lines)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if re.search(r'[,"\n]', name) else name


def _anipose_columns(pose: xr.Dataset) -> dict[str, tuple[Array, bool]]:
    """Column name -> (values, whether they are whole numbers), in anipose's order."""
    n_frames = pose.sizes["time"]
    columns: dict[str, tuple[Array, bool]] = {}
    position = pose["position"].transpose("time", "keypoint", "space").values
    extras = _extras(pose)
    for k, keypoint in enumerate(map(str, pose["keypoint"].values)):
        for a, axis in enumerate(AXES):
            columns[f"{keypoint}_{axis}"] = (position[:, k, a], False)
        for name, values in extras.items():
            columns[f"{keypoint}_{name}"] = (values[:, k], name == "ncams")
    transform = np.asarray(pose.attrs.get("anipose_transform", np.r_[np.eye(3).ravel(), np.zeros(3)]), float)
    for name, value in zip(TRANSFORM, transform, strict=True):
        columns[name] = (np.full(n_frames, value), False)
    columns["fnum"] = (np.arange(_first_frame(pose), _first_frame(pose) + n_frames, dtype=np.float64), True)
    if not _is_anipose(pose):
        columns["time"] = (np.asarray(pose["time"].values, float), False)
    return columns


def _is_anipose(pose: xr.Dataset) -> bool:
    """Whether the pose was read from anipose's own file."""
    return pose.attrs.get("source") == "anipose"


def _first_frame(pose: xr.Dataset) -> int:
    if "first_frame" in pose.attrs:
        return int(pose.attrs["first_frame"])
    times = np.asarray(pose["time"].values, float)
    return max(0, round(float(times[0]) * fps_of(pose))) if len(times) > 1 else 0


def _extras(pose: xr.Dataset) -> dict[str, Array]:
    """error, ncams, score (n_frames, n_keypoints): as read, or from the library's own variables; NaN where unknown."""
    shape = (pose.sizes["time"], pose.sizes["keypoint"])
    error, n_cameras, score = (np.full(shape, np.nan) for _ in range(3))
    if "reprojection_error" in pose:
        per_view = pose["reprojection_error"].transpose("view", "time", "keypoint").values
        seen = np.isfinite(per_view)
        n_cameras = seen.sum(axis=0).astype(float)
        error = np.where(n_cameras > 0, np.where(seen, per_view, 0).sum(axis=0) / np.maximum(n_cameras, 1), np.nan)
    if "n_cameras" in pose:
        n_cameras = pose["n_cameras"].transpose("time", "keypoint").values.astype(float)
    if "confidence" in pose:
        score = pose["confidence"].transpose("time", "keypoint").values.astype(float)
    if "error" in pose:
        error = pose["error"].transpose("time", "keypoint").values
    if "score" in pose:
        score = pose["score"].transpose("time", "keypoint").values
    return {"error": error, "ncams": n_cameras, "score": score}


def _plain_columns(pose: xr.Dataset) -> dict[str, tuple[Array, bool]]:
    columns: dict[str, tuple[Array, bool]] = {"time": (np.asarray(pose["time"].values, float), False)}
    for keypoint in map(str, pose["keypoint"].values):
        point = pose.sel(keypoint=keypoint)
        for axis in AXES:
            columns[f"{keypoint}_{axis}"] = (point["position"].sel(space=axis).values, False)
        if "confidence" in pose:
            columns[f"{keypoint}_confidence"] = (point["confidence"].values.astype(float), False)
    return columns
