"""Which labels a session's detector is trained on, and when it is trained at all."""

import numpy as np
import pytest

from muybridge.cameras import write_rig
from muybridge.formats.labels.deeplabcut_project import write_labels
from muybridge.session import read_session, session_run
from muybridge.session.steps.training import TRAIN, label_folders, read_session_labels

CAMERAS = ("cam_0", "cam_1", "cam_2")


def test_one_detector_is_trained_on_the_labels_of_all_sessions(tmp_path):
    for name, table in {
        "a": "labels = 'la'\nsessions = ['../b', '../c']",
        "b": "labels = ['l1', 'l2']\nsessions = ['../a']",
        "c": "",
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "session.toml").write_text(f"[cameras.x]\n[train]\n{table}\n")
    session = read_session(tmp_path / "a")
    assert [path.resolve().relative_to(tmp_path).as_posix() for path in label_folders(session)] == [
        "a/la",
        "b/l1",
        "b/l2",
    ]
    assert TRAIN.asked_for(session)
    assert not TRAIN.asked_for(read_session(tmp_path / "c"))


@pytest.mark.parametrize(("named", "steps"), [("other.safetensors", ["predict"]), (None, ["train", "predict"]),
                                              ("results/detector.safetensors", ["train", "predict"])])  # fmt: skip
def test_a_detector_that_no_step_reads_is_trained_by_name_only(tmp_path, monkeypatch, named, steps):
    table = f"[predict]\ndetector = '{named}'\n" if named else ""
    (tmp_path / "session.toml").write_text(f"[cameras.x]\n[train]\nlabels = 'labels'\n{table}")
    session = read_session(tmp_path)
    of_all = [step.name for step in session_run.asked_steps(session, session_run.STEPS)]
    assert [name for name in of_all if name in ("train", "predict")] == steps
    assert [step.name for step in session_run.asked_steps(session, ("train",))] == ["train"]


def test_the_cameras_of_each_session_place_what_a_picture_of_it_hides(tmp_path, ring_rig):
    """Two sessions with the same names of cameras; the second one has no rig."""
    rig = ring_rig.subset(CAMERAS)
    write_rig(rig, tmp_path / "rig.toml")
    points = rig.project(np.random.default_rng(0).uniform(-40, 40, (4, 2, 3)))
    points[0, 0, 0] = np.nan
    tables = {
        "a": "[session]\nrig = '../rig.toml'\n[train]\nlabels = 'labels'\nsessions = ['../b']\n",
        "b": "[train]\nlabels = 'labels'\n",
    }
    for name, table in tables.items():
        for camera, marked in zip(CAMERAS, points, strict=True):
            folder = tmp_path / name / "labels" / camera
            folder.mkdir(parents=True)
            pictures = [f"img{i}.png" for i in range(4)]
            for picture in pictures:
                (folder / picture).touch()
            write_labels(folder / "CollectedData_me.csv", pictures, marked, ["hip", "knee"], "me")
        (tmp_path / name / "session.toml").write_text(table + "\n".join(f"[cameras.{camera}]" for camera in CAMERAS))
    session = read_session(tmp_path / "a")
    first, second = read_session_labels(session)
    assert np.isfinite(first.hidden_2d).all(-1).sum() == 1
    assert np.isnan(second.hidden_2d).all()
    assert session.rig in TRAIN.inputs(session)
