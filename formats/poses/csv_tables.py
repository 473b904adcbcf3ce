"""3D poses as CSV: anipose's columns (NAME_x, _y, _z, _error, _ncams, _score, fnum) and a plain table over time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

from ...datasets import fps_of, pose_dataset
from ...numerics.arrays import Array
from ...numerics.robust_scale import present_mean
from ..files import FormatError
from ..tables.exact_csv import check_rows, check_text, column_numbers, read_csv
from ..tables.frame_rows import frames_from_index, rows_to_frames
from ..tables.table_writing import quoted, write_table

AXES = ("x", "y", "z")
EXTRAS = ("error", "ncams", "score")
# anipose's columns of the rotation and the origin of its world
TRANSFORM = tuple([f"M_{i}{j}" for i in range(3) for j in range(3)] + [f"center_{i}" for i in range(3)])


def read_pose_csv(path: Path, *, fps: float | None = None, unit: str | None = None) -> xr.Dataset:
    """Read a table with columns NAME_x, NAME_y, NAME_z per keypoint, in the file's order.

    `error` (mean reprojection error, pixels) and `score` of anipose become variables of these names beside
    `n_cameras`; `confidence` is the score cut off at 1, 0 where missing. Times come from a ``time`` column, else from
    anipose's ``fnum`` and `fps`; absent frames become rows of NaN.

    Raises
    ------
    FormatError
        No such columns, no numbers, a file cut off, or the frame rate is unknown.
    """
    table, keypoints = _read_table(path)
    numbers = {str(name): column_numbers(column, path) for name, column in table.items() if name != "unit"}
    frames = _frames(numbers, table, path)
    points_3d = rows_to_frames(_stack(numbers, keypoints, AXES), frames)
    held = {
        name: rows_to_frames(_stack(numbers, keypoints, (name,))[..., 0], frames)
        for name in (*EXTRAS, "confidence")
        if all(f"{keypoint}_{name}" in numbers for keypoint in keypoints)
    }
    times = _times(numbers, frames, fps, path)
    unit = unit or (str(table["unit"].iloc[0]) if "unit" in table else "mm")
    known = held.pop("confidence", held.get("score"))
    confidence = None if known is None else np.nan_to_num(np.clip(known, 0, 1))
    pose = pose_dataset(
        points_3d,
        keypoints=keypoints,
        times=times,
        unit=unit,
        n_cameras=held.get("ncams"),
        confidence=confidence,
        covariance=_covariances(numbers, keypoints, frames),
    )
    for name, units in (("error", "pixel"), ("score", "1")):
        if name in held:
            pose[name] = (("time", "keypoint"), held[name], {"units": units})
    return pose.assign_attrs(_anipose_attributes(numbers))


def _covariances(numbers: dict[str, Array], keypoints: list[str], frames: NDArray[np.int64]) -> Array | None:
    """(n_frames, n_keypoints, 3, 3) of the columns NAME_covariance.xx, .xy, ...; None where there are none."""
    parts = [f"covariance.{a}{b}" for a in AXES for b in AXES]
    upper = [f"covariance.{min(a, b)}{max(a, b)}" for a in AXES for b in AXES]
    held = [part if f"{keypoints[0]}_{part}" in numbers else other for part, other in zip(parts, upper, strict=True)]
    if not all(f"{keypoint}_{part}" in numbers for keypoint in keypoints for part in held):
        return None
    stacked = rows_to_frames(_stack(numbers, keypoints, tuple(held)), frames)
    return stacked.reshape(*stacked.shape[:-1], 3, 3)


def _read_table(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """The table, of at least one row, and the keypoints that have all coordinates."""
    import pandas as pd

    check_text(path)
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
    check_rows(path, len(columns))
    return table, keypoints


def _anipose_attributes(numbers: dict[str, Array]) -> dict:
    """What `write_pose_csv` needs to write anipose's own file again as it was."""
    attributes: dict = {}
    if "fnum" in numbers:
        attributes["first_frame"] = int(numbers["fnum"].min())
    if set(TRANSFORM) <= set(numbers):
        attributes["anipose_transform"] = np.array([numbers[name][0] for name in TRANSFORM])
        if "time" not in numbers:
            attributes["source"] = "anipose"
    return attributes


def _stack(numbers: dict[str, Array], keypoints: list[str], parts: tuple[str, ...]) -> Array:
    """(n_rows, n_keypoints, n_parts)"""
    columns = np.array([numbers[f"{keypoint}_{part}"] for keypoint in keypoints for part in parts])
    # transposed at once: half the time of stacking columns of each keypoint
    return np.ascontiguousarray(columns.T).reshape(-1, len(keypoints), len(parts))


def _frames(numbers: dict[str, Array], table, path: Path) -> NDArray[np.int64]:
    """Each row's frame, counted from the file's first."""
    if "fnum" not in numbers:
        return np.arange(len(table))
    if np.isnan(numbers["fnum"]).any():
        raise FormatError(f"{path} is cut off: a row has no frame number 'fnum'; make it again")
    return frames_from_index(numbers["fnum"] - numbers["fnum"].min(), str(path))


def _times(numbers: dict[str, Array], frames: NDArray[np.int64], fps: float | None, path: Path) -> Array:
    n_frames = int(frames.max()) + 1
    if fps is None and "time" in numbers:
        if np.isnan(numbers["time"]).any():
            raise FormatError(f"{path} is cut off: a row has no time; make it again")
        return np.interp(np.arange(n_frames), frames, numbers["time"])
    return times_of(n_frames, fps, path, first=numbers["fnum"].min() if "fnum" in numbers else 0)


def times_of(n_frames: int, fps: float | None, path: Path, first: float = 0) -> Array:
    """(n_frames,) seconds of the frames from `first` on; FormatError where the frame rate is not given or impossible.

    Parameters
    ----------
    fps : hertz
    """
    if fps is None:
        raise FormatError(f"the frame rate is not in {path} and is never assumed: give fps=... (frames per second)")
    if not fps > 0:
        raise FormatError(f"the frame rate must be a positive number of frames per second, got {fps!r}")
    return np.asarray((first + np.arange(n_frames)) / fps, float)


def write_plain_csv(pose: xr.Dataset, path: Path) -> None:
    """Write only time, NAME_x, NAME_y, NAME_z and NAME_confidence.

    Raises
    ------
    FormatError
        Several individuals.
    """
    write_table(path, _plain_columns(single_animal(pose, "a CSV")))


def write_pose_csv(pose: xr.Dataset, path: Path) -> None:
    """Write anipose's columns.

    Every number comes back to the last bit. Two columns ``time`` (seconds) and ``unit``, which anipose passes over,
    keep what its format forgets; a pose that was read from anipose is written without them, as it came. What has no
    column is left out (covariances, velocities): netCDF keeps all.

    Raises
    ------
    FormatError
        Several individuals.
    """
    pose = single_animal(pose, "a CSV")
    columns = _anipose_columns(pose)
    if _is_anipose(pose):
        write_table(path, columns)
        return
    unit = str(pose["position"].attrs["units"])
    head = ",".join(map(quoted, [*columns, "unit"])) + "\n"
    write_table(path, columns, head=head, ending=f",{quoted(unit)}")


def single_animal(pose: xr.Dataset, what: str) -> xr.Dataset:
    """A pose (or kinematics) without the dimension of individuals; FormatError where there are several."""
    if "individual" not in pose.dims:
        return pose
    n_individuals = pose.sizes["individual"]
    if n_individuals != 1:
        raise FormatError(f"{what} holds one animal, the pose {n_individuals}; write each pose.sel(individual=...)")
    return pose.squeeze("individual", drop=True)


def _anipose_columns(pose: xr.Dataset) -> dict[str, NDArray]:
    """Column name -> (n_frames,) values, in anipose's order."""
    n_frames, first = pose.sizes["time"], _first_frame(pose)
    columns = _point_columns(pose, _extras(pose))
    transform = np.asarray(pose.attrs.get("anipose_transform", np.r_[np.eye(3).ravel(), np.zeros(3)]), float)
    columns |= {name: np.full(n_frames, value) for name, value in zip(TRANSFORM, transform, strict=True)}
    columns["fnum"] = np.arange(first, first + n_frames)
    return columns if _is_anipose(pose) else columns | _time_column(pose)


def _plain_columns(pose: xr.Dataset) -> dict[str, NDArray]:
    """Column name -> (n_frames,) values: time, coordinates and confidence."""
    extras = {"confidence": _table_of(pose, "confidence")} if "confidence" in pose else {}
    return _time_column(pose) | _point_columns(pose, extras)


def _time_column(pose: xr.Dataset) -> dict[str, NDArray]:
    return {"time": np.asarray(pose["time"].values, float)}


def _point_columns(pose: xr.Dataset, extras: dict[str, Array]) -> dict[str, NDArray]:
    """NAME_x, NAME_y, NAME_z and the extras (n_frames, n_keypoints) of every keypoint."""
    position = pose["position"].transpose("time", "keypoint", "space").values
    columns: dict[str, NDArray] = {}
    for k, keypoint in enumerate(map(str, pose["keypoint"].values)):
        columns |= {f"{keypoint}_{axis}": position[:, k, a] for a, axis in enumerate(AXES)}
        columns |= {f"{keypoint}_{name}": values[:, k] for name, values in extras.items()}
        if "ncams" in extras:
            columns[f"{keypoint}_ncams"] = _as_integers(extras["ncams"][:, k])
    return columns


def _table_of(pose: xr.Dataset, variable: str) -> Array:
    return pose[variable].transpose("time", "keypoint").values.astype(float)


def _as_integers(values: Array) -> NDArray:
    """(n_frames,) of an integer type if every number is whole; a column with NaN stays as it is."""
    return values.astype(np.int64) if np.array_equal(values, np.round(values)) else values


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
        n_cameras, error = np.isfinite(per_view).sum(axis=0).astype(float), present_mean(per_view, 0)
    extras = {"error": error, "ncams": n_cameras, "score": score}
    held = (("ncams", "n_cameras"), ("score", "confidence"), ("error", "error"), ("score", "score"))
    for column, variable in held:
        if variable in pose:
            extras[column] = _table_of(pose, variable)
    return extras
