"""The typed contents of session.toml: the recording's files, the animal, the board and the options of each step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...datasets import Skeleton
from .entry_checks import SessionError, check_names

if TYPE_CHECKING:
    from ...calibration import CharucoBoard, Checkerboard

STEPS = ("calibrate", "train", "predict", "reconstruct", "kinematics", "report")


@dataclass(frozen=True)
class CameraSources:
    """The files of one camera: each a path, a tuple of paths, or None.

    A tuple holds the files of one recording (video), the images of a board, or the 2D points of an ensemble.
    size : of the calibrated picture, (width, height) pixels, where the rig file does not state it
    crop, scale, mirror : the part of the calibrated picture that the video and the 2D points show, its relative size,
        and whether it is mirrored left to right
    delay : frames by which the camera is delayed
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
    n_animals : int, optional
        Number of animals, where it is stated.
    identity : {"known", "tracks", "detections"}, optional
        What the rows of 2D files with several animals are: the same animal in all cameras, tracks of each camera, or
        detections of a frame in any order. None: found out.
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
    n_animals: int | None = None
    identity: str | None = None
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
    from ...calibration import CharucoBoard, Checkerboard

    values = dict(values)
    kinds = {"charuco": CharucoBoard, "checkerboard": Checkerboard}
    kind = values.pop("type", "charuco")
    if not isinstance(kind, str) or kind not in kinds:
        raise SessionError(f"{path}: {table} type is {kind!r}; known: {sorted(kinds)}")
    check_names(path, f"entries of {table} for a {kind} board", values, [f.name for f in fields(kinds[kind])])
    for name, value in values.items():
        if isinstance(value, str) != (name == "dictionary"):
            wanted = "name of a dictionary" if name == "dictionary" else "number"
            raise SessionError(f"{path}: {table} {name} is {value!r}, which is no {wanted}")
    try:
        return kinds[kind](**values)
    except TypeError as error:
        raise SessionError(f"{path}: {table} does not describe a {kind} board: {error}") from error
