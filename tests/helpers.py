"""What several tests need: where the shared recordings lie, the skip when they are absent, and small files on disk."""

from pathlib import Path

import cv2
import numpy as np
import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
needs_shared = pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="../shared/data is absent")


def write_video(path, n_frames=12, size=(160, 120), fps=50.0):
    """A grey video on disk in which a white square moves to the right."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), fps, size)
    for i in range(n_frames):
        frame = np.full((size[1], size[0], 3), 90, np.uint8)
        cv2.rectangle(frame, (10 + 3 * i, 40), (30 + 3 * i, 60), (240, 240, 240), -1)
        writer.write(frame)
    writer.release()
    return path


def edit_session(folder, old, new):
    """Replace a text that must be there in a folder's session.toml."""
    path = folder / "session.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return path
