"""SLEAP's analysis files."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from ...numerics.arrays import Array
from ..files import FormatError
from .tracks import Track, make_track


def is_sleap_analysis(path: Path) -> bool:
    with h5py.File(path, "r") as file:
        return isinstance(file.get("tracks"), h5py.Dataset) and "node_names" in file


def read_sleap(path: Path) -> Track:
    """Read ``tracks (n_tracks, 2, n_nodes, n_frames)``, ``node_names`` and ``point_scores`` of an analysis file.

    One track is an animal without a name; several are individuals under their tracks' names. Confidence is the
    point score (the height of a peak: cut off at 1), 1 for a point placed by a person.

    Raises
    ------
    FormatError : the shapes do not fit the names
    """
    with h5py.File(path, "r") as file:
        keypoints = _names(file["node_names"])
        tracks = np.asarray(file["tracks"][()], dtype=float)  # type: ignore[index]
        scores = np.asarray(file["point_scores"][()], dtype=float) if "point_scores" in file else None  # type: ignore[index]
        names = _names(file["track_names"]) if "track_names" in file else ()
    points_2d = _ordered(tracks, len(keypoints), path)
    confidence = None
    if scores is not None:
        confidence = np.moveaxis(scores, -1, 1) if scores.shape[1] == len(keypoints) else np.moveaxis(scores, 0, 1)
        if confidence.shape != points_2d.shape[:-1]:
            raise FormatError(f"{path}: point_scores of shape {scores.shape} do not fit tracks of shape {tracks.shape}")
    individuals = None
    if len(points_2d) > 1:
        whole = len(names) == len(points_2d)
        individuals = names if whole else tuple(f"track_{i}" for i in range(len(points_2d)))
    return make_track(keypoints, points_2d, confidence, individuals)


def _names(dataset) -> tuple[str, ...]:
    return tuple(name.decode() if isinstance(name, bytes) else str(name) for name in np.ravel(dataset[()]))


def _ordered(tracks: Array, n_nodes: int, path: Path) -> Array:
    """(n_tracks, n_frames, n_nodes, 2), from Matlab's order (SLEAP's default) or numpy's."""
    if tracks.ndim == 4 and tracks.shape[1:3] == (2, n_nodes):
        return np.transpose(tracks, (0, 3, 2, 1))
    if tracks.ndim == 4 and tracks.shape[2:] == (n_nodes, 2):
        return np.transpose(tracks, (1, 0, 2, 3))
    raise FormatError(f"{path}: tracks have shape {tracks.shape}; expected (n_tracks, 2, {n_nodes}, n_frames)")
