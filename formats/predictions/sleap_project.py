"""SLEAP's projects (``.slp``): the points of one video, placed by a person or predicted."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from ..files import FormatError, as_text, check_size
from ..tables.h5_arrays import check_hdf5, read_array
from .sleap import check_together
from .tracks import Track, make_track

_PREDICTED = 1  # the format's `instance_type` of what a network found, not a person
_CORNER_ORIGIN = 1.1  # before this version of the format pixel (0, 0) was the corner of the first pixel


class NoInstanceError(FormatError):
    """A project holds nothing of a video."""


def read_sleap_project(path: Path, camera: str | None = None, *, placed_only: bool = False) -> Track:
    """Read the instances of one video; of a project of several, the one whose name or folder is the camera's.

    What a person placed stands for the prediction that it was made from. Instances of a track are an individual;
    without tracks, several in a frame are individuals in the file's order. With `placed_only` predictions are left out.

    Raises
    ------
    FormatError
        The file is damaged or of another kind, no video is the camera's, or the tracks are pieces of one animal.
    """
    check_hdf5(path)
    try:
        with h5py.File(path, "r") as file:
            return _read(file, path, camera, placed_only)
    except (OSError, KeyError, IndexError, TypeError, ValueError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(
            f"{path} cannot be read as a SLEAP project ({type(error).__name__}: {error}); open and save it in SLEAP, or"
            " export an analysis file (.h5)"
        ) from error


def recorded_videos(path: Path) -> list[str]:
    """The videos of a project, as it names them, with slashes."""
    check_hdf5(path)
    with h5py.File(path, "r") as file:
        return _videos(file, path)


def _videos(file: h5py.File, path: Path) -> list[str]:
    return [_video_path(json.loads(as_text(entry))) for entry in read_array(file, "videos_json", path)]


def _read(file: Any, path: Path, camera: str | None, placed_only: bool) -> Track:
    described = json.loads(file["metadata"].attrs["json"])
    frames, instances = (read_array(file, name, path) for name in ("frames", "instances"))
    number, several = _video_of(file, path, camera)
    frames = frames[frames["video"] == number]
    n_listed = int((frames["instance_id_end"].astype(float) - frames["instance_id_start"]).clip(0).sum())
    if n_listed > len(instances):
        raise FormatError(
            f"{path}: its frames list {n_listed} instances of {len(instances)}; open and save it in SLEAP"
        )
    kept = [(int(f["frame_idx"]), i) for f in frames for i in _shown(instances, f, placed_only)]
    if not kept:
        raise NoInstanceError(f"{path} holds no instance of the video of camera '{camera}'; predict or label it first")
    rows, chosen = (np.array(part) for part in zip(*kept, strict=True))
    keypoints = _keypoints(described, {int(i) for i in instances["skeleton"][chosen]}, path)
    individuals, places = _individuals(file, instances["track"][chosen], rows, path)
    n_frames = int(rows.max()) + 1
    check_size(24 * len(individuals) * n_frames * len(keypoints), path.stat().st_size, path)
    values = np.full((len(individuals), n_frames, len(keypoints), 3), np.nan)
    values[places, rows] = _points(file, instances[chosen], len(keypoints), path)
    if float(file["metadata"].attrs.get("format_id", 0)) < _CORNER_ORIGIN:
        values[..., :2] -= 0.5
    if len(individuals) > 1:
        check_together(values[..., :2], path)
    names = individuals if len(individuals) > 1 else None
    own = camera if several else None
    return make_track(keypoints, values[..., :2], values[..., 2], str(path), individuals=names, camera=own)


def _video_of(file: h5py.File, path: Path, camera: str | None) -> tuple[int, bool]:
    """Number of the camera's video, and whether the project has several."""
    videos = _videos(file, path)
    if len(videos) == 1:
        return 0, False
    wanted = (camera or "").lower()
    tests = (
        lambda parts: parts[-1].rsplit(".", 1)[0] == wanted,
        lambda parts: wanted in parts[:-1],
        lambda parts: wanted in re.split(r"[^a-z0-9]+", parts[-1]),
        lambda parts: wanted in parts[-1],
    )
    for fits in tests:
        found = [i for i, video in enumerate(videos) if wanted and fits(video.lower().split("/"))]
        if len(found) == 1:
            return found[0], True
    raise FormatError(f"{path} holds the videos {videos}; none is plainly that of camera '{camera}': name it after one")


def _video_path(video: dict) -> str:
    named = video.get("backend", {}).get("filename") or video.get("filename") or ""
    return str(named[0] if isinstance(named, list) and named else named).replace("\\", "/")


def _shown(instances: NDArray, frame, placed_only: bool) -> list[int]:
    """Positions of a frame's instances: those of a person, and the predictions that none was made from."""
    listed = range(int(frame["instance_id_start"]), int(frame["instance_id_end"]))
    own = [i for i in listed if instances["instance_type"][i] != _PREDICTED]
    if placed_only:
        return own
    corrected = {int(instances["from_predicted"][i]) for i in own}
    tracks = {int(instances["track"][i]) for i in own} - {-1}
    predicted = [i for i in listed if instances["instance_type"][i] == _PREDICTED]
    return own + [
        i
        for i in predicted
        if int(instances["instance_id"][i]) not in corrected and int(instances["track"][i]) not in tracks
    ]


def _keypoints(described: dict, skeletons: set[int], path: Path) -> list[str]:
    if len(skeletons) != 1:
        raise FormatError(f"{path} holds instances of {len(skeletons)} skeletons; one is read: save each on its own")
    nodes = described["skeletons"][skeletons.pop()]["nodes"]
    return [str(described["nodes"][node["id"]]["name"]) for node in nodes]


def _individuals(
    file: h5py.File, tracks: NDArray, rows: NDArray, path: Path
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Names of the individuals, and which of them each instance (of track -1 or more, in frame `rows`) is."""
    used = np.unique(tracks)
    if (used >= 0).all() and len(used):
        named = [json.loads(as_text(entry)) for entry in read_array(file, "tracks_json", path)]
        names = [str(entry[1]) if isinstance(entry, list) else str(entry) for entry in named]
        return tuple(names[i] for i in used), np.searchsorted(used, tracks)
    seen: dict[int, int] = {}
    places = []
    for row in rows.tolist():
        seen[row] = seen.get(row, -1) + 1
        places.append(seen[row])
    return tuple(f"instance_{i}" for i in range(max(places) + 1)), np.array(places)


def _points(file: h5py.File, instances: NDArray, n_keypoints: int, path: Path) -> Array:
    """(n_instances, n_keypoints, 3) x, y, score; NaN where invisible, and the score of what a person placed."""
    placed, predicted = (read_array(file, name, path) for name in ("points", "pred_points"))
    values = np.full((len(instances), n_keypoints, 3), np.nan)
    for i, instance in enumerate(instances):
        source = predicted if instance["instance_type"] == _PREDICTED else placed
        own = source[int(instance["point_id_start"]) : int(instance["point_id_end"])]
        if len(own) != n_keypoints:
            raise FormatError(f"{path}: an instance has {len(own)} points where its skeleton has {n_keypoints}")
        values[i, :, 0], values[i, :, 1] = own["x"], own["y"]
        if source is predicted:
            values[i, :, 2] = own["score"]
        values[i, ~own["visible"], :2] = np.nan
    return values
