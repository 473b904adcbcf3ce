"""What `muybridge check` foresees beyond the files' own facts: options no step takes, a floor frame out of range, 2D
points of another length than the videos."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

from ..formats.video.reading import VideoError, probe_video
from .config import STEPS, Session, nearest_hint
from .step_options import SET_BY_SESSION


def foreseen_problems(session: Session) -> list[str]:
    """One sentence per thing that would stop a run, or a later step of it."""
    return option_problems(session) + floor_problems(session) + points_problems(session) + gait_problems(session)


def option_problems(session: Session) -> list[str]:
    """Options that a step's function does not take; each names the nearest that it does."""
    problems = []
    for step in STEPS:
        known = _known_options(session, step) if session.options[step] else None
        for name in session.options[step]:
            if name in SET_BY_SESSION[step]:
                problems.append(f"[{step}] '{name}' is set by the session itself; remove it")
            elif known is not None and name not in known:
                problems.append(f"[{step}] has no option '{name}'; {nearest_hint(name, known)}")
    return problems


def _known_options(session: Session, step: str) -> list[str] | None:
    """Names that a session may give a step; None where its function is not installed."""
    functions = _functions(session, step)
    if not functions:
        return None
    extra = {"train": ["labels"], "predict": ["detector"], "calibrate": ["intrinsics"], "reconstruct": ["method"]}
    parameters = [p for function in functions for p in inspect.signature(function).parameters.values()]
    names = [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY] + extra.get(step, [])
    if step == "train":
        from ..pose2d import TrainingConfig

        names += list(inspect.signature(TrainingConfig).parameters)
    return [name for name in dict.fromkeys(names) if name not in SET_BY_SESSION[step]]


def _functions(session: Session, step: str) -> list[Callable]:
    """The functions that a step's options go to; none where the extra is missing."""
    try:
        if step == "reconstruct":
            return _reconstructing(session)
        if step == "calibrate":
            from ..calibration import calibrate as function
        elif step == "train":
            from ..pose2d import train as function
        elif step == "predict" and session.sources("points"):
            from ..formats import read_views as function
        elif step == "predict":
            from ..pose2d import predict as function
        elif step == "kinematics":
            from ..kinematics import joint_angles as function
        else:
            from ..report import write_report as function
    except ModuleNotFoundError:
        return []
    return [function]


def _reconstructing(session: Session) -> list[Callable]:
    """`reconstruct`, and the function of its method, which takes what `reconstruct` hands on."""
    from ..triangulate import RECONSTRUCTION_METHODS, reconstruct

    own = RECONSTRUCTION_METHODS.get(str(session.options["reconstruct"].get("method", "smooth")))
    return [reconstruct] + ([own] if own else [])


def gait_problems(session: Session) -> list[str]:
    """Feet without a vertical, where the session calibrates its own cameras (a rig file may carry one)."""
    if not session.limbs or session.rig is not None or session.up is not None or session.floor_frame is not None:
        return []
    return [
        "[gait] needs the vertical; give [session] floor_frame (a frame in which the board lies on the floor) or up"
    ]


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
