"""The size that a picture declares, read from its first bytes before it is decoded."""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path
from typing import IO

from ...datasets.size_limit import oversize
from .video_errors import VideoError

_CHANNELS = 3  # bytes of a pixel
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_SHORT = 256, 257, 3  # two tags, and the kind of a 16-bit number
_NO_FRAME = (0xFFC4, 0xFFC8, 0xFFCC)  # JPEG: markers among those of frames that state no size
_MOST_ENTRIES = 4096  # entries of a TIFF's directory, segments of a JPEG that are looked through


def check_picture(path: str | os.PathLike) -> None:
    """Refuse what is no file, no picture, or would be larger in memory than the limit.

    Raises
    ------
    VideoError
        There is no file of this name, it is none of the kinds that are read, or it declares too many pixels.
    """
    path = Path(path)
    if not path.is_file():
        raise VideoError(f"there is no picture {path}")
    with path.open("rb") as stream:
        try:
            size = declared_size(stream)
        except (struct.error, IndexError, ValueError):
            size = None
    if size is None:
        raise VideoError(f"{path} cannot be read as a picture; write it again as png or jpg")
    reason = oversize(_CHANNELS * size[0] * size[1], path.stat().st_size)
    if reason:
        raise VideoError(f"{path}: {size[0]} x {size[1]} pixels: {reason}")


def declared_size(stream: IO[bytes]) -> tuple[int, int] | None:
    """Width and height of a PNG, JPEG, BMP, TIFF, WebP or PNM; None of anything else."""
    head = stream.read(64)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return struct.unpack(">II", head[16:24])
    if head.startswith(b"\xff\xd8"):
        return _of_jpeg(stream)
    if head.startswith(b"BM"):
        width, height = struct.unpack("<ii", head[18:26]) if head[14] >= 40 else struct.unpack("<HH", head[18:22])
        return abs(width), abs(height)
    if head[:4] in (b"II*\0", b"MM\0*"):
        return _of_tiff(stream, "<" if head.startswith(b"II") else ">")
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return 1 << 14, 1 << 14  # the most that the format can hold
    found = re.match(rb"P[1-6]\s+(?:#[^\n]*\n\s*)*(\d+)\s+(\d+)", head + stream.read(1000))
    return (int(found[1]), int(found[2])) if found else None


def _of_jpeg(stream: IO[bytes]) -> tuple[int, int] | None:
    at = 2
    for _ in range(_MOST_ENTRIES):
        stream.seek(at)
        marker, length = struct.unpack(">HH", stream.read(4))
        if 0xFFC0 <= marker <= 0xFFCF and marker not in _NO_FRAME:
            height, width = struct.unpack(">xHH", stream.read(5))
            return width, height
        at += 1 if marker == 0xFFFF else 2 + length  # padding before a marker
    return None


def _of_tiff(stream: IO[bytes], order: str) -> tuple[int, int] | None:
    stream.seek(4)
    stream.seek(*struct.unpack(f"{order}I", stream.read(4)))
    found = {}
    for _ in range(min(*struct.unpack(f"{order}H", stream.read(2)), _MOST_ENTRIES)):
        entry = stream.read(12)
        tag, kind = struct.unpack(f"{order}HH", entry[:4])
        (found[tag],) = (
            struct.unpack(f"{order}H", entry[8:10]) if kind == _TIFF_SHORT else struct.unpack(f"{order}I", entry[8:])
        )
    return (found[_TIFF_WIDTH], found[_TIFF_HEIGHT]) if {_TIFF_WIDTH, _TIFF_HEIGHT} <= found.keys() else None
