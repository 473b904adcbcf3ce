"""Labels in SLEAP's analysis files: one animal in frames of a video."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..predictions.sleap import read_sleap, recorded_video
from .labelled_frames import LabelError, Labels, Picture

Videos = Mapping[str, str | os.PathLike] | str | os.PathLike | None


def read_sleap_labels(path: Path, videos: Videos, camera: str | None) -> Labels:
    """The frames with any point; the camera is named by the folder unless `camera` is given.

    Raises
    ------
    LabelError
        The file holds several animals, or its video is missing.
    FormatError
        The file is damaged.
    """
    track = read_sleap(path)
    if len(track.points_2d) != 1:
        raise LabelError(f"{path} holds {len(track.points_2d)} animals; one animal per file is read")
    points_2d, camera = track.points_2d[0], camera or path.parent.name
    given = videos.get(camera) if isinstance(videos, Mapping) else videos
    video = Path(given) if given is not None else path.parent / recorded_video(path)
    if not video.is_file():
        raise LabelError(
            f"the video {video} of the SLEAP file {path} is missing; pass videos=<file> or {{camera: file}}"
        )
    frames = np.flatnonzero(np.isfinite(points_2d).all(-1).any(-1)).tolist()
    return Labels(
        pictures=tuple(Picture(video, frame) for frame in frames),
        points_2d=points_2d[frames],
        keypoints=track.keypoints,
        cameras=(camera,) * len(frames),
        groups=(video.stem,) * len(frames),
        instants=tuple(frames),
    )
