"""[train] detector: a detector of another program predicts under the session's names; `check` proposes the mapping."""

import numpy as np
import pytest

from muybridge.datasets import read_dataset
from muybridge.session import SessionError, read_session, run_session
from muybridge.session.label_loop import evaluate_session
from muybridge.session.session_problems import foreseen
from muybridge.session.steps.detection import PREDICT
from muybridge.session.steps.foreign_detectors import detector_problems, open_detector
from tests.pose2d.animals import animal_points, write_project, write_video
from tests.pose2d.published.test_foreign_geometry import heatmap_file

pytest.importorskip("onnxruntime")
SIZE = (128, 96)
SESSION = """
[session]
name = "foreign"
unit = "mm"
[cameras.left]
video = "left.mp4"
[cameras.right]
video = "right.mp4"
[skeleton]
keypoints = ["snout", "left_ear", "right_ear", "tail"]
bones = [["snout", "tail"]]
[train]
detector = "net.onnx"
[train.detector_options]
keypoints = ["nose", "ear_left", "ear_right", "tail"]
onnx = { mean = [0.5, 0.5, 0.5], std = [0.25, 0.25, 0.25], reading = "logits" }
"""
MAPPING = '[train.keypoints]\nsnout = "nose"\nleft_ear = "ear_left"\nright_ear = "ear_right"\n'


@pytest.fixture
def folder(tmp_path):
    heatmap_file(tmp_path / "net.onnx")
    for seed, name in enumerate(("left", "right")):
        write_video(tmp_path / f"{name}.mp4", animal_points(4, SIZE, seed), SIZE, seed=seed)
    (tmp_path / "session.toml").write_text(SESSION)
    return tmp_path


def test_check_proposes_the_mapping_and_is_content_with_it(folder):
    (problem,) = detector_problems(read_session(folder))
    assert "does not find ['snout', 'left_ear', 'right_ear'] of [skeleton]" in problem
    assert 'under [train.keypoints]: snout = "nose"; left_ear = "ear_left"; right_ear = "ear_right"' in problem
    assert problem in foreseen(read_session(folder))[0]
    (folder / "session.toml").write_text(SESSION + MAPPING)
    assert detector_problems(read_session(folder)) == []


def test_a_run_stops_before_it_predicts_keypoints_that_the_session_does_not_know(folder):
    assert detector_problems(read_session(folder)) == PREDICT.problems(read_session(folder))
    with pytest.raises(SessionError, match=r"does not find \['snout', 'left_ear', 'right_ear'\] of \[skeleton\]"):
        run_session(read_session(folder), ("predict",), progress=False)
    assert not (folder / "results/views.nc").exists()
    (folder / "session.toml").write_text(SESSION.replace("[train]", '[train]\nlabels = "labels"'))
    assert detector_problems(read_session(folder)) == []  # fine-tuned on labels, it finds theirs


def test_the_foreign_detector_predicts_under_the_sessions_names(folder):
    (folder / "session.toml").write_text(SESSION + MAPPING)
    session = read_session(folder)
    session.output.mkdir(exist_ok=True)
    PREDICT.work(session, False)
    views = read_dataset(session.output / "views.nc")
    assert list(views["keypoint"].values) == ["snout", "left_ear", "right_ear", "tail"]
    truth = np.stack([animal_points(4, SIZE, seed) for seed in (0, 1)])
    assert np.median(np.linalg.norm(views["position"].values - truth, axis=-1)) < 1.0


def test_the_foreign_detector_is_evaluated_under_the_sessions_names(folder):
    (folder / "session.toml").write_text(SESSION + MAPPING)
    write_project(folder, n=2, cameras=("left",), size=SIZE)
    table = folder / "labels" / "left" / "CollectedData_me.csv"
    words = {"nose": "snout", "ear_left": "left_ear", "ear_right": "right_ear"}
    text = table.read_text()
    for theirs, own in words.items():
        text = text.replace(theirs, own)
    table.write_text(text)
    errors = evaluate_session(read_session(folder), folder / "labels")
    assert set(words.values()) < set(errors.index)
    assert errors.loc["all", "median"] < 1.0


def test_a_keypoint_that_the_detector_does_not_find_is_named(folder):
    (folder / "session.toml").write_text(SESSION + MAPPING.replace('"ear_left"', '"earleft"'))
    with pytest.raises(
        SessionError, match=r"names 'earleft', which the detector does not find, did you mean 'ear_left'"
    ):
        open_detector(read_session(folder), folder / "net.onnx")
    (folder / "session.toml").write_text(SESSION.replace('keypoints = ["nose"', 'keypoint = ["nose"'))
    with pytest.raises(SessionError, match=r"load_detector has no option 'keypoint', did you mean 'keypoints'"):
        open_detector(read_session(folder), folder / "net.onnx")


def test_keypoints_that_nothing_is_near_are_said(folder):
    (folder / "session.toml").write_text(SESSION.replace('"snout", "left_ear"', '"antenna", "left_ear"').replace(
        '["snout", "tail"]', '["antenna", "tail"]'))  # fmt: skip
    (problem,) = detector_problems(read_session(folder))
    assert "Nothing is near ['antenna']: leave them out of [skeleton], or give labels" in problem
