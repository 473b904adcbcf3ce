"""The step "train": labelled frames to a detector, and which detector a session predicts with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import Session, SessionError, read_session
from ..recording_facts import sources_of_all
from .foreign_detectors import ENTRIES, named_detector, open_detector
from .rig import load_rig, rig_path
from .step_definition import Step, public

if TYPE_CHECKING:
    from ...formats.labels.labelled_frames import Labels


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
    return bool({"labels", "sessions"} & session.options["train"].keys()) and not has_points(session)


def _label_problems(session: Session) -> list[str]:
    if session.sources("points") or not _trains(session):
        return []
    folders = {folder: owner is session for folder, owner in _labelled(session)}
    if not folders:
        return ["[train] sessions name no session with [train] labels of its own; name one, or give labels"]
    return _problems_of_labels(folders, session.n_animals)


def _problems_of_labels(folders: Mapping[Path, bool], count: int | None) -> list[str]:
    """One sentence where labels cannot be read, pictures show more labelled animals than `count`, or none tells several
    apart.

    folders : {folder of labelled frames: whether they are of this recording}; absent ones are left out
    """
    from ...formats.labels.labelled_frames import join_labels
    from ...formats.labels.reading import read_labels

    try:
        parts = {folder: read_labels(folder) for folder in folders if folder.exists()}
        most = join_labels(list(parts.values())).n_animals if parts else 0
    except (ValueError, OSError) as error:
        return [str(error)]
    if count is None:
        return []
    for labels in (labels for folder, labels in parts.items() if folders[folder]):
        if labels.n_animals > count:
            picture, n_labelled = Counter(labels.pictures).most_common(1)[0]
            return [
                f"{picture} has {n_labelled} labelled animals, but [animals] count is {count}; set count ="
                f" {n_labelled}, or take out the labels of what is no animal"
            ]
    if parts and most == 1 < count:
        return [
            f"[animals] count is {count}, but no picture has labels of more than one animal; label every animal of a"
            " picture, each as an individual of its own, or set count = 1"
        ]
    return []


def has_points(session: Session) -> bool:
    """Whether every camera has a file of 2D points; an error where only some have."""
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
