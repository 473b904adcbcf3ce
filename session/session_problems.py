"""What would stop a session from running, found before it runs.

Missing files and tables, unknown options, a floor frame out of range, a rig that cannot be read or lacks a camera, 2D
points that cannot be read together, are of another length than the videos, lack a keypoint or do not fit the rig.
"""

from __future__ import annotations

from pathlib import Path

from ..datasets import combine_ensemble
from ..formats.video.reading import VideoError, probe_video
from .config import Session
from .recording_facts import recording_instants
from .session_run import missing_inputs
from .steps import ALL_STEPS
from .steps.calibration import CALIBRATE, from_points
from .steps.detection import points_options, refuse_empty
from .steps.foreign_detectors import detector_problems
from .steps.kinematics import VERTICAL_NEEDED
from .steps.pictures import lens_warnings, points_outside, world_unit
from .steps.plausibility import implausibilities, rounded_points
from .steps.reconstruction import needed_keypoints, view_problems, without
from .steps.rig import load_rig, rig_path
from .steps.step_definition import Step, ledger_of
from .steps.view_corrections import corrected


def foreseen_problems(session: Session) -> list[str]:
    """One sentence per thing that would stop a run, or a later step of it."""
    return foreseen(session)[0]


def foreseen(session: Session) -> tuple[list[str], list[str]]:
    """The sentences of `foreseen_problems`, and the warnings that a run would give about views and rig, worst first."""
    problems, warnings = [], list[str]()
    if len(session.cameras) < 2:
        problems.append("3D needs at least two cameras; add another [cameras.NAME]")
    for place in (session.output, *session.output.parents):
        if place.exists() and not place.is_dir():
            problems.append(f"{place} is a file where the results go; move it, or give [session] output")
    for step in ALL_STEPS.values():
        problems += _source_problems(session, step) + step.problems(session)
    if session.rig is None:  # the session calibrates its own cameras
        given = session.options["calibrate"]
        problems += [] if from_points(session) else _board_problems(session) + _floor_problems(session)
        level = from_points(session) and ("up" in given or "floor" in given)
        if session.limbs and session.up is None and session.floor_frame is None and not level:
            problems.append(VERTICAL_NEEDED)
    problems += _points_problems(session) + detector_problems(session)
    if not problems and session.sources("points"):
        problems, warnings = _judged_views(session)
    return list(dict.fromkeys(problems)), warnings


def _has_rig(session: Session) -> bool:
    """Whether the session's cameras are there: in a rig file, or calibrated from the present board recordings."""
    if session.rig is not None or not rig_path(session).exists():
        return session.rig is not None
    return ledger_of(session).is_current("calibrate", CALIBRATE.fingerprint(session), CALIBRATE.outputs(session))


def _judged_views(session: Session) -> tuple[list[str], list[str]]:
    """Problems and warnings of the 2D points of all cameras together, and with the rig where there is one already."""
    from ..formats import read_views
    from ..triangulate import diagnose

    try:
        options = points_options(session, recording_instants(session))
        views = combine_ensemble(read_views(session.sources("points"), **options))
        refuse_empty(session, views)
        if session.skeleton is not None:
            views = views.sel(keypoint=needed_keypoints(session, list(map(str, views["keypoint"].values))))
        if not _has_rig(session):
            return points_outside(session, views), []
        found = corrected(session, views, load_rig(session))
    except (ValueError, OSError, TypeError) as error:
        return [str(error)], []
    diagnosis = diagnose(found.views, found.rig)
    problems = view_problems(session, found.views, diagnosis)
    if problems:
        return problems, []
    used = without(found.views, diagnosis.wrong)
    doubts = implausibilities(session, used, found.rig)
    doubts += rounded_points(used, diagnosis.cameras["sigma_px"].to_dict())
    return [], [*lens_warnings(found.rig), *diagnosis.messages, *doubts]


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


def unit_words(session: Session) -> str:
    """The unit of the session's lengths, and who says so."""
    if session.rig is None:
        return session.unit
    try:
        return f"{world_unit(session)} (of {session.rig.name})"
    except (ValueError, OSError):
        return session.unit
