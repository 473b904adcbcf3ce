"""What can be labelled: plain pictures, folders of cameras, one video, a session before and after its first labels."""

import shutil

import numpy as np
import pytest

from muybridge.labelling.opening import open_source
from muybridge.labelling.picture_folders import config_bones, config_list, find_picture_folders
from muybridge.pose2d import LabelError, extract_frames
from tests.helpers import write_video
from tests.labelling.conftest import KEYPOINTS, write_pictures


def test_a_plain_folder_of_pictures_is_one_camera(pictures):
    folder = pictures / "labeled-data" / "left"
    source = open_source(folder, keypoints=KEYPOINTS)
    project = source.project(source.chosen)
    assert (project.cameras, project.instants(), source.rig()) == (("left",), [4, 7, 12], None)
    project.close()


def test_pictures_without_numbers_are_counted(tmp_path):
    folder = write_pictures(tmp_path, cameras=("top",), instants=(1, 2)) / "labeled-data" / "top"
    for path, name in zip(sorted(folder.iterdir()), ("ant.png", "bee.png"), strict=True):
        path.rename(folder / name)
    assert find_picture_folders(tmp_path)[0].pictures == {0: "ant.png", 1: "bee.png"}


def test_frames_of_a_video_are_extracted_first(tmp_path):
    write_video(tmp_path / "mouse.mp4")
    with pytest.raises(LabelError, match="--keypoints"):
        open_source(tmp_path / "mouse.mp4")
    said = []
    source = open_source(tmp_path / "mouse.mp4", keypoints=KEYPOINTS, n=3, say=said.append)
    project = source.project("mouse-labels")
    assert (project.cameras, len(project.instants()), project.keypoints) == (("mouse",), 3, KEYPOINTS)
    project.close()
    again = open_source(tmp_path / "mouse.mp4")
    assert len(said) == 1
    project = again.project("mouse-labels")
    assert project.keypoints == KEYPOINTS
    project.close()


def test_a_folder_with_nothing_to_label_says_what_to_do(tmp_path):
    with pytest.raises(LabelError, match="muybridge init"):
        open_source(tmp_path)


def test_a_session_offers_its_projects_and_begins_with_the_last(calibrated):
    folder, rig = calibrated
    videos = {name: folder / f"{name}.mp4" for name in "abc"}
    for name in ("labels", "labels-next"):
        extract_frames(videos, 2, folder / name, keypoints=KEYPOINTS)
    source = open_source(folder)
    assert (list(source.roots), source.chosen) == (["labels", "labels-next"], "labels-next")
    project = source.project("labels")
    assert set(project.videos) == set("abc")
    assert project.bones == (("nose", "tail"),)
    assert source.rig().names == rig.names
    project.close()


def test_pictures_that_are_not_of_the_sessions_videos_are_not_completed_from_them(calibrated):
    folder, _ = calibrated
    write_pictures(folder / "labels", cameras=("a", "b"))
    source = open_source(folder, labels=folder / "labels")
    project = source.project(source.chosen)
    assert (project.videos, project.cameras) == ({}, ("a", "b"))
    project.close()


def test_a_camera_with_dropped_frames_shows_the_instant(calibrated):
    folder, _ = calibrated
    videos = {name: folder / f"{name}.mp4" for name in "abc"}
    extract_frames(videos, 2, folder / "labels", keypoints=KEYPOINTS)
    shutil.rmtree(folder / "labels" / "labeled-data" / "b")
    source = open_source(folder)
    frames = dict(source.frames) | {"b": np.array([-1, 0, 1, 2, 3, 4])}
    object.__setattr__(source, "frames", frames)
    project = source.project("labels")
    (first, *_), store = project.instants(), project.pictures
    assert [store.frame(camera, 5) for camera in "abc"] == [5, 4, 5]
    assert set(project.folders["b"].pictures) <= set(project.instants())
    assert project.folders["b"].pictures.get(first) in (None, f"img{first - 1:06d}.png")
    project.close()


def test_lists_of_deeplabcuts_config_are_read():
    text = 'bodyparts:\n- nose\n- \'tail base\'\nskeleton:\n- - nose\n  - tail base\n- ["a", "b"]\ndotsize: 3\n'
    assert config_list(text, "bodyparts") == ["nose", "tail base"]
    assert config_bones('skeleton:\n- ["nose", "tail base"]\n- [a, b]\n') == [("nose", "tail base"), ("a", "b")]
    assert config_bones("skeleton:\n- - nose\n  - tail base\nx: 1\n") == [("nose", "tail base")]
