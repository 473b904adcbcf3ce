"""Presentation times and key frames of a video, as its container states them, without decoding a picture.

Frames are numbered in the order of their times. A frame that is damaged keeps its number: it lies where the times have
a hole, or at the end where the header promises more frames than there are. A container that does not count its frames
tells no damage from frames that were never recorded: there every hole is filled with numbers. An MPEG transport stream
counts its packets, so that damage is reported there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from .video_errors import VideoError

PACKETS = (cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])  # has OpenCV give packets as they are stored, not pictures
MAX_FAILURES = 10_000  # packets in a row that cannot be read: the rest of such a file is lost
_COUNTED = (".mp4", ".m4v", ".mov", ".avi")  # containers whose header counts the frames; others state a duration
STREAM_SUFFIXES = (".ts", ".mts", ".m2ts")  # MPEG transport streams, in packets of 188 bytes or, with a time, 192
_BLOCK = 1 << 16  # packets read at a time
_MOST_DELAYED = 64  # frames stored before an earlier one: more than a codec does
_HOLE = 1.5  # intervals between two frames from which on one is missing between them
_MOST_FILLED = 9  # numbers put into holes per frame: a rate that falls to a tenth


@dataclass(frozen=True, eq=False)
class FrameTimes:
    """The frames of one video.

    Parameters
    ----------
    times : ndarray, shape (n_frames,), seconds
        Presentation time of each frame since the first, increasing.
    is_key : ndarray of bool, shape (n_frames,)
        Whether a frame is decoded without any other.
    is_stored : ndarray of bool, shape (n_frames,)
        Whether the file holds a frame of this number that looks intact.
    delay : int
        How many frames late the decoder may hand out a frame because others are stored before it.
    is_counted : bool
        Whether the container counts its frames, so that every number without a frame is damage.
    """

    times: Array
    is_key: NDArray[np.bool_]
    is_stored: NDArray[np.bool_]
    delay: int
    is_counted: bool = True

    @property
    def interval(self) -> float:
        """Seconds between neighbouring frames, where none is missing between them."""
        return shortest_interval(self.times)

    @property
    def is_even(self) -> bool:
        """Whether all frames follow each other at the same interval, as far as the file tells."""
        even = self.interval * np.arange(len(self.times))
        is_regular = np.abs(self.times - even).max() < 0.5 * self.interval
        return bool(is_regular and (self.is_counted or self.is_stored.all()))

    def number_at(self, seconds: float) -> int:
        """Number of the frame whose time is nearest."""
        right = int(np.searchsorted(self.times, seconds))
        nearest = [n for n in (right - 1, right) if 0 <= n < len(self.times)]
        return min(nearest, key=lambda n: abs(self.times[n] - seconds))


def shortest_interval(times: Array) -> float:
    """Seconds between neighbouring frames; of changing intervals the shortest usual one, which the others contain."""
    steps = np.diff(times)
    steps = steps[steps > 0]
    if not len(steps):
        return 1.0
    usual = float(np.quantile(steps, 0.1, method="lower"))
    counts = np.maximum(np.rint(steps / usual), 1)
    regular = np.abs(steps - counts * usual) < 0.35 * usual
    return float(steps[regular].sum() / counts[regular].sum())


def read_frame_times(source: str | os.PathLike | Sequence[str | os.PathLike]) -> FrameTimes | None:
    """The times of a video's frames; None where the container states none. In several files they run on.

    Each file is read once (not decoded), and its times are remembered while it does not change.

    Raises
    ------
    VideoError
        Damage has swallowed frames at an unknown place (AVI, MPEG program streams), or the times start again.
    """
    files = [source] if isinstance(source, str | os.PathLike) else source
    parts = [_remembered(Path(file).resolve()) for file in files]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    times, end = [], 0.0
    for part in known:
        times.append(part.times + end)
        end += part.times[-1] + part.interval
    is_key = np.concatenate([part.is_key for part in known])
    is_stored = np.concatenate([part.is_stored for part in known])
    delay, is_counted = max(part.delay for part in known), all(part.is_counted for part in known)
    return FrameTimes(np.concatenate(times), is_key, is_stored, delay, is_counted)


def _remembered(path: Path) -> FrameTimes | None:
    state = path.stat()
    return _read(str(path), state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=256)
def _read(path: str, size: int, changed: int) -> FrameTimes | None:
    times, is_key, n_failed = _packets(path)
    if len(times) < 2:
        return None
    order = np.argsort(times, kind="stable")
    delay = int(np.max(np.argsort(order, kind="stable") - np.arange(len(order)), initial=0))
    if delay > _MOST_DELAYED:
        first = int(np.argmin(np.diff(times))) + 1
        raise VideoError(
            f"the times of {path} start again near its frame {first}: several recordings are joined in it; split it"
            " there, and give the parts as a list"
        )
    times, is_key = times[order] - times[order[0]], is_key[order]
    if path.lower().endswith(STREAM_SUFFIXES):  # the rest of a frame whose beginning is lost has no time of its own
        times, first = np.unique(times, return_index=True)
        is_key = is_key[first]
    if (np.diff(times) <= 0).any():
        _refuse_lost_frames(path, times)
        return None
    n_promised = int(_stated(path, cv2.CAP_PROP_FRAME_COUNT)) if path.lower().endswith(_COUNTED) else None
    if n_promised is not None and n_promised > len(times) and not n_failed and _ends_with_an_index(path):
        raise VideoError(
            f"{path} is damaged: {n_promised - len(times)} of its {n_promised} frames are lost, and an AVI file does"
            " not say which; copy it again, or take the recording's other copy"
        )
    n_missing = _MOST_FILLED * len(times) if n_promised is None else n_promised - len(times)
    filled = _fill_holes(times, n_missing) if n_failed or n_promised is None else times
    n_after = 0 if n_promised is None else max(n_promised - len(filled), 0)
    filled = np.concatenate([filled, filled[-1] + shortest_interval(filled) * np.arange(1, n_after + 1)])
    is_counted = n_promised is not None or _lost_packets(path)
    return FrameTimes(filled, np.isin(filled, times[is_key]), np.isin(filled, times), delay, is_counted)


def _refuse_lost_frames(path: str, times: Array) -> None:
    """An MPEG program stream states the times of some frames: if they reach further than its frames, some are lost."""
    n_spanned = round(float(times[-1]) * _stated(path, cv2.CAP_PROP_FPS)) + 1
    if n_spanned > len(times):
        raise VideoError(
            f"{path} is damaged: {n_spanned - len(times)} of its {n_spanned} frames are lost, and an MPEG program"
            " stream does not say which; copy it again, or take the recording's other copy"
        )


def _lost_packets(path: str) -> bool:
    """Whether packets of an MPEG transport stream are damaged or absent, by the counter in each (ISO 13818-1, 2.4.3).

    Each packet begins with 0x47; four bits count the packets of each stream that carry a payload, from 0 to 15.
    """
    if not path.lower().endswith(STREAM_SUFFIXES):
        return False
    last: dict[int, int] = {}
    with open(path, "rb") as stream:
        head = stream.read(377)
        size = 188 if head[:1] == head[188:189] == b"G" else 192
        stream.seek(0)
        while block := stream.read(size * _BLOCK):
            whole = block[: len(block) // size * size]
            heads = np.frombuffer(whole, np.uint8).reshape(-1, size)[:, size - 188 :]
            if (heads[:, 0] != 0x47).any():
                return True
            streams = (heads[:, 1] & 0x1F).astype(int) << 8 | heads[:, 2]
            carries = (heads[:, 3] & 0x10 > 0) & (streams != 0x1FFF)
            for name in np.unique(streams[carries]).tolist():
                counts = (heads[carries & (streams == name), 3] & 0x0F).astype(int)
                steps = np.diff(np.append([last.get(name, int(counts[0]) - 1)], counts)) % 16
                if (steps > 1).any():  # a packet may be sent twice
                    return True
                last[name] = int(counts[-1])
    return False


def _packets(path: str) -> tuple[Array, NDArray[np.bool_], int]:
    """(n_packets,) seconds and key flags of the packets in the order of the file, and how many could not be read."""
    times, keys, n_failed, in_a_row = [], [], 0, 0
    with opened_capture(path, *PACKETS) as capture:
        if not capture.isOpened():
            check_opens(path)
        while capture.isOpened() and in_a_row < MAX_FAILURES:
            if capture.grab():
                times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
                keys.append(capture.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME) > 0)
                n_failed, in_a_row = n_failed + in_a_row, 0
            else:
                in_a_row += 1
    return np.array(times), np.array(keys, bool), n_failed


def check_opens(path: str | os.PathLike) -> None:
    """OSError where the system does not open a file: too many are open already (OpenCV does not say why)."""
    with open(path, "rb"):
        pass


@contextmanager
def opened_capture(path: str | os.PathLike, *settings: Any) -> Iterator[cv2.VideoCapture]:
    """OpenCV's reader of a video, released at the end."""
    capture = cv2.VideoCapture(str(path), *settings)
    try:
        yield capture
    finally:
        capture.release()


def _stated(path: str, what: int) -> float:
    """A property that the header of a video states."""
    with opened_capture(path) as capture:
        return capture.get(what)


def _ends_with_an_index(path: str) -> bool:
    """Whether an AVI file is complete: its list of frames is written last."""
    if not path.lower().endswith(".avi"):
        return False
    with open(path, "rb") as stream:
        stream.seek(0, os.SEEK_END)
        stream.seek(-stream.tell() // 2, os.SEEK_END)
        return b"idx1" in stream.read()


def _fill_holes(times: Array, n_missing: int) -> Array:
    """Times with those of `n_missing` damaged frames at most, in the widest holes first."""
    step = shortest_interval(times)
    widths = np.diff(times)
    added: list[Array] = []
    for before in np.argsort(-widths, kind="stable"):
        n_here = min(round(float(widths[before] / step)) - 1, n_missing)
        if widths[before] < _HOLE * step or n_here < 1:
            break
        added.append(times[before] + widths[before] * np.arange(1, n_here + 1) / (n_here + 1))
        n_missing -= n_here
    return np.sort(np.concatenate([times, *added]))
