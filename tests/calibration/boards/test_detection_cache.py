"""Detections kept beside their source leave nothing behind."""

import numpy as np

from muybridge.calibration.boards.detection_cache import _FIELDS, load_detections, save_detections
from tests.calibration.synthetic import BOARD
from tests.helpers import write_video


def test_what_a_killed_run_left_half_written_is_cleared(tmp_path):
    video, board = write_video(tmp_path / "a [1].mp4", 2), BOARD
    half = tmp_path / "..a [1].mp4.board_corners.0123456789ab.partial.npz"
    other = tmp_path / "..b.mp4.board_corners.0123456789ab.partial.npz"
    for path in (half, other):
        path.write_bytes(b"half")
    arrays = {name: np.zeros(2) for name in _FIELDS} | {"size": np.array([160, 120])}
    save_detections(video, board, 1, arrays)
    assert load_detections(video, board, 1) is not None
    assert not half.exists()
    assert other.exists()
