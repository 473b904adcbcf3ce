"""SLEAP's analysis files: HDF5 with tracks, node names and point scores."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from ...numerics.arrays import Array
from ..files import FormatError, as_text
from ..tables.frame_rows import rows_to_frames
from ..tables.h5_arrays import hdf5_made_in_memory, read_array, read_numbers
from .tracks import CameraRows, Track, make_track


def is_sleap_analysis(path: Path) -> bool:
    """Whether an HDF5 file has an array "tracks" and "node_names"."""
    with h5py.File(path, "r") as file:
        return "node_names" in file and file.get("tracks", getclass=True) is h5py.Dataset


def read_sleap(path: Path, camera: str | None = None) -> Track:
    """Read ``tracks (n_tracks, 2, n_nodes, n_frames)``, ``node_names`` and ``point_scores`` of an analysis file.

    One track is an animal without a name; several are individuals under their tracks' names. Confidence is the
    point score (the height of a peak: cut off at 1), 1 for a point placed by a person.

    Raises
    ------
    FormatError
        An array is absent, no array of numbers, or does not fit the names; or the tracks are pieces of one animal.
    """
    with h5py.File(path, "r") as file:
        keypoints = _names(file, "node_names", path)
        tracks = read_numbers(file, "tracks", path)
        scores = read_numbers(file, "point_scores", path) if "point_scores" in file else None
        names = _names(file, "track_names", path) if "track_names" in file else ()
    points_2d = _ordered(tracks, len(keypoints), path)
    confidence = None if scores is None else _confidence(scores, points_2d, path)
    individuals = None
    if len(points_2d) > 1:
        check_together(points_2d, path)
        complete = len(names) == len(points_2d)
        individuals = names if complete else tuple(f"track_{i}" for i in range(len(points_2d)))
    return make_track(keypoints, points_2d, confidence, str(path), individuals=individuals)


def check_together(points_2d: Array, path: Path) -> None:
    """Refuse tracks (n_tracks, n_frames, n_nodes, 2) of which no two are in the same frame."""
    n_visible = np.isfinite(points_2d).all(-1).any(-1).sum(axis=0)
    if n_visible.max(initial=0) == 1:
        raise FormatError(
            f"{path} holds {len(points_2d)} tracks, never two in one frame: pieces of one animal's track; join them to"
            " one track in SLEAP and export the file again"
        )


def recorded_video(path: Path) -> str:
    """The name of the video that an analysis file was made of; empty where it names none."""
    with h5py.File(path, "r") as file:
        named = read_array(file, "video_path", path) if "video_path" in file else np.array("")
    return as_text(named.ravel()[0]).replace("\\", "/").rsplit("/", 1)[-1] if named.size else ""


def _names(file: h5py.File, name: str, path: Path) -> tuple[str, ...]:
    return tuple(as_text(value) for value in np.ravel(read_array(file, name, path)))


def _ordered(tracks: Array, n_nodes: int, path: Path) -> Array:
    """(n_tracks, n_frames, n_nodes, 2), from Matlab's order (SLEAP's default) or numpy's."""
    if tracks.ndim == 4 and tracks.shape[1:3] == (2, n_nodes):
        return np.transpose(tracks, (0, 3, 2, 1))
    if tracks.ndim == 4 and tracks.shape[2:] == (n_nodes, 2):
        return np.transpose(tracks, (1, 0, 2, 3))
    raise FormatError(f"{path}: tracks have shape {tracks.shape}; expected (n_tracks, 2, {n_nodes}, n_frames)")


def _confidence(scores: Array, points_2d: Array, path: Path) -> Array:
    """Scores in the order of `points_2d`, (n_tracks, n_frames, n_nodes), from Matlab's order or numpy's."""
    n_tracks, n_frames, n_nodes, _ = points_2d.shape
    if scores.shape == (n_tracks, n_nodes, n_frames):
        return np.moveaxis(scores, -1, 1)
    if scores.shape == (n_frames, n_tracks, n_nodes):
        return np.moveaxis(scores, 0, 1)
    raise FormatError(f"{path}: point_scores of shape {scores.shape} do not fit tracks of shape {points_2d.shape}")


def write_sleap(rows: CameraRows, path: Path) -> None:
    """Write an analysis file in Matlab's order, as SLEAP does; a frame without any point is a column of NaN.

    Scores are the confidence, NaN where the point is missing.
    """
    individuals = rows.individuals or ("track_0",)
    missing = np.isnan(rows.points_2d[..., 0])
    points_2d = rows_to_frames(np.moveaxis(rows.points_2d, 1, 0), rows.frames, str(path))
    scores = rows_to_frames(np.moveaxis(np.where(missing, np.nan, rows.confidence), 1, 0), rows.frames, str(path))
    present = np.isfinite(points_2d).all(-1).any(-1)
    counts = np.maximum(np.isfinite(scores).sum(-1), 1)
    held = {
        "tracks": np.transpose(points_2d, (1, 3, 2, 0)),
        "point_scores": np.transpose(scores, (1, 2, 0)),
        "instance_scores": np.where(present, np.nansum(scores, axis=-1) / counts, np.nan).T,
        "tracking_scores": np.full(present.T.shape, np.nan),
        "track_occupancy": present.astype(np.uint8),
        "node_names": np.char.encode(rows.keypoints, "utf-8"),
        "track_names": np.char.encode(individuals, "utf-8"),
        "edge_inds": np.zeros((0, 2), np.int32),
        "edge_names": np.zeros((0, 2), "S1"),
        "labels_path": "",
        "provenance": "{}",
        "video_ind": np.int32(0),
        "video_path": "",
    }
    with hdf5_made_in_memory(path) as file:
        for name, values in held.items():
            file[name] = values
