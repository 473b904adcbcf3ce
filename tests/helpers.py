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


def write_picture_video(path, pictures, fps=25.0):
    """An MJPG video of RGB or grey pictures, whose frames `damage_frame` and `cut_off` can find in the file."""
    height, width = pictures[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (width, height))
    for picture in pictures:
        code = cv2.COLOR_GRAY2BGR if picture.ndim == 2 else cv2.COLOR_RGB2BGR
        writer.write(cv2.cvtColor(picture, code))
    writer.release()
    return path


def damage_frame(path, number):
    """Overwrite one frame of such a video by zeros, which cannot be decoded."""
    content = bytearray(path.read_bytes())
    start, length = _frames_in(content)[number]
    content[start : start + length] = bytes(length)
    path.write_bytes(content)


def cut_off(path, number):
    """End such a video's file before one of its frames; the header promises the frames as before."""
    content = path.read_bytes()
    path.write_bytes(content[: _frames_in(content)[number][0]])


def _frames_in(content):
    """(start, length) in bytes of each frame of an AVI file."""
    found, at = [], content.index(b"movi") + 4
    while content[at : at + 4] == b"00dc":
        length = int.from_bytes(content[at + 4 : at + 8], "little")
        found.append((at + 8, length))
        at += 8 + length + length % 2
    return found


def edit_session(folder, old, new):
    """Replace a text that must be there in a folder's session.toml."""
    path = folder / "session.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return path
