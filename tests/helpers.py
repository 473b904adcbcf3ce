"""What several tests need: where the shared recordings lie, the skip when they are absent, small files on disk, and a
pool like one of processes."""

import pickle  # noqa: TID251 - as pools of processes do, of tasks made here
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
needs_shared = pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="../shared/data is absent")


class Pickling(ThreadPoolExecutor):
    """A pool whose tasks and results are pickled, as those of other processes are."""

    def submit(self, function, /, *arguments):
        sent = pickle.dumps((function, arguments))

        def task():
            function, arguments = pickle.loads(sent)
            return pickle.loads(pickle.dumps(function(*arguments)))

        return super().submit(task)


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


def write_numbered_video(path, times, *, first=0, codec="libx264", rate=100, **options):
    """A video of noise whose frames carry their number as bars (`number_shown`), at presentation times in seconds."""
    av = pytest.importorskip("av")
    options = {"crf": "20", "g": "25", "bf": "2"} | options if codec == "libx264" else options
    time_base = Fraction(1, 90000 if codec == "libx264" else rate)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.codec_context.time_base = time_base
        for i, seconds in enumerate(times):
            frame = av.VideoFrame.from_ndarray(_numbered_picture(first + i), format="rgb24")
            frame.pts, frame.time_base = round(seconds / time_base), time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _numbered_picture(number):
    picture = np.random.default_rng(number).integers(60, 120, (120, 160, 3), np.uint8)
    for bit in range(10):
        picture[8:56, 16 * bit : 16 * bit + 14] = 230 if number >> bit & 1 else 20
    return picture


def number_shown(picture):
    """The number of a frame of `write_numbered_video`; None of a damaged frame."""
    if picture is None:
        return None
    return sum(1 << bit for bit in range(10) if picture[16:48, 16 * bit + 3 : 16 * bit + 11].mean() > 125)


def overwrite(path, share, at, to=None, seed=0):
    """Overwrite a stretch of a file by random bytes; `share` and `at` are parts of its length."""
    content = bytearray(path.read_bytes())
    start, length = int(at * len(content)), int(share * len(content))
    content[start : start + length] = np.random.default_rng(seed).integers(0, 256, length, np.uint8).tobytes()
    (to or path).write_bytes(content)
    return to or path


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
