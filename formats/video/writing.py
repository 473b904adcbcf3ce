"""Write mp4 videos atomically."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import cv2

from ...datasets.atomic_files import atomic_write
from .reading import VideoError


@contextmanager
def open_video_writer(path: str | os.PathLike, fps: float, size: tuple[int, int]) -> Iterator[cv2.VideoWriter]:
    """Yield OpenCV's writer of BGR frames of `size` (width, height); VideoError where it cannot write."""
    with atomic_write(path) as partial:
        writer = cv2.VideoWriter(str(partial), cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
        try:
            if not writer.isOpened():
                raise VideoError(
                    f"{path} cannot be written as a video; give a name that ends in .mp4, in a folder with free space"
                )
            yield writer
        finally:
            writer.release()
