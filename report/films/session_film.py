"""Write films of a session: the cameras' grid, the skeleton in 3D, or both side by side."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import xarray as xr

from ...cameras import CameraRig
from ...datasets import DatasetError, Skeleton, check_pose, check_views, combine_ensemble, fps_of
from ...formats.video.reading import Image, VideoSource
from ...formats.video.writing import open_video_writer
from .grid_of_cameras import grid_pictures
from .skeleton_view import skeleton_pictures

KINDS = ("grid", "skeleton", "both")


def write_film(
    path: str | os.PathLike,
    kind: str = "both",
    *,
    views: xr.Dataset | None = None,
    videos: Mapping[str, VideoSource] | None = None,
    pose: xr.Dataset | None = None,
    rig: CameraRig | None = None,
    skeleton: Skeleton | None = None,
    frames: tuple[int, int] | None = None,
    speed: float = 1.0,
    width: int = 1280,
    turn: float = 0.0,
) -> Path:
    """Write a film of the keypoints in all cameras, of the skeleton in 3D, or of both side by side.

    In the grid rings are detections and lines the reconstruction, projected back; without `pose` and `rig` dots and
    lines are the detections. Left is blue, right is orange.

    Parameters
    ----------
    path : str or os.PathLike
        The mp4 file; an old one is replaced only by a complete new one.
    kind : str
        "grid", "skeleton" or "both".
    views : xarray.Dataset, optional
        Detected keypoints; needed for the grid.
    videos : mapping of str to path or sequence of path, optional
        Video of each camera; needed for the grid.
    pose : xarray.Dataset, optional
        3D keypoints; needed for the skeleton.
    rig : CameraRig, optional
        The cameras of the reprojection, and the vertical.
    skeleton : Skeleton, optional
        Bones and sides.
    frames : (int, int), optional
        First frame and the one after the last; None: all.
    speed : float
        1: as it happened; 0.25: four times slower. No frame is left out.
    width : int, pixels
        Of the grid and of the skeleton, each.
    turn : float, degrees/second
        By which the view of the skeleton turns about the vertical.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    ValueError
        No such kind, no such frames, a speed that is not positive, or what the kind needs is not given.
    VideoError
        A video cannot be read or written.

    Notes
    -----
    Missing points (NaN) are not drawn; damaged frames are black.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import Skeleton, pose_dataset
    >>> from muybridge.report import write_film
    >>> points = np.random.default_rng(0).normal(size=(3, 2, 3))
    >>> pose = pose_dataset(points, keypoints=["nose", "tail"], times=[0.0, 0.1, 0.2], unit="mm")
    >>> write_film("skeleton.mp4", "skeleton", pose=pose, width=320).name
    'skeleton.mp4'
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; known: {', '.join(KINDS)}")
    if not speed > 0:
        raise ValueError(f"speed is {speed}; it must be positive")
    given = {"views": views, "videos": videos or None, "pose": pose}
    needed = {"grid": ("views", "videos"), "skeleton": ("pose",), "both": ("views", "videos", "pose")}[kind]
    lacking = [name for name in needed if given[name] is None]
    if lacking:
        raise ValueError(f"a film of kind {kind!r} needs {' and '.join(lacking)}")
    views = None if views is None else check_views(combine_ensemble(views))
    pose = None if pose is None else check_pose(pose)
    source = views if kind != "skeleton" else pose
    shown = _chosen(frames, source.sizes["time"])  # pyright: ignore[reportOptionalMemberAccess]
    parts: list[Iterator[Image]] = []
    if kind != "skeleton":
        parts.append(
            grid_pictures(views, dict(videos or {}), shown, pose=pose, rig=rig, skeleton=skeleton, width=width)  # pyright: ignore[reportArgumentType]
        )
    if kind != "grid":
        if kind == "both" and pose.sizes["time"] != views.sizes["time"]:  # pyright: ignore[reportOptionalMemberAccess]
            raise DatasetError(
                f"views have {views.sizes['time']} frames and pose {pose.sizes['time']}; reconstruct these views again"  # pyright: ignore[reportOptionalMemberAccess]
            )
        size = width // 2 * 2, round(0.75 * width) // 2 * 2
        parts.append(skeleton_pictures(pose, shown, rig=rig, skeleton=skeleton, size=size, turn=turn))  # pyright: ignore[reportArgumentType]
    fps = fps_of(source) * speed if len(shown) > 1 else 1.0  # pyright: ignore[reportArgumentType]
    return _write(Path(path), (_beside(row) for row in zip(*parts, strict=True)), fps)


def _chosen(frames: tuple[int, int] | None, n_frames: int) -> range:
    start, stop = (0, n_frames) if frames is None else frames
    if not 0 <= start < stop <= n_frames:
        raise ValueError(f"frames are {(start, stop)}; give the first and the one after the last of {n_frames}")
    return range(start, stop)


def _beside(row: Sequence[Image]) -> Image:
    """Pictures side by side, each as high as the first."""
    high = row[0].shape[0]
    widths = [round(image.shape[1] * high / image.shape[0]) // 2 * 2 for image in row]
    resized = [cv2.resize(im, (w, high), interpolation=cv2.INTER_AREA) for im, w in zip(row, widths, strict=True)]
    return np.concatenate(resized, axis=1) if len(row) > 1 else row[0]


def _write(path: Path, pictures: Iterable[Image], fps: float) -> Path:
    pictures = iter(pictures)
    first = next(pictures)
    with open_video_writer(path, fps, (first.shape[1], first.shape[0])) as writer:
        for image in chain([first], pictures):
            writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return path
