"""`muybridge init`: propose a session.toml from the files in a folder."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import tomli_w

from ..formats.video.reading import PICTURE_SUFFIXES, VIDEO_SUFFIXES
from .config import SessionError
from .provenance import write_text

_BOARD_WORDS = ("board", "calib", "charuco", "checker")
# comments that explain the file, and the tables that do not depend on what a folder holds
_TEMPLATE = Path(__file__).with_name("proposal.toml").read_text(encoding="utf-8")
_POINT_SUFFIXES = (".h5", ".csv")


def propose_session(folder: str | os.PathLike) -> dict[str, Any]:
    """Tables of a session file for the videos, board recordings and 2D files found below a folder.

    A file belongs to the camera whose name stands in its own or a folder's name; what lies under a name with "board",
    "calib", "charuco" or "checker" is a board recording.

    Raises
    ------
    SessionError : the folder does not exist or holds neither videos nor 2D files
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SessionError(f"there is no folder {folder}")
    files = sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    files = [p for p in files if "results" not in p.parts]
    boards = [p for p in files if any(word in str(p).lower() for word in _BOARD_WORDS)]
    animal = [p for p in files if p.suffix.lower() in VIDEO_SUFFIXES and p not in boards]
    points = [p for p in files if p.suffix.lower() in _POINT_SUFFIXES and "labels" not in str(p)]
    names = _camera_names(animal or points)
    if not names:
        raise SessionError(f"{folder} holds no videos ({', '.join(VIDEO_SUFFIXES)}) and no 2D files to name cameras by")
    cameras: dict[str, dict[str, str]] = {}
    for path, name in names.items():
        entry = cameras[name] = {"video" if animal else "points": path.as_posix()}
        board = _board_of(name, boards)
        if board is not None:
            entry["board"] = board.as_posix()
        found = [p for p in points if name in _words(p) and p not in boards]
        if found and animal:
            entry["points"] = found[0].as_posix()
    tables = tomllib.loads(_TEMPLATE)
    tables["session"]["name"], tables["cameras"] = folder.resolve().name, cameras
    return tables


def write_proposal(folder: str | os.PathLike, *, overwrite: bool = False) -> Path:
    """Write `propose_session` as session.toml in the folder.

    Raises
    ------
    SessionError : one is already there (and not `overwrite`), or nothing was found to propose
    """
    path = Path(folder) / "session.toml"
    if path.exists() and not overwrite:
        raise SessionError(f"{path} already exists; edit it, or replace it with --overwrite")
    write_text(path, _TEMPLATE.partition("\n[session]\n")[0] + "\n" + tomli_w.dumps(propose_session(folder)))
    return path


def _words(path: Path) -> set[str]:
    """Every folder name, the stem, and the stem's parts."""
    stem = path.stem
    return {*path.parts[:-1], stem, *stem.replace("-", "_").replace(".", "_").split("_")}


def _camera_names(paths: list[Path]) -> dict[Path, str]:
    """One camera per file: the file's stem, or its folder's name where each file lies in a folder of its own."""
    parents = [path.parent.name for path in paths]
    own_folder = len(set(parents)) == len(paths) > 1
    return {path: (parent if own_folder else path.stem) for path, parent in zip(paths, parents, strict=True)}


def _board_of(name: str, boards: list[Path]) -> Path | None:
    """The board video of a camera, or the folder of its board images."""
    mine = [path for path in boards if name in _words(path)]
    images = [path.parent for path in mine if path.suffix.lower() in PICTURE_SUFFIXES]
    return next(iter(images + [path for path in mine if path.suffix.lower() in VIDEO_SUFFIXES]), None)
