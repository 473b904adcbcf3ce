"""Active learning in a session: frames to label first and next, the detector's errors and robustness, its videos.

The frames to label next are those in which the cameras disagree about the 3D points.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from ..datasets import check_pose, check_views, read_dataset
from .config import Session, SessionError
from .session_run import remedy_for
from .steps.foreign_detectors import open_detector
from .steps.reconstruction_files import used_rig, used_views
from .steps.training import detector_path, label_folders

if TYPE_CHECKING:
    from ..pose2d import Detector


def extract_session(session: Session, n: int, folder: Path, *, method: str = "kmeans") -> Path:
    """Write the first frames to label of a session's videos as a project that labellers open; returns its folder.

    Raises
    ------
    SessionError : no camera has a video
    ValueError, VideoError, LabelError : as `extract_frames`
    """
    from ..pose2d import extract_frames

    skeleton = session.skeleton
    names = {} if skeleton is None else {"keypoints": skeleton.keypoints, "bones": skeleton.bones}
    return extract_frames(videos_of(session), n, folder, method=method, **names)


def suggest_session(session: Session, n: int, folder: Path) -> pd.DataFrame:
    """Choose the pictures where the cameras disagree in 3D or the detector is uncertain, and write them with proposals.

    The proposed labels are the reprojected 3D points, and the detector's keypoints where there is no 3D point.

    Returns
    -------
    the table of `suggest_frames`; `folder` holds the project

    Raises
    ------
    SessionError : a step has not run, or no camera has a video
    LabelError : the folder holds labels already
    """
    from ..pose2d import export_suggestions, suggest_frames

    videos = videos_of(session)
    views, seen, proposals = _views_and_proposals(session)
    lacking = [name for name in map(str, views["view"].values) if name not in videos]
    if lacking:
        raise SessionError(f"{session.path}: camera '{lacking[0]}' has no 'video' to take pictures from; add it")
    disagreement = np.linalg.norm(seen - views["position"].values, axis=-1)
    # a 3D point that this camera should show but that was not detected is worth a label, too
    disagreement[np.isfinite(seen).all(-1) & np.isnan(disagreement)] = np.inf
    chosen = suggest_frames(views, {"3D disagreement": disagreement}, n=n)
    bones = session.skeleton.bones if session.skeleton is not None else ()
    export_suggestions(chosen, videos, folder, proposals, bones=bones)
    return chosen


def proposed_views(session: Session) -> xr.Dataset:
    """Labels to propose: the 3D points in every picture, and the detector's keypoints where there is no 3D point.

    Raises
    ------
    SessionError : a step has not run
    """
    return _views_and_proposals(session)[2]


def _views_and_proposals(session: Session) -> tuple[xr.Dataset, np.ndarray, xr.Dataset]:
    """The views that the pose was made of, at its keypoints; the 3D points as `_projected`; and `proposed_views`."""
    pose = check_pose(made_dataset(session, "pose.nc"))
    views = check_views(used_views(session, pose)).sel(keypoint=pose["keypoint"].values)
    seen = _projected(session, views, pose)
    placed = np.isfinite(pose["position"].values).all(axis=-1, keepdims=True)
    return views, seen, views.assign(position=views["position"].copy(data=np.where(placed, seen, views["position"])))


def corruption_session(session: Session, labels: Path | None = None, *, progress: bool = False) -> pd.DataFrame:
    """Errors of the session's detector on corrupted pictures, as `corruption_table`, of labels not used in training.

    labels : None: the frames that training held out
    """
    from ..pose2d import corruption_table, read_labels

    detector = _detector(session)
    chosen = _held_out(session, detector) if labels is None else read_labels(labels)
    return corruption_table(detector, chosen, progress=progress)


def evaluate_session(session: Session, labels: Path | None = None) -> pd.DataFrame:
    """Errors of the session's detector on labelled frames that were not used in training, as `evaluate`.

    labels : None: the frames that training held out
    """
    from ..pose2d import evaluate, read_labels

    detector = _detector(session)
    return evaluate(detector, _held_out(session, detector) if labels is None else read_labels(labels))


def _held_out(session: Session, detector: Detector) -> Any:
    from ..pose2d import join_labels, read_labels
    from ..pose2d.training.splits import split_labels

    folders = label_folders(session)
    if not folders:
        raise SessionError(f"{session.path} has no [train] labels; name the labelled frames to corrupt with --labels")
    every = join_labels([read_labels(folder) for folder in folders])
    held_out = split_labels(every, detector.config.holdout, detector.config.holdout_by)[1]
    if held_out is None:
        raise SessionError(f"{session.path}: training held out no frame; name the frames to corrupt with --labels")
    return held_out


def videos_of(session: Session) -> dict[str, Path]:
    """The video of each camera that has one. Raises SessionError where none has."""
    videos = session.sources("video")
    if not videos:
        raise SessionError(f"{session.path}: no camera has a 'video'; add one to each [cameras.NAME]")
    return videos


def _detector(session: Session) -> Detector:
    path = detector_path(session)
    if path is None:
        raise SessionError(f"{session.path} names neither a detector nor [train] labels, so there is no detector")
    if not path.is_file():
        raise SessionError(f"there is no detector {path}; {remedy_for(session, path)}")
    return open_detector(session, path)


def made_dataset(session: Session, name: str) -> xr.Dataset:
    """What a step has written. Raises SessionError where it has not run."""
    path = session.output / name
    if not path.is_file():
        raise SessionError(f"there is no {path}; {remedy_for(session, path)}")
    return read_dataset(path)


def _projected(session: Session, views: xr.Dataset, pose: xr.Dataset) -> np.ndarray:
    """(n_views, n_frames, n_keypoints, 2) the 3D points in each camera's picture, NaN where outside of it."""
    from ..report.reprojection import reproject

    rig = used_rig(session).subset([str(name) for name in views["view"].values])
    if pose.sizes["time"] != views.sizes["time"]:
        raise SessionError(
            f"{session.output}: views.nc has {views.sizes['time']} frames and pose.nc {pose.sizes['time']};"
            f" run 'muybridge reconstruct {session.path}'"
        )
    seen = reproject(pose["position"], rig).values
    sizes = np.array([camera.size for camera in rig])[:, None, None]
    seen[~((seen >= 0) & (seen <= sizes - 1)).all(axis=-1)] = np.nan
    return seen
