"""The step "predict": videos, or 2D files, to keypoints in pixels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from ...datasets import combine_ensemble
from ...datasets.atomic_files import atomic_write
from ...datasets.netcdf import read_attributes
from ...datasets.stretches import write_pieces
from ...formats.predictions.detectors import has_several
from ...formats.video.instants import Instants
from ..config import Session, SessionError
from ..recording_facts import TRUNCATED, camera_timestamps, files_of, recording_instants, sources_of_all
from .foreign_detectors import detector_problems, named_settings, open_detector
from .pictures import size_problems
from .points_and_videos import length_problems, length_warnings, times_of_points
from .rig import load_rig, rig_path
from .step_definition import Step, WindowTasks, public
from .training import detector_path, has_points


def _prediction_inputs(session: Session) -> list[Path]:
    stamps, uses_rig = files_of(session.sources("timestamps")), _uses_rig(session)
    if has_points(session):
        return files_of(session.sources("points")) + stamps
    detector = detector_path(session)
    if detector is None:
        raise SessionError(
            f"{session.path}: 2D points have no source: give every camera a 'points' file, or [train] labels, or"
            f" [train] detector{'' if session.sources('video') else '; for the cameras alone, muybridge calibrate'}"
        )
    videos = files_of(sources_of_all(session, "video", "add it to its table [cameras.NAME]"))
    return [detector, *videos, *stamps, *([rig_path(session)] if uses_rig else [])]


def _uses_rig(session: Session) -> bool:
    """Whether the views of an instant are weighed together while predicting.

    Raises
    ------
    SessionError : the cameras are placed by the predicted points themselves, or no points are predicted
    """
    wanted = bool(session.options["predict"].get("use_rig", False))
    if wanted and session.sources("points"):
        raise SessionError(
            f"{session.path}: [predict] use_rig weighs the views together while a detector predicts, but the cameras"
            " have 2D files ('points'), which are read as they are; remove one of the two"
        )
    if wanted and session.options["calibrate"].get("from") == "points":
        raise SessionError(
            f"{session.path}: [predict] use_rig needs cameras before there are 2D points, but [calibrate] from ="
            ' "points" places them by these; remove one of the two'
        )
    return wanted


def _predict(session: Session, progress: bool, tasks: WindowTasks | None = None) -> None:
    """Views dataset from the 2D files of another tool (of several detectors combined), or by the session's detector."""
    from ...formats.predictions.long_recordings.windowed_views import views_in_windows

    if not has_points(session):
        _predict_videos(session, progress, tasks)
        return
    sources, instants = session.sources("points"), recording_instants(session)
    options = points_options(session, instants)
    windows = PREDICT.call(session, views_in_windows, sources, session.output, **options)
    with windows.held, atomic_write(session.output / "views.nc") as partial:
        notes = _notes_on_length(session, instants, windows.n_frames)
        like = windows.spread() if has_several(sources) else None

        def combined(piece: xr.Dataset) -> xr.Dataset:
            views = combine_ensemble(piece, like=like)
            lines = [*views.attrs.get("notes", "").splitlines(), *notes]
            return views.assign_attrs({"notes": "\n".join(lines)} if lines else {})

        pieces = map(combined, windows.pieces())
        write_pieces(_accepted(session, pieces, windows.n_frames), partial, windows.n_frames)


def _notes_on_length(session: Session, instants: Instants | None, n_frames: int) -> list[str]:
    """What is noted on the times and the length of the 2D files; an error where they are longer than their videos."""
    each = dict.fromkeys(session.cameras, n_frames)
    lengths = each if instants is None or instants.is_even else {}
    for problem in length_problems(session, lengths):
        raise SessionError(f"{session.path}: {problem}")
    return [*(() if instants is None else instants.notes), *length_warnings(session, lengths)]


def _accepted(session: Session, pieces: Iterable[xr.Dataset], n_frames: int) -> Iterator[xr.Dataset]:
    """The pieces of the views as they are written; an error at their end where they have too few points."""
    n_points: Any = 0
    for piece in pieces:
        n_points = n_points + _points_per_view(piece)
        yield piece.assign_attrs(PREDICT.input_attribute(session, piece.attrs))
    _refuse_few(session, n_points, n_frames)


def _predict_videos(session: Session, progress: bool, tasks: WindowTasks | None) -> None:
    from ...pose2d.prediction.prediction_run import PredictionOptions
    from ...pose2d.prediction.video_prediction import write_prediction

    path, videos = detector_path(session), session.sources("video")
    assert path is not None  # the step's inputs have refused the other case
    options = PREDICT.given(session) | {"fps": session.fps, "times": camera_timestamps(session), "progress": progress}
    options |= {"n_animals": session.n_animals, "checkpoint": PREDICT.checkpoint(session)}
    options |= {} if tasks is None else tasks._asdict()
    options |= {"rig": load_rig(session)} if _uses_rig(session) else {}

    def accepted(pieces: Iterable[xr.Dataset], n_frames: int) -> Iterator[xr.Dataset]:
        for piece in _accepted(session, pieces, n_frames):
            _refuse_truncated(videos, piece.attrs["damaged_frames"], n_frames)
            yield piece

    detector, destination = open_detector(session, path), session.output / "views.nc"
    how = PREDICT.call(session, PredictionOptions, **options)
    PREDICT.call(session, write_prediction, detector, videos, destination, how, accepted)


def points_options(session: Session, instants: Instants | None) -> dict[str, Any]:
    """The options with which the session's 2D files are read."""
    options = PREDICT.given(session) | times_of_points(session, instants)
    if session.options["reconstruct"].get("match_individuals", True) and session.identity != "known":
        options.setdefault("individuals", "numbered")
    return options


def views_of_points(session: Session, *, spread: bool = False) -> xr.Dataset:
    """The views of the session's 2D files; of a long recording the middle, or stretches spread over it.

    Raises
    ------
    FormatError : as `read_views`
    SessionError : a camera without a single point, which is a wrong file; or a single frame, which has no rate
    """
    from ...formats.predictions.long_recordings.windowed_views import views_in_windows

    sources, options = session.sources("points"), points_options(session, recording_instants(session))
    windows = views_in_windows(sources, None, **options)
    with windows.held:
        counted: Any = sum(_points_per_view(piece) for piece in windows.pieces())
        _refuse_few(session, counted, windows.n_frames)
        return combine_ensemble(windows.spread() if spread else windows.middle())


def _points_per_view(views: xr.Dataset) -> xr.DataArray:
    present = views["position"].notnull().all("space") & (views["confidence"] > 0)
    return present.sum([dim for dim in present.dims if dim != "view"])


def _refuse_few(session: Session, n_points: xr.DataArray, n_frames: int) -> None:
    if n_frames < 2:
        raise SessionError(
            f"{session.path}: the 2D points are of a single frame; a session needs two frames at least (one alone:"
            " triangulate_ransac in Python)"
        )
    empty = [str(name) for name in n_points["view"].values[n_points.values == 0]]
    if empty:
        raise SessionError(
            f"{session.path}: camera '{empty[0]}' has not a single 2D point with a confidence above 0; give another"
            " file, or leave the camera out"
        )


def _notes(session: Session) -> list[str]:
    """What the views note: gaps with camera and frames, a rate that varies or was overruled."""
    return str(read_attributes(session.output / "views.nc").get("notes", "")).splitlines()


def _refuse_truncated(videos: dict[str, Any], damaged: Sequence[int], n_frames: int) -> None:
    for (name, path), n_damaged in zip(videos.items(), damaged, strict=True):
        if n_damaged > TRUNCATED * n_frames:
            path = path if isinstance(path, Path) else path[0]
            raise SessionError(
                f"camera '{name}': {n_damaged} of {n_frames} frames of {path} cannot be decoded; it is truncated or"
                " damaged: copy it again"
            )


PREDICT = Step(
    name="predict",
    functions=lambda session: public("formats.read_views" if session.sources("points") else "pose2d.predict"),
    inputs=_prediction_inputs,
    outputs=lambda session: [session.output / "views.nc"],
    work=_predict,
    set_by_session=("progress", "checkpoint", "fps", "times", "n_animals", "rig"),
    own_entries=("detector", "use_rig"),
    depends_on=lambda session: (
        {"fps": session.fps, "cameras": list(session.cameras), "up": session.up}
        | ({"n_animals": session.n_animals} if session.n_animals else {})
        | named_settings(session)
    ),
    refusals=lambda session: size_problems(session) + detector_problems(session),
    notes=_notes,
    in_windows=True,
)
