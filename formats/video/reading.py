"""Read videos and pictures: frames in sequence (seeking is slower than decoding, and inexact with some codecs).

The frame rate is the header's or absent, never assumed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

Image = np.ndarray  # (height, width, 3) uint8, RGB
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".m4v", ".mpg", ".mpeg", ".webm", ".wmv")
_MAX_FAILURES = 100  # frames in a row that cannot be decoded: the rest of such a file is lost


class VideoError(ValueError):
    """A video or picture that cannot be used; the message names the file, the cause and the remedy."""


@dataclass(frozen=True)
class VideoInfo:
    """The header of a video.

    Parameters
    ----------
    path : Path
        The file.
    width, height : int, pixels
        Size of the frames.
    fps : float, hertz
        Frames per second.
    n_frames : int
        Number of frames as the header states it, not as they were counted; 0 where it does not.
    """

    path: Path
    width: int
    height: int
    fps: float
    n_frames: int


def probe_video(path: str | os.PathLike, *, rate_needed: bool = True) -> VideoInfo:
    """Size, frame rate and number of frames from the header of a video.

    Parameters
    ----------
    path : path
        The video.
    rate_needed : bool
        Whether a header without a frame rate is an error; otherwise `fps` is NaN there.

    Returns
    -------
    VideoInfo
        With `path`, `width`, `height` (pixels), `fps` (hertz) and `n_frames` (0 where the header does not state it).

    Raises
    ------
    VideoError
        The file is missing, empty or no readable video, or its header has no frame rate.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.formats.video.writing import open_video_writer
    >>> from muybridge.pose2d import probe_video
    >>> with open_video_writer("video.mp4", fps=25.0, size=(64, 48)) as writer:
    ...     for _ in range(3):
    ...         _ = writer.write(np.zeros((48, 64, 3), np.uint8))
    >>> info = probe_video("video.mp4")
    >>> info.width, info.height, info.fps, info.n_frames
    (64, 48, 25.0, 3)
    """
    path = Path(path)
    if not path.is_file():
        raise VideoError(f"there is no video {path}; correct the path")
    if path.stat().st_size == 0:
        raise VideoError(f"the video {path} is empty (0 bytes); copy or record it again")
    if not os.access(path, os.R_OK):
        raise VideoError(f"{path} may not be read; change its permissions")
    capture = cv2.VideoCapture(str(path))
    try:
        width, height = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        fps, n_frames = capture.get(cv2.CAP_PROP_FPS), int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        if not capture.isOpened() or width <= 0 or height <= 0:
            raise VideoError(
                f"{path} cannot be read as a video: it is truncated, or no video; copy it again, or convert it to mp4"
            )
        if not capture.grab():
            raise VideoError(f"{path} holds no frame that can be decoded; copy or export the video again")
    finally:
        capture.release()
    has_rate = bool(np.isfinite(fps) and fps > 0)
    if rate_needed and not has_rate:
        raise VideoError(f"the header of {path} gives no frame rate ({fps}); write the video again with one")
    return VideoInfo(path, width, height, float(fps) if has_rate else float("nan"), max(n_frames, 0))


def read_frames(path: str | os.PathLike, start: int = 0, stop: int | None = None) -> Generator[Image | None]:
    """The frames of a video in order, as (height, width, 3) RGB; None where a frame is damaged.

    Frames before `start` are decoded and dropped: seeking is slower than decoding and wrong in many files. After a
    frame that cannot be decoded the reader goes on until the number of frames in the header.

    Raises
    ------
    VideoError
        The video cannot be opened, or a frame's size differs from the first.
    """
    with closing(_decoded(path, lambda index: index >= start, stop)) as frames:
        for _, image in frames:
            yield image


def read_frames_at(path: str | os.PathLike, frames: Iterable[int]) -> Generator[tuple[int, Image | None]]:
    """(frame number, image as of `read_frames`) of some frames, in increasing order; those past the end are absent.

    Raises
    ------
    VideoError
        As `read_frames`.
    """
    wanted = set(frames)
    yield from _decoded(path, wanted.__contains__, max(wanted, default=-1) + 1)


def _decoded(
    path: str | os.PathLike, is_wanted: Callable[[int], bool], stop: int | None
) -> Generator[tuple[int, Image | None]]:
    """(frame number, image or None) of the wanted frames before `stop`; all frames before are decoded."""
    info = probe_video(path, rate_needed=False)
    capture = cv2.VideoCapture(str(path))
    index, failures = 0, 0
    try:
        while stop is None or index < stop:
            if capture.grab():
                failures = 0
                if is_wanted(index):
                    yield index, _retrieve(capture, info, index)
            else:
                failures += 1
                if index + 1 >= info.n_frames or failures > _MAX_FAILURES:
                    break
                if is_wanted(index):
                    yield index, None
            index += 1
    finally:
        capture.release()


def _retrieve(capture: cv2.VideoCapture, info: VideoInfo, index: int) -> Image | None:
    good, frame = capture.retrieve()
    if not good or frame is None:
        return None
    if frame.shape[:2] != (info.height, info.width):
        raise VideoError(
            f"{info.path} changes its size at frame {index}: {frame.shape[1]}x{frame.shape[0]} after "
            f"{info.width}x{info.height}; split the recording there"
        )
    return as_rgb(frame)


def read_picture(path: str | os.PathLike) -> Image:
    """One picture file as (height, width, 3) RGB; grey is repeated, transparency dropped.

    Raises
    ------
    VideoError
        The file is missing or no picture.
    """
    if not Path(path).is_file():
        raise VideoError(f"there is no picture {path}")
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise VideoError(f"{path} cannot be read as a picture; write it again as png or jpg")
    return as_rgb(picture)


def as_rgb(frame: np.ndarray) -> Image:
    """OpenCV's blue-green-red or grey picture as RGB."""
    if frame.ndim == 2:
        return cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB)
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
