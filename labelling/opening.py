"""From what the command is given (a session, a project, pictures, one video) to the projects that the page offers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cameras import CameraRig
from ..formats.labels.labelled_frames import LabelError
from ..formats.video.reading import VIDEO_SUFFIXES, VideoSource
from ..session import Session, SessionError, read_session
from ..session.recording_facts import recording_instants
from ..session.steps.reconstruction_files import used_rig
from ..session.steps.training import label_folders
from .label_project import LabelProject
from .picture_folders import find_picture_folders
from .proposed_points import ProposedPoints, proposals_of_files, proposals_of_session

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class LabelSource:
    """What there is to label.

    roots : {name: folder of a project}; those of a session need not exist yet
    chosen : name of the project to begin with
    """

    roots: dict[str, Path]
    chosen: str
    session: Session | None = None
    videos: Mapping[str, VideoSource] = field(default_factory=dict)
    frames: Mapping[str, NDArray[np.int64]] | None = None
    keypoints: tuple[str, ...] = ()
    bones: tuple[tuple[str, str], ...] = ()
    proposal_files: tuple[str, ...] = ()

    def project(self, name: str) -> LabelProject:
        """Open one of the projects. Raises LabelError as `LabelProject`."""
        return LabelProject(
            self.roots[name], keypoints=self.keypoints, bones=self.bones, videos=self.videos, frames=self.frames
        )

    def rig(self) -> CameraRig | None:
        """The calibrated cameras of the session; None where they are not calibrated."""
        if self.session is None:
            return None
        try:
            return used_rig(self.session)
        except (ValueError, OSError):
            return None

    def proposals(self, project: LabelProject) -> ProposedPoints:
        """Points of the named files, or of the session's results where the project's pictures are of its videos."""
        if self.proposal_files:
            return proposals_of_files(self.proposal_files, project.cameras)
        if self.session is None or not project.videos:
            return ProposedPoints()
        return proposals_of_session(self.session)

    def renewed(self) -> LabelSource:
        """The same after a step has run: the session's projects are looked for again."""
        if self.session is None:
            return self
        session = read_session(self.session.path)
        return replace(self, session=session, roots=self.roots | _session_roots(session))


def open_source(
    source: Path,
    *,
    labels: Path | None = None,
    keypoints: Sequence[str] = (),
    proposals: Sequence[str] = (),
    n: int = 20,
    say: Say = lambda line: None,
) -> LabelSource:
    """Find out what a path holds.

    Parameters
    ----------
    source : a session file or its folder, a project, a folder of pictures (or of one folder per camera), or a video
    labels : the project to label; None: of a session the last with pictures, of a video VIDEO-labels
    keypoints : names, where nothing else states them
    proposals : 2D files of unconfirmed points, CAMERA=FILE
    n : instants that are extracted from a video that has no project yet

    Raises
    ------
    LabelError : there is nothing to label
    SessionError, VideoError : the session or the video cannot be read
    """
    common: dict[str, Any] = {"keypoints": tuple(keypoints), "proposal_files": tuple(proposals)}
    if source.is_file() and source.suffix.lower() in VIDEO_SUFFIXES:
        root = labels or source.with_name(f"{source.stem}-labels")
        if not find_picture_folders(root):
            _extract(source, root, n, common["keypoints"], say)
        return LabelSource({root.name: root}, root.name, videos={source.stem: source}, **common)
    if source.suffix == ".toml" or (source / "session.toml").is_file():
        return _of_session(read_session(source), labels, common)
    root = labels or source
    if not find_picture_folders(root):
        raise LabelError(
            f"{root} holds no pictures to label and no session.toml; for videos write one with 'muybridge init"
            f" {source}', or name one video"
        )
    return LabelSource({root.resolve().name: root}, root.resolve().name, **common)


def _extract(video: Path, root: Path, n: int, keypoints: tuple[str, ...], say: Say) -> None:
    from ..pose2d import extract_frames

    if not keypoints:
        raise LabelError(f"nothing names the keypoints of {video}; give them: --keypoints nose,tail")
    say(f"extracting {n} frames of {video} to {root}")
    extract_frames({video.stem: video}, n, root, keypoints=keypoints)


def _of_session(session: Session, labels: Path | None, common: dict[str, Any]) -> LabelSource:
    roots = _session_roots(session)
    filled = [name for name, root in roots.items() if find_picture_folders(root)]
    chosen = filled[-1] if filled else next(iter(roots))
    if labels is not None:
        chosen = _name(labels.resolve(), session)
        roots = {chosen: labels.resolve()} | roots
    skeleton, videos = session.skeleton, session.sources("video")
    if skeleton is not None:
        common = common | {"keypoints": common["keypoints"] or skeleton.keypoints}
    try:
        instants = recording_instants(session) if videos else None
    except SessionError:  # `muybridge check` says so; labelling goes on with the frames' own numbers
        instants = None
    frames = None if instants is None else instants.frames
    bones = () if skeleton is None else skeleton.bones
    return LabelSource(roots, chosen, session, videos, frames, bones=tuple(bones), **common)


def _session_roots(session: Session) -> dict[str, Path]:
    """The label folders that the session names, then those that `extract` and `suggest` write beside the file."""
    named = [folder if not folder.is_file() else folder.parent for folder in label_folders(session)]
    beside = sorted(path for path in session.folder.glob("labels*") if (path / "config.yaml").is_file())
    folders = [folder.resolve() for folder in (*named, *beside)] or [session.folder / "labels"]
    return {_name(path, session): path for path in dict.fromkeys(folders)}


def _name(folder: Path, session: Session) -> str:
    """What the page calls a project: its path from the session's folder, or the whole one where it lies elsewhere."""
    return os.path.relpath(folder, session.folder) if folder.is_relative_to(session.folder) else str(folder)
