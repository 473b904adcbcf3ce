"""Videos and figures of a session's results, as files."""

from __future__ import annotations

from pathlib import Path

from .config import Session
from .label_loop import made_dataset, videos_of
from .steps.reconstruction_files import used_rig, used_views
from .steps.report import made_by_steps


def labelled_videos(session: Session, folder: Path, *, kind: str = "cameras", speed: float = 1.0) -> list[Path]:
    """Write videos with keypoints and bones drawn; returns the files.

    kind : "cameras", a copy of each camera's video with its keypoints, bones and ellipses; or one of `write_film`:
        "grid" of all cameras, "skeleton" in 3D, "both" side by side
    speed : of a film; 0.25 is four times slower

    Raises
    ------
    SessionError : a step has not run, or no camera has a video
    """
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "cameras":
        return _of_each_camera(session, folder)
    from ..report import write_film

    pose = made_dataset(session, "pose.nc")
    found = {"pose": pose, "rig": used_rig(session), "skeleton": session.skeleton, "speed": speed}
    if kind != "skeleton":
        found |= {"views": used_views(session, pose), "videos": videos_of(session)}
    return [write_film(folder / f"{kind}.mp4", kind, **found)]


def _of_each_camera(session: Session, folder: Path) -> list[Path]:
    from ..pose2d import label_video

    views, videos = made_dataset(session, "views.nc"), videos_of(session)
    if "individual" in views.dims and (session.output / "pose.nc").exists():
        views = used_views(session, made_dataset(session, "pose.nc"))  # with the animals told apart
    known = set(map(str, views["keypoint"].values))
    bones = [] if session.skeleton is None else [bone for bone in session.skeleton.bones if known.issuperset(bone)]
    return [
        label_video(views, name, video, folder / f"{name}_labelled.mp4", bones=bones, ellipses=True)
        for name, video in videos.items()
    ]


def session_figures(session: Session, folder: Path, *, format: str = "svg") -> list[Path]:
    """Write the figures of the report as files; returns them.

    Raises
    ------
    SessionError : a step has not run
    """
    from ..report import write_figures

    for name in ("pose.nc", "kinematics.nc"):
        made_dataset(session, name)
    return write_figures(folder, made_by_steps(session), format=format)
