"""Frames of a video that a decoder will not give, foreseen from its packets: no picture is decoded."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .frame_times import PACKETS, FrameTimes, opened_capture, read_frame_times
from .reading import VideoSource, files_of_source

# how a packet begins, by OpenCV's four letters of the codec: JPEG's start of image, MPEG's start code. FFmpeg itself
# refuses packets of H.264 and H.265 whose lengths do not fit; those of other codecs begin with any byte
_BEGINNINGS = {b"MJPG": b"\xff\xd8", b"FMP4": b"\0\0\1", b"mpg1": b"\0\0\1", b"mpg2": b"\0\0\1"}


def foreseen_losses(source: VideoSource) -> tuple[NDArray[np.int64], int]:
    """Frames whose packets are damaged or absent, with those behind them up to the next that is decoded alone.

    Parameters
    ----------
    source : path or sequence of path
        A video, or the files of one recording in their order.

    Returns
    -------
    frames : ndarray of int, shape (n_lost,)
        Numbers of the frames, counted through the files. Damage inside a picture, and a file that does not state its
        frames' times or number, are not seen.
    n_frames : int
        Of those files that state the times of their frames.

    Raises
    ------
    VideoError
        As `read_frame_times`.
    """
    found, first = [np.zeros(0, np.int64)], 0
    for path in files_of_source(source):
        timing = read_frame_times(path)
        if timing is not None:
            found.append(first + _until_the_next_key(_damaged(path, timing), timing))
            first += len(timing.times)
    return np.concatenate(found), first


def _until_the_next_key(is_damaged: NDArray[np.bool_], timing: FrameTimes) -> NDArray[np.int64]:
    """Numbers of damaged frames and of those that are decoded from them."""
    number = np.arange(len(is_damaged))
    whole_key = np.maximum.accumulate(np.where(timing.is_key & ~is_damaged, number, -1))
    damaged = np.maximum.accumulate(np.where(is_damaged, number, -1))
    return np.flatnonzero((damaged >= 0) & (damaged >= whole_key))


def _damaged(path: Path, timing: FrameTimes) -> NDArray[np.bool_]:
    """(n_frames,) whether a frame's packet is absent from a file that counts them, or does not begin as it must."""
    is_damaged = ~timing.is_stored & timing.is_counted
    with opened_capture(path, *PACKETS) as capture:
        codec = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little", signed=True)
        beginning = _BEGINNINGS.get(codec)
        if beginning is None:
            return is_damaged
        seconds, is_whole = [], []
        while capture.grab():
            seconds.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
            packet = capture.retrieve()[1]
            is_whole.append(packet is not None and packet.ravel()[: len(beginning)].tobytes() == beginning)
    for time in np.array(seconds)[~np.array(is_whole, bool)] - min(seconds, default=0.0):
        is_damaged[timing.number_at(time)] = True
    return is_damaged
