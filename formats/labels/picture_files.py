"""The picture files that a label file names: where they are, and the number of the frame in their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ...numerics.arrays import Array
from .labelled_frames import Labels, Picture


def labels_of_pictures(
    points_2d: Array,
    names: Sequence[str],
    keypoints: Sequence[str],
    path: Path,
    images: Path | None,
    camera: str | None,
    individuals: Sequence[str] | None = None,
) -> Labels:
    """Labels (n, n_keypoints, 2) of pictures named as in the label file `path`; `camera` None: named by the folder."""
    files = [find_picture(name, path, images) for name in names]
    groups = [file.parent.name for file in files]
    return Labels(
        pictures=tuple(Picture(file) for file in files),
        points_2d=points_2d,
        keypoints=tuple(keypoints),
        cameras=tuple(camera or group for group in groups),
        groups=tuple(groups),
        instants=tuple(frame_number(file.name) for file in files),
        individuals=None if individuals is None else tuple(individuals),  # type: ignore[arg-type]
    )


def find_picture(name: str, labels: Path, images: Path | None) -> Path:
    """A picture by its name in a label file: below `images`, beside the file, or relative to a folder above it."""
    relative = Path(name.replace("\\", "/"))
    places = [images / relative, images / relative.name] if images else []
    places += [labels.parent / relative.name] + [folder / relative for folder in labels.absolute().parents[:4]]
    return next((place for place in places if place.is_file()), places[0] if images else labels.parent / relative)


def frame_number(name: str) -> int:
    """The last number in a picture's name; 0 where there is none."""
    numbers = re.findall(r"\d+", name)
    return int(numbers[-1]) if numbers else 0
