"""Small recordings on disk: grey videos of a moving square, and a session file that names them."""

import cv2
import numpy as np
import pytest

from muybridge.formats.labels.deeplabcut_project import write_labels
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
    """A folder with session.toml, two videos and two board videos without a board in them, and one labelled picture."""
    for name in ("left", "right"):
        write_video(tmp_path / f"{name}.mp4")
        write_video(tmp_path / f"board_{name}.mp4")
    labelled = tmp_path / "labels" / "left"
    labelled.mkdir(parents=True)
    cv2.imwrite(str(labelled / "img0.png"), np.full((120, 160, 3), 90, np.uint8))
    points = np.array([[[20.0, 50.0], [30.0, 60.0], [40.0, 70.0]]])
    write_labels(labelled / "CollectedData_me.csv", ["img0.png"], points, ("hip", "knee", "ankle"), "me")
    (tmp_path / "session.toml").write_text(SESSION)
    return tmp_path
