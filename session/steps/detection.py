"""The steps "train" and "predict": labelled frames to a detector, and videos (or 2D files) to keypoints in pixels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import Session, SessionError, read_session
from ..recording_facts import TRUNCATED, camera_timestamps, files_of, recording_instants, sources_of_all
from .foreign_detectors import ENTRIES, detector_problems, named_detector, named_settings, open_detector
from .labelled_animals import label_problems
from .pictures import size_problems
from .points_and_videos import judged_frames, length_problems, length_warnings, times_of_points
from .rig import load_rig, rig_path
from .step_definition import Step, WindowTasks, public

if TYPE_CHECKING:
    import xarray as xr

    from ...formats.labels.labelled_frames import Labels
    from ...formats.video.instants import Instants


def detector_path(session: Session) -> Path | None:
    """The detector that predicts: the one named by [predict] detector, else the trained one, else that of [train]."""
    named = session.options["predict"].get("detector")
    if named is not None:
        return session.folder / named
    return session.output / "detector.safetensors" if _trains(session) else named_detector(session)


def _detector_is_used(session: Session) -> bool:
    """Whether the step "predict" takes the detector that the session trains, and none that [predict] names."""
    path = detector_path(session)
    return path is not None and path.resolve() == (session.output / "detector.safetensors").resolve()


def label_folders(session: Session) -> list[Path]:
    """Where the labelled frames lie, of the session and of those that [train] sessions names."""
    return [folder for folder, _ in _labelled(session)]


def _labelled(session: Session) -> list[tuple[Path, Session]]:
    """The folders of labelled frames, each with the session whose cameras filmed them."""
    seen, coming, once = {session.path}, [session], dict[Path, tuple[Path, Session]]()
    while coming:  # sessions may name each other
        owner = coming.pop(0)
        labels = owner.options["train"].get("labels", [])
        for entry in labels if isinstance(labels, list) else [labels]:
            folder = owner.folder / entry
            once.setdefault(folder.resolve(), (folder, owner))
        for other in map(read_session, (owner.folder / entry for entry in owner.options["train"].get("sessions", []))):
            if other.path not in seen:
                seen.add(other.path)
                coming.append(other)
    return list(once.values())


def _trains(session: Session) -> bool:
    return bool({"labels", "sessions"} & session.options["train"].keys()) and not _has_points(session)


def _label_problems(session: Session) -> list[str]:
    if session.sources("points") or not _trains(session):
        return []
    folders = {folder: owner is session for folder, owner in _labelled(session)}
    if not folders:
        return ["[train] sessions name no session with [train] labels of its own; name one, or give labels"]
    return label_problems(folders, session.n_animals)


def _has_points(session: Session) -> bool:
    return bool(session.sources("points") and sources_of_all(session, "points", "others have one: give all or none"))


def _training_inputs(session: Session) -> list[Path]:
    rigs = dict.fromkeys(rig_path(owner) for _, owner in _labelled(session))
    return label_folders(session) + list(_training_files(session).values()) + [rig for rig in rigs if rig.exists()]


def _training_files(session: Session) -> dict[str, Path]:
    """The files of earlier weights that the options name; "imagenet" and "efficientnet-lite0" name none."""
    options = session.options["train"]
    named = {name: options[name] for name in ("weights", "start") if name in options}
    if "detector" in options:
        named["start"] = options["detector"]
    return {
        name: session.folder / path for name, path in named.items() if path not in ("imagenet", "efficientnet-lite0")
    }


def _train(session: Session, progress: bool) -> None:
    from ...pose2d import join_labels, train

    labels = join_labels(read_session_labels(session))
    if session.skeleton is not None and set(labels.keypoints) != set(session.skeleton.keypoints):
        different = sorted(set(labels.keypoints) ^ set(session.skeleton.keypoints))
        raise SessionError(
            f"{session.path}: the labels and the [skeleton] do not name the same keypoints: {different} are in one only"
        )
    options: dict[str, Any] = TRAIN.given(session) | _training_files(session)
    if "start" in options:
        options["start"] = open_detector(session, options["start"])
        if "detector" in session.options["train"]:
            options.setdefault("keep_keypoints", False)
    checkpoint = TRAIN.checkpoint(session)
    detector = TRAIN.call(session, train, labels, progress=progress, checkpoint=checkpoint, **options)
    detector.save(session.output / "detector.safetensors")
    checkpoint.unlink(missing_ok=True)


def _grouping(session: Session) -> list[str]:
    """How the trained detector finds several animals, and why so."""
    from ...pose2d import load_detector

    detector = load_detector(session.output / "detector.safetensors")
    how = detector.history.get("grouping")
    return [f"several animals are found {how}; [train] grouping changes it"] if how else []


def read_session_labels(session: Session) -> list[Labels]:
    """The labels of each session, with the places of hidden keypoints where its cameras are known."""
    from ...pose2d import join_labels, read_labels
    from ...triangulate import label_hidden

    folders: dict[Session, list[Path]] = {}
    for folder, owner in _labelled(session):
        folders.setdefault(owner, []).append(folder)
    parts = []
    for owner, own in folders.items():
        labels = join_labels([read_labels(folder) for folder in own])
        parts.append(label_hidden(labels, load_rig(owner)) if rig_path(owner).exists() else labels)
    return parts


def _prediction_inputs(session: Session) -> list[Path]:
    stamps, uses_rig = files_of(session.sources("timestamps")), _uses_rig(session)
    if _has_points(session):
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
    from ...datasets.atomic_files import atomic_write
    from ...datasets.stretches import write_pieces
    from ...formats.predictions.detectors import has_several
    from ...formats.predictions.long_recordings.windowed_views import views_in_windows

    if not _has_points(session):
        _predict_videos(session, progress, tasks)
        return
    (function,), instants = PREDICT.functions(session), recording_instants(session)
    sources, options = session.sources("points"), points_options(session, instants)
    destination = session.output / "views.nc"
    windows = PREDICT.call(session, views_in_windows, sources, session.output, **options)
    if windows is None:
        read = PREDICT.call(session, function, sources, **options)
        notes = _notes_on_length(session, instants, read.sizes["time"])
        (views,) = _accepted(session, iter([read]), read.sizes["time"], notes)
        PREDICT.write(session, views, destination)
        return
    with windows.held, atomic_write(destination) as partial:
        notes = _notes_on_length(session, instants, windows.n_frames)
        like = windows.spread() if has_several(sources) else None
        write_pieces(_accepted(session, windows.pieces(), windows.n_frames, notes, like), partial, windows.n_frames)


def _notes_on_length(session: Session, instants: Instants | None, n_frames: int) -> list[str]:
    """What is noted on the times and the length of the 2D files; an error where they are longer than their videos."""
    each = dict.fromkeys(session.cameras, n_frames)
    lengths = each if instants is None or instants.is_even else {}
    for problem in length_problems(session, lengths):
        raise SessionError(f"{session.path}: {problem}")
    return [*(() if instants is None else instants.notes), *length_warnings(session, lengths)]


def _accepted(
    session: Session, pieces: Iterable[xr.Dataset], n_frames: int, notes: list[str], like: xr.Dataset | None = None
) -> Iterator[xr.Dataset]:
    """The pieces of the views as they are written; an error at their end where they have too few points.

    like : frames of the whole recording, by which the predictions of several detectors are combined
    """
    from ...datasets import combine_ensemble

    n_points: Any = 0
    for piece in pieces:
        views = combine_ensemble(piece, like=like)
        n_points = n_points + _points_per_view(views)
        lines = [*views.attrs.get("notes", "").splitlines(), *notes]
        yield views.assign_attrs(
            PREDICT.input_attribute(session, views.attrs), **{"notes": "\n".join(lines)} if lines else {}
        )
    _refuse_few(session, n_points, n_frames)


def _predict_videos(session: Session, progress: bool, tasks: WindowTasks | None) -> None:
    from ...pose2d.prediction.predicted_rows import PredictionOptions
    from ...pose2d.prediction.video_prediction import write_prediction

    path, videos = detector_path(session), session.sources("video")
    assert path is not None  # the step's inputs have refused the other case
    options = PREDICT.given(session) | {"fps": session.fps, "times": camera_timestamps(session), "progress": progress}
    options |= {"n_animals": session.n_animals, "checkpoint": PREDICT.checkpoint(session)}
    options |= {} if tasks is None else tasks._asdict()
    options |= {"rig": load_rig(session)} if _uses_rig(session) else {}

    def accepted(pieces: Iterable[xr.Dataset], n_frames: int) -> Iterator[xr.Dataset]:
        n_points: Any = 0
        for piece in pieces:
            _refuse_truncated(videos, piece.attrs["damaged_frames"], n_frames)
            n_points = n_points + _points_per_view(piece)
            yield piece.assign_attrs(PREDICT.input_attribute(session, piece.attrs))
        _refuse_few(session, n_points, n_frames)

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
    from ...datasets import combine_ensemble
    from ...formats import read_views
    from ...formats.predictions.long_recordings.windowed_views import views_in_windows

    sources, options = session.sources("points"), points_options(session, recording_instants(session))
    windows = views_in_windows(sources, None, **options)
    if windows is None:
        read = read_views(sources, **options)
        _refuse_few(session, _points_per_view(read), read.sizes["time"])
        return combine_ensemble(read)
    with windows.held:
        counted: Any = sum(_points_per_view(piece) for piece in windows.pieces())
        _refuse_few(session, counted, windows.n_frames)
        if spread:
            return combine_ensemble(windows.spread())
        first = windows.between(0, 1).sizes
        judged = judged_frames(windows.n_frames, first["keypoint"] * first.get("individual", 1))
        return combine_ensemble(windows.between(judged.start, judged.stop))


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
    from ...datasets.netcdf import read_attributes

    return str(read_attributes(session.output / "views.nc").get("notes", "")).splitlines()


def _refuse_truncated(videos: dict[str, Any], damaged: Sequence[int], n_frames: int) -> None:
    for (name, path), n_damaged in zip(videos.items(), damaged, strict=True):
        if n_damaged > TRUNCATED * n_frames:
            path = path if isinstance(path, Path) else path[0]
            raise SessionError(
                f"camera '{name}': {n_damaged} of {n_frames} frames of {path} cannot be decoded; it is truncated or"
                " damaged: copy it again"
            )


TRAIN = Step(
    name="train",
    functions=lambda session: public("pose2d.train", "pose2d.TrainingConfig"),
    inputs=_training_inputs,
    outputs=lambda session: [session.output / "detector.safetensors"],
    work=_train,
    set_by_session=("progress", "checkpoint", "held_out", "config"),
    own_entries=("labels", "sessions", *ENTRIES),
    asked_for=_trains,
    is_used=_detector_is_used,
    refusals=_label_problems,
    notes=_grouping,
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
