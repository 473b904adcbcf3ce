"""The worst warnings about what each step has made, and a verdict on the whole, for the output of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .config import STEPS, Session
from .steps.calibration import read_calibration_report

if TYPE_CHECKING:
    import xarray as xr

_LEAST_CONFIDENCE = 0.1  # of a keypoint that a detector has seen at all
_MOSTLY = 0.5  # share of keypoints or frames beyond which a lack is named
_SURE, _UNSURE = 0.8, 0.5  # mean confidence of a reconstruction that can be used, and of one that cannot


def step_warnings(session: Session, step: str) -> list[str]:
    """Sentences on what a step has made, the worst first."""
    found = {"calibrate": _of_calibration, "predict": _of_views, "reconstruct": _of_pose, "kinematics": _of_kinematics}
    return found[step](session) if step in found else []


def worst_warnings(session: Session, step: str) -> list[str]:
    """Three lines at most; the last one says how many more the report has."""
    from ..report.warning_ranking import N_SHOWN

    found = step_warnings(session, step)
    lines = [f"warning: {message}" for message in found[:N_SHOWN]]
    n_more = len(found) - len(lines)
    if n_more:
        lines[-1] += f" ({n_more} more warning{'s' if n_more > 1 else ''} in the report)"
    return lines


def verdict(session: Session) -> str:
    """One sentence: whether the reconstruction can be used, from its confidence and from all warnings."""
    pose = _made(session, "pose.nc")
    placed = np.isfinite(pose["position"].values).all(axis=-1)
    confidence = float(np.nan_to_num(pose["confidence"].values).mean())
    n_warnings = sum(len(step_warnings(session, step)) for step in STEPS)
    if confidence < _UNSURE:
        judged = "do not use this reconstruction before its warnings are settled"
    elif n_warnings or confidence < _SURE:
        judged = "use this reconstruction with care"
    else:
        judged = "this reconstruction can be used"
    facts = [f"{placed.mean():.0%} of the points are in 3D", f"their mean confidence is {confidence:.2f}"]
    if "reprojection_error" in pose:
        facts.append(f"they reproject within {float(np.nanmedian(pose['reprojection_error'].values)):.1f} px (median)")
    if "left_out_cameras" in pose.attrs:
        facts.append(f"left out: {pose.attrs['left_out_cameras']}")
    counted = f"{n_warnings} warning{'' if n_warnings == 1 else 's'}" if n_warnings else "no warnings"
    return f"verdict: {judged}: {', '.join(facts)}; {counted}"


def _made(session: Session, name: str) -> xr.Dataset:
    from ..datasets import read_dataset

    return read_dataset(session.output / name)


def _of_calibration(session: Session) -> list[str]:
    report = None if session.rig is not None else read_calibration_report(session)
    return [] if report is None else [str(message) for message in report.warnings]


def _of_views(session: Session) -> list[str]:
    """Cameras whose keypoints are mostly missing."""
    views = _made(session, "views.nc")
    seen = views["position"].notnull().all("space") & (views["confidence"] >= _LEAST_CONFIDENCE)
    share = 1 - seen.mean([dim for dim in seen.dims if dim != "view"])
    worst = sorted(zip(map(str, share["view"].values), share.values.tolist(), strict=True), key=lambda item: -item[1])
    return [
        f"Camera '{name}': {missing:.0%} of its keypoints are missing or have a confidence below {_LEAST_CONFIDENCE:g};"
        " look at its pictures."
        for name, missing in worst
        if missing > _MOSTLY
    ]


def _of_pose(session: Session) -> list[str]:
    from ..report.warning_ranking import ranked_warnings

    return [warning.message for warning in ranked_warnings(None, _made(session, "pose.nc"))]


def _of_kinematics(session: Session) -> list[str]:
    """Joints without an angle in most frames."""
    motion = _made(session, "kinematics.nc")
    if "angle" not in motion:
        return []
    missing = motion["angle"].isnull().mean([dim for dim in motion["angle"].dims if dim != "joint"])
    return [
        f"Joint '{name}' has no angle in {share:.0%} of the frames: its keypoints are missing there."
        for name, share in zip(map(str, missing["joint"].values), missing.values.tolist(), strict=True)
        if share > _MOSTLY
    ]
