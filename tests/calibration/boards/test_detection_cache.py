"""Detections kept in a folder leave nothing else behind."""

import hashlib

from muybridge.calibration import detect_board
from tests.calibration.synthetic import BOARD
from tests.helpers import write_video


def test_what_a_killed_run_left_half_written_is_cleared(tmp_path):
    video, kept = write_video(tmp_path / "a [1].mp4", 2), tmp_path / "corners"
    name = f"a [1]-{hashlib.blake2b(str(video.resolve()).encode(), digest_size=4).hexdigest()}"
    half, other = kept / f".{name}.0123456789ab.partial.npz", kept / ".b-01.0123456789ab.partial.npz"
    kept.mkdir()
    for path in (half, other):
        path.write_bytes(b"half")
    detect_board(video, BOARD, cache=kept, progress=False)
    assert sorted(path.name for path in kept.iterdir()) == [other.name, f"{name}.npz"]
    assert [path.name for path in tmp_path.iterdir() if path != kept] == ["a [1].mp4"]
