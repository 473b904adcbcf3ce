"""Times and frame numbers of a session are the files': a gap is a gap, a varying rate is read, a stated rate counts."""

from dataclasses import replace

import numpy as np
import pytest

from muybridge.cameras import picture_camera, write_rig
from muybridge.datasets import read_dataset
from muybridge.kinematics import velocity
from muybridge.session import SessionError, read_session, run_session
from muybridge.session.label_loop import extract_session
from muybridge.session.recording_facts import describe, recording_notes
from tests.helpers import overwrite, write_numbered_video

CAMERAS = ("cam_0", "cam_1", "cam_2")
SPEED = 200.0  # mm/s


def truth(times):
    """A straight path at constant speed, (n_frames, 3, 3) mm."""
    start = np.array([[0.0, 0, 0], [20, 0, 0], [0, 20, 10]])
    return start + np.asarray(times)[:, None, None] * np.array([SPEED, 0, 0]) - [60, 0, 0]


def write_points(path, points):
    names = ("hip", "knee", "ankle")
    rows = [
        "scorer" + ",me" * 9,
        "bodyparts," + ",".join(f"{n},{n},{n}" for n in names),
        "coords" + ",x,y,likelihood" * 3,
    ]
    rows += [f"{i}," + ",".join(f"{x:.4f},{y:.4f},0.99" for x, y in row) for i, row in enumerate(points)]
    path.write_text("\n".join(rows))


def write_session(folder, rig, times, *, head="", videos=True, stamps=False):
    """A session of 2D files of a moving animal; `times` {camera: seconds of its frames}."""
    lines = ["[session]", "rig = 'rig.toml'", head, "[reconstruct]", "method = 'ransac'", "check_coverage = false"]
    write_rig(rig, folder / "rig.toml")
    for camera in CAMERAS:
        write_points(folder / f"{camera}.csv", rig[camera].project(truth(times[camera])))
        lines += [f"[cameras.{camera}]", f"points = '{camera}.csv'"]
        if videos:
            write_numbered_video(folder / f"{camera}.mp4", times[camera])
            lines.append(f"video = '{camera}.mp4'")
        if stamps:
            (folder / f"{camera}_times.csv").write_text(
                "frame,timestamp\n" + "\n".join(f"{i},{t + 17:.6f}" for i, t in enumerate(times[camera]))
            )
            lines.append(f"timestamps = '{camera}_times.csv'")
    (folder / "session.toml").write_text("\n".join(lines))
    return read_session(folder)


@pytest.fixture
def rig(ring_rig):
    """Three cameras with pictures of the size that `write_numbered_video` writes."""
    part = ring_rig.subset(CAMERAS)
    return replace(part, cameras=tuple(picture_camera(c, crop=(0, 32, 1280, 960), scale=0.125) for c in part))


def reconstructed(session, say=None):
    run_session(session, ("predict", "reconstruct"), progress=False, say=say)
    return read_dataset(session.output / "pose.nc")


def test_speed_is_constant_where_the_rate_varies(tmp_path, rig):
    times = np.concatenate([np.arange(40) / 100, 0.4 + np.arange(40) / 50])
    said = []
    pose = reconstructed(write_session(tmp_path, rig, dict.fromkeys(CAMERAS, times)), said.append)
    assert any("note: the frame rate varies from 50 to 100 Hz" in line for line in said)
    assert pose.sizes["time"] == 119
    np.testing.assert_allclose(np.diff(pose["time"].values), 0.01, atol=1e-6)
    found = np.asarray(velocity(pose)["velocity"].sel(space="x").values)
    np.testing.assert_allclose(found[np.isfinite(found)], SPEED, rtol=0.01)


@pytest.mark.parametrize("stamps", [False, True])
def test_frames_that_one_camera_dropped_are_its_gaps(tmp_path, rig, stamps):
    every = np.arange(60) / 100
    times = {"cam_0": every, "cam_1": np.delete(every, [20, 21, 22]), "cam_2": every}
    said = []
    pose = reconstructed(write_session(tmp_path, rig, times, videos=not stamps, stamps=stamps), said.append)
    assert "note: camera 'cam_1' has no frame at 3 instants (20-22): they are gaps" in said
    views = read_dataset(tmp_path / "results" / "views.nc")
    assert np.flatnonzero(np.isnan(views["position"].sel(view="cam_1").values).any((1, 2))).tolist() == [20, 21, 22]
    assert views["frame"].sel(view="cam_1").values[19:25].tolist() == [19, -1, -1, -1, 20, 21]
    np.testing.assert_allclose(pose["position"].values, truth(every), atol=0.01)


@pytest.mark.parametrize("stamps", [False, True])
def test_a_video_that_ends_early_shortens_no_other_camera(tmp_path, rig, stamps):
    every = np.arange(60) / 50
    times = {"cam_0": every, "cam_1": every[:45], "cam_2": every}
    session, said = write_session(tmp_path, rig, times, videos=not stamps, stamps=stamps), []
    if not stamps:  # nothing tells that the cameras began together
        with pytest.raises(SessionError, match=r"differ in length: .*cam_1 45 frames.* trim them"):
            run_session(session, ("predict",), progress=False)
        return
    run_session(session, ("predict", "reconstruct"), progress=False, say=said.append)
    views, pose = (read_dataset(session.output / name) for name in ("views.nc", "pose.nc"))
    seen = views["position"].notnull().all(("keypoint", "space"))
    assert seen.sel(view="cam_1").values.tolist() == [True] * 45 + [False] * 15
    assert seen.sel(view=["cam_0", "cam_2"]).all()
    n_views = pose["reprojection_error"].notnull().sum("view").values
    assert n_views.min(axis=1).tolist() == n_views.max(axis=1).tolist() == [3] * 45 + [2] * 15
    np.testing.assert_allclose(pose["position"], truth(every), atol=0.5)
    assert any("cam_1" in line and "45-59" in line for line in said)


def test_a_stated_rate_overrules_the_files_with_a_note(tmp_path, rig):
    times = {"cam_0": np.arange(30) / 30, "cam_1": np.arange(30) / 29.97, "cam_2": np.arange(30) / 100}
    session = write_session(tmp_path, rig, times, head="fps = 100")
    assert recording_notes(session) == [
        "the stated frame rate of 100 Hz is used; the files say cam_0 30 Hz, cam_1 29.97 Hz, cam_2 100 Hz"
    ]
    run_session(session, ("predict",), progress=False)
    views = read_dataset(session.output / "views.nc")
    np.testing.assert_allclose(views["time"].values, np.arange(30) / 100)
    assert "stated frame rate of 100 Hz" in views.attrs["notes"]


def test_files_that_disagree_are_refused_without_a_stated_rate(tmp_path, rig):
    times = {"cam_0": np.arange(30) / 30, "cam_1": np.arange(30) / 50, "cam_2": np.arange(30) / 30}
    with pytest.raises(SessionError, match=r"cam_0 30 Hz, cam_1 50 Hz.*state their rate \(fps\)"):
        run_session(write_session(tmp_path, rig, times), ("predict",), progress=False)


def test_times_that_fit_no_even_rate_are_refused(tmp_path, rig):
    times = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.03, 60))
    with pytest.raises(SessionError, match=r"the frame rate varies .*convert the videos to a constant rate"):
        run_session(write_session(tmp_path, rig, dict.fromkeys(CAMERAS, times)), ("predict",), progress=False)


def test_timestamps_of_another_recording_are_refused(tmp_path, rig):
    session = write_session(tmp_path, rig, dict.fromkeys(CAMERAS, np.arange(40) / 100), stamps=True)
    path = tmp_path / "cam_1_times.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-5]))
    with pytest.raises(SessionError, match="camera 'cam_1' has 35 timestamps for the 40 frames"):
        run_session(session, ("predict",), progress=False)


def test_a_camera_without_timestamps_is_named(tmp_path, rig):
    write_session(tmp_path, rig, dict.fromkeys(CAMERAS, np.arange(40) / 100), stamps=True)
    path = tmp_path / "session.toml"
    path.write_text(path.read_text().replace("timestamps = 'cam_2_times.csv'", ""))
    with pytest.raises(SessionError, match="camera 'cam_2' has no 'timestamps'"):
        run_session(read_session(tmp_path), ("predict",), progress=False)


def test_a_damaged_stretch_changes_no_later_row(tmp_path, rig):
    times = np.arange(100) / 100
    session = write_session(tmp_path, rig, dict.fromkeys(CAMERAS, times))
    overwrite(tmp_path / "cam_1.mp4", 0.03, 0.4)
    np.testing.assert_allclose(reconstructed(session)["position"].values, truth(times), atol=0.01)


def test_chapters_are_one_recording(tmp_path, rig):
    times = np.arange(60) / 50
    write_session(tmp_path, rig, dict.fromkeys(CAMERAS, times), videos=False)
    text = (tmp_path / "session.toml").read_text()
    for camera in CAMERAS:
        parts = [f"{camera}_{part}.mp4" for part in (1, 2)]
        for part, first in zip(parts, (0, 30), strict=True):
            write_numbered_video(tmp_path / part, times[:30], first=first, rate=50)
        text = text.replace(f"[cameras.{camera}]", f"[cameras.{camera}]\nvideo = {parts}")
    (tmp_path / "session.toml").write_text(text + "\n[joints]\nknee = ['hip', 'knee', 'ankle']\n")
    session = read_session(tmp_path)
    table, problems = describe(session)
    assert problems == []
    assert table.loc["cam_1", ["frames", "fps", "seconds"]].tolist() == [60, 50.0, 1.2]
    run_session(session, progress=False)
    pose = read_dataset(session.output / "pose.nc")
    np.testing.assert_allclose(pose["time"].values, times, atol=1e-6)
    np.testing.assert_allclose(pose["position"].values, truth(times), atol=0.01)
    report = (session.output / "report.html").read_text()
    assert '"pictures":[null' not in report.replace(" ", "")
    assert report.count("data:image/jpeg") > 3 * 10
    project = extract_session(session, 3, tmp_path / "labels", method="uniform")
    assert len(list(project.rglob("*.png"))) == 9


def test_a_chapter_that_is_absent_is_named(tmp_path, rig):
    write_session(tmp_path, rig, dict.fromkeys(CAMERAS, np.arange(20) / 50), videos=False)
    path = tmp_path / "session.toml"
    path.write_text(path.read_text().replace("[cameras.cam_1]", "[cameras.cam_1]\nvideo = ['a.mp4', 'b.mp4']"))
    with pytest.raises(SessionError, match=r"the video of camera 'cam_1', .*a\.mp4, does not exist"):
        read_session(tmp_path)
