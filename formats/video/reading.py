"""Read videos and pictures: frames in sequence (seeking is slower than decoding, and inexact with some codecs).

The frame rate is the header's or absent, never assumed. A frame's number is its place among the presentation times of
the file (`frame_times`), so that damage leaves the later frames their numbers. A recording in several files (chapters)
is read as one.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from ...datasets.size_limit import oversize
from .frame_numbers import FrameNumbers
from .frame_times import FrameTimes, check_opens, opened_capture, read_frame_times
from .picture_headers import check_picture
from .video_errors import VideoError

VideoSource = str | os.PathLike | Sequence[str | os.PathLike]  # a file, or the files of a recording in their order
Image = np.ndarray  # (height, width, 3) uint8, RGB
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
_FRAMES_DECODED = 4  # that a decoder holds at a time, at the least
VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".m4v", ".mpg", ".mpeg", ".webm", ".wmv", ".ts", ".mts", ".m2ts")


@dataclass(frozen=True)
class VideoInfo:
    """The header of a video.

    Parameters
    ----------
    path : Path
        The file, or the first of several.
    width, height : int, pixels
        Size of the frames.
    fps : float, hertz
        Frames per second.
    n_frames : int
        Number of frames as the header states it, not as they were counted; 0 where it does not.
    files : tuple of Path
        All files of the recording.
    """

    path: Path
    width: int
    height: int
    fps: float
    n_frames: int
    files: tuple[Path, ...] = ()


def files_of_source(source: VideoSource) -> tuple[Path, ...]:
    """The files of a recording in their order.

    Raises
    ------
    VideoError
        The list names no file.
    """
    files = (source,) if isinstance(source, str | os.PathLike) else tuple(source)
    if not files:
        raise VideoError("a recording is given as an empty list; name its files")
    return tuple(map(Path, files))


def probe_video(path: VideoSource, *, rate_needed: bool = True) -> VideoInfo:
    """Size, frame rate and number of frames from the header of a video.

    Parameters
    ----------
    path : path or sequence of path
        The video, or the files of one recording (chapters) in their order.
    rate_needed : bool
        Whether a header without a frame rate is an error; otherwise `fps` is NaN there.

    Returns
    -------
    VideoInfo
        With `path`, `width`, `height` (pixels), `fps` (hertz) and `n_frames` (0 where the header does not state it).

    Raises
    ------
    VideoError
        The file is missing, empty or no readable video, its header has no frame rate, or chapters differ in size.

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
    infos = [_probe(file, rate_needed) for file in files_of_source(path)]
    first = infos[0]
    for info in infos[1:]:
        if (info.width, info.height) != (first.width, first.height):
            raise VideoError(
                f"{info.path} has {info.width}x{info.height} pixels and {first.path} {first.width}x{first.height}; they"
                " are not files of one recording"
            )
    n_frames = sum(info.n_frames for info in infos) if all(info.n_frames for info in infos) else 0
    return replace(first, n_frames=n_frames, files=tuple(info.path for info in infos))


def _probe(path: Path, rate_needed: bool) -> VideoInfo:
    if not path.is_file():
        raise VideoError(f"there is no video {path}; correct the path")
    if path.stat().st_size == 0:
        raise VideoError(f"the video {path} is empty (0 bytes); copy or record it again")
    if not os.access(path, os.R_OK):
        raise VideoError(f"{path} may not be read; change its permissions")
    with opened_capture(path) as capture:
        width, height = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        fps, n_frames = capture.get(cv2.CAP_PROP_FPS), int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        if not capture.isOpened() or width <= 0 or height <= 0:
            check_opens(path)
            raise VideoError(
                f"{path} cannot be read as a video: it is truncated, or no video; copy it again, or convert it to mp4"
            )
        reason = oversize(_FRAMES_DECODED * 3 * width * height, 0)
        if reason:
            raise VideoError(f"{path}: frames of {width} x {height} pixels: {reason}")
        if not capture.grab():
            raise VideoError(f"{path} holds no frame that can be decoded; copy or export the video again")
    has_rate = bool(np.isfinite(fps) and fps > 0)
    if rate_needed and not has_rate:
        raise VideoError(f"the header of {path} gives no frame rate ({fps}); write the video again with one")
    return VideoInfo(path, width, height, float(fps) if has_rate else float("nan"), max(n_frames, 0))


def read_frames(path: VideoSource, start: int = 0, stop: int | None = None) -> Generator[Image | None]:
    """The frames of a video in order, as (height, width, 3) RGB; None where a frame is damaged.

    Frames before `start` are decoded and dropped: seeking is slower than decoding and wrong in many files. After a
    frame that cannot be decoded, all are damaged up to the next that is decoded without others.

    Raises
    ------
    VideoError
        The video cannot be opened, or a frame's size differs from the first.
    """
    with closing(_decoded(path, lambda index: index >= start, start, stop)) as frames:
        for _, image in frames:
            yield image


def read_frames_at(path: VideoSource, frames: Iterable[int]) -> Generator[tuple[int, Image | None]]:
    """(frame number, image as of `read_frames`) of some frames, in increasing order; those past the end are absent.

    Raises
    ------
    VideoError
        As `read_frames`.
    """
    wanted = set(frames)
    yield from _decoded(path, wanted.__contains__, min(wanted, default=0), max(wanted, default=-1) + 1)


def file_and_frame(source: VideoSource, frame: int) -> tuple[Path, int]:
    """The file of a recording that holds a frame, and the frame's number in it."""
    files = files_of_source(source)
    for path in files[:-1]:
        timing = read_frame_times(path)
        n_frames = probe_video(path, rate_needed=False).n_frames if timing is None else len(timing.times)
        if frame < n_frames:
            return path, frame
        frame -= n_frames
    return files[-1], frame


def _decoded(
    source: VideoSource, is_wanted: Callable[[int], bool], start: int, stop: int | None
) -> Generator[tuple[int, Image | None]]:
    """(frame number, image or None) of the wanted frames before `stop`, of one file after the other."""
    info, first = probe_video(source, rate_needed=False), 0
    for path in info.files:
        if stop is not None and first >= stop:
            return
        timing = read_frame_times(path)
        if timing is not None and first + len(timing.times) <= start:
            first += len(timing.times)
            continue
        first = yield from _decoded_file(path, info, timing, is_wanted, first, stop)


def _decoded_file(
    path: Path,
    info: VideoInfo,
    timing: FrameTimes | None,
    is_wanted: Callable[[int], bool],
    first: int,
    stop: int | None,
) -> Generator[tuple[int, Image | None], None, int]:
    """The wanted frames of one file, whose first has the number `first`; returns the number after its last."""
    timed = FrameNumbers(timing, probe_video(path, rate_needed=False).n_frames)
    end = None if stop is None else stop - first
    with closing(_numbered(path, info, timed, lambda number: is_wanted(first + number), first, end)) as frames:
        for number, image in frames:
            yield first + number, image
    return first + max(timed.next, timed.n_frames)


def _numbered(
    path: Path, info: VideoInfo, numbers: FrameNumbers, is_wanted: Callable[[int], bool], first: int, stop: int | None
) -> Generator[tuple[int, Image | None]]:
    """The wanted frames of one file, held back until no damage behind them can have reached them."""
    held, stop = deque[tuple[int, Image | None]](), 1 << 62 if stop is None else stop
    with opened_capture(path) as capture:
        if not capture.isOpened():
            check_opens(path)
        while numbers.next < stop + numbers.reach:
            if capture.grab():
                lost, number = numbers.advance(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
                if lost and numbers.is_damaged:
                    held = deque[tuple[int, Image | None]]((n, None) for n, _ in held)
                held += ((n, None) for n in lost if is_wanted(n) and n < stop)
                if number is not None and is_wanted(number) and number < stop:
                    held.append((number, None if numbers.is_damaged else _retrieve(capture, info, first + number)))
            elif numbers.fail():
                held = deque((n, None if numbers.reach else image) for n, image in held)
            else:
                break
            while held and held[0][0] < numbers.next - numbers.reach:
                yield held.popleft()
        yield from held
        yield from ((n, None) for n in range(numbers.next, min(numbers.n_frames, stop)) if is_wanted(n))


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
        The file is missing, no picture, or declares more pixels than the memory limit.
    """
    check_picture(path)
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if picture is None:
        raise VideoError(f"{path} cannot be read as a picture; write it again as png or jpg")
    return as_rgb(eight_bits(picture))


def eight_bits(picture: np.ndarray) -> np.ndarray:
    """A picture of 16 bits as one of 8: cameras of 10, 12 or 14 bits store their values in the lowest of them."""
    if picture.dtype != np.uint16:
        return picture if picture.dtype == np.uint8 else np.clip(picture, 0, 255).astype(np.uint8)
    n_bits = int(picture.max(initial=0)).bit_length()
    return (picture >> max(n_bits + n_bits % 2 - 8, 0)).astype(np.uint8)


def as_rgb(frame: np.ndarray) -> Image:
    """OpenCV's blue-green-red or grey picture as RGB."""
    if frame.ndim == 2:
        return cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB)
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
