"""A session reads 2D points of OpenPose's folders, caliscope's one table, SLEAP projects, with the times they hold."""

import numpy as np
import pytest

from muybridge.datasets import read_dataset
from muybridge.formats import read_views, write_views
from muybridge.formats.predictions.long_recordings import kept_tracks, windowed_views
from muybridge.session import SessionError, read_session, run_session
from muybridge.session.session_problems import foreseen
from tests.session.synthetic import FPS, make_session

N_FRAMES = 12


@pytest.fixture
def recording():
    recording = make_session(n_cameras=3, n_frames=N_FRAMES)
    del recording.tables["joints"]
    return recording


def written(recording, folder, **points):
    """The session with other 2D files, given by camera."""
    for camera, path in points.items():
        recording.tables["cameras"][camera]["points"] = path
    return recording.write(folder)


def test_openpose_folders_are_read(recording, tmp_path):
    views = read_views(recording.write(tmp_path).sources("points"), fps=FPS)
    write_views(views, tmp_path / "pose", format="openpose-json")
    recording.tables["skeleton"] = {"keypoints": [f"keypoint_{i}" for i in range(7)]}
    session = written(recording, tmp_path, **{name: f"pose/{name}_json" for name in recording.rig.names})
    assert foreseen(session)[0] == []
    run_session(session, ("predict",))
    again = read_dataset(session.output / "views.nc")
    np.testing.assert_array_equal(again["position"].values, views["position"].values)
    assert again["time"].values[1] == 1 / FPS


@pytest.mark.parametrize("fps", [None, 50.0])
def test_caliscopes_table_gives_points_and_times(recording, tmp_path, fps):
    rows = ["sync_index,cam_id,frame_index,frame_time,point_id,img_loc_x,img_loc_y"]
    for i in range(N_FRAMES):
        rows += [
            f"{i + 3},{c},{i},{7 + i / 30},{k},{x!r},{y!r}"
            for c in range(3)
            for k, (x, y) in enumerate(recording.points_2d[c, i].tolist())
        ]
    recording.files["xy.csv"] = "\n".join(rows) + "\n"
    recording.tables["skeleton"] = {"keypoints": [f"point_{i}" for i in range(7)]}
    recording.tables["session"].pop("fps")
    recording.tables["session"] |= {"fps": fps} if fps else {}
    session = written(recording, tmp_path, **dict.fromkeys(recording.rig.names, "xy.csv"))
    assert foreseen(session)[0] == []
    run_session(session, ("predict",))
    views = read_dataset(session.output / "views.nc")
    np.testing.assert_array_equal(views["position"].values, recording.points_2d)
    np.testing.assert_allclose(np.diff(views["time"].values), 1 / (fps or 30), rtol=1e-9)


def test_a_table_that_lacks_a_camera_is_foreseen(recording, tmp_path):
    recording.files["xy.csv"] = "sync_index,cam_id,point_id,img_loc_x,img_loc_y\n0,0,0,1,2\n1,0,0,1,2\n"
    written(recording, tmp_path, **dict.fromkeys(recording.rig.names, "xy.csv"))
    problems = foreseen(read_session(tmp_path))[0]
    assert any("xy.csv holds the cameras [0]" in problem for problem in problems)


def test_a_long_recording_is_written_by_windows_as_it_is_written_whole(recording, tmp_path, monkeypatch):
    session = recording.write(tmp_path)
    run_session(session, ("predict",))
    whole = read_dataset(session.output / "views.nc")
    monkeypatch.setattr(windowed_views, "LONG", 0)
    for module in (kept_tracks, windowed_views):
        monkeypatch.setattr(module, "WINDOW", 5)
    run_session(session, ("predict",), force=True)
    in_windows = read_dataset(session.output / "views.nc")
    assert in_windows.identical(whole)
    assert {path.name for path in session.output.iterdir() if path.is_file()} == {".lock", "views.nc"}
    recording.likelihood[2] = 0.0
    with pytest.raises(ValueError, match="likelihood is 0 everywhere"):
        run_session(recording.write(tmp_path), ("predict",), force=True)
    recording.points_2d[2] = np.nan
    with pytest.raises(SessionError, match="camera 'cam_2' has not a single 2D point"):
        run_session(recording.write(tmp_path), ("predict",), force=True)
    assert read_dataset(session.output / "views.nc").identical(whole)
