"""Writing what a labeller opens: a DeepLabCut-style project of pictures and (empty or proposed) labels."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from ...datasets.atomic_files import atomic_write
from ...numerics.arrays import Array
from ..tables.frame_rows import PointTable
from ..tables.pandas_h5_writing import write_pandas_h5
from ..tables.table_writing import check_cell
from ..video.reading import VideoError, VideoSource, files_of_source, read_frames_at
from .labelled_frames import LabelError
from .picture_copies import COPIES, write_copies

_DECIMALS = 3  # of a pixel, as both files hold it


def picture_name(frame: int) -> str:
    return f"img{frame:06d}.png"


def write_project(
    folder: str | os.PathLike,
    pictures: Mapping[str, tuple[VideoSource, Sequence[int]]],
    keypoints: Sequence[str] = (),
    *,
    proposals: Mapping[str, Array] | None = None,
    bones: Sequence[tuple[str, str]] = (),
    scorer: str = "me",
) -> Path:
    """Write ``config.yaml`` and ``labeled-data/<name>/img000123.png`` with ``CollectedData_<scorer>.csv`` and ``.h5``.

    Parameters
    ----------
    folder : made if absent; label files that are there already are never overwritten
    pictures : {name of the labelled folder: (video, frame numbers)}
    keypoints : names for the labeller; without them no label file is written
    proposals : {name: (n_frames, n_keypoints, 2)} pixels, NaN where nothing is proposed; None: empty cells
    bones : pairs of keypoints, drawn by labellers that can

    Returns
    -------
    the folder, which any labeller of DeepLabCut projects and `read_labels` open

    Raises
    ------
    LabelError
        Labels of `scorer` exist already for one of the names.
    VideoError
        A frame cannot be decoded.
    """
    folder = Path(folder)
    paths = {name: folder / "labeled-data" / name / f"CollectedData_{scorer}.csv" for name in pictures}
    existing = [path for csv in paths.values() for path in (csv, csv.with_suffix(".h5")) if path.exists()]
    if existing:
        raise LabelError(f"{existing[0]} exists already; its labels are kept: choose another folder or scorer")
    for name, (video, frames) in pictures.items():
        write_pictures(video, frames, paths[name].parent, copies=folder / COPIES / name)
        if len(keypoints):
            names = [f"labeled-data/{name}/{picture_name(frame)}" for frame in frames]
            points = np.full((len(frames), len(keypoints), 2), np.nan) if proposals is None else proposals[name]
            write_labels(paths[name], names, points, keypoints, scorer)
            if proposals is not None:  # the same again: a point of the labels that equals it is not confirmed
                write_label_csv(proposals_path(paths[name]), names, points, keypoints, scorer)
    videos = {name: str(files_of_source(video)[0]) for name, (video, _) in pictures.items()}
    write_config(folder, videos, keypoints, bones, scorer)
    return folder


def proposals_path(labels: Path) -> Path:
    """The file of the points that were proposed, beside the label file that held them at first."""
    return labels.with_name(labels.name.replace("CollectedData", "Proposed", 1)).with_suffix(".csv")


def write_config(
    folder: Path, videos: Mapping[str, str], keypoints: Sequence[str], bones: Sequence[tuple[str, str]], scorer: str
) -> None:
    """``config.yaml`` of a project; videos : {name of the labelled folder: path}."""
    with atomic_write(folder / "config.yaml") as partial:
        partial.write_text(_config(folder, videos, keypoints, bones, scorer), encoding="utf-8")


def write_pictures(
    video: VideoSource,
    frames: Iterable[int],
    folder: Path,
    *,
    copies: Path | None = None,
    written: Callable[[int], object] = lambda frame: None,
) -> None:
    """Some frames of a video as png files; `written` is called with the number of each that is there.

    copies : folder of the smaller copies for the labelling page, made while a frame is in memory

    Raises
    ------
    VideoError : a frame cannot be decoded; it is named, the others are written
    """
    wanted = set(frames)
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in read_frames_at(video, frozenset(wanted)):
        if image is not None:
            partial = folder / f".partial_{picture_name(number)}"
            picture = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
            cv2.imwrite(str(partial), picture)
            if copies is not None:
                write_copies(picture, folder / picture_name(number), copies)
            partial.replace(folder / picture_name(number))  # keeps its time: the copies are not older
            wanted.discard(number)
            written(number)
    if wanted:
        raise VideoError(f"frames {sorted(wanted)} of {video} cannot be decoded; leave them out")


def write_labels(path: Path, names: Sequence[str], points_2d: Array, keypoints: Sequence[str], scorer: str) -> None:
    """DeepLabCut's label files, a CSV and beside it the h5 that napari-deeplabcut opens, with the same numbers.

    names : of the pictures, labeled-data/FOLDER/PICTURE
    """
    write_label_csv(path, names, points_2d, keypoints, scorer)
    columns = [(scorer, keypoint, axis) for keypoint in keypoints for axis in "xy"]
    rounded = np.round(points_2d, _DECIMALS).reshape(len(names), -1)
    write_pandas_h5(PointTable(columns, rounded, np.array(names, dtype=object)), path.with_suffix(".h5"))


def write_label_csv(path: Path, names: Sequence[str], points_2d: Array, keypoints: Sequence[str], scorer: str) -> None:
    """A DeepLabCut label file; a missing keypoint is an empty cell.

    Raises
    ------
    FormatError
        A spreadsheet would compute a name.
    """
    for cell in (scorer, *keypoints, *names):
        check_cell(cell)
    with atomic_write(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["scorer", *[scorer] * 2 * len(keypoints)])
        writer.writerow(["bodyparts", *[name for name in keypoints for _ in "xy"]])
        writer.writerow(["coords", *["x", "y"] * len(keypoints)])
        for name, row in zip(names, points_2d.reshape(len(names), -1), strict=True):
            writer.writerow([name, *["" if np.isnan(value) else f"{value:.{_DECIMALS}f}" for value in row]])


def _config(folder: Path, videos: Mapping[str, str], keypoints, bones, scorer: str) -> str:
    """The few entries of DeepLabCut's config.yaml that labellers read. JSON strings are valid YAML."""
    lines = [
        f"Task: {json.dumps(folder.name)}",
        f"scorer: {json.dumps(scorer)}",
        "multianimalproject: false",
        "identity:",
        f"project_path: {json.dumps(str(folder.resolve()))}",
        "video_sets:" if videos else "video_sets: {}",
    ]
    for video in videos.values():
        lines += [f"  {json.dumps(str(Path(video).resolve()))}:", "    crop: 0, 0, 0, 0"]
    lines += ["bodyparts:"] + [f"- {json.dumps(name)}" for name in keypoints]
    lines += ["skeleton:"] + [f"- [{json.dumps(a)}, {json.dumps(b)}]" for a, b in bones]
    lines += ["dotsize: 6", "pcutoff: 0.6", "skeleton_color: black", "colormap: rainbow"]
    return "\n".join(lines) + "\n"
