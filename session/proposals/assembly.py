"""From sorted files to the tables of one session per recording, and the files that no session uses."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...formats.files import natural_key
from ...formats.video.reading import VIDEO_SUFFIXES
from .camera_names import Source, chapters, normal, recordings, video_stem, words_of
from .found_files import FoundFile

_POSE2SIM = re.compile(r"pose(-sync|-associated)?", re.IGNORECASE)
_DETECTORS = "rng|seed|model|net|network|fold|detector|ensemble|member"  # words before the number of a detector
_UNSYNCHRONISED = "raw_videos"  # freemocap keeps the originals beside the synchronised copies


@dataclass(eq=False)
class Recording:
    """One session to propose: its key among several, the file or files of each camera by kind, and what was chosen."""

    key: str
    cameras: dict[str, dict[str, tuple[Path, ...]]]
    rig: Path | None = None
    labels: Path | None = None
    board_recordings: dict[str, dict[str, tuple[Path, ...]]] = field(default_factory=dict)
    used: set[Path] = field(default_factory=set)
    reasons: dict[Path, str] = field(default_factory=dict)


def assemble(files: Sequence[FoundFile]) -> list[Recording]:
    """The recordings that the files show; none where no file names a camera."""
    kinds: dict[str, list[Path]] = {}
    for file in files:
        kinds.setdefault(file.kind, []).append(file.path)
    videos = _synchronised(kinds.get("video", []))
    folders = sorted({path.parent for path in kinds.get("keypoints", [])}, key=natural_key)
    points = [*kinds.get("points", []), *folders]
    boards = _board_sources(kinds.get("board", []))
    if not videos and not points:
        boards = boards or _board_sources(kinds.get("picture", []))
    sources = chapters(videos) or _of_points(kinds.get("points", [])) or _of_points(folders)
    by_key = recordings(sources) if sources else {"": _only_boards(boards)}
    by_key = by_key if videos else _with_ensembles(by_key)
    found = [Recording(key, {name: {} for name in cameras}) for key, cameras in by_key.items() if cameras]
    for recording in found:
        _fill(recording, by_key, "video" if videos else "", points, boards, kinds)
    return found


def _synchronised(videos: list[Path]) -> list[Path]:
    copies = [path for path in videos if _UNSYNCHRONISED not in path.parts]
    return copies or videos


def _of_points(points: Iterable[Path]) -> list[Source]:
    """2D files, or folders of one file per frame, as sources, one per video that they were made from.

    Of Pose2Sim's several copies the synchronised one.
    """
    chosen: dict[Path, Path] = {}
    for path in sorted(points, key=_points_rank):
        place = [part for part in path.parts[:-1] if not _POSE2SIM.fullmatch(part)]
        chosen.setdefault(Path(*place, f"{video_stem(path)}.x"), path)
    return [Source(name, (path,)) for name, path in sorted(chosen.items(), key=lambda item: natural_key(item[0]))]


def _with_ensembles(by_key: dict[str, dict[str, Source]]) -> dict[str, dict[str, Source]]:
    """Recordings whose names differ by the number of a detector are one, with several files per camera."""
    merged: dict[str, list[dict[str, Source]]] = {}
    for key, own in by_key.items():
        words = [word for word in key.split("_") if word]
        detectors = [word for word in words if all(_of_detector(word, source.path) for source in own.values())]
        merged.setdefault("_".join(word for word in words if word not in detectors), []).append(own)
    if any(own.keys() != parts[0].keys() for parts in merged.values() for own in parts):
        return by_key
    return {
        key: {
            camera: Source(source.path, tuple(file for own in parts for file in own[camera].files))
            for camera, source in parts[0].items()
        }
        for key, parts in merged.items()
    }


def _of_detector(word: str, path: Path) -> bool:
    """Whether a word that tells files apart, such as rng=0, or 2 behind "seed", is a detector's of an ensemble."""
    number = re.search(r"\d+$", word)
    if number is None:
        return False
    return re.search(rf"(?i)(?<![a-z])(?:{_DETECTORS})[-_=. ]*0*{int(number[0])}(?!\d)", path.as_posix()) is not None


def _only_boards(boards: list[Source]) -> dict[str, Source]:
    """Cameras of a folder that holds board recordings alone: of the first, or of all where each shows some of them."""
    found, cameras = list(recordings(boards).values()) if boards else [{}], {}
    for own in found:
        cameras |= {name: source for name, source in own.items() if name not in cameras}
    return cameras if _pairs_of_boards(boards, cameras) else found[0]


def _board_sources(paths: list[Path]) -> list[Source]:
    """Board recordings: folders of pictures, or the pictures of a folder that share the beginning of their names."""
    pictures = [path for path in paths if path.suffix.lower() not in VIDEO_SUFFIXES]
    found: list[Source] = []
    for folder in sorted({path.parent for path in pictures}, key=natural_key):
        own = sorted((path for path in pictures if path.parent == folder), key=lambda path: natural_key(path.name))
        prefixes: dict[str, list[Path]] = {}
        for path in own:
            prefixes.setdefault(re.sub(r"[-_. ]*\d+$", "", path.stem), []).append(path)
        several = len(prefixes) > 1 and all(prefixes) and len(own) >= 2 * len(prefixes)
        if several:
            found += [Source(folder / f"{prefix}.x", tuple(files)) for prefix, files in prefixes.items()]
        else:
            found.append(Source(folder / "x.x", (folder,)))
    return found + chapters(path for path in paths if path.suffix.lower() in VIDEO_SUFFIXES)


def _fill(
    recording: Recording,
    by_key: Mapping[str, Mapping[str, Source]],
    kind: str,
    points: list[Path],
    boards: list[Source],
    kinds: Mapping[str, list[Path]],
) -> None:
    """The files of each camera of a recording, the cameras' rig and the labels."""
    mine = [path for path in points if _belongs(path, recording.key, by_key)]
    own_boards = [source for source in boards if _belongs(source.path, recording.key, by_key)]
    lenses = _board_sources([p for p in kinds.get("lens", []) if _belongs(p, recording.key, by_key)])
    stamps = [path for path in kinds.get("timestamps", []) if _belongs(path, recording.key, by_key)]
    table = _table_of_all(kinds.get("table", []), recording, by_key)
    recording.board_recordings = _pairs_of_boards(own_boards, by_key[recording.key])
    own_boards = [] if recording.board_recordings else own_boards
    for name, source in by_key[recording.key].items():
        entry = recording.cameras[name]
        if kind:
            entry["video"] = source.files
        ranked = [(_distance(path, name, source, by_key[recording.key]), _points_rank(path), path) for path in mine]
        candidates = [path for distance, _, path in sorted(ranked) if distance < 3]
        if len(source.files) > 1 and set(source.files) <= set(candidates):
            entry["points"] = source.files
        elif candidates:
            entry["points"] = (candidates[0],)
            reason = f"2D points of camera '{name}', of which others are used"
            recording.reasons |= dict.fromkeys(candidates[1:], reason)
        elif table is not None and name[-1:].isdigit():
            entry["points"] = (table,)
        known = source in boards and not recording.board_recordings
        board = source if known else next((b for b in own_boards if _names(b.path, name)), None)
        if board is not None:
            entry["board"] = board.files
        lens = next((b for b in lenses if _names(b.path, name)), None)
        if lens is not None:
            entry["lens_board"] = lens.files
        for key, among_boards in (("timestamps", False), ("board_timestamps", True)):
            other = entry.get("board" if among_boards else "video", ())
            near = [path for path in stamps if other and _beside(path, other[0])]
            near = [path for path in near if is_board(path) == among_boards or not kind]
            near = [path for path in near if _names(path, name)] or near
            if near:
                entry[key] = (near[0],)
    recording.rig = next((path for path in kinds.get("rig", []) if _belongs(path, recording.key, by_key)), None)
    recording.labels = _labels_folder(kinds.get("labels", []))
    entries = (*recording.cameras.values(), *recording.board_recordings.values())
    recording.used = {path for entry in entries for files in entry.values() for path in files}


def _table_of_all(tables: list[Path], recording: Recording, by_key: Mapping[str, Mapping[str, Source]]) -> Path | None:
    """caliscope's table of all cameras' points below the folder of the recording's videos; of several the first."""
    folders = {file.parent for source in by_key[recording.key].values() for file in source.files}
    found = [path for path in sorted(tables, key=natural_key) if folders & set(path.parents)]
    recording.reasons |= dict.fromkeys(found[1:], "2D points of all cameras, of which others are used")
    return found[0] if found else None


def _pairs_of_boards(boards: list[Source], cameras: Iterable[str]) -> dict[str, dict[str, tuple[Path, ...]]]:
    """{folder: {camera: files}} where folders hold board recordings of some of the cameras each, such as pairs.

    Nothing where every folder holds one camera, or all of them: these are recordings of one instant, or trials.
    """
    cameras, groups = list(cameras), {}
    for source in boards:
        own = source.path.parent if source.path.name == "x.x" else source.path  # a folder of pictures is the camera's
        named = [name for name in cameras if _names(Path(own.name), name)]
        if len(named) == 1:
            groups.setdefault(own.parent, {}).setdefault(named[0], source.files)
    groups = {folder: own for folder, own in groups.items() if len(own) > 1}
    if len(groups) < 2 or all(len(own) == len(cameras) for own in groups.values()):
        return {}
    short = {folder: folder.name for folder in groups}
    if len(set(short.values())) < len(groups):
        short = {folder: "_".join(folder.parts) for folder in groups}
    return {short[folder]: own for folder, own in groups.items()}


def _points_rank(path: Path) -> tuple:
    """Raw points before filtered ones, synchronised (Pose2Sim) and analysis files before others, h5 before csv."""
    words = path.as_posix().lower()
    last = path.suffix.lower() == ".slp"
    return (
        "filtered" in words,
        "pose-sync" not in words,
        last,
        "analysis" not in words,
        path.suffix.lower() == ".csv",
        natural_key(path),
    )


def _distance(points: Path, camera: str, source: Source, others: Mapping[str, Source]) -> int:
    """How surely a 2D file is of a camera: 0 made from the video beside it, 1 from its video, 2 by its name, 3 not."""
    same_stem = any(video_stem(points) == file.stem for file in source.files)
    if points in source.files or (same_stem and any(points.parent == file.parent for file in source.files)):
        return 0
    alike = [own for own in others.values() if any(file.stem == video_stem(points) for file in own.files)]
    if same_stem and len(alike) == 1:
        return 1
    return 2 if _names(points, camera) and not is_board(points) else 3


def _names(path: Path, camera: str) -> bool:
    return normal(camera) in words_of(path)


def _belongs(path: Path, key: str, by_key: Mapping[str, Any]) -> bool:
    """Whether a path is not plainly of another recording."""
    words = words_of(path)
    marks = {other: {normal(word) for word in other.split("_")} for other in by_key}
    common = set.intersection(*marks.values())
    own, others = marks[key] - common, set().union(*(marks[other] for other in by_key if other != key)) - common
    return bool(own & words) or not (others - own) & words


def is_board(path: Path) -> bool:
    """Whether a path's words say that it belongs to recordings of boards."""
    return any(word in path.as_posix().lower() for word in ("calib", "board", "charuco", "checker", "trinsic"))


def _beside(path: Path, other: Path) -> bool:
    """Whether a file lies in another's folder or in one above it."""
    return path.parent in (*other.parents, other)


def _labels_folder(paths: list[Path]) -> Path | None:
    """The folder that `read_labels` opens: of a project the one that holds labeled-data."""
    if not paths:
        return None
    first = paths[0]
    if "labeled-data" in first.parts:
        return Path(*first.parts[: first.parts.index("labeled-data")])
    return Path(os.path.commonpath([path.parent for path in paths]))


def home_of(recording: Recording, others: Iterable[Recording]) -> Path:
    """The folder for a session file: the widest that holds its recording's files and no other's, else a new one."""
    folders = [path if not path.suffix else path.parent for path in recording.used]
    foreign = [path for other in others for path in other.used - recording.used]
    own = [path for path in recording.used if path not in {p for other in others for p in other.used}]
    if not own:
        return Path(recording.key)
    home = Path(os.path.commonpath([folder.as_posix() or "." for folder in {path.parent for path in own}]))
    if any(home in path.parents for path in foreign) or not folders:
        return Path(recording.key)
    while home.parent != home and home.parent != Path() and not any(home.parent in path.parents for path in foreign):
        home = home.parent
    return home
