"""Labels as other tools write them: DeepLabCut (CSV, h5), Lightning Pose, SLEAP analysis h5, COCO keypoints."""

from __future__ import annotations

import csv
import json
import os
import pickletools
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from ..video.reading import natural_key
from .labelled_frames import LabelError, Labels, Picture, join_labels

Symmetries = Sequence[tuple[str, str]]


def read_labels(
    source: str | os.PathLike | Sequence | Mapping[str, str | os.PathLike],
    *,
    images: str | os.PathLike | None = None,
    videos: Mapping[str, str | os.PathLike] | str | os.PathLike | None = None,
    camera: str | None = None,
    symmetries: Symmetries | None = None,
) -> Labels:
    """Labelled frames from one file, a folder of files, a list of sources, or one source per camera.

    Parameters
    ----------
    source : a file (DeepLabCut or Lightning Pose ``.csv``, DeepLabCut or SLEAP analysis ``.h5``, COCO ``.json``), a
        folder that holds such files at any depth (a DeepLabCut project, ``labels/<camera>/CollectedData_X.csv``),
        a list of these, or {camera name: source}
    images : folder in which relative picture names are looked up first
    videos : for SLEAP files, the video that holds the frames, or {camera name: video}; default: looked for beside them
    camera : name of the camera of all frames; the default is the folder that holds the pictures (or the video's name)
    symmetries : (left, right) keypoint names; the default reads them from the names

    Raises
    ------
    LabelError : nothing found, a file that is none of these formats, missing pictures; names file and remedy
    """
    if isinstance(source, Mapping):
        parts = [read_labels(one, images=images, videos=videos, camera=name) for name, one in source.items()]
        labels = join_labels(parts)
    elif isinstance(source, (str, os.PathLike)):
        labels = _read_path(Path(source), Path(images) if images is not None else None, videos, camera)
    else:
        parts = [read_labels(one, images=images, videos=videos, camera=camera) for one in source]
        labels = join_labels(parts)
    if len(labels) == 0:
        raise LabelError(f"{source} holds no labelled frame; label some (see extract_frames)")
    _check_pictures(labels)
    return labels if symmetries is None else replace(labels, symmetries=tuple((a, b) for a, b in symmetries))


def _read_path(path: Path, images: Path | None, videos, camera: str | None) -> Labels:
    if not path.exists():
        raise LabelError(f"there is no label file or folder {path}")
    if path.is_dir():
        return join_labels([_read_path(file, images, videos, camera) for file in _label_files(path)])
    try:
        if path.suffix == ".csv":
            return _read_dlc_csv(path, images, camera)
        if path.suffix in (".h5", ".hdf5"):
            return _read_h5(path, images, videos, camera)
        if path.suffix == ".json":
            return _read_coco(path, images, camera)
    except (OSError, KeyError, IndexError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise LabelError(f"{path} cannot be read as labels ({type(error).__name__}: {error})") from error
    raise LabelError(f"{path} is no label file this reads: .csv, .h5 (DeepLabCut, SLEAP analysis) or .json (COCO)")


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


# DeepLabCut and Lightning Pose


def _read_dlc_csv(path: Path, images: Path | None, camera: str | None) -> Labels:
    """The three (or, with individuals, four) header lines of DeepLabCut; the picture's name fills 1 or 3 columns."""
    with path.open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.reader(stream) if any(cell.strip() for cell in row)]
    header = {row[0].strip(): row for row in rows[:4]}
    if "bodyparts" not in header or "coords" not in header:
        raise LabelError(
            f"{path} has no 'bodyparts' and 'coords' header lines; it is no label file of DeepLabCut or Lightning Pose"
        )
    if "individuals" in header and len({name for name in header["individuals"][1:] if name}) > 1:
        raise LabelError(f"{path} labels several individuals; one animal per file is read")
    coords = [cell.strip() for cell in header["coords"]]
    first = coords.index("x")
    columns = [(header["bodyparts"][c].strip(), coords[c]) for c in range(first, len(coords))]
    body = [row for row in rows if row[0].strip() not in ("scorer", "bodyparts", "coords", "individuals")]
    names = ["/".join(cell.strip() for cell in row[:first] if cell.strip()) for row in body]
    values = np.array([[_number(cell, path) for cell in row[first : first + len(columns)]] for row in body])
    return _dlc_labels(path, images, camera, columns, names, values.reshape(len(body), len(columns)))


def _number(cell: str, path: Path) -> float:
    try:
        return float(cell) if cell.strip() else np.nan
    except ValueError:
        raise LabelError(f"{path} holds {cell!r} where a coordinate belongs") from None


def _dlc_labels(path, images, camera, columns, names, values) -> Labels:
    keypoints = tuple(dict.fromkeys(name for name, _ in columns))
    points = np.full((len(names), len(keypoints), 2), np.nan)
    for c, (name, coord) in enumerate(columns):
        if coord in ("x", "y"):
            points[:, keypoints.index(name), ("x", "y").index(coord)] = values[:, c]
    labelled = np.flatnonzero(np.isfinite(points).all(-1).any(-1))
    points, names = points[labelled], [names[i] for i in labelled]
    files = [_find_picture(name, path, images) for name in names]
    groups = [file.parent.name for file in files]
    return Labels(
        pictures=tuple(Picture(file) for file in files),
        points_2d=points,
        keypoints=keypoints,
        cameras=tuple(camera or group for group in groups),
        groups=tuple(groups),
        instants=tuple(_instant(file.name) for file in files),
    )


def _instant(name: str) -> int:
    numbers = re.findall(r"\d+", name)
    return int(numbers[-1]) if numbers else 0


def _find_picture(name: str, labels: Path, images: Path | None) -> Path:
    """A picture by its name in a label file: below `images`, beside the file, or relative to a folder above it."""
    relative = Path(name.replace("\\", "/"))
    places = [images / relative, images / relative.name] if images else []
    places += [labels.parent / relative.name] + [folder / relative for folder in labels.absolute().parents[:4]]
    return next((place for place in places if place.is_file()), places[0] if images else labels.parent / relative)


def _check_pictures(labels: Labels) -> None:
    missing = sorted({str(picture.path) for picture in labels.pictures if not picture.path.is_file()})
    if missing:
        raise LabelError(
            f"{len(missing)} of {len(labels)} labelled images are missing, the first is {missing[0]}; "
            "put them beside the label file or pass images=<folder>"
        )


# h5


def _read_h5(path: Path, images: Path | None, videos, camera: str | None) -> Labels:
    with h5py.File(path, "r") as file:
        if "tracks" in file and "node_names" in file:
            return _read_sleap(path, file, videos, camera)
        tables = [group for group in file.values() if isinstance(group, h5py.Group)]
        for group in tables:
            if "table" in group:
                return _read_dlc_table(path, group, images, camera)
            if "block0_values" in group:
                return _read_dlc_fixed(path, group, images, camera)
    raise LabelError(f"{path} is no DeepLabCut or SLEAP analysis file (SLEAP: export the analysis h5 of the labels)")


def _read_dlc_table(path: Path, group, images: Path | None, camera: str | None) -> Labels:
    """pandas' table layout: rows with an index, and blocks of values whose column names are pickled in attributes.

    Nothing is unpickled: the keypoint names are taken from the text inside (three strings per column).
    """
    table = group["table"]
    rows = table[:]
    fields = rows.dtype.names or ()
    index = [name for name in fields if name.startswith("index")]
    names = [_text(row[index[0]]) for row in rows]
    block = next(name for name in fields if name.startswith("values_block"))
    raw = table.attrs.get(f"{block}_kind", b"")
    columns = _pickled_columns(raw.tobytes() if hasattr(raw, "tobytes") else bytes(raw), path)
    return _dlc_labels(path, images, camera, columns, names, np.asarray(rows[block], float))


def _pickled_columns(raw: bytes, path: Path) -> list[tuple[str, str]]:
    """(keypoint, coordinate) of each column, from the opcodes of a pickled list of (scorer, keypoint, coordinate).

    The opcodes are listed (`pickletools.genops`), never run: strings and references to earlier strings in order.
    """
    memo: dict[int, str | None] = {}
    strings: list[str] = []
    newest: str | None = None
    for opcode, argument, _ in pickletools.genops(raw):
        name = opcode.name
        if name.endswith(("UNICODE", "UNICODE8")):
            newest = str(argument)
            strings.append(newest)
        elif name == "MEMOIZE":
            memo[len(memo)] = newest
        elif "PUT" in name:
            memo[int(argument or 0)] = newest
        elif "GET" in name:
            recalled = memo.get(int(argument or 0))
            if recalled is not None:
                strings.append(recalled)
        else:
            newest = None
    if not strings or len(strings) % 3:
        raise LabelError(
            f"the column names of {path} cannot be read; pass the CSV file that DeepLabCut writes beside it"
        )
    return list(zip(strings[1::3], strings[2::3], strict=True))


def _read_dlc_fixed(path: Path, group, images: Path | None, camera: str | None) -> Labels:
    """pandas' fixed layout: levels and codes of the column names as plain datasets."""
    n_levels = int(group.attrs["axis0_nlevels"])
    levels = [[_text(v) for v in group[f"axis0_level{i}"][:]] for i in range(n_levels)]
    codes = [group[f"axis0_label{i}"][:] for i in range(len(levels))]
    columns = [(levels[-2][int(k)], levels[-1][int(c)]) for k, c in zip(codes[-2], codes[-1], strict=True)]
    if "axis1" in group:
        names = [_text(v) for v in group["axis1"][:]]
    else:
        parts = [[_text(v) for v in group[f"axis1_level{i}"][:]] for i in range(int(group.attrs["axis1_nlevels"]))]
        rows = [group[f"axis1_label{i}"][:] for i in range(len(parts))]
        names = ["/".join(part[int(r)] for part, r in zip(parts, row, strict=True)) for row in zip(*rows, strict=True)]
    return _dlc_labels(path, images, camera, columns, names, np.asarray(group["block0_values"][:], float))


def _text(value) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _read_sleap(path: Path, file, videos, camera: str | None) -> Labels:
    """SLEAP analysis: tracks (n_tracks, 2, n_nodes, n_frames); one animal, frames without any point are left out."""
    tracks = np.asarray(file["tracks"][:], float)
    if tracks.shape[0] != 1:
        raise LabelError(f"{path} holds {tracks.shape[0]} animals; one animal per file is read")
    points = tracks[0].transpose(2, 1, 0)
    recorded = Path(_text(file["video_path"][()]).replace("\\", "/")).name if "video_path" in file else ""
    camera = camera or path.parent.name
    video = videos.get(camera) if isinstance(videos, Mapping) else videos
    video = Path(video) if video is not None else path.parent / recorded
    if not video.is_file():
        raise LabelError(
            f"the video {video} of the SLEAP file {path} is missing; pass videos=<file> or {{camera: file}}"
        )
    frames = np.flatnonzero(np.isfinite(points).all(-1).any(-1))
    return Labels(
        pictures=tuple(Picture(video, int(frame)) for frame in frames),
        points_2d=points[frames],
        keypoints=tuple(_text(name) for name in file["node_names"][:]),
        cameras=(camera,) * len(frames),
        groups=(video.stem,) * len(frames),
        instants=tuple(int(frame) for frame in frames),
    )


# COCO


def _read_coco(path: Path, images: Path | None, camera: str | None) -> Labels:
    """COCO keypoints: x, y, v with v = 0 not labelled; COCO's origin is the corner of the first pixel, hence −0.5."""
    content = json.loads(path.read_text())
    category = next((c for c in content["categories"] if c.get("keypoints")), None)
    if category is None:
        raise LabelError(f"{path} has no category with keypoints")
    pictures = {image["id"]: image["file_name"] for image in content["images"]}
    annotations = [a for a in content["annotations"] if a.get("keypoints")]
    repeated = [a["image_id"] for a in annotations]
    if len(set(repeated)) < len(repeated):
        raise LabelError(f"{path} labels several animals in one image; one animal per image is read")
    values = np.array([a["keypoints"] for a in annotations], float).reshape(len(annotations), -1, 3)
    points = np.where(values[..., 2:] > 0, values[..., :2] - 0.5, np.nan)
    files = [_find_picture(pictures[a["image_id"]], path, images) for a in annotations]
    return Labels(
        pictures=tuple(Picture(file) for file in files),
        points_2d=points,
        keypoints=tuple(category["keypoints"]),
        cameras=tuple(camera or file.parent.name for file in files),
        groups=tuple(file.parent.name for file in files),
        instants=tuple(_instant(file.name) for file in files),
    )
