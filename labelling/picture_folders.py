"""Where the pictures and label tables of a project lie: one folder of pictures per camera."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..formats.files import natural_key
from ..formats.labels.deeplabcut import read_label_table
from ..formats.labels.labelled_frames import LabelError
from ..formats.labels.picture_files import frame_number
from ..formats.video.reading import PICTURE_SUFFIXES
from ..numerics.arrays import Array

RECORDS = "labelling"  # folder of the library's own files


@dataclass
class PictureFolder:
    """The pictures of one camera, {instant: file name}."""

    camera: str
    path: Path
    pictures: dict[int, str] = field(default_factory=dict)

    def row_name(self, instant: int) -> str:
        """The picture's name in a DeepLabCut table."""
        return f"labeled-data/{self.path.name}/{self.pictures[instant]}"


def find_picture_folders(root: Path) -> list[PictureFolder]:
    """The folders of a project (labeled-data/NAME), of cameras side by side, or one plain folder of pictures."""
    inside = root / "labeled-data"
    base = inside if inside.is_dir() else root
    if not base.is_dir():
        return []
    folders = [p for p in sorted(base.iterdir(), key=natural_key) if p.is_dir() and p.name != RECORDS]
    named = [(folder, files) for folder in folders if not folder.name.startswith(".") and (files := _pictures(folder))]
    if not named and (files := _pictures(base)):
        named = [(base, files)]
    numbered = all(len({frame_number(file) for file in files}) == len(files) for _, files in named)
    return [
        PictureFolder(f.resolve().name, f, {(frame_number(n) if numbered else i): n for i, n in enumerate(files)})
        for f, files in named
    ]


def _pictures(folder: Path) -> list[str]:
    names = [p.name for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES and not p.name.startswith(".")]
    return sorted(names, key=natural_key)


def at_instants(folders: Iterable[PictureFolder], frames: Mapping[str, NDArray[np.int64]] | None) -> None:
    """Number the pictures of cameras with dropped frames by instant; `frames`: each camera's frame at each instant."""
    for folder in folders:
        own = None if frames is None else frames.get(folder.camera)
        if own is None or np.array_equal(own, np.arange(len(own))):
            continue
        instant_of = {int(frame): i for i, frame in enumerate(own) if frame >= 0}
        folder.pictures = {instant_of[n]: name for n, name in folder.pictures.items() if n in instant_of}


def table_path(folder: Path, scorer: str) -> Path:
    return folder / f"CollectedData_{scorer}.csv"


def find_scorer(folders: Iterable[PictureFolder], config: str) -> str:
    """Who labels: of the tables that are there, else of config.yaml, else "me"."""
    tables = [p for folder in folders for p in folder.path.glob("CollectedData_*.*") if p.suffix in (".csv", ".h5")]
    named = re.search(r"^scorer:\s*[\"']?([\w .-]+?)[\"']?\s*$", config, re.MULTILINE)
    names = sorted({path.stem.removeprefix("CollectedData_") for path in tables})
    stated = named[1] if named else None
    return stated if stated and (stated in names or not names) else names[0] if names else "me"


def read_table(path: Path) -> tuple[dict[str, Array], tuple[str, ...]]:
    """{picture's file name: (n_keypoints, 2) pixels, NaN where empty} of a table, and its keypoints.

    Raises
    ------
    LabelError : several animals in one table
    FormatError : no such table
    """
    track, names = read_label_table(path)
    if len(track.points_2d) > 1:
        raise LabelError(f"{path} labels the individuals {list(track.individuals or ())}; one animal is labelled here")
    names = [name.replace("\\", "/").rpartition("/")[2] for name in names]
    return dict(zip(names, track.points_2d[0], strict=True)), track.keypoints


def find_table(folder: Path, scorer: str) -> Path | None:
    """The label table of a folder: CSV before h5, of this scorer; None where there is none."""
    csv = table_path(folder, scorer)
    return next((path for path in (csv, csv.with_suffix(".h5")) if path.is_file()), None)


def config_list(config: str, key: str) -> list[str]:
    """The plain entries of a list in config.yaml, such as bodyparts."""
    found = re.search(rf"^{key}:[ \t]*\n((?:[ \t]*-[ \t]+[^\n]*\n?)*)", config, re.MULTILINE)
    entries = re.findall(r"^[ \t]*-[ \t]+(.*?)\s*$", found[1], re.MULTILINE) if found else []
    return [entry.strip("\"'") for entry in entries]


def config_bones(config: str) -> list[tuple[str, str]]:
    """The pairs of config.yaml's skeleton, written as [a, b] or as nested lists."""
    entries = [re.sub(r"^- +", "", entry) for entry in config_list(config, "skeleton")]
    pairs = [re.match(r"\[\s*\"?(.+?)\"?\s*,\s*\"?(.+?)\"?\s*\]$", entry) for entry in entries]
    if all(pairs):
        return [(pair[1], pair[2]) for pair in pairs if pair]
    return list(zip(entries[::2], entries[1::2], strict=False))
