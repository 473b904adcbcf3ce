"""Sort the files of a folder by what they are, from names alone: videos, boards, 2D points, labels, other files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ...formats.video.reading import PICTURE_SUFFIXES, VIDEO_SUFFIXES

_BOARD = ("board", "calib", "charuco", "checker", "chess", "extrinsic", "intrinsic")
_LENSES = re.compile(r"intrinsic|(^|[/_])int_")
_DRAWN = re.compile(r"label(l)?ed|annotated|overlay|videos-(3d|combined|compare)|_tracked$")
_RESULTS_3D = re.compile(r"points_?3d|pose[-_]3d|(^|/)xyz|triangulat|3d[-_]?(points|data)|[-_]3d$")
_DERIVED = {"_skeleton": "lengths and angles of another tool", "_bodyparts": "a table of another tool"}
_TABLES = (".h5", ".hdf5", ".csv", ".nc")
_OTHER = {
    ".pickle": "a pickle, which executes code when it is opened",
    ".pkl": "a pickle, which executes code when it is opened",
    ".npy": "an array of another tool; only the tables of 2D points are read",
    ".slp": "a SLEAP project: name it as a camera's 'points' for its predictions, or under [train] labels",
    ".trc": "3D points of another tool",
    ".c3d": "3D points of another tool",
    ".mot": "joint angles of another tool",
    ".mat": "a MATLAB file: name it under [session] rig if it holds the cameras",
    ".yaml": "settings of another tool",
    ".yml": "settings of another tool",
    ".log": "a log",
}


@dataclass(frozen=True)
class FoundFile:
    """A file below the folder: its path relative to it, what it is, and why a file of no use was left out.

    kind : "video", "board", "lens", "picture", "points", "keypoints" (OpenPose JSON), "table" (2D points of all
    cameras), "timestamps", "rig", "values" (a board's measures), "labels" or "other"
    """

    path: Path
    kind: str
    reason: str = ""


def sort_files(folder: Path) -> list[FoundFile]:
    """Every file below a folder, sorted by path, with what it is."""
    paths = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    labelled = {path.parent for path in paths if path.name.startswith("CollectedData")}
    return [_sorted(path, labelled) for path in paths]


def _sorted(path: Path, labelled: set[Path]) -> FoundFile:
    words, suffix = path.with_suffix("").as_posix().lower(), path.suffix.lower()
    if any(part.startswith(".") for part in path.parts):
        return FoundFile(path, "other", "a hidden file")
    if path.name == "session.toml" or "results" in path.parts[:-1]:
        return FoundFile(path, "other", "written by muybridge")
    if path.parent in labelled or path.name.startswith("CollectedData") or "labeled-data" in path.parts:
        return FoundFile(path, "labels", "labelled frames: named under [train] where no camera has 2D points")
    if suffix in VIDEO_SUFFIXES:
        return _video(path, words)
    if suffix in (*PICTURE_SUFFIXES, ".pgm", ".ppm", ".webp"):
        return FoundFile(path, _board_kind(words) or "picture", "a picture that belongs to no board recording")
    if suffix == ".slp" and "predict" in path.name.lower():
        return FoundFile(path, "points", "2D points that fit no camera's name")
    if suffix in _TABLES or suffix in (".txt", ".json", ".toml"):
        return _table(path, words, suffix)
    return FoundFile(path, "other", _OTHER.get(suffix, f"a {suffix or 'nameless kind of'} file, of no use here"))


def _video(path: Path, words: str) -> FoundFile:
    if _DRAWN.search(words):
        return FoundFile(path, "other", "a copy of a video with keypoints drawn into it")
    return FoundFile(path, _board_kind(words) or "video", "a board recording that fits no camera's name")


def _board_kind(words: str) -> str:
    if not any(word in words for word in _BOARD):
        return ""
    return "lens" if _LENSES.search(words) else "board"


def _table(path: Path, words: str, suffix: str) -> FoundFile:
    name = path.name.lower()
    if "timestamp" in words.rsplit("/", 1)[-1] and suffix in (".csv", ".txt"):
        return FoundFile(path, "timestamps", "times that fit no camera")
    if _is_rig(name):
        return FoundFile(path, "rig", "another file of cameras")
    if name in ("board.toml", "charuco.toml") or (name == "config.toml"):
        return FoundFile(path, "values", "settings of another tool; the board's measures are taken from it")
    if suffix == ".json" and (path.parent.name.lower().endswith("json") or name.endswith("_keypoints.json")):
        return FoundFile(path, "keypoints", "2D points of OpenPose (a file per frame) that fit no camera's name")
    if suffix == ".toml" and "calib" in name:
        return FoundFile(path, "other", "settings of another tool: name it under [session] rig if it holds the cameras")
    if suffix not in _TABLES:
        return FoundFile(path, "other", "settings or notes of another tool" if suffix != ".txt" else "notes")
    if _RESULTS_3D.search(words):
        return FoundFile(path, "other", "3D points of another tool")
    if re.fullmatch(r"xy(_.*)?", path.stem.lower()):
        if _board_kind(words):
            return FoundFile(path, "other", "corners of a board (caliscope), which is found anew in its recordings")
        return FoundFile(path, "table", "2D points of all cameras in one table (caliscope) that is beside no video")
    if _board_kind(words):
        return FoundFile(path, "other", "a table among the board recordings")
    for ending, reason in _DERIVED.items():
        if path.stem.lower().endswith(ending):
            return FoundFile(path, "other", reason)
    return FoundFile(path, "points", "2D points that fit no camera's name")


def _is_rig(name: str) -> bool:
    """Files of calibrated cameras: anipose, sleap-anipose, freemocap, caliscope, Pose2Sim, Qualisys."""
    return (
        name in ("calibration.toml", "camera_array.toml")
        or name.endswith(("camera_calibration.toml", ".qca.txt"))
        or bool(re.fullmatch(r"calib(_.*)?\.toml", name))
    )
