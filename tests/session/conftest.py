"""Small recordings on disk: grey videos of a moving square, and a session file that names them."""

import pytest

from tests.helpers import write_video

SESSION = """
[session]
name = "small"
unit = "mm"

[cameras.left]
video = "left.mp4"
board = "board_left.mp4"

[cameras.right]
video = "right.mp4"
board = "board_right.mp4"

[board]
type = "charuco"
squares_x = 7
squares_y = 10
square_length = 25.0
marker_length = 18.0

[skeleton]
keypoints = ["hip", "knee", "ankle"]
bones = [["hip", "knee"], ["knee", "ankle"]]

[joints]
knee = ["hip", "knee", "ankle"]

[train]
labels = "labels"
"""


@pytest.fixture
def small_recording(tmp_path):
    """A folder with session.toml, two videos and two board videos without a board in them, and empty labels."""
    for name in ("left", "right"):
        write_video(tmp_path / f"{name}.mp4")
        write_video(tmp_path / f"board_{name}.mp4")
    (tmp_path / "labels").mkdir()
    (tmp_path / "session.toml").write_text(SESSION)
    return tmp_path
