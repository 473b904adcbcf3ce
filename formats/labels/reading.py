"""Read labelled frames: recognise which tool wrote each file, and join files and cameras."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..catalogue import recognised
from ..files import HDF5_SUFFIXES, FormatError, natural_key
from ..tables.h5_arrays import check_hdf5
from .labelled_frames import LabelError, Labels, join_labels
from .sleap import Videos

# what the readers raise at a file that is cut off, of another layout, or nested too deeply
_DAMAGED = (OSError, KeyError, IndexError, TypeError, UnicodeDecodeError, json.JSONDecodeError, RecursionError)


def read_labels(
    source: str | os.PathLike | Sequence | Mapping[str, str | os.PathLike],
    *,
    images: str | os.PathLike | None = None,
    videos: Videos = None,
    camera: str | None = None,
    symmetries: Sequence[tuple[str, str]] | None = None,
) -> Labels:
    """Read labelled frames of DeepLabCut, Lightning Pose, SLEAP or COCO.

    Parameters
    ----------
    source : path, sequence of sources, or mapping of camera name to source
        A file (DeepLabCut or Lightning Pose ``.csv``, DeepLabCut or SLEAP analysis ``.h5``, SLEAP ``.slp``, COCO
        ``.json``), or a folder that holds such files at any depth (a DeepLabCut project,
        ``labels/<camera>/CollectedData_X.csv``).
    images : path, optional
        Folder in which relative picture names are looked up first.
    videos : path or mapping of camera name to path, optional
        For SLEAP files, the video that holds the frames; looked for beside them by default.
    camera : str, optional
        Name of the camera of all frames; the default is the folder that holds the pictures.
    symmetries : sequence of (left, right) keypoint names, optional
        Keypoints that change places when a picture is flipped; read from the names by default.

    Returns
    -------
    Labels
        The frames with at least one labelled keypoint; a keypoint that is not labelled is NaN.

    Raises
    ------
    LabelError
        Nothing was found, a file has none of these formats, or pictures are missing.

    Examples
    --------
    >>> import cv2
    >>> import numpy as np
    >>> from muybridge.pose2d import read_labels
    >>> _ = cv2.imwrite("img0007.png", np.zeros((48, 64, 3), np.uint8))
    >>> with open("CollectedData_me.csv", "w") as stream:
    ...     _ = stream.write("scorer,me,me\\nbodyparts,nose,nose\\ncoords,x,y\\nimg0007.png,12.5,30\\n")
    >>> labels = read_labels("CollectedData_me.csv", camera="top")
    >>> labels.keypoints, labels.cameras, labels.instants, labels.points_2d.tolist()
    (('nose',), ('top',), (7,), [[[12.5, 30.0]]])
    """
    if isinstance(source, str | os.PathLike):
        labels = _read_path(Path(source), Path(images) if images is not None else None, videos, camera)
    else:
        named = source.items() if isinstance(source, Mapping) else [(camera, one) for one in source]
        labels = join_labels([read_labels(one, images=images, videos=videos, camera=name) for name, one in named])
    if len(labels) == 0:
        raise LabelError(f"{source} holds no labelled frame; label some (see extract_frames)")
    _check_pictures(labels)
    return labels if symmetries is None else replace(labels, symmetries=tuple((a, b) for a, b in symmetries))


def _read_path(path: Path, images: Path | None, videos: Videos, camera: str | None) -> Labels:
    if not path.exists():
        raise LabelError(f"there is no label file or folder {path}")
    if path.is_dir():
        return join_labels([_read_path(file, images, videos, camera) for file in _label_files(path)])
    try:
        return _read_file(path, images, videos, camera)
    except FormatError as error:
        raise LabelError(str(error)) from error
    except _DAMAGED as error:
        raise LabelError(f"{path} cannot be read as labels ({type(error).__name__}: {error})") from error


def _read_file(path: Path, images: Path | None, videos: Videos, camera: str | None) -> Labels:
    """The labels of one file, by the reader of the tool that wrote it."""
    if path.suffix.lower() in HDF5_SUFFIXES:
        check_hdf5(path)
    row = recognised("labels", path)
    places = {"videos": videos} if row.name == "sleap-labels" else {"images": images}
    return row.reader(path, camera=camera, **places)


def _label_files(folder: Path) -> list[Path]:
    """The label files below a folder: CSV wins over an h5 of the same name (DeepLabCut writes both)."""
    files = [p for p in folder.rglob("*") if p.suffix in (".csv", ".h5", ".json") and not p.name.startswith(".")]
    kept = [p for p in files if p.name.startswith("CollectedData") and p.suffix in (".csv", ".h5")]
    kept = kept or [p for p in files if p.suffix in (".csv", ".json") or p.name.endswith("analysis.h5")]
    stems = {p.with_suffix("") for p in kept if p.suffix == ".csv"}
    kept = [p for p in kept if p.suffix != ".h5" or p.with_suffix("") not in stems]
    if not kept:
        raise LabelError(
            f"{folder} holds no label files; expected {folder.name}/<camera>/CollectedData_<name>.csv beside its images"
        )
    return sorted(kept, key=natural_key)


def _check_pictures(labels: Labels) -> None:
    missing = sorted({str(picture.path) for picture in labels.pictures if not picture.path.is_file()})
    if missing:
        raise LabelError(
            f"{len(missing)} of {len(labels)} labelled images are missing, the first is {missing[0]}; "
            "put them beside the label file or pass images=<folder>"
        )
