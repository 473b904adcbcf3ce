"""The size that Lightning Pose resized its pictures to, as the config.yaml of the model beside its predictions says.

It writes predictions in pixels of the picture before that; releases with the readers of videos "opencv" and "pynvvc"
before August 2026 left them in pixels of the resized one (its pull request 494). The points themselves tell: those of a
resized picture all lie within it, and use most of it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ....numerics.arrays import Array

_LARGEST = 1_000_000  # bytes of a file that is looked into
_BEYOND = 0.02  # of the resized picture, by which its points may lie beyond its edge
_USED = 0.4  # of the resized picture's width and height that its points spread over, at least
_SMALLER = 0.5  # of the whole picture's area that the resized one has at most: else both are as likely
_CONFIGS = ("config.yaml", ".hydra/config.yaml")
_SIZE = r"^(?P<indent>[ \t]*){name}\s*:\s*(?P<rest>\{{[^}}]*\}}|(?:\n(?P=indent)[ \t]+[^\n]*)+)"


class Resizing(NamedTuple):
    """Width and height of a picture before and after it was resized, and the file that says so."""

    whole: tuple[float, float]
    resized: tuple[float, float]
    config: Path


def declared_resizing(path: Path, points_2d: Array) -> Resizing | None:
    """The resizing that points (..., n_frames, n_keypoints, 2) still have; None where it is none, or undone."""
    found = _configured(path)
    if found is None:
        return None
    size = np.array(found.resized)
    known = points_2d[np.isfinite(points_2d).all(axis=-1)]
    if not len(known) or size.prod() > _SMALLER * np.prod(found.whole):
        return None
    inside = ((known >= -_BEYOND * size) & (known <= (1 + _BEYOND) * size)).all(axis=-1)
    used = np.ptp(known[inside], axis=0) if inside.any() else np.zeros(2)
    return found if inside.mean() > 1 - _BEYOND and (used >= _USED * size).all() else None


def _configured(path: Path) -> Resizing | None:
    """What the model's config beside predictions, or a folder or two above them, says."""
    for folder in (path.parent, path.parent.parent, path.parent.parent.parent):
        for name in _CONFIGS:
            config = folder / name
            if not config.is_file() or config.stat().st_size > _LARGEST:
                continue
            text = config.read_text(encoding="utf-8", errors="replace")
            whole, resized = _size(text, "image_orig_dims"), _size(text, "image_resize_dims")
            if whole is not None and resized is not None:
                return Resizing(whole, resized, config)
    return None


def _size(text: str, name: str) -> tuple[float, float] | None:
    """Width and height below a key of a YAML file, on lines of their own or in braces."""
    found = re.search(_SIZE.format(name=name), text, re.MULTILINE)
    numbers = dict(re.findall(r"(width|height)\s*:\s*(\d+)", found["rest"])) if found else {}
    return (float(numbers["width"]), float(numbers["height"])) if len(numbers) == 2 else None
