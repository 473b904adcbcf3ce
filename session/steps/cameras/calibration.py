"""The step "calibrate": board recordings, or 2D points and lenses, to cameras and the report of their calibration."""

from __future__ import annotations

import inspect
import json
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from ....datasets import read_dataset
from ...config import Session, SessionError
from ...provenance import write_text
from ...recording_facts import camera_timestamps, check_board_videos, files_of
from ..detection import views_of_points
from ..pictures import picture_settings, tracked_rig
from ..step_definition import Step, public, skeleton_settings
from .board_sources import as_source, board_recordings, boards_of_recordings, recordings_of_boards

if TYPE_CHECKING:
    from ....calibration import Calibration, CalibrationReport
    from ....cameras import CameraRig


def read_calibration_report(session: Session) -> CalibrationReport | None:
    """The report that this step wrote, None where the cameras come from elsewhere."""
    from ....calibration import CalibrationReport

    path = session.output / "calibration.json"
    if not path.exists():
        return None
    try:
        return CalibrationReport.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError) as error:
        raise SessionError(f"{path} is damaged; run 'muybridge calibrate --force {session.path}'") from error


def from_points(session: Session) -> bool:
    """Whether the cameras are placed by the 2D points of the recording itself, with known lenses."""
    return session.options["calibrate"].get("from", "board") == "points"


def from_own_views(session: Session) -> bool:
    """Whether these points are those of the session's own detector, which then runs before the cameras are placed."""
    return from_points(session) and not session.sources("points")


def _refusals(session: Session) -> list[str]:
    """What `from` needs."""
    source = session.options["calibrate"].get("from", "board")
    if source not in ("board", "points"):
        return [f"[calibrate] from is {source!r}; known: 'board', 'points'"]
    if source == "board":
        return []
    lacking = [name for name in session.cameras if name not in session.sources("points")]
    lacking = [] if from_own_views(session) else lacking
    if "intrinsics" not in session.options["calibrate"]:
        return ["[calibrate] from = 'points' keeps the cameras' lenses; name their file as intrinsics = 'lenses.toml'"]
    if lacking:
        return [
            f"[calibrate] from = 'points' needs 2D points of every camera; camera '{lacking[0]}' has no 'points',"
            " others have: give all or none (then the session's own detector finds them)"
        ]
    return []


def _inputs(session: Session) -> list[Path]:
    """The recordings of boards or the 2D points, and the rig file whose lenses are kept, if the session names one."""
    named = session.options["calibrate"].get("intrinsics")
    kept = [] if named is None else [session.folder / named]
    if from_points(session):
        points = [session.output / "views.nc"] if from_own_views(session) else files_of(session.sources("points"))
        return points + files_of(session.sources("timestamps")) + kept
    boards = [path for recording in board_recordings(session).values() for path in files_of(recording)]
    lenses, stamps = (files_of(session.sources(kind)) for kind in ("lens_board", "board_timestamps"))
    return list(dict.fromkeys(boards)) + lenses + stamps + kept


def calibrate_lenses(session: Session, *, progress: bool = True) -> tuple[Path, dict[str, CalibrationReport]]:
    """Calibrate each camera's lens alone and write lenses.toml.

    A camera's pictures are those of its `lens_board`, else of its `board`, else of all [board_recordings] that show it.

    The options of [calibrate] that `calibrate_intrinsics` takes are used.

    Returns
    -------
    the file, whose cameras all stand at the origin, and the report of each camera

    Raises
    ------
    SessionError : a camera has none of them
    CalibrationError : as `calibrate_intrinsics`
    """

    from ....calibration import calibrate_intrinsics
    from ....cameras import CameraRig, write_rig

    files = {name: camera.lens_board or camera.board for name, camera in session.cameras.items()}
    sources = {name: as_source(source) for name, source in files.items() if source is not None}
    sources |= _all_pictures(session, [name for name in files if name not in sources], progress)
    lacking = [name for name in files if name not in sources]
    if lacking:
        raise SessionError(
            f"{session.path}: camera '{lacking[0]}' has neither 'lens_board' nor 'board' and is in none of"
            " [board_recordings]; add one"
        )
    taken = inspect.signature(calibrate_intrinsics).parameters
    options = {name: value for name, value in CALIBRATE.given(session).items() if name in taken}
    options = {"unit": session.unit, **options, "progress": progress, "cache": _cache(session)}
    found = CALIBRATE.call(session, calibrate_intrinsics, sources, session.make_board(), **options)
    session.output.mkdir(parents=True, exist_ok=True)
    path = session.output / "lenses.toml"
    write_rig(CameraRig(tuple(lens.rig[name] for name, lens in found.items()), unit=session.unit), path)
    return path, {name: lens.report for name, lens in found.items()}


def _all_pictures(session: Session, cameras: Sequence[str], progress: bool) -> dict[str, Any]:
    """{camera: detections} of all [board_recordings] that show a camera, one after the other."""
    from ....calibration.boards.gathering import gather_recordings
    from ....calibration.boards.recordings import join_recordings

    filmed = {
        name: {camera: as_source(source) for camera, source in recording.sources.items() if camera in cameras}
        for name, recording in session.board_recordings.items()
    }
    filmed = {name: own for name, own in filmed.items() if own}
    if not filmed:
        return {}
    frame_step = session.options["calibrate"].get("frame_step", 1)
    found = gather_recordings(
        filmed, boards_of_recordings(session, filmed), frame_step=frame_step, cache=_cache(session), progress=progress
    )
    return dict(join_recordings(found)[0])


def _placing_views(session: Session) -> xr.Dataset:
    """The 2D points that place the cameras: of the files of other tools, or what the session's detector found."""
    if from_own_views(session):
        return read_dataset(session.output / "views.nc")
    return views_of_points(session, spread=True)


def _calibrate_from_points(session: Session) -> None:
    """Place the cameras of a lens file by the session's 2D points."""
    from ....cameras import write_rig
    from ....triangulate import calibrate_from_points

    lenses = _known_lenses(session)
    unknown = [name for name in session.cameras if name not in lenses.names]
    if unknown:
        raise SessionError(f"{session.path}: [calibrate] intrinsics has no camera '{unknown[0]}': {list(lenses.names)}")
    lenses = lenses.subset(session.cameras)
    options = {"unit": session.unit, "skeleton": session.skeleton, **CALIBRATE.given(session)}
    views, lenses_shown = _placing_views(session), tracked_rig(session, lenses)
    found = CALIBRATE.call(session, calibrate_from_points, views, lenses_shown, **options)
    cameras = tuple(replace(lens, R=found.rig[lens.name].R, t=found.rig[lens.name].t) for lens in lenses)
    write_text(session.output / "calibration.json", json.dumps(found.report.as_dict(), indent=1))
    write_rig(replace(found.rig, cameras=cameras), session.output / "rig.toml")


def _known_lenses(session: Session) -> CameraRig:
    """The session's file of lenses, which need no poses."""
    from ....cameras import SamePoseWarning, read_rig

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SamePoseWarning)
        return read_rig(session.folder / session.options["calibrate"]["intrinsics"])


def review_path(session: Session) -> Path:
    """The page that shows the calibration picture by picture, where it was asked for."""
    return session.output / "calibration_review.html"


def review_calibration(session: Session, *, progress: bool = True) -> Path:
    """Calibrate from the corners found before and write calibration_review.html, which shows picture by picture.

    Raises
    ------
    SessionError : the session does not calibrate its cameras by a board
    CalibrationError : as `calibrate`
    """
    from ....report import write_calibration_review

    check_board_review(session)
    calibration = _calibration(session, progress)
    return write_calibration_review(
        review_path(session), calibration, recordings_of_boards(session), title=session.name
    )


def check_board_review(session: Session) -> None:
    """Refuse a review of cameras that no board calibrates."""
    if session.rig is not None or from_points(session):
        source = "come from a rig file" if session.rig is not None else "are placed by 2D points"
        raise SessionError(f"{session.path}: the cameras {source}; a review shows the pictures of a board")


def _calibrate(session: Session, progress: bool) -> None:
    from ....cameras import write_rig

    review_path(session).unlink(missing_ok=True)  # it shows the cameras before these
    if from_points(session):
        return _calibrate_from_points(session)
    check_board_videos(session)
    calibration = _calibration(session, progress)
    write_text(session.output / "calibration.json", json.dumps(calibration.report.as_dict(), indent=1))
    write_rig(calibration.rig, session.output / "rig.toml")


def _calibration(session: Session, progress: bool) -> Calibration:
    """The session's cameras from its recordings of boards, in the world of its floor frame."""
    from ....calibration import calibrate, world_from_board

    sources = recordings_of_boards(session)
    board = boards_of_recordings(session, sources)
    options = {"unit": session.unit, **CALIBRATE.given(session), "cache": _cache(session)}
    stamps = camera_timestamps(session, "board_timestamps")
    several = any(isinstance(source, dict) for source in sources.values())
    options["times"] = {"board": stamps} if stamps is not None and several else stamps
    if "intrinsics" in session.options["calibrate"]:
        options["intrinsics"] = _known_lenses(session)
    calibration = CALIBRATE.call(session, calibrate, sources, board, progress=progress, **options)
    return calibration if session.floor_frame is None else world_from_board(calibration, session.floor_frame)


def _cache(session: Session) -> Path | None:
    """Where found corners are kept: in the session's results, never among the recordings."""
    given = session.options["calibrate"].get("cache", True)
    if isinstance(given, str):
        return session.folder / given
    return session.output / "board_corners" if given else None


CALIBRATE = Step(
    name="calibrate",
    functions=lambda session: public(
        "triangulate.calibrate_from_points" if from_points(session) else "calibration.calibrate"
    ),
    inputs=_inputs,
    outputs=lambda session: [session.output / "rig.toml", session.output / "calibration.json"],
    work=_calibrate,
    set_by_session=("progress", "times", "board", "confidence", "keypoints", "skeleton"),
    own_entries=("intrinsics", "from", "cache"),
    refusals=_refusals,
    depends_on=lambda session: {
        "board": session.board,
        "board_recordings": {
            name: [list(recording.sources), recording.board] for name, recording in session.board_recordings.items()
        },
        "unit": session.unit,
        "cameras": list(session.cameras),
        "floor_frame": session.floor_frame,
        **(skeleton_settings(session) | picture_settings(session) if from_points(session) else {}),
    },
    asked_for=lambda session: session.rig is None,
)
