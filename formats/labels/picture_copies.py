"""Smaller copies (JPEG) of pictures, which the labelling page shows: to decode a PNG takes long."""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from ..video.picture_headers import check_picture
from ..video.reading import VideoError, read_picture

COPIES = Path("labelling") / ".copies"  # in the project's folder: of each labelled folder
WIDTHS = (480, 960)  # pixels, of the copies: of many cameras side by side, and of a few
_JPEG = (".jpg", ".jpeg")
_QUALITY, _WHOLE_QUALITY = 88, 95  # of 100, in JPEG: of a copy, and of a whole picture


def encoded_picture(path: Path, width: int, copies: Path) -> bytes:
    """JPEG of a picture: the smallest copy at least `width` pixels wide, or the whole where `width` is 0 or larger.

    copies : folder of the picture's copies; the one asked for is written where it is not there

    Raises
    ------
    VideoError : the file cannot be read
    """
    if not 0 < width <= WIDTHS[-1]:
        return path.read_bytes() if path.suffix.lower() in _JPEG else _jpeg(_read(path), _WHOLE_QUALITY)
    wanted = min(w for w in WIDTHS if w >= width)
    copy = _copy_of(path, wanted, copies)
    if _is_current(copy, path):
        return copy.read_bytes()
    made = _encoded(_read(path, wanted), (wanted,))
    with suppress(OSError):  # it only saves time
        _keep(made, path, copies)
    return made[wanted]


def keep_copies(path: Path, copies: Path) -> None:
    """Write the copies of a picture that `encoded_picture` reads, where they are not there.

    Raises
    ------
    VideoError : the file cannot be read
    OSError : the copies cannot be written
    """
    if not all(_is_current(_copy_of(path, width, copies), path) for width in WIDTHS):
        _keep(_encoded(_read(path, WIDTHS[-1]), WIDTHS), path, copies)


def write_copies(picture: np.ndarray, path: Path, copies: Path) -> None:
    """Write the copies of a picture that is decoded already, in OpenCV's colours, if possible; `path` names it."""
    with suppress(OSError):
        _keep(_encoded(picture, WIDTHS), path, copies)


def _encoded(picture: np.ndarray, widths: tuple[int, ...]) -> dict[int, bytes]:
    """The copies by their width."""
    made = {}
    for width in sorted(widths, reverse=True):
        picture = _shrunk(picture, width)
        made[width] = _jpeg(picture)
    return made


def _copy_of(path: Path, width: int, copies: Path) -> Path:
    return copies / f"{path.stem}-{width}.jpg"


def _is_current(copy: Path, path: Path) -> bool:
    try:
        return copy.stat().st_mtime_ns >= path.stat().st_mtime_ns
    except FileNotFoundError:
        return False


def _keep(made: dict[int, bytes], path: Path, copies: Path) -> None:
    copies.mkdir(parents=True, exist_ok=True)
    for width, content in made.items():
        copy = _copy_of(path, width, copies)
        partial = copy.with_name(f".{copy.stem}.{secrets.token_hex(4)}.partial")
        partial.write_bytes(content)
        partial.replace(copy)


def _read(path: Path, width: int = 0) -> np.ndarray:
    """The picture in OpenCV's colours; a JPEG is decoded at half its size where that is still wide enough."""
    check_picture(path)
    if width and path.suffix.lower() in _JPEG:
        half = cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_2)
        if half is not None and half.shape[1] >= width:
            return half
    return cv2.cvtColor(read_picture(path), cv2.COLOR_RGB2BGR)


def _shrunk(picture: np.ndarray, width: int) -> np.ndarray:
    if picture.shape[1] <= width:
        return picture
    size = (width, max(1, round(picture.shape[0] * width / picture.shape[1])))
    while picture.shape[1] >= 2 * width:
        picture = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    # above half the size a linear interpolation uses every pixel; areas at once take six times as long
    return cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)


def _jpeg(picture: np.ndarray, quality: int = _QUALITY) -> bytes:
    good, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not good:
        raise VideoError("a picture cannot be encoded as JPEG")
    return encoded.tobytes()
