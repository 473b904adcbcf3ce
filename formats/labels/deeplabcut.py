"""Labels of DeepLabCut (CSV, HDF5) and Lightning Pose (CSV of the same layout): one row per labelled picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..files import as_text
from ..predictions.tracks import table_to_track
from ..tables.deeplabcut_csv import read_deeplabcut_csv
from ..tables.pandas_h5 import read_pandas_h5
from .labelled_frames import LabelError, Labels
from .picture_files import labels_of_pictures


def read_deeplabcut_labels(path: Path, images: Path | None, camera: str | None) -> Labels:
    """The labelled pictures of a CSV or HDF5 table; rows without any label are left out.

    Raises
    ------
    LabelError
        The table holds several animals.
    FormatError
        The file is no such table.
    """
    table = read_deeplabcut_csv(path) if path.suffix.lower() == ".csv" else read_pandas_h5(path)
    track = table_to_track(table, np.arange(len(table.index)), str(path))
    if len(track.points_2d) > 1:
        raise LabelError(f"{path} labels the individuals {list(track.individuals or ())}; one animal per file is read")
    points_2d, names = track.points_2d[0], [as_text(name) for name in table.index]
    labelled = np.flatnonzero(np.isfinite(points_2d).all(-1).any(-1))
    return labels_of_pictures(points_2d[labelled], [names[i] for i in labelled], track.keypoints, path, images, camera)
