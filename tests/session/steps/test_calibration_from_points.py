"""[calibrate] from = "points": the cameras of a lens file are placed by the 2D points themselves."""

import numpy as np
import pytest

from muybridge.cameras import read_rig
from muybridge.session import SessionError, run_session
from muybridge.session.session_problems import foreseen
from muybridge.session.session_run import planned_steps
from tests.pose2d.published.test_foreign_geometry import heatmap_file
from tests.session.synthetic import make_session

pytest.importorskip("onnxruntime")


@pytest.fixture
def recording():
    made = make_session(n_cameras=3, n_frames=100)
    del made.tables["session"]["rig"]
    length = float(np.linalg.norm(made.truth[0, 0] - made.truth[0, 1]))
    made.tables["calibrate"] = {
        "from": "points", "intrinsics": "rig.toml", "lengths": [["nose", "neck", length]], "n_points": 600,
        "up": {made.rig.names[0]: (made.rig[0].R @ [0.0, 0, 1]).tolist()},
    }  # fmt: skip
    return made


def test_the_points_place_the_cameras(recording, tmp_path):
    session = recording.write(tmp_path)
    assert foreseen(session)[0] == []
    run_session(session, ("calibrate",), progress=False)
    found, true = read_rig(session.output / "rig.toml"), recording.rig
    apart = [np.linalg.norm(rig[0].center - rig[2].center) for rig in (found, true)]
    assert apart[0] == pytest.approx(apart[1], rel=0.03)
    assert found[0].R @ found.up == pytest.approx(true[0].R @ [0, 0, 1], abs=0.01)
    assert np.array_equal(found[1].K, true[1].K)


def test_what_is_lacking_is_said(recording, tmp_path):
    del recording.tables["calibrate"]["intrinsics"]
    session = recording.write(tmp_path)
    with pytest.raises(SessionError, match="name their file as intrinsics"):
        run_session(session, ("calibrate",), progress=False)
    recording.tables["calibrate"] |= {"from": "nothing"}
    assert any("known: 'board', 'points'" in line for line in foreseen(recording.write(tmp_path))[0])


def test_the_points_of_the_sessions_detector_place_the_cameras_after_it_has_run(recording, tmp_path):
    run_session(recording.write(tmp_path), ("predict",), progress=False)
    for name, own in recording.tables["cameras"].items():
        own["video"] = f"{name}.mp4"
        del own["points"]
        (tmp_path / own["video"]).touch()
    heatmap_file(tmp_path / "net.onnx")
    found = ["nose", "neck", "tail", "left_hip"]
    del recording.tables["joints"]
    recording.tables["skeleton"] = {"keypoints": found}
    options = {"keypoints": found, "onnx": {"reading": "logits"}}
    recording.tables["train"] = {"detector": "net.onnx", "detector_options": options}
    session = recording.write(tmp_path)
    assert list(planned_steps(session))[:3] == ["predict", "calibrate", "reconstruct"]
    run_session(session, ("calibrate",), progress=False)
    assert read_rig(session.output / "rig.toml").names == recording.rig.names
    (session.output / "views.nc").unlink()
    with pytest.raises(SessionError, match="run 'muybridge predict"):
        run_session(session, ("calibrate",), progress=False)
