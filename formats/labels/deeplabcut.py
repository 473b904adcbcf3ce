"""Labels of DeepLabCut (CSV, HDF5) and Lightning Pose (CSV of the same layout): one row per labelled picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..files import as_text
from ..predictions.deeplabcut import point_tables
from ..predictions.tracks import Track, rows_to_track, table_to_rows
from .labelled_frames import Labels
from .picture_files import labels_of_pictures


def read_label_table(path: Path) -> tuple[Track, list[str]]:
    """The points of a table, a row per picture, and the pictures' names.

    Raises
    ------
    FormatError
        The file is no such table.
    """
    (table,) = point_tables(path)
    track = rows_to_track(table_to_rows(table, np.arange(len(table.index)), str(path)), str(path))
    return track, [as_text(name) for name in table.index]


def read_deeplabcut_labels(path: Path, images: Path | None, camera: str | None) -> Labels:
    """The labelled pictures of a CSV or HDF5 table; rows without any label are left out.

    Of several individuals a picture has one entry for each that is labelled in it.

    Raises
    ------
    FormatError
        The file is no such table.
    """
    track, names = read_label_table(path)
    points_2d = np.moveaxis(track.points_2d, 0, 1)
    rows, animals = np.nonzero(np.isfinite(points_2d).all(-1).any(-1))
    individuals = None if len(track.points_2d) == 1 else [(track.individuals or ())[a] for a in animals]
    named = [names[i] for i in rows]
    return labels_of_pictures(points_2d[rows, animals], named, track.keypoints, path, images, camera, individuals)
