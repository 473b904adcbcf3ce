"""Labels in SLEAP's projects and analysis files: animals in frames of a video."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from ..predictions.sleap import is_sleap_analysis, recorded_video, sleap_rows
from ..predictions.sleap_project import NoInstanceError, read_sleap_project, recorded_videos
from ..predictions.tracks import Track, track_of_rows
from .labelled_frames import LabelError, Labels, Picture, join_labels

Videos = Mapping[str, str | os.PathLike] | str | os.PathLike | None


def is_sleap(path: Path) -> bool:
    """Whether a file is a project or an analysis file."""
    return path.suffix.lower() == ".slp" or is_sleap_analysis(path)


def read_sleap_labels(path: Path, videos: Videos, camera: str | None) -> Labels:
    """The frames with any point, of a project those that a person placed.

    The camera is named by the folder unless `camera` is given; of a project of several videos by the video.

    Raises
    ------
    LabelError
        Its video is missing.
    FormatError
        The file is damaged.
    """
    if path.suffix.lower() != ".slp":
        track = track_of_rows(sleap_rows, path)
        return _labels_of(track, path, recorded_video(path), videos, camera or path.parent.name)
    recorded = [name.rsplit("/", 1)[-1] for name in recorded_videos(path)]
    if len(recorded) == 1:
        track = read_sleap_project(path, placed_only=True)
        return _labels_of(track, path, recorded[0], videos, camera or path.parent.name)
    parts = []
    for name in recorded:
        own = name.rsplit(".", 1)[0]
        with suppress(NoInstanceError):  # a video that nobody has labelled yet
            parts.append(_labels_of(read_sleap_project(path, own, placed_only=True), path, name, videos, own))
    return join_labels(parts)


def _labels_of(track: Track, path: Path, recorded: str, videos: Videos, camera: str) -> Labels:
    """The labels of one video, named `recorded` in the file and looked for beside it."""
    given = videos.get(camera) if isinstance(videos, Mapping) else videos
    video = Path(given) if given is not None else path.parent / recorded
    if not video.is_file():
        raise LabelError(
            f"the video {video} of the SLEAP file {path} is missing; pass videos=<file> or {{camera: file}}"
        )
    points_2d = np.moveaxis(track.points_2d, 0, 1)
    frames, animals = np.nonzero(np.isfinite(points_2d).all(-1).any(-1))
    chosen, names = points_2d[frames, animals], track.individuals or ("",)
    frames = frames.tolist()
    return Labels(
        pictures=tuple(Picture(video, frame) for frame in frames),
        points_2d=chosen,
        keypoints=track.keypoints,
        cameras=(camera,) * len(frames),
        groups=(video.stem,) * len(frames),
        instants=tuple(frames),
        individuals=tuple(names[a] for a in animals),
    )
