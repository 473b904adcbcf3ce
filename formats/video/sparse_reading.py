"""Read a few frames far apart: seek, and check by its time which frame was reached."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing

import cv2
import numpy as np

from .frame_times import STREAM_SUFFIXES, FrameTimes, opened_capture, read_frame_times
from .reading import Image, VideoSource, as_rgb, files_of_source, read_frames_at

_BACK = (0, 16, 300)  # frames before the wanted one to seek to, in turn, where the decoder lands behind it
_NEAR = 24  # frames that are decoded sooner than sought
_LOST = -(1 << 40)  # where the decoder stands is not known


def read_sparse_frames(source: VideoSource, frames: Iterable[int]) -> Generator[tuple[int, Image | None]]:
    """(frame number, image) as of `read_frames_at`, of frames far apart.

    Read in sequence where frames cannot be found by their times: in recordings of several files, damaged ones and
    transport streams.

    Raises
    ------
    VideoError
        As `read_frames_at`.
    """
    wanted, timing = sorted(set(frames)), _whole_timing(source)
    if timing is None:
        yield from read_frames_at(source, wanted)
        return
    reached = -1
    with opened_capture(files_of_source(source)[0]) as capture:
        for number in (number for number in wanted if 0 <= number < len(timing.times)):
            reached = _advance(capture, timing, number, reached)
            good, image = capture.retrieve() if reached == number else (False, None)
            if good and image is not None:
                yield number, as_rgb(image)
            else:
                reached = _LOST
                with closing(read_frames_at(source, [number])) as alone:
                    yield from alone


def key_frames_near(source: VideoSource, frames: Iterable[int]) -> list[int]:
    """The key frames nearest to some frames, each once; the frames themselves where the file does not tell."""
    timing = _whole_timing(source)
    if timing is None:
        return sorted(set(frames))
    keys = np.flatnonzero(timing.is_key)
    return sorted({int(keys[np.abs(keys - number).argmin()]) for number in frames})


def _whole_timing(source: VideoSource) -> FrameTimes | None:
    """The times of an undamaged recording in one file that seeks by them."""
    files = files_of_source(source)
    timing = (
        read_frame_times(files[0]) if len(files) == 1 and not str(files[0]).lower().endswith(STREAM_SUFFIXES) else None
    )
    return timing if timing is not None and timing.is_stored.all() and timing.is_key.any() else None


def _advance(capture: cv2.VideoCapture, timing: FrameTimes, number: int, reached: int) -> int:
    """Have the decoder reach a frame, seeking over what need not be decoded; the frame that it then stands at."""
    keys = np.flatnonzero(timing.is_key[: number + 1])
    if reached < (keys[-1] if len(keys) else 0) - _NEAR:
        for back in _BACK:
            capture.set(cv2.CAP_PROP_POS_FRAMES, max(0, number - back))
            reached = _grab(capture, timing)
            if reached <= number:
                break
    while _LOST < reached < number:
        reached = _grab(capture, timing)
    return reached


def _grab(capture: cv2.VideoCapture, timing: FrameTimes) -> int:
    """Number of the next frame by its time."""
    return timing.number_at(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000) if capture.grab() else _LOST
