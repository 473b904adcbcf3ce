"""kill -9 at any moment of any step leaves nothing half done, and the next run goes on to the same result."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tomli_w

from muybridge.calibration import simulate_board_motion
from muybridge.session import read_session
from tests.calibration.synthetic import render_board, small_rig
from tests.pose2d.animals import OPTIONS, write_recording
from tests.session.synthetic import make_session

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="runs are killed in forks")
ROOT = Path(__file__).resolve().parents[2]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


def kill_runs(session, n, steps=()):
    """How many runs were killed; of 0 one before each file that is put in place."""
    command = [sys.executable, "-m", "tests.session.killed_runs", str(session.folder), "0", str(n), *steps]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | ONE_THREAD)
    assert run.returncode == 0, run.stderr[-2000:]
    return int(run.stdout.split()[0])


def points_and_boards(folder):
    """calibrate, predict (another tool's points), reconstruct, kinematics and report."""
    recording = make_session(3, 40)
    recording.rig = small_rig(3)
    noise = np.random.default_rng(0).normal(0, 0.5, recording.points_2d.shape)
    recording.points_2d = recording.rig.project(0.8 * recording.truth) + noise
    recording.tables["cameras"] = {name: {"points": f"{name}.csv", "board": name} for name in recording.rig.names}
    recording.tables["board"] = {"squares_x": 7, "squares_y": 6, "square_length": 40.0, "marker_length": 30.0}
    recording.tables |= {
        "calibrate": {"distortion_model": 0},
        "reconstruct": {"method": "dlt", "check_coverage": False},
    }
    del recording.tables["session"]["rig"]
    for name, images in render_board(recording.rig, *simulate_board_motion(8, reach=60.0, seed=3)).items():
        (folder / name).mkdir(parents=True)
        for i, image in enumerate(images):
            cv2.imwrite(str(folder / name / f"{i}.png"), image)
    return recording.write(folder)


def labels_and_videos(folder):
    """train and predict, which go on from where they were."""
    write_recording(folder)
    short = OPTIONS | {"iterations": 24, "batch": 4, "n_evaluations": 6, "animal_detector": False}
    tables = {
        "session": {"fps": 25, "rig": "rig.toml"},
        "cameras": {name: {"video": f"{name}.mp4"} for name in ("left", "right")},
        "train": {"labels": "labels"} | short,
        "predict": {"runtime": "torch", "checkpoint_every": 0.0},
    }
    (folder / "session.toml").write_text(tomli_w.dumps(tables))
    return read_session(folder)


def test_a_run_killed_before_any_of_its_files_is_put_in_place_goes_on_to_the_same_result(tmp_path):
    recording = make_session(3, 40)
    recording.tables["reconstruct"] = {"method": "dlt", "check_coverage": False}
    assert kill_runs(recording.write(tmp_path), 0, ("predict",)) == 2  # the result and its record


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("make", "n", "steps"), [(points_and_boards, 34, ()), (labels_and_videos, 16, ("train", "predict"))]
)
def test_runs_killed_at_fifty_random_moments_go_on_to_the_same_result(tmp_path, make, n, steps):
    assert kill_runs(make(tmp_path), n, steps) == n
