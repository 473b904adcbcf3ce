"""Which reader and which writer a calibration file needs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..catalogue import read_as, recognised, written_as
from ..files import FormatError, existing, natural_key
from .records import RigRecord, Sizes, with_names, with_sizes

_IN_FOLDERS = (".yaml", ".yml", ".xml", ".mat")  # suffixes of files of one camera each


def read_rig_record(
    path: str | os.PathLike,
    *,
    size: Sizes | None = None,
    names: Sequence[str] | None = None,
    unit: str | None = None,
    origin: str | None = None,
) -> RigRecord:
    """Read the cameras of a calibration file as names, arrays and numbers.

    .toml anipose, Pose2Sim, caliscope; .json plain or an AcinoSet scene; .yaml, .yml, .xml OpenCV; .mat Label3D or
    DANNCE; .xml, .qca.txt Qualisys; .csv, .txt eleven DLT coefficients per camera; a folder with one .yaml, .yml, .xml
    or .mat file per camera (JARVIS, DANNCE), named by the files.

    Parameters
    ----------
    size : (width, height) pixels for all cameras or per name; needed where the format has no place for it
    names : new names in the file's order
    unit : world unit; overrides the file's
    origin : DLT coefficients only: where pixel rows are counted from, "top" or "bottom"; None: found out

    Raises
    ------
    FormatError
        The file is missing, of an unknown kind, a pickle, or lacks something.
    """
    path = existing(path)
    if path.is_dir():
        record = _read_folder(path)
    else:
        row = recognised("rig", path)
        given = {"size": size, "names": names, "origin": origin} if row.name == "dlt-csv" else {}
        record = read_as("rig", path, **given)
    record = with_sizes(with_names(record, names, str(path)), size, str(path))
    return record if unit is None else record._replace(unit=unit)


def _read_folder(folder: Path) -> RigRecord:
    """One camera per file, in natural (number-aware) order."""
    files = [file for file in folder.iterdir() if file.suffix.lower() in _IN_FOLDERS]
    files.sort(key=lambda file: natural_key(file.name))
    if not files:
        raise FormatError(f"{folder} holds no camera files; expected one .yaml, .yml, .xml or .mat per camera")
    cameras, units = [], set()
    for file in files:
        record = recognised("rig", file).reader(file)
        if len(record.cameras) != 1:
            raise FormatError(f"{file} holds {len(record.cameras)} cameras; a folder has one camera per file")
        cameras.append(record.cameras[0]._replace(name=file.stem))
        units.add(record.unit)
    return RigRecord(tuple(cameras), units.pop() if len(units) == 1 else None)


def write_rig_record(record: RigRecord, path: str | os.PathLike) -> Path:
    """Write cameras in the format of the suffix (.txt and .csv: DLT coefficients), atomically.

    Raises
    ------
    FormatError
        The suffix is unknown, or the format cannot hold what the record says.
    """
    path = Path(path)
    written_as("rig", path).writer(record, path)
    return path
