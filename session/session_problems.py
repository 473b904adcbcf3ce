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
    problems += _board_problems(session) + _floor_problems(session) + _points_problems(session)
    return list(dict.fromkeys(problems + _gait_problems(session)))


def _source_problems(session: Session, step: Step) -> list[str]:
    """What a step reads, that does not exist and that no earlier step will make."""
    try:
        if not step.asked_for(session):
            return []
        return [problem for problem, maker in missing_inputs(session, step) if maker is None]
    except ValueError as error:
        return [str(error)]


def _board_problems(session: Session) -> list[str]:
    """A board that cannot be made of [board], where the session calibrates its own cameras."""
    try:
        if session.rig is None:
            session.make_board()
    except ValueError as error:
        return [str(error)]
    return []


def _gait_problems(session: Session) -> list[str]:
    """Feet without a vertical, where the session calibrates its own cameras (a rig file may carry one)."""
    if not session.limbs or session.rig is not None or session.up is not None or session.floor_frame is not None:
        return []
    return [VERTICAL_NEEDED]


def _floor_problems(session: Session) -> list[str]:
    """A floor frame that lies beyond the end of every board recording."""
    if session.floor_frame is None or session.rig is not None:
        return []
    lengths = [n for n in map(_length, session.sources("board").values()) if n is not None]
    if not lengths or session.floor_frame < max(lengths):
        return []
    return [
        f"[session] floor_frame is {session.floor_frame}, but the board recordings end with frame {max(lengths) - 1};"
        " give a frame in which the board lies on the floor"
    ]


def _length(board: Path | tuple[Path, ...]) -> int | None:
    if isinstance(board, tuple):
        return len(board)
    try:
        return None if board.is_dir() else probe_video(board).n_frames
    except VideoError:
        return None


def _points_problems(session: Session) -> list[str]:
    """2D files that cannot be read, or that go on beyond their video's end (some tools leave out the last frames)."""
    from ..formats import read_views

    points, problems = session.sources("points"), []
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
                f"camera '{name}': {path} has points of {n_points} frames, its video has {n_frames}; they are"
                " of different recordings, or the video was cut"
            )
    return problems
