"""Detections kept in a folder leave nothing else behind."""

import hashlib

import numpy as np

from muybridge.calibration.boards.detection_cache import _FIELDS, load_detections, save_detections
from tests.calibration.synthetic import BOARD
from tests.helpers import write_video


def test_what_a_killed_run_left_half_written_is_cleared(tmp_path):
    video, kept = write_video(tmp_path / "a [1].mp4", 2), tmp_path / "corners"
    name = f"a [1]-{hashlib.blake2b(str(video.resolve()).encode(), digest_size=4).hexdigest()}"
    half, other = kept / f".{name}.0123456789ab.partial.npz", kept / ".b-01.0123456789ab.partial.npz"
    kept.mkdir()
    for path in (half, other):
        path.write_bytes(b"half")
    arrays = {name: np.zeros(2) for name in _FIELDS} | {"size": np.array([160, 120])}
    save_detections(video, BOARD, 1, arrays, kept)
    assert load_detections(video, BOARD, 1, kept) is not None
    assert not half.exists()
    assert other.exists()
    assert [path.name for path in tmp_path.iterdir() if path != kept] == ["a [1].mp4"]
