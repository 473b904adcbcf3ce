"""The step "report": what the other steps have made as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from ...datasets import Skeleton, fps_of
from ...datasets.netcdf import read_attributes
from ...datasets.stretches import read_thinned
from ..config import Session
from .cameras.calibration import read_calibration_report, review_path
from .kinematics import read_strides
from .pictures import picture_settings
from .reconstruction import method_of
from .reconstruction_files import skeleton_of_body, used_rig, used_rig_path, used_views_path
from .step_definition import Step, public, skeleton_settings

if TYPE_CHECKING:
    from ...report import SessionResults

MOST_INSTANTS = 40_000  # instants that the page is made of: with 20 keypoints in 6 cameras they take 1 GB of memory
# variables of a pose that the page and the warnings do without: the page draws the speeds of the kinematics
UNUSED_VARIABLES = ("velocity", "velocity_covariance", "acceleration", "acceleration_covariance", "cross_covariance")
_DATA_FILES = {
    "views.nc": "keypoints in the pictures of each camera",
    "pose.nc": "3D positions of every frame with their covariances",
    "kinematics.nc": "joint angles, velocities and stances of every frame",
    "strides.csv": "one row for each stride",
    "rig.toml": "the cameras",
    "calibration.json": "the calibration's errors, corners and residuals",
    "calibration_review.html": "the calibration picture by picture, and the volume that is calibrated well",
}


def write_session_report(session: Session, errors: pd.DataFrame | None = None) -> Path:
    """Write the HTML report of what the session's steps have made, with a table of errors where a truth is known."""
    from ...report import write_report

    results = made_by_steps(session)
    assert results.pose is not None  # it is read from its file
    return REPORT.call(
        session,
        write_report,
        session.output / "report.html",
        results,
        title=session.name,
        summary=_summary(session, results.pose),
        videos=session.sources("video"),
        errors=errors,
        data_files={name: words for name, words in _DATA_FILES.items() if (session.output / name).is_file()},
        **REPORT.given(session),
    )


def made_by_steps(session: Session) -> SessionResults:
    """What the steps have made; of long recordings some instants."""
    from ...report import SessionResults

    pose = read_thinned(session.output / "pose.nc", MOST_INSTANTS, UNUSED_VARIABLES)
    return SessionResults(
        rig=used_rig(session),
        calibration_report=read_calibration_report(session),
        views=_views(session, pose),
        pose=pose,
        kinematics=read_thinned(session.output / "kinematics.nc", MOST_INSTANTS),
        skeleton=shown_skeleton(session, pose),
        strides=read_strides(session),
    )


def _views(session: Session, pose: xr.Dataset) -> xr.Dataset:
    """The views that the pose was made of; where some instants are left out, with the frame numbers of the others."""
    views = read_thinned(used_views_path(session, pose), MOST_INSTANTS, ("covariance",))
    every = views.attrs.get("every", 1)
    if every == 1 or "frame" in views:
        return views
    numbers = np.tile(every * np.arange(views.sizes["time"]), (views.sizes["view"], 1))
    return views.assign(frame=(("view", "time"), numbers))


def shown_skeleton(session: Session, pose: xr.Dataset) -> Skeleton | None:
    """The session's skeleton; where it has no bones, that of the fitted body for the keypoints of the pose."""
    if (session.skeleton is not None and session.skeleton.bones) or "body_angle" not in pose:
        return session.skeleton
    return skeleton_of_body(session, [str(name) for name in pose["keypoint"].values])


def _summary(session: Session, pose: xr.Dataset) -> dict[str, str]:
    every = int(pose.attrs.get("every", 1))
    n_frames, fps = int(pose.attrs.get("n_frames", pose.sizes["time"])), every * fps_of(pose)
    given = read_attributes(session.output / "views.nc")
    notes = [str(found.get("notes", "")).replace("\n", "; ") for found in (given, pose.attrs)]
    noted = {name: text for name, text in zip(("Times of frames", "Before reconstruction"), notes, strict=True) if text}
    left_out = pose.attrs.get("left_out_cameras")
    shown = f"; the page is made of one in {every}" if every > 1 else ""
    return noted | {
        "Session file": str(session.path),
        "Cameras": ", ".join(session.cameras) + (f" (left out: {left_out})" if left_out else ""),
        "Frames": f"{n_frames} at {fps:g} Hz ({n_frames / fps:.2f} s){shown}",
        "Keypoints": str(pose.sizes["keypoint"]),
        "World unit": str(pose["position"].attrs["units"]),
        "Method": method_of(session),
    }


REPORT = Step(
    name="report",
    functions=lambda session: public("report.write_report"),
    inputs=lambda session: [
        *(session.output / name for name in ("views.nc", "pose.nc", "kinematics.nc")),
        used_rig_path(session),
    ],
    outputs=lambda session: [session.output / "report.html"],
    work=lambda session, progress: write_session_report(session),
    set_by_session=("path", "results", "title", "summary", "videos", "errors", "data_files"),
    depends_on=lambda session: {
        **skeleton_settings(session), **picture_settings(session), "reviewed": review_path(session).exists(),
    },
)  # fmt: skip
