"""Videos of boards are told from videos of animals by their pictures where names do not tell."""

import cv2
import numpy as np
import pytest

from muybridge.calibration import simulate_board_motion
from muybridge.formats.video.writing import open_video_writer
from muybridge.session.proposal import propose_sessions
from tests.calibration.synthetic import render_board, small_rig
from tests.helpers import SHARED, needs_shared

NAMES = ("cam_0", "cam_1")


def film(path, pictures):
    with open_video_writer(path, 20.0, pictures[0].shape[::-1]) as writer:
        for picture in pictures:
            writer.write(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR))


def of_boards(folder, take, *, absent=(), standing=False):
    R, t = simulate_board_motion(16, reach=60.0, seed=3)
    if standing:
        R, t = R[:1].repeat(16, axis=0), t[:1].repeat(16, axis=0)
    for name, pictures in render_board(small_rig(2), R, t).items():
        for i in absent:
            pictures[i][:] = 128
        film(folder / f"{take}_{name}.mp4", pictures)


def of_animals(folder, take, *, contrast=1):
    floor = np.random.default_rng(0).integers(90, 90 + contrast, (48, 64)).astype(np.uint8)
    for name in NAMES:
        pictures = [cv2.resize(floor, (640, 480)) for _ in range(16)]
        for i, picture in enumerate(pictures):
            cv2.ellipse(picture, (60 + 30 * i, 240), (60, 25), 10.0 * i, 0, 360, 20, -1)
        film(folder / f"{take}_{name}.mp4", pictures)


def test_videos_of_a_board_beside_videos_of_animals_calibrate_their_cameras(tmp_path):
    of_boards(tmp_path, "monday", absent=range(0, 16, 3))
    of_animals(tmp_path, "tuesday")
    (proposal,) = propose_sessions(tmp_path)
    assert proposal.tables["cameras"] == {
        name: {"video": f"tuesday_{name}.mp4", "board": f"monday_{name}.mp4"} for name in NAMES
    }
    assert (proposal.tables["board"]["squares_x"], proposal.tables["board"]["squares_y"]) == (7, 6)
    assert proposal.left_out == {}
    assert "monday_cam_0.mp4, monday_cam_1.mp4" in proposal.notes[1]


def test_a_folder_of_board_videos_alone_is_there_to_be_calibrated(tmp_path):
    of_boards(tmp_path, "monday")
    (tmp_path / "timestamps.csv").touch()
    (proposal,) = propose_sessions(tmp_path)
    assert proposal.tables["cameras"] == {
        name: {"board": f"monday_{name}.mp4", "board_timestamps": "timestamps.csv"} for name in NAMES
    }
    assert "muybridge calibrate" in proposal.next_step


@pytest.mark.parametrize(
    "scene",
    [
        pytest.param(
            "a floor in which OpenCV sees checkerboards", marks=pytest.mark.long
        ),  # shorter: the mouse's videos
        "a board that stands",
        "a board at the beginning",
    ],
)
def test_videos_of_animals_stay_what_they_are(tmp_path, scene):
    if scene.startswith("a floor"):
        of_animals(tmp_path, "monday", contrast=50)
    elif scene == "a board that stands":
        of_boards(tmp_path, "monday", standing=True)
    else:
        of_boards(tmp_path, "monday", absent=range(3, 16))
    (proposal,) = propose_sessions(tmp_path)
    assert proposal.tables["cameras"] == {name: {"video": f"monday_{name}.mp4"} for name in NAMES}


def test_videos_of_a_board_named_so_are_all_that_is_looked_for(tmp_path):
    of_boards(tmp_path, "monday")
    for name in NAMES:
        (tmp_path / f"calibration_{name}.mp4").touch()
    (proposal,) = propose_sessions(tmp_path)
    assert proposal.tables["cameras"] == {
        name: {"video": f"monday_{name}.mp4", "board": f"calibration_{name}.mp4"} for name in NAMES
    }


@needs_shared
@pytest.mark.shared
@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        pytest.param("charuco_4cam/calibration/extrinsic", "board", marks=pytest.mark.long),  # shorter: made-up boards
        ("mirror_mouse/videos", "video"),
    ],
)
def test_real_videos_are_told_apart_without_words(folder, kind):
    proposals = propose_sessions(SHARED / "data" / folder)
    assert {key for proposal in proposals for entry in proposal.tables["cameras"].values() for key in entry} - {
        "board_timestamps"
    } == {kind}
