"""A picture file as the JPEG that is shown; of PNG pictures smaller copies are kept, which decode ten times as fast."""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from ..formats.video.picture_headers import check_picture
from ..formats.video.reading import VideoError

PREVIEW_WIDTH = 960  # pixels
_JPEG = (".jpg", ".jpeg")
_QUALITY, _WHOLE_QUALITY = 88, 95  # of 100, in JPEG: of a shrunk picture, and of a whole one


def encoded_picture(path: Path, width: int, preview: Path) -> bytes:
    """JPEG of a picture, no wider than `width` pixels (0: as it is); `preview` is the file of its smaller copy.

    Raises
    ------
    VideoError : the file cannot be read
    """
    is_jpeg = path.suffix.lower() in _JPEG
    if not width:
        return path.read_bytes() if is_jpeg else _jpeg(_read(path), _WHOLE_QUALITY)
    if is_jpeg or width > PREVIEW_WIDTH:
        return _jpeg(_shrunk(_read(path, width), width))
    if _is_current(preview, path):
        return _jpeg(_shrunk(_read(preview, width), width))
    return _jpeg(_shrunk(_kept_small(_read(path), preview), width))


def keep_preview(path: Path, preview: Path) -> None:
    """Write the smaller copy of a picture that `encoded_picture` reads, where that saves time and it is not there.

    Raises
    ------
    VideoError : the file cannot be read
    """
    if path.suffix.lower() not in _JPEG and not _is_current(preview, path):
        _kept_small(_read(path), preview)


def _kept_small(picture: np.ndarray, preview: Path) -> np.ndarray:
    """The picture no wider than a preview, which is written where the picture was wider."""
    if picture.shape[1] <= PREVIEW_WIDTH:
        return picture
    picture = _shrunk(picture, PREVIEW_WIDTH)
    with suppress(OSError):  # it only saves time
        _keep(_jpeg(picture), preview)
    return picture


def _is_current(preview: Path, path: Path) -> bool:
    try:
        return preview.stat().st_mtime_ns >= path.stat().st_mtime_ns
    except FileNotFoundError:
        return False


def _keep(content: bytes, preview: Path) -> None:
    preview.parent.mkdir(parents=True, exist_ok=True)
    partial = preview.with_name(f".{preview.stem}.{secrets.token_hex(4)}.partial")
    partial.write_bytes(content)
    partial.replace(preview)


def _read(path: Path, width: int = 0) -> np.ndarray:
    """The picture in OpenCV's colours; a JPEG is decoded at half its size where that is still wide enough."""
    check_picture(path)
    if width and path.suffix.lower() in _JPEG:
        half = cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_2)
        if half is not None and half.shape[1] >= width:
            return half
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise VideoError(f"{path} cannot be read as a picture; write it again as png or jpg")
    return picture


def _shrunk(picture: np.ndarray, width: int) -> np.ndarray:
    if picture.shape[1] <= width:
        return picture
    size = (width, max(1, round(picture.shape[0] * width / picture.shape[1])))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _jpeg(picture: np.ndarray, quality: int = _QUALITY) -> bytes:
    good, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not good:
        raise VideoError("a picture cannot be encoded as JPEG")
    return encoded.tobytes()
