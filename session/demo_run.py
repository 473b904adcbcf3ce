"""`muybridge demo`: render a recording, run the steps of a session on it, and compare the results with the truth.

`compile_kernels` runs the steps on a recording of which nothing is rendered, for a process that compiles ahead.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tomli_w

from ..datasets import frame_times, pose_dataset, read_dataset, views_dataset, write_dataset
from ..numerics.arrays import Array
from .config import STEPS, Session, SessionError, read_session
from .kernel_compilation import compiling_ahead
from .provenance import write_text
from .run_warnings import verdict
from .session_run import run_session
from .steps.report import write_session_report
from .steps.rig import load_rig

# of `muybridge demo --quick`: a third of the pictures and of the training
_QUICK: dict[str, Any] = {
    "n_frames": 40, "n_board_frames": 30, "n_labelled": 20, "n_iterations": 200, "title": "demo, quick version",
}  # fmt: skip


def run_demo(
    folder: Path, *, seed: int = 0, quick: bool = False, progress: bool = True, say: Callable[[str], None]
) -> pd.DataFrame:
    """Render a recording into `folder`, run its session, and compare every stage with the truth.

    Parameters
    ----------
    folder : new, empty, or holding a demo from before, whose steps then continue where they ended
    quick : fewer frames, boards, labels and steps of training; the goals are those of the whole demo
    say : called with one line per step, and with the table of errors

    Returns
    -------
    one row per quantity: stage, quantity, value, unit, goal; also written as results/errors.json

    Raises
    ------
    SessionError : the folder holds something else
    """
    started = time.perf_counter()
    with compiling_ahead(calibrates=True):
        _render(folder, seed, quick, progress, say)
        session = read_session(folder)
        run_session(session, STEPS[:-1], progress=progress, say=say)  # the report is written once, with the errors
    errors = _errors(session)
    if quick:
        errors["goal"] = float("nan")
    rows = errors.astype(object).where(errors.notna(), None).to_dict(orient="records")
    write_text(session.output / "errors.json", json.dumps(rows, indent=1, allow_nan=False))
    report = write_session_report(session, errors=errors)
    say(verdict(session))
    what = " of the quick version (a third of the pictures and of the training, larger errors)" if quick else ""
    say(f"\nerror against the truth{what}, {time.perf_counter() - started:.0f} s in all\n")
    say(errors.to_string(index=False, float_format=lambda value: f"{value:.3g}", na_rep=""))
    say(f"\nreport: {report}")
    return errors


def _render(folder: Path, seed: int, quick: bool, progress: bool, say: Callable[[str], None]) -> None:
    """Render unless this very recording is there already (its marker is written last)."""
    from ..demo.recording import render_demo

    marker, recording = folder / "rendered.json", {"seed": seed, "quick": quick}
    if marker.exists() and {"quick": False} | json.loads(marker.read_text()) == recording:
        say(f"render: up to date in {folder}")
        return
    if folder.exists() and any(folder.iterdir()) and not (folder / "session.toml").exists():
        raise SessionError(f"{folder} holds files that are no demo; give a new or empty folder")
    started = time.perf_counter()
    render_demo(folder, seed=seed, progress=progress, **(_QUICK if quick else {}))
    write_text(marker, json.dumps(recording))
    say(f"render: {time.perf_counter() - started:.1f} s -> {folder}")


def _errors(session: Session) -> pd.DataFrame:
    from ..demo.truth import compare_with_truth

    results = {name: read_dataset(session.output / f"{name}.nc") for name in ("views", "pose", "kinematics")}
    return compare_with_truth(session.folder, rig=load_rig(session), **results)


def compile_kernels(calibrates: bool) -> None:
    """Run the steps on a short synthetic recording, because only what is called is compiled.

    calibrates : from calibration to kinematics; else what comes last, kinematics and smoothing, because the session
        that waits for the kernels compiles the others itself meanwhile
    """
    from ..calibration import calibrate, simulate_board_motion, simulate_detections
    from ..cameras import write_rig
    from ..demo.animal import DEMO_JOINTS, DEMO_LIMBS, DEMO_SKELETON, Gallop, gallop
    from ..demo.scene import make_rig
    from ..triangulate import smooth

    rig, times = make_rig(), frame_times(60, 100.0)
    if calibrates:
        calibrate(simulate_detections(rig, motion=simulate_board_motion(20, reach=200.0)), progress=False)
    points = gallop(times, Gallop()).keypoints
    points_2d = rig.project(points) + np.random.default_rng(0).normal(0, 1.0, (len(rig), *points.shape[:2], 2))
    same = {"keypoints": DEMO_SKELETON.keypoints, "times": times}
    views = views_dataset(points_2d, cameras=rig.names, covariances_2d=_identities(points_2d), **same)
    pose = pose_dataset(points, covariance=_identities(points), unit="mm", **same).assign_attrs(up=[0.0, 0.0, 1.0])
    tables = {
        "session": {"rig": "rig.toml", "up": [0, 0, 1]},
        "cameras": {name: {} for name in rig.names},
        "skeleton": {"keypoints": DEMO_SKELETON.keypoints, "bones": DEMO_SKELETON.bones},
        "joints": DEMO_JOINTS,
        "gait": DEMO_LIMBS,
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_rig(rig, folder / "rig.toml")
        (folder / "session.toml").write_text(tomli_w.dumps(tables))
        session = read_session(folder)
        session.output.mkdir()
        write_dataset(views, session.output / "views.nc")
        write_dataset(pose, session.output / "pose.nc")
        run_session(session, ("reconstruct", "kinematics") if calibrates else ("kinematics",), progress=False)
        if not calibrates:
            smooth(views, rig, skeleton=DEMO_SKELETON)


def _identities(points: Array) -> Array:
    """(..., n, n) covariances of 1 for points (..., n)."""
    return np.broadcast_to(np.eye(points.shape[-1]), (*points.shape, points.shape[-1]))


if __name__ == "__main__":
    compile_kernels("calibrate" in sys.argv)
