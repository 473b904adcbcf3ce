import tomllib

import pytest

from muybridge.session import SessionError, read_session
from muybridge.session.proposal import propose_sessions, write_proposals
from tests.helpers import write_video


def test_videos_and_boards_side_by_side_are_found(tmp_path):
    for name in ("left", "right"):
        (tmp_path / "boards").mkdir(exist_ok=True)
        write_video(tmp_path / f"{name}.mp4", 2)
        write_video(tmp_path / "boards" / f"{name}.mp4", 2)
    tables = propose_sessions(tmp_path)[0].tables
    assert tables["cameras"] == {
        "left": {"video": "left.mp4", "board": "boards/left.mp4"},
        "right": {"video": "right.mp4", "board": "boards/right.mp4"},
    }


def test_a_folder_per_camera_is_understood(tmp_path):
    for name in ("top", "side"):
        (tmp_path / name / "calibration_images").mkdir(parents=True)
        write_video(tmp_path / name / "session1.mp4", 2)
        (tmp_path / name / "calibration_images" / "0.jpg").write_bytes(b"x")
        (tmp_path / name / "session1.analysis.h5").write_bytes(b"x")
    cameras = propose_sessions(tmp_path)[0].tables["cameras"]
    assert cameras["top"] == {
        "video": "top/session1.mp4",
        "board": "top/calibration_images",
        "points": "top/session1.analysis.h5",
    }


def test_the_proposal_is_a_session_that_reads(tmp_path):
    write_video(tmp_path / "a.mp4", 2)
    write_video(tmp_path / "b.mp4", 2)
    path = write_proposals(tmp_path)[0].path
    assert list(read_session(path).cameras) == ["a", "b"]
    assert "session" in tomllib.loads(path.read_text())


POINTS = ("left.analysis.h5", "right.analysis.h5")
VIDEOS = ("left.mp4", "right.mp4")
BOARDS = ("boards/left.mp4", "boards/right.mp4")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (POINTS, "add the frame rate, correct the board, then 'muybridge check "),
        ((*VIDEOS, *POINTS, *BOARDS), "correct the board, then 'muybridge check "),
        ((*VIDEOS, *BOARDS), "correct the board, name a source of 2D points (a 'points' file of each camera,"),
        (BOARDS, "correct the board, then 'muybridge calibrate "),
        ((*POINTS, "calibration.toml"), "add the frame rate, then 'muybridge check "),
        ((*VIDEOS, *POINTS, "calibration.toml"), "go on with 'muybridge check "),
    ],
)
def test_what_is_left_to_do_is_said_and_no_more(tmp_path, files, words):
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    (proposal,) = propose_sessions(tmp_path)
    assert proposal.next_step.startswith(words)
    assert ("board" in proposal.tables) == ("calibration.toml" not in files)


def test_a_file_that_may_hold_cameras_is_said_to(tmp_path):
    for file in (*VIDEOS, "old_calibration_2.toml"):
        (tmp_path / file).touch()
    (reason,) = propose_sessions(tmp_path)[0].left_out.values()
    assert "name it under [session] rig if it holds the cameras" in reason


def test_an_existing_session_file_is_never_replaced_silently(tmp_path):
    write_video(tmp_path / "a.mp4", 2)
    write_proposals(tmp_path)
    with pytest.raises(SessionError, match="--overwrite"):
        write_proposals(tmp_path)
    write_proposals(tmp_path, overwrite=True)


def test_a_folder_without_recordings_is_refused(tmp_path):
    with pytest.raises(SessionError, match="no videos"):
        propose_sessions(tmp_path)
