"""Read the frames of a source in sequence: a video, a folder of images or a list of images."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...formats.files import natural_key
from ...formats.video.picture_headers import check_picture
from ...formats.video.reading import PICTURE_SUFFIXES, VideoError, eight_bits, probe_video, read_frames
from ..errors import CalibrationError

IMAGE_SUFFIXES = frozenset({*PICTURE_SUFFIXES, ".pgm", ".ppm", ".webp"})
Source = str | os.PathLike | Sequence
Image = NDArray[Any]


def image_files(source: Source, camera: str) -> list[Path] | None:
    """The image files of a folder or list of paths, in natural order of their names; None for a video or arrays.

    A list of files of several folders, or one that holds a file twice (a black image where the camera did not film),
    stays in its order: sorted by name it would lose which pictures are of one instant.

    Raises
    ------
    CalibrationError : the source does not exist, or a folder holds neither images nor one video
    """
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if not path.exists():
            raise CalibrationError(f"camera '{camera}': there is no file or folder {path}; check the path")
        if not path.is_dir():
            return [path] if path.suffix.lower() in IMAGE_SUFFIXES else None
        files = [file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES and file.name[0] != "."]
        if not files:
            kinds = ", ".join(sorted(IMAGE_SUFFIXES))
            raise CalibrationError(f"camera '{camera}': the folder {path} holds no images ({kinds})")
        return sorted(files, key=lambda file: natural_key(file.name))
    if len(source) and all(isinstance(item, (str, os.PathLike)) for item in source):
        files = [Path(item) for item in source]
        missing = [file for file in files if not file.is_file()]
        if missing:
            raise CalibrationError(f"camera '{camera}': there is no image {missing[0]}; check the path")
        if len(set(files)) < len(files) or len({file.parent for file in files}) > 1:
            return files
        return sorted(files, key=lambda file: natural_key(file.name))
    if not len(source):
        raise CalibrationError(f"camera '{camera}': the list of images is empty")
    return None


def count_frames(source: Source, camera: str) -> int | None:
    """Frames that the source announces, or None where it does not say."""
    files = image_files(source, camera)
    if files is not None:
        return len(files)
    if not isinstance(source, (str, os.PathLike)):
        return len(source)
    try:
        return probe_video(source, rate_needed=False).n_frames or None
    except VideoError:
        return None


def gray_frames(source: Source, camera: str) -> Iterator[Image]:
    """Grey 8-bit frames in order, (height, width). An unreadable image raises, a damaged frame of a video is black.

    Raises
    ------
    CalibrationError : a file cannot be read, or a video holds no frame
    """
    files = image_files(source, camera)
    if files is not None:
        for file in files:
            try:
                check_picture(file)
            except VideoError as error:
                raise CalibrationError(f"camera '{camera}': {error}") from error
            image = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
            if image is None:
                raise CalibrationError(f"camera '{camera}': {file} is no readable image; replace or remove it")
            yield eight_bits(image)
    elif isinstance(source, (str, os.PathLike)):
        yield from _video_frames(Path(source), camera)
    else:
        for number, image in enumerate(source):
            yield _as_gray(np.asarray(image), camera, number)


def _video_frames(path: Path, camera: str) -> Iterator[Image]:
    """The frames in grey; one that cannot be decoded is black, so that the others keep their numbers."""
    n_frames, n_damaged = 0, 0
    try:
        info = probe_video(path, rate_needed=False)
        black = np.zeros((info.height, info.width), np.uint8)
        for frame in read_frames(path):
            n_frames += 1
            n_damaged += frame is None
            yield black if frame is None else cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    except VideoError as error:
        raise CalibrationError(f"camera '{camera}': {error}") from error
    promised, n_good = max(info.n_frames, n_frames), n_frames - n_damaged
    if n_good < 0.9 * promised:
        raise CalibrationError(
            f"camera '{camera}': only {n_good} of the {promised} frames of {path} can be decoded; it is truncated or"
            " damaged: copy it again"
        )


def _as_gray(image: NDArray, camera: str, number: int) -> Image:
    """The image as 8-bit grey levels (height, width); raises CalibrationError for other arrays."""
    if image.ndim not in (2, 3) or image.dtype not in (np.uint8, np.uint16):
        raise CalibrationError(
            f"camera '{camera}': image {number} has shape {image.shape} and type {image.dtype}; expected 8 or 16 bits"
            " of (height, width) or (height, width, 3)"
        )
    image = eight_bits(image)
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
