"""Figures of quality of a reconstruction: where the 3D points fall in the images, and what is missing."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..datasets import Array, Skeleton
from .player import known_bones


def quantile(values: Any, share: float) -> float:
    """Quantile of the finite values; NaN where there is none."""
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    return float(np.quantile(values, share)) if values.size else float("nan")


def camera_table(views: xr.Dataset | None, errors: xr.DataArray | None) -> pd.DataFrame:
    """One row per camera and one for all: share of missing detections, reprojection error (pixels)."""
    names = [str(name) for name in (views if views is not None else errors)["view"].values]  # pyright: ignore
    rows = {}
    for name in [*names, "all"]:
        row: dict[str, object] = {}
        if views is not None:
            row["missing"] = _missing(_part_of(views["position"], name, "view"))
        if errors is not None:
            row |= _spread(_part_of(errors, name, "view"))
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index")


def left_out_table(pose: xr.Dataset | None) -> pd.DataFrame | None:
    """One row per camera and one for all: pixel error where the point was made without that camera, per method.

    From the attribute `left_out` of the pose, records of (method, camera, median_px, p95_px, ...), or from the check of
    its error bars, which leaves each camera out, too; None without both, and of several individuals.
    """
    records = None if pose is None else _left_out_records(pose)
    if records is None or records.empty:
        return None
    columns = {
        f"{method}, {word}": rows.set_index("camera")[column]
        for method, rows in records.groupby("method", sort=False)
        for word, column in (("median px", "median_px"), ("p95 px", "p95_px"))
    }
    return pd.DataFrame(columns).reindex([str(name) for name in dict.fromkeys(records["camera"])])


def _left_out_records(pose: xr.Dataset) -> pd.DataFrame | None:
    if "left_out" in pose.attrs:
        return pd.DataFrame(json.loads(str(pose.attrs["left_out"])))
    if "coverage" not in pose.attrs:
        return None
    found = pd.DataFrame(json.loads(str(pose.attrs["coverage"])))
    if "individual" in found or "median_px" not in found:
        return None
    rows = found.loc[found["kind"].isin(["camera", "all"])]
    rows = rows.assign(camera=rows["name"])
    plain = rows.drop(columns=["median_px", "p95_px"]).rename(columns=lambda name: str(name).removeprefix("robust_"))
    method = str(json.loads(str(pose.attrs.get("options", "{}"))).get("method", "reconstruct"))
    own = rows.assign(method=method)
    return own if method == "ransac" else pd.concat([plain.assign(method="ransac"), own])


def coverage_table(pose: xr.Dataset | None, kind: str) -> pd.DataFrame | None:
    """What share of the pixels of left-out cameras lies in the predicted regions: one row per camera or keypoint.

    From the attribute `coverage` of the pose, the records of `Coverage.table`; of several individuals the mean. None
    without it.

    Parameters
    ----------
    kind : "camera", with a row for all, or "keypoint"
    """
    if pose is None or "coverage" not in pose.attrs:
        return None
    records = pd.DataFrame(json.loads(str(pose.attrs["coverage"])))
    rows = records[records["kind"].isin([kind, "all"] if kind == "camera" else [kind])]
    columns = ["n", "outliers", "inside_50", "inside_95", "judged_95", "rescaled_95", "factor"]
    rows = rows.assign(**{column: rows[column].astype(float) for column in columns})
    found = rows.groupby("name", sort=False)[columns].mean().dropna(axis="columns", how="all")
    return found.assign(n=found["n"].round().astype(int))


def keypoint_table(pose: xr.Dataset | None, views: xr.Dataset | None, errors: xr.DataArray | None) -> pd.DataFrame:
    """One row per keypoint and one for all: missing shares, cameras per point, error (px), uncertainty (world unit)."""
    source = pose if pose is not None else views
    names = [str(name) for name in source["keypoint"].values] if source is not None else []
    rows = {}
    for name in [*names, "all"]:
        row: dict[str, object] = {}
        if views is not None:
            row["missing 2D"] = _missing(_part_of(views["position"], name))
        if pose is not None:
            row["missing 3D"] = _missing(_part_of(pose["position"], name))
            if "n_cameras" in pose:
                row["cameras"] = float(pd.Series(_part_of(pose["n_cameras"], name).ravel()).mean())
            if "covariance" in pose:
                row["sd"] = quantile(point_spread(_part_of(pose["covariance"], name)), 0.5)
        if errors is not None:
            row |= _spread(_part_of(errors, name))
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index")


def median_errors(errors: xr.DataArray, keypoints: list[str]) -> Array:
    """(n_keypoints, n_cameras) pixels; "all" among the names stands for all keypoints; NaN where none was seen."""
    by_view = [errors.sel(view=name) for name in errors["view"].values]
    return np.array([[quantile(_part_of(one, name), 0.5) for one in by_view] for name in keypoints])


def point_spread(covariances: Array) -> Array:
    """(...) standard deviation per axis of (..., 3, 3) covariances: root of a third of the trace; NaN stays NaN."""
    trace = np.trace(np.asarray(covariances, float), axis1=-2, axis2=-1)
    return np.sqrt(np.where(trace >= 0, trace, np.nan) / 3)


def bone_lengths(pose: xr.Dataset, skeleton: Skeleton) -> tuple[Array, list[str]]:
    """(n_frames, n_bones) lengths, world units, of the bones whose ends the pose has, and their names; NaN if unseen.

    The frames of all individuals follow one another.
    """
    bones, position = known_bones(skeleton, [str(name) for name in pose["keypoint"].values]), pose["position"]
    lengths = [
        np.linalg.norm(position.sel(keypoint=a).values - position.sel(keypoint=b).values, axis=-1).ravel()
        for a, b in bones
    ]
    names = [f"{a} – {b}" for a, b in bones]
    return (np.stack(lengths, axis=1) if lengths else np.empty((0, 0))), names


def _part_of(values: xr.DataArray, name: str, dim: str = "keypoint") -> np.ndarray:
    """Values of one keypoint or camera, empty where there is none of this name; of "all" every value."""
    if name != "all":
        values = values.isel({dim: values[dim].astype(str) == name})
    return np.asarray(values, float)


def _missing(positions: np.ndarray) -> float:
    return float(1.0 - np.isfinite(positions).all(-1).mean()) if positions.size else float("nan")


def _spread(errors: np.ndarray) -> dict[str, float | int]:
    return {
        "points": int(np.isfinite(errors).sum()),
        "median px": quantile(errors, 0.5),
        "p95 px": quantile(errors, 0.95),
    }
