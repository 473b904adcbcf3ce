"""Videos, read in sequence: what a file holds, its frames, and a clear word when it is broken.

Seeking is never used to read (12 frames/s against 700 in sequence, and inexact with some codecs).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".m4v", ".mpg", ".mpeg", ".webm", ".wmv")


class VideoError(ValueError):
    """A video that is missing, empty, truncated or unreadable; the message names the file and the remedy."""


@dataclass(frozen=True)
class VideoFacts:
    """What a video file says of itself: (width, height) in pixels; `fps` is NaN where the file does not say."""

    path: Path
    n_frames: int
    fps: float
    size: tuple[int, int]


def probe_video(path: str | os.PathLike) -> VideoFacts:
    """The facts of a video, after its first frame was decoded.

    Raises
    ------
    VideoError : the file is missing, empty, or holds no frame that can be decoded
    """
    capture, path = _open(path)
    try:
        readable, frame = capture.read()
        if not readable:
            raise VideoError(f"{path} holds no frame that can be decoded; copy or export the video again")
        n_frames = round(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        fps = float(capture.get(cv2.CAP_PROP_FPS))
        return VideoFacts(path, max(n_frames, 1), fps if fps > 0 else float("nan"), (frame.shape[1], frame.shape[0]))
    finally:
        capture.release()


def read_frames(path: str | os.PathLike) -> Iterator[NDArray[np.uint8]]:
    """The frames of a video in order, (height, width, 3) BGR.

    Raises
    ------
    VideoError : as `probe_video`, or the video ends before the number of frames that its header promises
    """
    facts = probe_video(path)
    capture, path = _open(path)
    n_read = 0
    try:
        while True:
            readable, frame = capture.read()
            if not readable:
                break
            n_read += 1
            yield frame
    finally:
        capture.release()
    # the header's count is an estimate in some containers: a shortfall of a frame or two is no truncation
    if n_read < facts.n_frames - max(2, facts.n_frames // 100):
        raise VideoError(f"{path} ends after {n_read} of {facts.n_frames} frames: it is truncated; copy it again")


def _open(path: str | os.PathLike) -> tuple[cv2.VideoCapture, Path]:
    path = Path(path)
    if not path.is_file():
        raise VideoError(f"there is no video {path}; correct the path")
    if path.stat().st_size == 0:
        raise VideoError(f"the video {path} is empty (0 bytes); copy or export it again")
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise VideoError(f"{path} cannot be opened as a video: it is truncated, or no video; copy or export it again")
    return capture, path
