"""The way into a session and the loop back, on a small recording whose wrong pictures are known."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from muybridge.calibration import CameraRig, write_rig
from muybridge.datasets import frame_times, pose_dataset, read_dataset, views_dataset, write_dataset
from muybridge.pose2d import LabelError, probe_video, read_labels
from muybridge.session import SessionError, read_session, run_session
from muybridge.session.label_loop import corruption_session, evaluate_session, extract_session, suggest_session
from tests.helpers import edit_session, write_video

N_FRAMES, WRONG = 12, (3, 9)
CAMERAS = ("a", "b", "c")


@pytest.fixture
def reconstructed(tmp_path, ring_rig, skeleton, moving_skeleton):
    """A session after its reconstruction: camera b is 80 px off in the frames WRONG, all else agrees with the 3D."""
    rig = CameraRig(tuple(replace(camera, name=name) for camera, name in zip(ring_rig, CAMERAS, strict=False)))
    points_3d = moving_skeleton[:N_FRAMES]
    points_2d = rig.project(points_3d)
    points_2d[1, list(WRONG)] += 80
    lines = ["[session]", 'rig = "rig.toml"']
    for name in CAMERAS:
        write_video(tmp_path / f"{name}.mp4", N_FRAMES)
        lines += [f"[cameras.{name}]", f'video = "{name}.mp4"']
    bones = [list(bone) for bone in skeleton.bones]
    lines += ["[skeleton]", f"keypoints = {list(skeleton.keypoints)}", f"bones = {bones}"]
    (tmp_path / "session.toml").write_text("\n".join(lines))
    write_rig(rig, tmp_path / "rig.toml")
    times, keypoints = frame_times(N_FRAMES, 50.0), skeleton.keypoints
    confidence = np.full(points_2d.shape[:-1], 0.9)
    views = views_dataset(points_2d, cameras=CAMERAS, keypoints=keypoints, times=times, confidence=confidence)
    (tmp_path / "results").mkdir()
    write_dataset(views, tmp_path / "results" / "views.nc")
    write_dataset(
        pose_dataset(points_3d, keypoints=keypoints, times=times, unit="mm"), tmp_path / "results" / "pose.nc"
    )
    return tmp_path, rig.project(points_3d)


def test_pictures_in_which_a_camera_contradicts_the_others_are_suggested_with_the_3d_as_proposal(reconstructed):
    folder, seen = reconstructed
    chosen = suggest_session(read_session(folder), 2, folder / "next")
    assert chosen["view"][0] == "b"
    assert chosen["frame"][0] in WRONG
    written = read_labels(folder / "next")
    assert written.keypoints == ("nose", "neck", "tail", "left_hip", "left_knee", "right_hip", "right_knee")
    for view, frame, points_2d in zip(written.cameras, written.instants, written.points_2d, strict=True):
        np.testing.assert_allclose(points_2d, seen[CAMERAS.index(view), frame], atol=1e-3)
    with pytest.raises(LabelError, match="exists already"):
        suggest_session(read_session(folder), 2, folder / "next")


def test_extracted_frames_are_one_instant_in_all_cameras(reconstructed):
    folder, _ = reconstructed
    project = extract_session(read_session(folder), 3, folder / "labels")
    pictures = {name: sorted(p.name for p in (project / "labeled-data" / name).glob("*.png")) for name in CAMERAS}
    assert len(pictures["a"]) == 3
    assert pictures["a"] == pictures["b"] == pictures["c"]


def test_what_is_missing_is_one_sentence(reconstructed):
    folder, _ = reconstructed
    with pytest.raises(SessionError, match="no detector"):
        corruption_session(read_session(folder))
    with pytest.raises(SessionError, match="no detector"):
        evaluate_session(read_session(folder))
    (folder / "results" / "pose.nc").unlink()
    with pytest.raises(SessionError, match="run 'muybridge reconstruct"):
        suggest_session(read_session(folder), 2, folder / "next")


def test_labels_may_be_a_list_of_folders(small_recording):
    from muybridge.session.steps.training import label_folders

    (small_recording / "labels-next").mkdir()
    edit_session(small_recording, 'labels = "labels"', 'labels = ["labels", "labels-next"]')
    folders = label_folders(read_session(small_recording))
    assert [folder.name for folder in folders] == ["labels", "labels-next"]
    edit_session(small_recording, '["labels", "labels-next"]', "[1]")
    with pytest.raises(SessionError, match="list of paths"):
        read_session(small_recording)


def test_the_gait_needs_the_vertical_and_known_feet(reconstructed):
    folder, _ = reconstructed
    with (folder / "session.toml").open("a") as stream:
        stream.write('\n[gait]\nleft_hind = "left_knee"\n')
    with pytest.raises(SessionError, match=r"\[gait\] needs the vertical; give \[session\] floor_frame"):
        run_session(read_session(folder), ("kinematics",), progress=False)
    edit_session(folder, '"left_knee"\n', '"left_kne"\n')
    with pytest.raises(SessionError, match="did you mean 'left_knee'"):
        read_session(folder)


def test_a_point_beyond_a_pictures_border_is_neither_missed_nor_proposed(reconstructed):
    folder, _ = reconstructed
    path = folder / "results" / "pose.nc"
    pose = read_dataset(path)
    pose["position"][:, 0] += [0.0, 0.0, 900.0]  # the nose, above all pictures
    write_dataset(pose, path)
    suggest_session(read_session(folder), 3, folder / "next")
    written = read_labels(folder / "next")
    assert np.isnan(written.points_2d[:, 0]).all()
    assert np.isfinite(written.points_2d[:, 1:]).all()


def test_films_and_each_cameras_video_are_written_from_a_session(reconstructed):
    from muybridge.session import pictures_out

    folder, _ = reconstructed
    session = read_session(folder)
    for kind in ("grid", "skeleton", "both"):
        (film,) = pictures_out.labelled_videos(session, folder / "films", kind=kind, speed=0.5)
        assert film.name == f"{kind}.mp4"
        assert probe_video(film).n_frames == N_FRAMES
    each = pictures_out.labelled_videos(session, folder / "films")
    assert [path.name for path in each] == [f"{name}_labelled.mp4" for name in CAMERAS]
    with pytest.raises(SessionError, match=r"kinematics\.nc"):
        pictures_out.session_figures(session, folder / "figures")
    motion = xr.Dataset({"angle": (("time", "joint"), np.ones((N_FRAMES, 1)), {"units": "radian"})},
                        {"time": frame_times(N_FRAMES, 50.0), "joint": ["knee"]})  # fmt: skip
    write_dataset(motion, folder / "results" / "kinematics.nc")
    names = [path.name for path in pictures_out.session_figures(session, folder / "figures", format="pdf")]
    assert {"angle-of-knee.pdf", "what-was-seen-over-time.pdf"} <= set(names)
