"""session.toml, read once at the edge into typed objects.

    [session]        name, animal, output = "results", unit = "mm", fps (else the videos'), rig = "rig.toml" (else
                     calibrated),
                     floor_frame (the board lies level in this board frame: origin, axes and up), up (three numbers)
    [cameras.NAME]   video (a file, or the list of files of one recording), board (video, folder or list of images),
                     points (2D file of another tool, or a list of them: one per detector of an ensemble, in the same
                     order for every camera), lens_board (a board recording for the lens alone), timestamps and
                     board_timestamps (files with the time of each frame), scale and crop = [x, y] (size and corner of
                     the video's picture within the calibrated one), mirror = true (it is mirrored left to right), size
                     (width and height of the calibrated picture, where the rig file does not state them), delay (frames
                     that the camera is late)
    [board]          type = "charuco" | "checkerboard" and the arguments of CharucoBoard or Checkerboard
    [board_recordings.NAME]   CAMERA = video, folder or list of images, for each camera that filmed then: recordings of
                     the board by some of the cameras, one after another, such as pairs; board = {type = ...} where it
                     was another board
    [skeleton]       keypoints, bones, symmetries, root
    [gait]           limb = "keypoint of its foot": strides, phases and the gait's name; needs the vertical
    [joints]         name = ["a", "b", "c"], or the tables of joint_angles
    [train]          labels = a folder or file, or a list of them; sessions = [other sessions, whose labels are used,
                     too]; and the options of train
    [calibrate]      intrinsics = a rig file whose cameras' lenses are kept, and the options of calibrate; with
                     from = "points" the animal's 2D points place them (of the files, or of the session's own detector,
                     which then runs before), with the options of calibrate_from_points
    [reconstruct]    options of reconstruct; check_coverage is true unless it says false. prior, noise = files that
                     PosePrior.save and DetectorNoise.save wrote; match_individuals = true, frame_offsets = false,
                     refine_rig = false: what is corrected before (see steps/view_corrections.py)
    [predict] [kinematics] [report]   options of the step's public function

`muybridge help session` lists every key with its type, default and meaning (see `key_reference`).
Paths are relative to the session file.
"""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..datasets import Skeleton
from ..datasets.names import nearest
from ..datasets.size_limit import endless

if TYPE_CHECKING:
    from ..calibration import CharucoBoard, Checkerboard

STEPS = ("calibrate", "train", "predict", "reconstruct", "kinematics", "report")
_TABLES = ("session", "cameras", "board", "board_recordings", "skeleton", "joints", "gait", *STEPS)
_SESSION_KEYS = ("name", "animal", "output", "unit", "fps", "rig", "up", "floor_frame")
_CAMERA_KEYS = ("video", "board", "points", "lens_board", "timestamps", "board_timestamps")
# entries of [cameras.NAME] that are no files: whether a value can be used, and what the message asks for
_PICTURE_KEYS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "size": (
        lambda value: _is_numbers(value, 2) and all(isinstance(side, int) and side > 0 for side in value),
        "give [width, height] of the calibrated picture in pixels",
    ),
    "crop": (
        lambda value: (_is_numbers(value, 2) or _is_numbers(value, 4)) and min(value) >= 0,
        "give [x, y] of the corner in the calibrated picture, or [x, y, width, height], pixels",
    ),
    "scale": (
        lambda value: _is_number(value) and value > 0,
        "give the size of the video's picture relative to the calibrated one, such as 0.5",
    ),
    "mirror": (lambda value: isinstance(value, bool), "give true or false"),
    "delay": (lambda value: _is_number(value), "give a number of frames, positive where the camera is late"),
}


class SessionError(ValueError):
    """A session that cannot run as it is written; the message names the file, the entry and the remedy."""


@dataclass(frozen=True)
class CameraSources:
    """The files of one camera: each a path, a tuple of paths, or None.

    A tuple holds the files of one recording (video), the images of a board, or the 2D points of an ensemble.
    size : of the calibrated picture, (width, height) pixels, where the rig file does not state it
    crop, scale, mirror : the part of the calibrated picture that the video and the 2D points show, its relative size,
        and whether it is mirrored left to right
    delay : frames by which the camera is late
    """

    video: Path | tuple[Path, ...] | None = None
    board: Path | tuple[Path, ...] | None = None
    points: Path | tuple[Path, ...] | None = None
    lens_board: Path | tuple[Path, ...] | None = None
    timestamps: Path | None = None
    board_timestamps: Path | None = None
    size: tuple[int, int] | None = None
    crop: tuple[float, ...] | None = None
    scale: float = 1.0
    mirror: bool = False
    delay: float = 0.0


@dataclass(frozen=True)
class BoardRecording:
    """A recording of a board by some of the cameras: the files of each, and its board's values where it has its own."""

    sources: dict[str, Path | tuple[Path, ...]]
    board: Mapping[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class Session:
    """One recording: its files, the animal, and the options of each step, as session.toml states them.

    Parameters
    ----------
    path : Path
        The session file; its folder is where relative paths begin.
    name : str
        Title of the report.
    output : Path
        Folder of the results.
    unit : str
        World unit of the board's lengths and of the results, such as "mm".
    fps : float, hertz, optional
        Frame rate; None: that of the videos.
    cameras : dict of str to CameraSources
        The files of each camera.
    board : mapping, optional
        The table [board]: the kind of calibration board and its arguments.
    skeleton : Skeleton, optional
        Keypoints and bones of the animal.
    joints : mapping
        The joints whose angles are computed, as `joint_angles` takes them.
    limbs : mapping of str to str
        The keypoint of each limb's foot, for the gait.
    rig : Path, optional
        A rig file where the cameras are calibrated elsewhere.
    up : tuple of 3 floats, optional
        Vertical direction, where the rig does not state it.
    floor_frame : int, optional
        The board frame in which the board lies on the floor: it sets the world's origin and axes. Of several board
        recordings the frames are counted on, the cameras' own first.
    stated_unit : str, optional
        The unit as the file states it; None: it does not, and a rig file's own unit counts.
    animal : str
        Name of the animal, where the recording has one.
    board_recordings : mapping of str to BoardRecording
        Recordings of the board by some of the cameras, beside or instead of the cameras' own.
    options : mapping of str to dict
        Options of each step: keyword arguments of its public function.

    Examples
    --------
    >>> from pathlib import Path
    >>> from muybridge.session import read_session
    >>> lines = ["[session]", "name = 'cat'", "rig = 'rig.toml'", "[cameras.a]", "[cameras.b]"]
    >>> _ = Path("session.toml").write_text("\\n".join(lines))
    >>> session = read_session("session.toml")
    >>> session.name, list(session.cameras), session.output.name
    ('cat', ['a', 'b'], 'results')
    """

    path: Path
    name: str
    output: Path
    unit: str
    fps: float | None
    cameras: dict[str, CameraSources]
    board: Mapping[str, Any] | None
    skeleton: Skeleton | None
    joints: Mapping[str, Any]
    limbs: Mapping[str, str] = field(default_factory=dict)
    rig: Path | None = None
    up: tuple[float, ...] | None = None
    floor_frame: int | None = None
    stated_unit: str | None = None
    animal: str = ""
    board_recordings: Mapping[str, BoardRecording] = field(default_factory=dict)
    options: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The folder of the session file."""
        return self.path.parent

    def sources(self, kind: str) -> dict[str, Any]:
        """The files of one kind, of the cameras that have one.

        Parameters
        ----------
        kind : {"video", "board", "lens_board", "points", "timestamps", "board_timestamps"}
            What the files show: the animal, the calibration board, 2D points found by another tool, or the times of
            frames.

        Returns
        -------
        dict of str to Path or tuple of Path
            The file of each camera; the files of one recording, several images of a board, and the 2D points of several
            detectors are a tuple.
        """
        found = {name: getattr(camera, kind) for name, camera in self.cameras.items()}
        return {name: source for name, source in found.items() if source is not None}

    def make_board(self, recording: str | None = None) -> CharucoBoard | Checkerboard:
        """The calibration board that the table [board] describes, or a board recording's own.

        Parameters
        ----------
        recording : str, optional
            Name of one of the board recordings. None: the board of the others.

        Returns
        -------
        CharucoBoard or Checkerboard
            The board.

        Raises
        ------
        SessionError
            The table is absent or does not describe a board.
        """
        own = None if recording is None else self.board_recordings[recording].board
        if own is not None:
            return _make_board(self.path, f"[board_recordings.{recording}] board", own)
        if self.board is None:
            raise SessionError(
                f"{self.path} has no [board] table; describe the calibration board, or give [session] rig"
            )
        return _make_board(self.path, "[board]", self.board)


def _make_board(path: Path, table: str, values: Mapping[str, Any]) -> CharucoBoard | Checkerboard:
    """The board that the values of a table describe."""
    from ..calibration import CharucoBoard, Checkerboard

    values = dict(values)
    kinds = {"charuco": CharucoBoard, "checkerboard": Checkerboard}
    kind = values.pop("type", "charuco")
    if not isinstance(kind, str) or kind not in kinds:
        raise SessionError(f"{path}: {table} type is {kind!r}; known: {sorted(kinds)}")
    _check_names(path, f"entries of {table} for a {kind} board", values, [f.name for f in fields(kinds[kind])])
    for name, value in values.items():
        if isinstance(value, str) != (name == "dictionary"):
            wanted = "name of a dictionary" if name == "dictionary" else "number"
            raise SessionError(f"{path}: {table} {name} is {value!r}, which is no {wanted}")
    try:
        return kinds[kind](**values)
    except TypeError as error:
        raise SessionError(f"{path}: {table} does not describe a {kind} board: {error}") from error


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
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SessionError(f"{path} cannot be read ({error.strerror}); change its permissions") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SessionError(f"{path} is no valid TOML: {error}") from error
    _check_names(path, "tables", tables, _TABLES)
    not_tables = [name for name in tables if not isinstance(tables[name], dict)]
    if not_tables:
        raise SessionError(f"{path}: '{not_tables[0]}' must be a table, [{not_tables[0]}]")
    head = tables.get("session", {})
    _check_names(path, "entries of [session]", head, _SESSION_KEYS)
    for (table, entry), wanted in _ENTRIES.items():
        if entry in tables.get(table, {}):
            _check_value(path, f"[{table}] {entry}", tables[table][entry], wanted)
    for table in ("cameras", "board_recordings"):
        _check_file_names(path, table, tables.get(table, {}))
    for table, entry in (("session", "output"), ("calibrate", "cache")):
        _check_inside(path, f"[{table}] {entry}", tables.get(table, {}).get(entry))
    skeleton = _read_skeleton(path, tables.get("skeleton"))
    joints, limbs = tables.get("joints", {}), tables.get("gait", {})
    _check_keypoints(path, joints, limbs, skeleton)
    folder = path.resolve().parent
    return Session(
        path=path.resolve(),
        name=str(head.get("name", folder.name)),
        animal=str(head.get("animal", "")),
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


def _check_names(path: Path, what: str, names: Iterable[str], known: Iterable[str]) -> None:
    known = list(known)
    for name in names:
        if name not in known:
            hint = nearest(name, known) or f"; known: {known}"
            raise SessionError(f"{path}: '{name}' is not among the {what}{hint}")


def _check_value(path: Path, what: str, value: Any, wanted: tuple[Callable[[Any], bool], str]) -> None:
    fits, words = wanted
    if not fits(value):
        raise SessionError(f"{path}: {what} is {value!r}; {words}")


def _check_file_names(path: Path, table: str, names: Iterable[str]) -> None:
    """Files are named by cameras and recordings, and are to stay in their folder."""
    for name in names:
        if not name.isprintable() or name in ("", ".", "..") or set(name) & set("/\\"):
            raise SessionError(
                f"{path}: [{table}] has the name {name!r}, by which files are named; give one without slashes and"
                " characters that cannot be printed"
            )


def _check_inside(path: Path, what: str, value: Any) -> None:
    """A folder that is written to lies elsewhere only where the whole path is given."""
    if isinstance(value, str) and os.path.normpath(value).split(os.sep)[0] == os.pardir:
        raise SessionError(
            f"{path}: {what} is {value!r}, which leaves the session's folder; give the whole path if that is meant"
        )


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_list_of(kind: type, value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, kind) for entry in value)


def _is_numbers(value: Any, n: int) -> bool:
    return isinstance(value, list) and len(value) == n and all(map(_is_number, value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


# (table, entry): whether a value can be used, and what the message asks for where it cannot
_PATH = (_is_text, "give a path")
_SWITCH = (lambda value: isinstance(value, bool), "give true or false")
_PAIRS = (partial(_is_list_of, list), "it must be a list of pairs of keypoint names")
_ENTRIES: dict[tuple[str, str], tuple[Callable[[Any], bool], str]] = {
    ("session", "output"): _PATH,
    ("session", "unit"): (lambda unit: _is_text(unit) and bool(unit.strip()), "give a unit of length, such as 'mm'"),
    ("session", "rig"): _PATH,
    ("session", "fps"): (lambda fps: _is_number(fps) and fps > 0, "it must be a positive number of frames per second"),
    ("session", "up"): (
        lambda up: isinstance(up, list) and len(up) == 3 and all(map(_is_number, up)) and any(up),
        "it must be a direction of three numbers, such as [0, 0, 1]",
    ),
    ("session", "floor_frame"): (
        lambda frame: _is_number(frame) and isinstance(frame, int) and frame >= 0,
        "it must be the number of a board frame, from 0",
    ),
    ("skeleton", "keypoints"): (partial(_is_list_of, str), "it must be a list of names"),
    ("skeleton", "bones"): _PAIRS,
    ("skeleton", "symmetries"): _PAIRS,
    ("train", "labels"): (lambda value: _is_text(value) or _is_list_of(str, value), "give a path, or a list of paths"),
    ("train", "sessions"): (partial(_is_list_of, str), "give a list of paths"),
    ("train", "weights"): _PATH,
    ("train", "start"): _PATH,
    ("calibrate", "intrinsics"): _PATH,
    ("predict", "detector"): _PATH,
    ("reconstruct", "prior"): _PATH,
    ("reconstruct", "noise"): _PATH,
    ("reconstruct", "match_individuals"): _SWITCH,
    ("reconstruct", "frame_offsets"): _SWITCH,
    ("reconstruct", "refine_rig"): _SWITCH,
}


def _read_skeleton(path: Path, table: dict | None) -> Skeleton | None:
    if table is None:
        return None
    _check_names(path, "entries of [skeleton]", table, ("keypoints", "bones", "symmetries", "root"))
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
        _check_value(path, f"[gait] {limb}", foot, (_is_text, "give the name of its foot's keypoint"))
        named[f"limb '{limb}'"] = [foot]
    if skeleton is not None:
        for what, names in named.items():
            _check_names(path, f"keypoints of the skeleton ({what})", map(str, names), skeleton.keypoints)


def _read_cameras(path: Path, tables: dict) -> dict[str, CameraSources]:
    if not tables:
        raise SessionError(f"{path} names no camera; add a table [cameras.NAME] with 'video', 'board' or 'points'")
    return {name: _read_camera(path, name, table) for name, table in tables.items()}


def _read_camera(path: Path, name: str, table: Any) -> CameraSources:
    if not isinstance(table, dict):
        raise SessionError(f"{path}: camera '{name}' must be a table, [cameras.{name}]")
    _check_names(path, f"entries of [cameras.{name}]", table, (*_CAMERA_KEYS, *_PICTURE_KEYS))
    sources: dict[str, Any] = {}
    for kind, value in table.items():
        if kind in _PICTURE_KEYS:
            _check_value(path, f"[cameras.{name}] {kind}", value, _PICTURE_KEYS[kind])
            sources[kind] = tuple(value) if isinstance(value, list) else value if kind == "mirror" else float(value)
            continue
        sources[kind] = _read_files(path, name, kind, value)
    return CameraSources(**sources)


def _read_files(path: Path, camera: str, kind: str, value: Any) -> Path | tuple[Path, ...]:
    """The file, or the files of a list, that an entry of a camera names."""
    entries: list = value if isinstance(value, list) and not kind.endswith("timestamps") else [value]
    if not entries or not _is_list_of(str, entries):
        raise SessionError(f"{path}: camera '{camera}' has {kind} = {value!r}; give a path")
    found = tuple(path.resolve().parent / entry for entry in entries)
    missing = [entry for entry in found if not entry.exists()]
    reason = next(filter(None, map(endless, found)), "")
    if reason:
        raise SessionError(f"{path}: the {kind} of camera '{camera}', {reason}; give a file")
    if missing:
        raise SessionError(f"{path}: the {kind} of camera '{camera}', {missing[0]}, does not exist; correct the path")
    return found[0] if entries == [value] else found


def _read_board_recordings(path: Path, tables: Mapping[str, Any]) -> dict[str, BoardRecording]:
    recordings = {}
    for name, table in tables.get("board_recordings", {}).items():
        what = f"[board_recordings.{name}]"
        if not isinstance(table, dict):
            raise SessionError(f"{path}: {what} must be a table of cameras and their files")
        board, files = table.get("board"), {camera: value for camera, value in table.items() if camera != "board"}
        if board is not None and not isinstance(board, dict):
            raise SessionError(f"{path}: {what} board is {board!r}; give the board's values, board = {{type = ...}}")
        _check_names(path, f"cameras of {what}", files, tables.get("cameras", {}))
        if not files:
            raise SessionError(f"{path}: {what} names no camera; give CAMERA = a video, a folder or a list of images")
        sources = {camera: _read_files(path, camera, what, value) for camera, value in files.items()}
        recordings[name] = BoardRecording(sources, board)
    return recordings
