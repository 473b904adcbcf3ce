"""2D points of another tool: a file per camera, or a list of files, one per detector of an ensemble."""

import numpy as np
import pytest

from muybridge.cameras import write_rig
from muybridge.datasets import read_dataset
from muybridge.pose2d.prediction import video_prediction
from muybridge.session import SessionError, read_session, run_session
from muybridge.session.recording_facts import describe
from muybridge.session.session_problems import foreseen
from muybridge.session.steps import detection
from muybridge.session.steps.step_definition import WindowTasks
from tests.helpers import write_video

CAMERAS, N_FRAMES = ("cam_0", "cam_1", "cam_2"), 30


@pytest.fixture
def ensemble(tmp_path, ring_rig):
    """A session whose cameras each have the files of three detectors."""
    rng = np.random.default_rng(0)
    rig = ring_rig.subset(CAMERAS)
    write_rig(rig, tmp_path / "rig.toml")
    truth = 40 * np.stack([np.sin(np.arange(N_FRAMES) / 8)] * 3, axis=-1)
    lines = ["[session]", "rig = 'rig.toml'", "fps = 50", "[reconstruct]", "method = 'ransac'"]
    for camera, points in zip(CAMERAS, rig.project(truth), strict=True):
        files = [f"{camera}_{i}.csv" for i in range(3)]
        for file in files:
            rows = ["scorer,me,me,me", "bodyparts,hip,hip,hip", "coords,x,y,likelihood"]
            rows += [f"{t},{x},{y},0.9" for t, (x, y) in enumerate(points + rng.normal(0, 1, points.shape))]
            (tmp_path / file).write_text("\n".join(rows))
        lines += [f"[cameras.{camera}]", f"points = {files}"]
    (tmp_path / "session.toml").write_text("\n".join(lines))
    return tmp_path


def edit(folder, old, new):
    path = folder / "session.toml"
    path.write_text(path.read_text().replace(old, new))


def test_several_files_per_camera_are_combined_and_reconstructed(ensemble):
    session = read_session(ensemble)
    assert foreseen(session)[0] == []
    assert describe(session)[0].loc["cam_0", "points"] == "3 detectors"
    run_session(session, ("predict", "reconstruct"), progress=False)
    views = read_dataset(session.output / "views.nc")
    assert views["position"].dims == ("view", "time", "keypoint", "space")
    assert views.attrs["n_detectors"] == 3
    assert np.isfinite(views["covariance"]).all()
    assert np.isfinite(read_dataset(session.output / "pose.nc")["position"]).all()


def test_a_camera_with_fewer_files_is_foreseen(ensemble):
    edit(ensemble, ", 'cam_1_2.csv'", "")
    assert any("camera 'cam_1' has 2 files" in problem for problem in foreseen(read_session(ensemble))[0])


def test_files_of_different_lengths_are_foreseen_by_name(ensemble):
    path = ensemble / "cam_2_1.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-4]))
    found = foreseen(read_session(ensemble))[0]
    assert any("camera 'cam_2'" in problem and "cam_2_1.csv has 26 frames" in problem for problem in found)


@pytest.mark.parametrize("entry", ["[]", "[3]", "['gone.csv']"])
def test_a_list_that_names_no_files_is_refused(ensemble, entry):
    edit(ensemble, "['cam_0_0.csv', 'cam_0_1.csv', 'cam_0_2.csv']", entry)
    with pytest.raises(SessionError, match=r"camera 'cam_0' has points = .*; give a path|gone\.csv, does not exist"):
        read_session(ensemble)


def test_windows_of_the_videos_run_where_the_session_is_told(tmp_path, monkeypatch):
    (tmp_path / "detector.safetensors").touch()
    lines = ["[predict]", "detector = 'detector.safetensors'"]
    for name in ("a", "b"):
        lines += [f"[cameras.{name}]", f"video = '{write_video(tmp_path / f'{name}.mp4').name}'"]
    (tmp_path / "session.toml").write_text("\n".join(lines))
    handed = []
    monkeypatch.setattr(detection, "open_detector", lambda *_: "detector")
    monkeypatch.setattr(video_prediction, "write_prediction", lambda *given: handed.append(given[3]))
    session, tasks = read_session(tmp_path), WindowTasks(object(), 3)
    detection.PREDICT.work(session, False, tasks=tasks)
    detection.PREDICT.work(session, False)
    assert [(own.executor, own.n_windows) for own in handed] == [tasks, (None, 1)]
