"""JARVIS-HybridNet's ``data2D.csv`` and ``data3D.csv``: names above coordinates, one row per frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...numerics.arrays import Array
from ..files import FormatError
from ..tables.exact_csv import check_rows, check_text, column_numbers, header_of, read_csv
from .tracks import Track, make_track

_LAYOUTS = (["x", "y", "confidence"], ["x", "y", "z", "confidence"], ["x", "y", "z"])
_HEIGHT = 255.0  # of a full peak, as JARVIS counts its confidence


def is_jarvis(path: Path) -> bool:
    """Whether a CSV begins with rows of names and of x, y, confidence, as JARVIS writes them."""
    return _layout(path) is not None


def _layout(path: Path) -> tuple[int, list[str]] | None:
    """Header rows before the numbers, and the coordinates of a keypoint; None of another file."""
    for n_above in (0, 1):
        row = header_of(path, skip=n_above)
        for parts in _LAYOUTS:
            if row and row == parts * (len(row) // len(parts)):
                return n_above + 1, parts
    return None


def read_jarvis_table(path: Path) -> tuple[list[str], Array, Array | None]:
    """Keypoints, points (n_frames, n_keypoints, 2 or 3) and confidence 0-1, None where the file has none.

    Without a row of names the keypoints are keypoint_0, keypoint_1, ...

    Raises
    ------
    FormatError
        No such table, a row that is cut off, or a cell that is no number.
    """
    import pandas as pd

    check_text(path)
    layout = _layout(path)
    if layout is None:
        raise FormatError(f"{path} does not begin with JARVIS' rows of keypoint names and of x, y, confidence")
    n_header, parts = layout
    n = len(header_of(path, skip=n_header - 1))
    try:
        table = read_csv(path, skiprows=n_header, header=None, names=range(n), index_col=False)
    except (ValueError, pd.errors.ParserError) as error:
        raise FormatError(f"{path} is not a table of numbers below its header: {error}") from error
    check_rows(path, n, n_header)
    values = np.stack([column_numbers(table[i], path, n_header) for i in range(n)], axis=-1)
    cube = values.reshape(len(values), -1, len(parts))
    names = header_of(path)[:: len(parts)] if n_header == 2 else [f"keypoint_{i}" for i in range(cube.shape[1])]
    n_space = len(parts) - ("confidence" in parts)
    if "confidence" not in parts:
        return names, cube, None
    confidence = cube[..., -1]
    scale = _HEIGHT if np.nanmax(confidence, initial=0.0) > 1.5 else 1.0
    return names, cube[..., :n_space], confidence / scale


def read_jarvis(path: Path, camera: str | None = None) -> Track:
    """Read the 2D points of one camera; the height of a peak, 0 to 255, becomes a confidence of 0 to 1.

    Raises
    ------
    FormatError
        As `read_jarvis_table`, or the file holds 3D points.
    """
    names, points, confidence = read_jarvis_table(path)
    if points.shape[-1] != 2:
        raise FormatError(f"{path} holds 3D points (x, y, z) where 2D points of one camera are expected")
    return make_track(names, points[None], None if confidence is None else confidence[None], str(path))
