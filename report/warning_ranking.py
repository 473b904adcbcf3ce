"""Warnings of the calibration, of the reconstruction and of its error bars in one list, the worst first."""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np
import xarray as xr

from .quality import point_spread, quantile

_LEAST_CONFIDENCE = 0.1  # of a keypoint that a detector has seen at all
_MOSTLY = 0.5  # share of keypoints or frames beyond which a lack is named
N_SHOWN = 3  # warnings at the top of the page and in the output of a run; the others are in a table


class SizedWarning(NamedTuple):
    """A sentence, the camera or keypoint that it is about, and how far off that is, world units and pixels.

    The sizes are NaN where they are not known.
    """

    about: str
    off: float
    off_px: float
    message: str


def ranked_warnings(
    calibration_report, pose: xr.Dataset | None, views: xr.Dataset | None = None, kinematics: xr.Dataset | None = None
) -> list[SizedWarning]:
    """Warnings by their size in world units; those about what is missing in 2D and among the angles at the end.

    Those of the calibration have none and come in its own order, the most serious first: the first of them is among
    the warnings shown, since all else rests on the calibration.
    """
    sized = [] if pose is None else _of_pose(pose)
    sized.sort(key=lambda warning: -warning.off if np.isfinite(warning.off) else np.inf)
    messages = [str(message) for message in getattr(calibration_report, "warnings", ())]
    calibration = [SizedWarning("calibration", np.nan, np.nan, message) for message in messages]
    n_sized = N_SHOWN - 1 if calibration else N_SHOWN
    missing = [*about_views(views), *joints_without_angle(kinematics)]
    return [*sized[:n_sized], *calibration[:1], *sized[n_sized:], *calibration[1:], *missing]


def about_views(views: xr.Dataset | None) -> list[SizedWarning]:
    """Animals in the videos that were not declared, then cameras without points."""
    return [] if views is None else [*_undeclared_animals(views), *cameras_without_points(views)]


def _undeclared_animals(found: xr.Dataset) -> list[SizedWarning]:
    """Of views or a pose, from the attribute `animal_warnings`."""
    lines = str(found.attrs.get("animal_warnings", "")).splitlines()
    return [SizedWarning("animals", np.nan, np.nan, f"{line[:1].upper()}{line[1:]}") for line in lines]


def cameras_without_points(views: xr.Dataset | None) -> list[SizedWarning]:
    """Cameras whose keypoints are mostly missing, the worst first."""
    if views is None:
        return []
    seen = views["position"].notnull().all("space")
    if "confidence" in views:
        seen &= views["confidence"] >= _LEAST_CONFIDENCE
    share = 1 - seen.mean([dim for dim in seen.dims if dim != "view"])
    worst = sorted(zip(map(str, share["view"].values), share.values.tolist(), strict=True), key=lambda item: -item[1])
    return [
        SizedWarning(
            f"camera {name}", np.nan, np.nan,
            f"Camera '{name}': {missing:.0%} of its keypoints are missing or have a confidence below"
            f" {_LEAST_CONFIDENCE:g}; look at its pictures.",
        )
        for name, missing in worst
        if missing > _MOSTLY
    ]  # fmt: skip


def joints_without_angle(kinematics: xr.Dataset | None) -> list[SizedWarning]:
    """Joints without an angle in most of the frames that have any."""
    if kinematics is None or "angle" not in kinematics:
        return []
    angles = kinematics["angle"].dropna("time", how="all")
    angles = angles if angles.sizes["time"] else kinematics["angle"]
    missing = angles.isnull().mean([dim for dim in angles.dims if dim != "joint"])
    return [
        SizedWarning(
            f"joint {name}", np.nan, np.nan,
            f"Joint '{name}' has no angle in {share:.0%} of the frames: its keypoints are missing there.",
        )
        for name, share in zip(map(str, missing["joint"].values), missing.values.tolist(), strict=True)
        if share > _MOSTLY
    ]  # fmt: skip


def _of_pose(pose: xr.Dataset) -> list[SizedWarning]:
    """From the attributes `warnings`, the records of `Diagnosis.warnings`, `rig_warnings`, `animal_warnings` and
    `coverage_warning`.

    Warnings of the rig have no size and come first.
    """
    rig = str(pose.attrs.get("rig_warnings", "")).splitlines()
    found = [SizedWarning("cameras", np.nan, np.nan, message) for message in rig]
    found += _undeclared_animals(pose)
    for row in json.loads(str(pose.attrs.get("warnings", "[]"))):
        off, off_px = (np.nan if row[name] is None else float(row[name]) for name in ("off", "off_px"))
        found.append(SizedWarning(f"{row['kind']} {row['name']}", off, off_px, row["message"]))
    for message in str(pose.attrs.get("coverage_warning", "")).splitlines():
        spread = quantile(point_spread(pose["covariance"].values), 0.5)
        found.append(SizedWarning("error bars", spread, np.nan, message))
    return found
