"""Compile the kernels of all steps in a process of its own, while a session's first steps run.

A process compiles one kernel at a time but keeps each on disk, where every other process finds it. The steps are run on
a short synthetic recording, because only what is called is compiled.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tomli_w

from ..numerics.arrays import Array


@contextmanager
def compiling_ahead(*, calibrates: bool) -> Iterator[None]:
    """As soon as something is compiled within the block, start a process that compiles the rest.

    calibrates : whether kernels of the calibration are needed, before all others
    """
    from ._kernels_compile_notice import notify_when_compiling  # loads numba

    processes: list[subprocess.Popen] = []

    def begin(_: str) -> None:
        command = [sys.executable, "-m", __name__, *["calibrate"] * calibrates]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        processes.append(subprocess.Popen(command, **quiet))

    try:
        with notify_when_compiling(begin):
            yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def compile_kernels(calibrates: bool) -> None:
    """Run the steps on a short synthetic recording.

    calibrates : begin with the calibration; else with the kinematics, because the session that waits for the kernels
        compiles those of the reconstruction itself meanwhile
    """
    from ..calibration import calibrate, simulate_board_motion, simulate_detections
    from ..cameras import write_rig
    from ..datasets import frame_times, pose_dataset, views_dataset, write_dataset
    from ..demo.animal import DEMO_JOINTS, DEMO_LIMBS, DEMO_SKELETON, Gallop, gallop
    from ..demo.scene import make_rig
    from .config import read_session
    from .session_run import run_session

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
        for step in ("reconstruct", "kinematics") if calibrates else ("kinematics", "reconstruct"):
            run_session(session, (step,), progress=False)


def _identities(points: Array) -> Array:
    """(..., n, n) covariances of 1 for points (..., n)."""
    return np.broadcast_to(np.eye(points.shape[-1]), (*points.shape, points.shape[-1]))


if __name__ == "__main__":
    compile_kernels("calibrate" in sys.argv)
