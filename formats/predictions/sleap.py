"""SLEAP's analysis files: HDF5 with tracks, node names and point scores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from ...numerics.arrays import Array
from ..files import FormatError, as_text
from ..tables.frame_rows import rows_to_frames
from ..tables.h5_arrays import ALL, new_hdf5, own_array, read_array, read_numbers, rows_at_once
from .tracks import CameraRows, FileRows


def is_sleap_analysis(path: Path) -> bool:
    """Whether an HDF5 file has an array "tracks" and "node_names"."""
    with h5py.File(path, "r") as file:
        return "node_names" in file and file.get("tracks", getclass=True) is h5py.Dataset


def sleap_rows(path: Path, n_rows: int | None = None) -> Iterator[FileRows]:
    """Read ``tracks (n_tracks, 2, n_nodes, n_frames)``, ``node_names`` and ``point_scores`` of an analysis file.

    So many frames after the other; None: all at once. One track is an animal without a name; several are individuals
    under their tracks' names. Confidence is the point score (the height of a peak: cut off at 1), 1 for a point placed
    by a person.

    Raises
    ------
    FormatError
        An array is absent, no array of numbers, or does not fit the names; or the tracks are pieces of one animal.
    """
    with h5py.File(path, "r") as file:
        keypoints = _names(file, "node_names", path)
        shape = own_array(file, "tracks", path).shape
        order = _order(shape, len(keypoints), path)
        n_tracks, n_frames = (shape[order[i]] for i in (0, 1))
        individuals = _individuals(file, n_tracks, path)
        scores = _score_order(file, (n_tracks, n_frames, len(keypoints)), path)
        most, n_rows = 0, n_rows or max(n_frames, 1)
        axes = {"tracks": order[1]} | ({} if scores is None else {"point_scores": scores[1]})
        step = max(rows_at_once(own_array(file, name, path), axis, n_rows) for name, axis in axes.items())
        for start in range(0, max(n_frames, 1), step):
            own = slice(start, min(start + step, n_frames))
            values = np.full((n_tracks, own.stop - own.start, len(keypoints), 3), np.nan)
            values[..., :2] = _frames_of(file, "tracks", order, own, path)
            if scores is not None:
                values[..., 2] = _frames_of(file, "point_scores", scores, own, path)
            most = max(most, _most_together(values[..., :2]))
            for first in range(0, max(values.shape[1], 1), n_rows):
                part = values[:, first : first + n_rows]
                frames = start + first + np.arange(part.shape[1])
                yield FileRows(keypoints, part, frames, individuals, scores is not None)
    if n_tracks > 1:
        refuse_pieces(n_tracks, most, path)


def _most_together(points_2d: Array) -> int:
    """The largest number of tracks (n_tracks, n_frames, n_nodes, 2) that are seen in one frame."""
    return int(np.isfinite(points_2d).all(-1).any(-1).sum(axis=0).max(initial=0))


def check_together(points_2d: Array, path: Path) -> None:
    """Refuse tracks (n_tracks, n_frames, n_nodes, 2) of which no two are in the same frame."""
    refuse_pieces(len(points_2d), _most_together(points_2d), path)


def refuse_pieces(n_tracks: int, most: int, path: Path) -> None:
    """FormatError where of several tracks at most one is seen in a frame."""
    if most == 1:
        raise FormatError(
            f"{path} holds {n_tracks} tracks, never two in one frame: pieces of one animal's track; join them to"
            " one track in SLEAP and export the file again"
        )


def recorded_video(path: Path) -> str:
    """The name of the video that an analysis file was made of; empty where it names none."""
    with h5py.File(path, "r") as file:
        named = read_array(file, "video_path", path) if "video_path" in file else np.array("")
    return as_text(named.ravel()[0]).replace("\\", "/").rsplit("/", 1)[-1] if named.size else ""


def _names(file: h5py.File, name: str, path: Path) -> tuple[str, ...]:
    return tuple(as_text(value) for value in np.ravel(read_array(file, name, path)))


def _individuals(file: h5py.File, n_tracks: int, path: Path) -> tuple[str, ...] | None:
    if n_tracks == 1:
        return None
    names = _names(file, "track_names", path) if "track_names" in file else ()
    return names if len(names) == n_tracks else tuple(f"track_{i}" for i in range(n_tracks))


def _order(shape: tuple[int, ...], n_nodes: int, path: Path) -> tuple[int, ...]:
    """The axes of tracks, frames, nodes and coordinates, in Matlab's order (SLEAP's default) or numpy's."""
    if len(shape) == 4 and shape[1:3] == (2, n_nodes):
        return (0, 3, 2, 1)
    if len(shape) == 4 and shape[2:] == (n_nodes, 2):
        return (1, 0, 2, 3)
    raise FormatError(f"{path}: tracks have shape {shape}; expected (n_tracks, 2, {n_nodes}, n_frames)")


def _score_order(file: h5py.File, expected: tuple[int, int, int], path: Path) -> tuple[int, ...] | None:
    """The axes of tracks, frames and nodes of the scores; None where there are none."""
    if "point_scores" not in file:
        return None
    shape, (n_tracks, n_frames, n_nodes) = own_array(file, "point_scores", path).shape, expected
    orders = {(n_tracks, n_nodes, n_frames): (0, 2, 1), (n_frames, n_tracks, n_nodes): (1, 0, 2)}
    if shape not in orders:
        raise FormatError(f"{path}: point_scores of shape {shape} do not fit tracks of shape {(*expected, 2)}")
    return orders[shape]


def _frames_of(file: h5py.File, name: str, order: tuple[int, ...], own: slice, path: Path) -> Array:
    """Some frames of an array, its axes in the order given, of which the second is that of the frames."""
    part = tuple(own if axis == order[1] else ALL for axis in range(len(order)))
    return np.transpose(read_numbers(file, name, path, part), order)


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
    with new_hdf5(path) as file:
        for name, values in held.items():
            file[name] = values
