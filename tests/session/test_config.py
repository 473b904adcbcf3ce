import pytest

from muybridge.calibration import CharucoBoard
from muybridge.session import SessionError, read_session
from tests.helpers import edit_session


def test_a_session_file_becomes_typed_objects(small_recording):
    session = read_session(small_recording)
    assert session.name == "small"
    assert list(session.cameras) == ["left", "right"]
    assert session.sources("video")["left"] == small_recording / "left.mp4"
    assert session.skeleton.bone_indices.tolist() == [[0, 1], [1, 2]]
    assert session.output == small_recording / "results"
    board = session.make_board()
    assert isinstance(board, CharucoBoard)
    assert board.square_length == 25.0


def test_a_list_of_board_images_is_a_source(small_recording):
    edit_session(small_recording, 'board = "board_left.mp4"', 'board = ["board_left.mp4", "board_right.mp4"]')
    assert len(read_session(small_recording).sources("board")["left"]) == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('video = "left.mp4"', 'video = "gone.mp4"', r"the video of camera 'left', .*gone\.mp4, does not exist"),
        ('video = "left.mp4"', "video = 3", "camera 'left' has video = 3; give a path"),
        ('video = "left.mp4"', 'vidoe = "left.mp4"', "did you mean 'video'"),
        ("[joints]", "[joint]", "'joint' is not among the tables, did you mean 'joints'"),
        ('knee = ["hip"', 'knee = ["hop"', r"'hop' is not among the keypoints .*joint 'knee'.*did you mean 'hip'"),
        ('unit = "mm"', "up = [0, 0]", r"up is \[0, 0\]; it must be a direction of three numbers"),
        ('unit = "mm"', "floor_frame = -1", "floor_frame is -1; it must be the number of a board frame"),
        ('unit = "mm"', "fps = inf", "fps is inf; it must be a positive number"),
        ('unit = "mm"', "output = 5", "output is 5; give a path"),
        ('["hip", "knee", "ankle"]\nbones', '"hip"\nbones', "keypoints is 'hip'; it must be a list of names"),
        (
            'bones = [["hip", "knee"], ["knee", "ankle"]]',
            "bones = 3",
            r"\[skeleton\] bones is 3; it must be a list of pairs",
        ),
        ('unit = "mm"', "up = [0, true, 1]", "it must be a direction of three numbers"),
        ('unit = "mm"', "fps = -30", "fps is -30; it must be a positive number"),
        ('"hip", "knee"], ["knee"', '"hip", "knee"], ["kne"', r"\[skeleton\] bones name keypoints that do not exist"),
        ("[cameras.left]", "[cameras.left", "no valid TOML"),
    ],
)
def test_an_entry_that_cannot_be_names_file_value_and_remedy(small_recording, old, new, message):
    path = edit_session(small_recording, old, new)
    with pytest.raises(SessionError, match=message) as caught:
        read_session(small_recording)
    assert str(path) in str(caught.value)


def test_a_session_without_cameras_is_refused(tmp_path):
    (tmp_path / "session.toml").write_text("[session]\nname = 'x'\n")
    with pytest.raises(SessionError, match="names no camera"):
        read_session(tmp_path)


def test_a_missing_session_file_says_how_to_write_one(tmp_path):
    with pytest.raises(SessionError, match="muybridge init"):
        read_session(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('type = "charuco"', 'type = "circles"', "type is 'circles'; known"),
        ("squares_x = 7", "squars_x = 7", "did you mean 'squares_x'"),
    ],
)
def test_a_board_that_cannot_be_is_named(small_recording, old, new, message):
    edit_session(small_recording, old, new)
    with pytest.raises(SessionError, match=message):
        read_session(small_recording).make_board()
