"""What would stop a session from running, found before it runs.

Missing files and tables, unknown options, a floor frame out of range, a rig that cannot be read or lacks a camera, 2D
points that cannot be read together, are of another length than the videos, lack a keypoint or do not fit the rig.
"""

from __future__ import annotations

from pathlib import Path

from ..formats.video.reading import VideoError, probe_video
from .config import Session
from .recording_facts import expected_gaps
from .session_run import missing_inputs
from .steps import ALL_STEPS
from .steps.cameras.calibration import CALIBRATE, from_points
from .steps.corrections.corrected_views import corrected
from .steps.detection import views_of_points
from .steps.kinematics import VERTICAL_NEEDED
from .steps.pictures import world_unit
from .steps.plausibility import sizes, view_warnings, with_stated_pictures
from .steps.points_and_videos import length_of, length_problems, length_warnings, points_outside
from .steps.rig import load_rig, rig_path
from .steps.step_definition import Step, ledger_of
from .steps.usable_views import needed_keypoints, view_problems, without


def foreseen(session: Session) -> tuple[list[str], list[str], list[str]]:
    """What `muybridge check` finds without a run.

    Returns
    -------
    one sentence per thing that would stop a run, or a later step of it
    the warnings that a run would give about views and rig, the worst first
    what only the reader can tell to be wrong: frames without points, how large cameras and animal are
    """
    problems = list[str]()
    if len(session.cameras) < 2:
        problems.append("3D needs at least two cameras; add another [cameras.NAME]")
    for place in (session.output, *session.output.parents):
        if place.exists() and not place.is_dir():
            problems.append(f"{place} is a file where the results go; move it, or give [session] output")
    for step in ALL_STEPS.values():
        problems += _source_problems(session, step) + step.problems(session)
    if session.rig is not None:
        problems += _vertical_problems(session)
    else:  # the session calibrates its own cameras
        given = session.options["calibrate"]
        problems += [] if from_points(session) else _board_problems(session) + _floor_problems(session)
        level = from_points(session) and ("up" in given or "floor" in given)
        if session.limbs and session.up is None and session.floor_frame is None and not level:
            problems.append(VERTICAL_NEEDED)
    (of_points, short), (of_videos, gaps) = _points_problems(session), expected_gaps(session)
    problems += of_points + of_videos
    implausible, told = list[str](), list[str]()
    if not problems and session.sources("points"):
        problems, implausible, told = _judged_views(session)
    return list(dict.fromkeys(problems)), [*implausible, *short, *gaps], told


def _has_rig(session: Session) -> bool:
    """Whether the session's cameras are there: in a rig file, or calibrated from the present board recordings."""
    if session.rig is not None or not rig_path(session).exists():
        return session.rig is not None
    return ledger_of(session).is_current("calibrate", CALIBRATE.fingerprint(session), CALIBRATE.outputs(session))


def _judged_views(session: Session) -> tuple[list[str], list[str], list[str]]:
    """Problems, warnings and notes on the 2D points of all cameras, and with the rig where there is one already."""
    from ..triangulate import diagnose

    try:
        views = views_of_points(session)
        notes = str(views.attrs.get("notes", "")).splitlines()
        views = views.sel(keypoint=needed_keypoints(session, list(map(str, views["keypoint"].values))))
        if not _has_rig(session):
            return points_outside(session, views), [], notes
        found = corrected(session, views, load_rig(session))
    except (ValueError, OSError, TypeError) as error:
        return [str(error)], [], []
    diagnosis = with_stated_pictures(session, diagnose(found.views, found.rig))
    problems = view_problems(session, found.views, found.rig, diagnosis)
    if problems:
        return problems, [], []
    used = without(found.views, diagnosis.wrong)
    warnings = [*view_warnings(session, used, found.rig, diagnosis), *diagnosis.messages]
    return [], warnings, [*notes, *sizes(used, found.rig)]


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


def _vertical_problems(session: Session) -> list[str]:
    """A gait whose vertical neither the session nor its rig file states."""
    if not session.limbs or session.up is not None:
        return []
    try:
        return [] if load_rig(session).up is not None else [VERTICAL_NEEDED]
    except (ValueError, OSError):
        return []  # the reconstruction's own problem


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


def _points_problems(session: Session) -> tuple[list[str], list[str]]:
    """Problems and warnings: 2D files that cannot be read, or that end after or long before their videos."""
    from ..formats.predictions.detectors import files_of_detectors

    points, problems, lengths = session.sources("points"), [], dict[str, int]()
    try:
        _ = points and files_of_detectors(points)
    except ValueError as error:
        problems.append(str(error))
    for name, path in points.items():
        try:
            lengths[name] = length_of(name, path, session.fps)
        except (ValueError, OSError) as error:
            problems.append(f"camera '{name}': {error}")
    return problems + length_problems(session, lengths), length_warnings(session, lengths)


def rate_words(session: Session) -> str:
    """The frame rate, or which files say it."""
    if session.fps is not None:
        return f"{session.fps:g} (stated)"
    files = next((what for what in ("timestamps", "video") if session.sources(what)), None)
    return {"timestamps": "as the timestamps say", "video": "as the videos say", None: "not stated"}[files]


def unit_words(session: Session) -> str:
    """The unit of the session's lengths, and who says so."""
    if session.rig is None:
        return session.unit
    try:
        return f"{world_unit(session)} (of {session.rig.name})"
    except (ValueError, OSError):
        return session.unit
