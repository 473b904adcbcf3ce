"""What `muybridge check` foresees beyond the files' own facts: options no step takes, a floor frame out of range, 2D
points of another length than the videos."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from pathlib import Path

from ..formats.videos import VideoError, probe_video
from .config import STEPS, Session


def foreseen_problems(session: Session) -> list[str]:
    return option_problems(session) + floor_problems(session) + points_problems(session)


def option_problems(session: Session) -> list[str]:
    """Options that a step's function does not take; each names the nearest that it does."""
    problems = []
    for step in STEPS:
        known = _known_options(step) if session.options[step] else []
        for name in session.options[step]:
            if known and name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
                problems.append(f"[{step}] has no option '{name}'; {hint}")
    return problems


def _known_options(step: str) -> list[str]:
    """Names that a step takes; empty where its function hands unknown ones on, or is not installed."""
    function, extra = _function(step), {"train": ["labels"], "predict": ["detector"]}.get(step, [])
    if function is None:
        return []
    parameters = inspect.signature(function).parameters.values()
    names = [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY] + extra
    if step == "train":
        from ..pose2d import Recipe

        return names + list(inspect.signature(Recipe).parameters)
    return [] if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters) else names


def _function(step: str) -> Callable | None:
    try:
        if step == "calibrate":
            from ..calibration import calibrate as function
        elif step == "train":
            from ..pose2d import train as function
        elif step == "predict":
            from ..pose2d import predict as function
        elif step == "kinematics":
            from ..kinematics import joint_angles as function
        elif step == "report":
            from ..report import write_report as function
        else:
            from ..triangulate import reconstruct as function
    except ModuleNotFoundError:
        return None
    return function


def floor_problems(session: Session) -> list[str]:
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


def points_problems(session: Session) -> list[str]:
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
