"""The part of the picture that 2D points lie in, as the tools that made them declare it in files beside theirs.

DeepLabCut analyses a part of each picture (`cropping` with x1, x2, y1, y2 of its config) and counts pixels from the
part's corner; it says so in `..._meta.pickle`, which is scanned here, not unpickled, or in config.yaml. Lightning
Pose's cropped videos have a file `..._bbox.csv` with x, y, h, w of each frame; see `resized_pictures` for its sizes.
"""

from __future__ import annotations

import csv
import pickletools
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ....numerics.arrays import Array

_LARGEST = 4_000_000  # bytes of a file that is looked into
_INSIDE = 0.02  # of the part's size, by which points of the part may lie beyond its edge
_KEYS = ("x1", "x2", "y1", "y2")


def declared_corners(path: Path, points_2d: Array, frames: NDArray[np.int64], n_frames: int) -> Array | None:
    """(2,) or (n_frames, 2) pixels: the corner of the part that the points of a file of `n_frames` are seen in.

    It is told by the points (..., n_points, n_keypoints, 2) of some of its frames.

    None where nothing is declared, or where the points lie beyond the part: then they are of the whole picture already.
    """
    part = _of_deeplabcut(path)
    boxes = _of_lightning_pose(path, n_frames) if part is None else None
    if part is not None:
        corner, size = np.array([part[0], part[2]]), np.array([part[1] - part[0], part[3] - part[2]])
    elif boxes is not None:
        corner, size = boxes[:, :2], boxes[frames, None, 2:]
    else:
        return None
    known = np.asarray(np.isfinite(points_2d).all(axis=-1))
    inside = np.asarray(((points_2d >= -_INSIDE * size) & (points_2d <= (1 + _INSIDE) * size)).all(axis=-1))
    is_part = corner.any() and known.any() and inside[known].mean() > 1 - _INSIDE
    return corner.astype(float) if is_part else None


def _of_deeplabcut(path: Path) -> tuple[float, ...] | None:
    """x1, x2, y1, y2 of DeepLabCut's metadata or config; None where there is none or it says cropping: false."""
    if "DLC" not in path.stem:
        return None
    stem = re.sub(r"_(filtered|el|sk|bx)$", "", path.stem)
    stem = re.sub(r"_(filtered|el|sk|bx)$", "", stem)
    for beside in (f"{stem}_meta.pickle", f"{stem}includingmetadata.pickle"):
        file = path.with_name(beside)
        if file.is_file() and file.stat().st_size <= _LARGEST:
            return _scanned(file.read_bytes())
    for folder in (path.parent, path.parent.parent):
        config = folder / "config.yaml"
        if config.is_file() and config.stat().st_size <= _LARGEST:
            return _configured(config.read_text(encoding="utf-8", errors="replace"))
    return None


def _scanned(content: bytes) -> tuple[float, ...] | None:
    """The values behind the keys "cropping" and "cropping_parameters" in the code of a pickle, which is not run."""
    values: list[object] = []
    try:
        for code, argument, _ in pickletools.genops(content):
            if code.name in ("NEWTRUE", "NEWFALSE"):
                values.append(code.name == "NEWTRUE")
            elif "PUT" not in code.name and isinstance(argument, str | int | float):
                values.append(argument)
    except ValueError:
        return None
    if "cropping_parameters" not in values or "cropping" not in values:
        return None
    at, is_cropped = values.index("cropping_parameters"), values[values.index("cropping") + 1]
    part = values[at + 1 : at + 5]
    numbers = tuple(float(v) for v in part if isinstance(v, int | float) and not isinstance(v, bool))
    return numbers if is_cropped is True and len(numbers) == 4 else None


def _configured(text: str) -> tuple[float, ...] | None:
    found = dict(re.findall(r"^(cropping|x1|x2|y1|y2)\s*:\s*([^\s#]+)", text, re.MULTILINE))
    if found.get("cropping", "").lower() != "true":
        return None
    try:
        return tuple(float(found[key]) for key in _KEYS)
    except (KeyError, ValueError):
        return None


def _of_lightning_pose(path: Path, n_frames: int) -> Array | None:
    """(n_frames, 4) x, y, width and height of the part of each frame."""
    file = path.with_name(f"{path.stem}_bbox.csv")
    if path.stem.startswith("remapped_") or not file.is_file() or file.stat().st_size > 100 * _LARGEST:
        return None
    with open(file, newline="", encoding="utf-8", errors="replace") as lines:
        numbers = (float(row[key]) for row in csv.DictReader(lines) for key in ("x", "y", "w", "h"))
        try:
            boxes = np.fromiter(numbers, float).reshape(-1, 4)
        except (KeyError, TypeError, ValueError):
            return None
    return boxes if boxes.shape == (n_frames, 4) else None
