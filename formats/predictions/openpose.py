"""OpenPose's and Pose2Sim's folders: one JSON file per frame, with the keypoints of every person in it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...datasets.atomic_files import atomic_write
from ...datasets.size_limit import endless
from ...numerics.arrays import Array
from ..files import FormatError, check_size, natural_key
from .tracks import CameraRows, FileRows

_COCO_17 = """Nose LEye REye LEar REar LShoulder RShoulder LElbow RElbow LWrist RWrist LHip RHip LKnee RKnee LAnkle
RAnkle"""
_FEET = "LBigToe RBigToe LSmallToe RSmallToe LHeel RHeel"
_UPPER = "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist"
_LEGS = "RHip RKnee RAnkle LHip LKnee LAnkle"
# the keypoints of the models that these tools run, by their number; others are keypoint_0, keypoint_1, ...
_NAMES = {
    17: _COCO_17,
    18: f"{_UPPER} {_LEGS} REye LEye REar LEar",
    25: f"{_UPPER} MidHip {_LEGS} REye LEye REar LEar LBigToe LSmallToe LHeel RBigToe RSmallToe RHeel",
    26: f"{_COCO_17} Head Neck Hip {_FEET}",  # HALPE_26, which Pose2Sim runs by default
}
_PARSED = 16  # bytes of memory per byte of JSON: lists of Python's numbers
_FRAME = re.compile(r"(\d+)(?:_keypoints)?$")


def is_openpose(folder: Path) -> bool:
    """Whether a folder holds JSON files with numbers in their names."""
    return folder.is_dir() and any(_FRAME.search(file.stem) for file in folder.glob("*.json"))


def openpose_rows(folder: Path, n_rows: int | None = None) -> Iterator[FileRows]:
    """Read a folder of one camera, so many files after the other (None: all at once); 0, 0, 0 is a missing keypoint.

    Frame numbers are the last ones of the files' names. Several people are individuals in the order
    of the files, which need not be the same from frame to frame: these tools do not follow people. Keypoints have the
    names of COCO_17, COCO_18, BODY_25 or HALPE_26, by their number.

    Raises
    ------
    FormatError
        A file cannot be read, or holds another number of keypoints than the others.
    """
    files = sorted(folder.glob("*.json"), key=lambda file: natural_key(file.name))
    numbers = np.array([_frame(file) for file in files], np.int64)
    if not files:
        raise FormatError(f"{folder} holds no .json file; give the folder of one camera's OpenPose files")
    values, counts = np.unique(numbers, return_counts=True)
    if (counts > 1).any():
        twice = values[counts > 1][0]
        raise FormatError(f"{folder} holds several files of frame {twice}; give every camera a folder of its own")
    sizes: dict[int, Path] = {}
    for start in range(0, len(files), n_rows or len(files)):
        own = slice(start, start + (n_rows or len(files)))
        people = [_people(file) for file in files[own]]
        for file, found in zip(files[own], people, strict=True):
            sizes |= {len(person): file for person in found if len(person) not in sizes}
        if len(sizes) > 1:
            (n, first), (m, other), *_ = sizes.items()
            raise FormatError(f"{first} has {n} keypoints and {other} {m}; all must come from one model")
        yield _rows(folder, files[own], numbers[own], people, next(iter(sizes), 0))
    if not sizes:
        raise FormatError(f"{folder}: there is no person in any of its {len(files)} files")


def _rows(
    folder: Path, files: list[Path], numbers: NDArray[np.int64], people: list[list[Array]], n_keypoints: int
) -> FileRows:
    """Some files' people, each with as many keypoints; 0 as long as nobody was seen."""
    n_people = max(map(len, people))
    shape = (n_people, len(files), n_keypoints, 3)
    check_size(8 * math.prod(shape), sum(file.stat().st_size for file in files), str(folder))
    values = np.full(shape, np.nan)
    for row, found in enumerate(people):
        for p, person in enumerate(found):
            values[p, row] = person
    values[(values == 0).all(axis=-1)] = np.nan
    names = _NAMES[n_keypoints].split() if n_keypoints in _NAMES else [f"keypoint_{i}" for i in range(n_keypoints)]
    individuals = tuple(f"person_{i}" for i in range(n_people)) if n_people > 1 else None
    return FileRows(tuple(names), values, numbers, individuals)


def _frame(file: Path) -> int:
    found = _FRAME.search(file.stem)
    if found is None:
        raise FormatError(f"{file} has no frame number in its name, as cam1_000042.json has; remove it from its folder")
    return min(int(found[1]), np.iinfo(np.int64).max)  # longer ones are refused by their size


def _people(file: Path) -> list[Array]:
    """The (n_keypoints, 3) x, y, confidence of every person in a file."""
    if reason := endless(file):
        raise FormatError(f"{reason}; remove it from its folder")
    check_size(_PARSED * file.stat().st_size, 0, str(file))
    try:
        content = json.loads(file.read_bytes())
        listed = [person["pose_keypoints_2d"] for person in content["people"]]
        return [np.array(values, float).reshape(-1, 3) for values in listed if len(values)]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FormatError(
            f"{file} is no file of OpenPose ({type(error).__name__}: {error}); expected people, each with"
            " pose_keypoints_2d; copy or make it again"
        ) from error


def write_openpose(rows: CameraRows, folder: Path) -> None:
    """Write NAME_000000000042_keypoints.json per frame; a missing keypoint is 0, 0, 0.

    Of several people one who is missing is a row of zeros, so that the others keep their places.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = np.concatenate([rows.points_2d, rows.confidence[..., None]], axis=-1)
    missing = np.isnan(rows.points_2d[..., 0])
    kept[missing] = 0.0
    for i, frame in enumerate(rows.frames.tolist()):
        people = [_person(kept[p, i]) for p in range(len(kept)) if len(kept) > 1 or not missing[p, i].all()]
        with atomic_write(folder / f"{folder.name}_{frame:012d}_keypoints.json") as partial:
            partial.write_text(json.dumps({"version": 1.3, "people": people}), encoding="utf-8")


def _person(values: Array) -> dict[str, list]:
    others = ("face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d")
    return {"person_id": [-1], "pose_keypoints_2d": values.ravel().tolist()} | {name: [] for name in others}
