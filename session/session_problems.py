"""What would stop a session from running, found before it runs: missing files and tables, unknown options, a floor
frame out of range, 2D points of another length than the videos."""

from __future__ import annotations

from pathlib import Path

from ..formats.video.reading import VideoError, probe_video
from .config import Session
from .session_run import missing_inputs
from .steps import ALL_STEPS
from .steps.kinematics import VERTICAL_NEEDED
from .steps.step_definition import Step


def foreseen_problems(session: Session) -> list[str]:
    """One sentence per thing that would stop a run, or a later step of it."""
    problems = []
    if len(session.cameras) < 2:
        problems.append("3D needs at least two cameras; add another [cameras.NAME]")
    for step in ALL_STEPS.values():
        problems += _source_problems(session, step) + step.problems(session)
    if session.rig is None:  # the session calibrates its own cameras
        problems += _board_problems(session) + _floor_problems(session)
        if session.limbs and session.up is None and session.floor_frame is None:
            problems.append(VERTICAL_NEEDED)
    return list(dict.fromkeys(problems + _points_problems(session)))


def _source_problems(session: Session, step: Step) -> list[str]:
    """What a step reads, that does not exist and that no earlier step will make."""
    try:
        needed = missing_inputs(session, step) if step.asked_for(session) else []
    except ValueError as error:
        return [str(error)]
    return [problem for problem, maker in needed if maker is None]


def _board_problems(session: Session) -> list[str]:
    """A board that cannot be made of [board]."""
    try:
        for recording in session.board_recordings or (None,):
            session.make_board(recording)
    except ValueError as error:
        return [str(error)]
    return []


def _floor_problems(session: Session) -> list[str]:
    """A floor frame that lies beyond the end of every board recording."""
    recordings = [session.sources("board"), *(recording.sources for recording in session.board_recordings.values())]
    lengths = [max(map(_length, recording.values()), default=0) for recording in recordings if recording]
    longest = sum(lengths) if all(lengths) else 0
    if session.floor_frame is None or not longest or session.floor_frame < longest:
        return []
    return [
        f"[session] floor_frame is {session.floor_frame}, but the board recordings end with frame {longest - 1};"
        " give a frame in which the board lies on the floor"
    ]


def _length(board: Path | tuple[Path, ...]) -> int:
    """Number of frames; 0 where it is not known."""
    if isinstance(board, tuple):
        return len(board)
    try:
        return 0 if board.is_dir() else probe_video(board).n_frames
    except VideoError:
        return 0


def _points_problems(session: Session) -> list[str]:
    """2D files that cannot be read, or that go on beyond their video's end (some tools leave out the last frames)."""
    from ..formats import read_views
    from ..formats.predictions.detectors import files_of_detectors

    points, problems = session.sources("points"), []
    try:
        _ = points and files_of_detectors(points)
    except ValueError as error:
        problems.append(str(error))
    for name, path in points.items():
        try:
            n_points = read_views({name: path}, fps=session.fps or 1.0).sizes["time"]
            video = session.cameras[name].video
            n_frames = probe_video(video).n_frames if video is not None else n_points
        except (ValueError, OSError) as error:
            problems.append(f"camera '{name}': {error}")
            continue
        if n_points > n_frames:
            problems.append(
                f"camera '{name}': {_named(path)} has points of {n_points} frames, its video has {n_frames}; they are"
                " of different recordings, or the video was cut"
            )
    return problems


def _named(path: Path | tuple[Path, ...]) -> str:
    return str(path[0] if isinstance(path, tuple) else path)
