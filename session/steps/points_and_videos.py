"""2D points beside the videos of their cameras: lengths and times of their files, and places in the pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ...datasets import Array
from ...datasets.names import NETCDF_SUFFIXES
from ...formats.catalogue import recognised
from ...formats.video.frame_times import read_frame_times
from ...formats.video.instants import Instants
from ...formats.video.reading import VideoError, probe_video
from ..config import Session, SessionError
from ..recording_facts import files_of
from .pictures import picture_sizes, size_words

# share of a video's frames that a 2D file may lack at its end: some tools leave out the last without a detection
_MISSING_END = 0.1
_OUTSIDE = 0.05  # share of the points that may lie beyond the picture's edge: a detector guesses hidden keypoints there
_FRACTION = 1.5  # the largest coordinate of points that are fractions of the picture
_MARGIN = 0.02  # of the picture's width, by which a point may lie beyond the edge


def length_of(name: str, points: Path | tuple[Path, ...], fps: float | None = None) -> int:
    """Frames of a camera's 2D file, or of one per detector.

    Raises
    ------
    FormatError : as `read_views`
    """
    from ...formats.predictions.long_recordings.windowed_views import views_in_windows

    windows = views_in_windows({name: points}, None, fps=fps or 1.0)
    with windows.held:
        return windows.n_frames


def times_of_points(session: Session, instants: Instants | None) -> dict[str, Any]:
    """The options `fps` or `times` of the 2D files: each row of a file is a frame of its camera."""
    if instants is None and session.fps is None and not _hold_times(session):
        raise SessionError(
            f"{session.path}: the frame rate is not known: neither videos nor the 2D files state it; state it as"
            " [session] fps, in frames per second"
        )
    if instants is None or instants.is_even or _hold_instants(session):
        return {"fps": session.fps or (None if instants is None or _hold_instants(session) else instants.fps)}
    lacking = [name for name in session.cameras if name not in instants.frames]
    if lacking:
        raise SessionError(
            f"{session.path}: the times of the frames are uneven ({'; '.join(instants.notes)}), and camera"
            f" '{lacking[0]}' has no video or timestamps that give its own; add them"
        )
    return {"times": {name: _row_times(session, name, instants) for name in session.cameras}}


def _hold_times(session: Session) -> bool:
    """Whether the 2D files are of a kind that can state times."""
    netcdf = any(path.suffix.lower() in NETCDF_SUFFIXES for path in files_of(session.sources("points")))
    return netcdf or _hold_instants(session)


def _hold_instants(session: Session) -> bool:
    """Whether the rows of the 2D files are instants of all cameras with their times, as caliscope's table has them."""
    files = [path for path in files_of(session.sources("points")) if path.exists()]
    return bool(files) and all(recognised("views", path).instants for path in files)


def _row_times(session: Session, name: str, instants: Instants) -> Array:
    """Times of the rows of a camera's 2D file: of all frames, or of those that its video holds if there are no more."""
    points, video = session.sources("points")[name], session.cameras[name].video
    times = instants.times[instants.frames[name] >= 0]
    timing = None if video is None or session.sources("timestamps") else read_frame_times(video)
    if timing is None or timing.is_stored.all() or len(timing.times) != len(times):
        return times
    n_rows = length_of(name, points[0] if isinstance(points, tuple) else points)
    return times[timing.is_stored] if n_rows <= timing.is_stored.sum() else times


def length_problems(session: Session, lengths: Mapping[str, int]) -> list[str]:
    """A sentence for each camera whose 2D file goes on behind its video's end; lengths {camera: frames of the file}."""
    return [
        f"camera '{name}': {_file_of(session, name)} has points of {n_points} frames, its video has {n_frames}; they"
        " are of different recordings, or the video was cut"
        for name, n_points, n_frames in _with_videos(session, lengths)
        if n_points > n_frames
    ]


def length_warnings(session: Session, lengths: Mapping[str, int]) -> list[str]:
    """A sentence for each camera whose 2D file ends long before its video does."""
    return [
        f"camera '{name}': {_file_of(session, name)} ends after {n_points} of the video's {n_frames} frames; the rest"
        " is not reconstructed"
        for name, n_points, n_frames in _with_videos(session, lengths)
        if n_points < (1 - _MISSING_END) * n_frames
    ]


def _with_videos(session: Session, lengths: Mapping[str, int]) -> Iterator[tuple[str, int, int]]:
    """Camera, frames of its 2D file and of its video, where each row is a frame and the video states their number."""
    rows_differ = _hold_instants(session) or session.options["predict"].get("pad", False)
    for name, n_points in ({} if rows_differ else lengths).items():
        video = session.cameras[name].video
        try:
            n_frames = 0 if video is None else probe_video(video, rate_needed=False).n_frames
        except VideoError:
            continue  # the facts of the recording name it
        if n_frames:
            yield name, n_points, n_frames


def _file_of(session: Session, name: str) -> str:
    points = session.sources("points")[name]
    return str(points[0] if isinstance(points, tuple) else points)


def points_outside(session: Session, views: xr.Dataset) -> list[str]:
    """A sentence for each camera whose 2D points lie outside of its pictures."""
    sizes, problems = picture_sizes(session), []
    for name in map(str, views["view"].values):
        if name not in sizes:
            continue
        position = views["position"].sel(view=name)
        points = _known(position.transpose(..., "space").values)
        share = _share_outside(points, sizes[name])
        if share > _OUTSIDE:
            reach = "x to {:.0f}, y to {:.0f}".format(*np.quantile(points, 0.99, axis=0))
            turned = _share_outside(points[:, ::-1], sizes[name]) <= _OUTSIDE
            cause = "x and y may be exchanged, or they are" if turned else "they are"
            problems.append(
                f"camera '{name}': {share:.0%} of its 2D points lie outside its pictures of {size_words(sizes[name])}"
                f" px (they reach {reach}); {cause} of another size or camera: give the right file, or state scale or"
                f" crop in [cameras.{name}]"
            )
    return problems


def fractions_of_pictures(session: Session, views: xr.Dataset) -> list[str]:
    """A sentence where 2D points of all cameras, or of some, are fractions of the picture's size instead of pixels."""
    if any(min(size) < 10 for size in picture_sizes(session).values()):
        return []
    names, position = list(map(str, views["view"].values)), views["position"].transpose("view", ..., "space").values
    points = {name: _known(part) for name, part in zip(names, position, strict=True)}
    fractions = [name for name in names if _are_fractions(points[name])]
    if not fractions:
        return []
    some = len(fractions) < sum(len(points[name]) > 0 for name in names)
    whose = f"the 2D points of {', '.join(map(repr, fractions))}" if some else "the 2D points"
    low, high = np.quantile(np.concatenate([points[name] for name in fractions]), [0.01, 0.99])
    return [
        f"{whose} lie between {low:.2g} and {high:.2g}: they are fractions of the picture, not pixels; multiply x by"
        " its width and y by its height"
    ]


def _known(points: np.ndarray) -> np.ndarray:
    """(n, 2) points that are there."""
    flat = np.asarray(points, dtype=float).reshape(-1, 2)
    return flat[np.isfinite(flat).all(axis=1)]


def _are_fractions(points: np.ndarray) -> bool:
    """Whether points (n, 2) lie between 0 and about 1, at more than one place."""
    return len(points) > 0 and np.ptp(points) > 0 and bool(np.quantile(np.abs(points), 0.99) <= _FRACTION)


def _share_outside(points: np.ndarray, size: tuple[int, int]) -> float:
    """Share of points (n, 2) beyond the picture's edge."""
    slack = _MARGIN * size[0]
    outside = ((points < -slack) | (points > np.array(size) - 1 + slack)).any(axis=1)
    return float(outside.mean()) if len(points) else 0.0
