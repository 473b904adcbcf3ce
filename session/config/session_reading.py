"""Read session.toml: every entry is checked, and every file it names is there."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from unicodedata import normalize

from ...datasets import Skeleton
from ...datasets.size_limit import endless
from .entry_checks import (
    ENTRIES,
    PICTURE_KEYS,
    SessionError,
    check_file_names,
    check_inside,
    check_names,
    check_value,
    is_list_of,
    is_text,
)
from .entry_meanings import MEANINGS
from .session_types import STEPS, BoardRecording, CameraSources, Session

_TABLES = list(dict.fromkeys([*(table.partition(".")[0] for table in MEANINGS), *STEPS]))


def read_session(path: str | os.PathLike) -> Session:
    """Read a session file, or the session.toml of a folder.

    Parameters
    ----------
    path : str or PathLike
        The file, or the folder that holds it.

    Returns
    -------
    Session
        The typed contents, with absolute paths.

    Raises
    ------
    SessionError
        The file is missing or no TOML, or an entry is unknown, of the wrong type, or names a file that does not exist.

    Examples
    --------
    >>> from pathlib import Path
    >>> from muybridge.session import read_session
    >>> _ = Path("session.toml").write_text("[session]\\nunit = 'mm'\\n[cameras.left]\\n")
    >>> read_session("session.toml").unit
    'mm'
    """
    path = Path(path)
    path = path / "session.toml" if path.is_dir() else path
    if not path.is_file():
        raise SessionError(f"there is no session file {path}; write one with 'muybridge init {path.parent}'")
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SessionError(f"{path} cannot be read ({error.strerror}); change its permissions") from error
    except UnicodeDecodeError as error:
        raise SessionError(f"{path} is not text in UTF-8; save it in this encoding") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is a plain ValueError
        hint = "; write \\\\ for \\, or / in paths" if "Unescaped '\\'" in str(error) else ""
        raise SessionError(f"{path} is no valid TOML: {error}{hint}") from error
    check_names(path, "tables", tables, _TABLES)
    not_tables = [name for name in tables if not isinstance(tables[name], dict)]
    if not_tables:
        raise SessionError(f"{path}: '{not_tables[0]}' must be a table, [{not_tables[0]}]")
    head = tables.get("session", {})
    for table in ("session", "animals", "skeleton"):
        check_names(path, f"entries of [{table}]", tables.get(table, {}), MEANINGS[table])
    for (table, entry), wanted in ENTRIES.items():
        if entry in tables.get(table, {}):
            check_value(path, f"[{table}] {entry}", tables[table][entry], wanted)
    for table in ("cameras", "board_recordings"):
        check_file_names(path, table, tables.get(table, {}))
    for table, entry in (("session", "output"), ("calibrate", "cache")):
        check_inside(path, f"[{table}] {entry}", tables.get(table, {}).get(entry))
    skeleton = _read_skeleton(path, tables.get("skeleton"))
    joints, limbs = tables.get("joints", {}), tables.get("gait", {})
    _check_keypoints(path, joints, limbs, skeleton)
    folder = path.resolve().parent
    return Session(
        path=path.resolve(),
        name=str(head.get("name", folder.name)),
        animal=str(head.get("animal", "")),
        n_animals=tables.get("animals", {}).get("count"),
        identity=tables.get("animals", {}).get("identity"),
        output=folder / head.get("output", "results"),
        unit=str(head.get("unit", "mm")),
        fps=float(head["fps"]) if "fps" in head else None,
        cameras=_read_cameras(path, tables.get("cameras", {})),
        board=tables.get("board"),
        board_recordings=_read_board_recordings(path, tables),
        skeleton=skeleton,
        joints=joints,
        limbs=limbs,
        rig=folder / head["rig"] if "rig" in head else None,
        up=tuple(map(float, head["up"])) if "up" in head else None,
        floor_frame=head.get("floor_frame"),
        stated_unit=head.get("unit"),
        options={step: tables.get(step, {}) for step in STEPS},
    )


def _read_skeleton(path: Path, table: dict | None) -> Skeleton | None:
    if table is None:
        return None
    if "keypoints" not in table:
        raise SessionError(f"{path}: [skeleton] lacks 'keypoints', the list of names")
    try:
        return Skeleton(**table)
    except (ValueError, TypeError) as error:
        raise SessionError(f"{path}: [skeleton] {error}") from error


def _check_keypoints(path: Path, joints: dict, limbs: dict, skeleton: Skeleton | None) -> None:
    """Three-point joints and limbs name known keypoints; the other kinds are checked by joint_angles itself."""
    named = {f"joint '{joint}'": points for joint, points in joints.items() if isinstance(points, list)}
    for limb, foot in limbs.items():
        check_value(path, f"[gait] {limb}", foot, (is_text, "give the name of its foot's keypoint"))
        named[f"limb '{limb}'"] = [foot]
    if skeleton is not None:
        for what, names in named.items():
            check_names(path, f"keypoints of the skeleton ({what})", map(str, names), skeleton.keypoints)


def _read_cameras(path: Path, tables: dict) -> dict[str, CameraSources]:
    if not tables:
        raise SessionError(f"{path} names no camera; add a table [cameras.NAME] with 'video', 'board' or 'points'")
    cameras = {name: _read_camera(path, name, table) for name, table in tables.items()}
    _check_own_videos(path, cameras)
    return cameras


def _check_own_videos(path: Path, cameras: Mapping[str, CameraSources]) -> None:
    """Refuse one video for two cameras, unless they are parts of its picture (mirrors, several views in one)."""
    owners: dict[Path, str] = {}
    for name, camera in cameras.items():
        if camera.video is None or camera.crop is not None:
            continue
        for file in camera.video if isinstance(camera.video, tuple) else (camera.video,):
            owner = owners.setdefault(file.resolve(), name)
            if owner != name:
                raise SessionError(
                    f"{path}: cameras '{owner}' and '{name}' have the same video, {file}; give each its own, or crop ="
                    " [x, y, width, height] of both where they are parts of one picture"
                )


def _read_camera(path: Path, name: str, table: Any) -> CameraSources:
    if not isinstance(table, dict):
        raise SessionError(f"{path}: camera '{name}' must be a table, [cameras.{name}]")
    check_names(path, f"entries of [cameras.{name}]", table, MEANINGS["cameras.NAME"])
    sources: dict[str, Any] = {}
    for kind, value in table.items():
        if kind in PICTURE_KEYS:
            check_value(path, f"[cameras.{name}] {kind}", value, PICTURE_KEYS[kind])
            sources[kind] = tuple(value) if isinstance(value, list) else value if kind == "mirror" else float(value)
            continue
        sources[kind] = _read_files(path, name, kind, value)
    return CameraSources(**sources)


def _read_files(path: Path, camera: str, kind: str, value: Any) -> Path | tuple[Path, ...]:
    """The file, or the files of a list, that an entry of a camera names."""
    entries: list = value if isinstance(value, list) and not kind.endswith("timestamps") else [value]
    if not entries or not is_list_of(str, entries):
        raise SessionError(f"{path}: camera '{camera}' has {kind} = {value!r}; give a path")
    found = tuple(_as_on_disk(path.resolve().parent / entry) for entry in entries)
    if len(set(found)) < len(found):
        twice = next(file for file in found if found.count(file) > 1)
        raise SessionError(f"{path}: the {kind} of camera '{camera}' names {twice} twice; name each file once")
    missing = [entry for entry in found if not entry.exists()]
    reason = next(filter(None, map(endless, found)), "")
    if reason:
        raise SessionError(f"{path}: the {kind} of camera '{camera}', {reason}; give a file")
    if missing:
        raise SessionError(
            f"{path}: the {kind} of camera '{camera}', {missing[0]}, does not exist; correct the path"
            + _near(missing[0])
        )
    return found[0] if entries == [value] else found


def _as_on_disk(path: Path) -> Path:
    """The path; where nothing is there, what its folder holds under this name, accents encoded otherwise (macOS)."""
    if path.exists():
        return path
    same = [name for name in _names_in(path.parent) if normalize("NFC", name) == normalize("NFC", path.name)]
    return path.with_name(same[0]) if same else path


def _near(path: Path) -> str:
    """What may have been meant by a file that is not there."""
    from ...formats.video.reading import VIDEO_SUFFIXES

    if path.is_symlink():
        return ": it is a link to nothing"
    is_video = path.suffix.lower() in VIDEO_SUFFIXES
    names = [name for name in _names_in(path.parent) if (Path(name).suffix.lower() in VIDEO_SUFFIXES) == is_video]
    lowered = {name.lower(): name for name in names}
    near = get_close_matches(path.name.lower(), lowered, n=1, cutoff=0.8)
    return f", beside it lies {lowered[near[0]]}" if near else ""


def _names_in(folder: Path) -> list[str]:
    return os.listdir(folder) if folder.is_dir() else []


def _read_board_recordings(path: Path, tables: Mapping[str, Any]) -> dict[str, BoardRecording]:
    recordings = {}
    for name, table in tables.get("board_recordings", {}).items():
        what = f"[board_recordings.{name}]"
        if not isinstance(table, dict):
            raise SessionError(f"{path}: {what} must be a table of cameras and their files")
        board, files = table.get("board"), {camera: value for camera, value in table.items() if camera != "board"}
        if board is not None and not isinstance(board, dict):
            raise SessionError(f"{path}: {what} board is {board!r}; give the board's values, board = {{type = ...}}")
        check_names(path, f"cameras of {what}", files, tables.get("cameras", {}))
        if not files:
            raise SessionError(f"{path}: {what} names no camera; give CAMERA = a video, a folder or a list of images")
        sources = {camera: _read_files(path, camera, what, value) for camera, value in files.items()}
        recordings[name] = BoardRecording(sources, board)
    return recordings
