"""Which reader and which writer a calibration file needs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..files import FormatError, existing, natural_key
from .dlt_coefficients import read_dlt, write_dlt
from .json_files import read_json, write_json
from .label3d import read_label3d, write_label3d
from .opencv import read_opencv, write_opencv
from .qualisys import read_qualisys
from .records import RigRecord, Sizes, with_names, with_sizes
from .toml_files import read_toml, write_toml

# {suffix: reader and writer}; .xml and .txt may hold Qualisys's XML instead
_TOOLS = {
    ".toml": (read_toml, write_toml),
    ".json": (read_json, write_json),
    ".yaml": (read_opencv, write_opencv),
    ".yml": (read_opencv, write_opencv),
    ".xml": (read_opencv, write_opencv),
    ".mat": (read_label3d, write_label3d),
    ".csv": (read_dlt, write_dlt),
    ".txt": (read_dlt, write_dlt),
}
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
    suffix = path.suffix.lower()
    if path.is_dir():
        record = _read_folder(path)
    elif suffix in (".xml", ".txt") and _is_qualisys(path):
        record = read_qualisys(path)
    elif suffix in (".csv", ".txt"):
        record = read_dlt(path, size=size, names=names, origin=origin)
    elif suffix in _TOOLS:
        record = _TOOLS[suffix][0](path)
    else:
        raise FormatError(f"{path} is no calibration file that can be read; known: {', '.join(_TOOLS)}, .qca.txt")
    record = with_sizes(with_names(record, names, str(path)), size, str(path))
    return record if unit is None else record._replace(unit=unit)


def _is_qualisys(path: Path) -> bool:
    """Whether a file begins as XML that OpenCV did not write."""
    beginning = path.read_bytes()[:1024]
    return beginning.lstrip().startswith(b"<") and b"<opencv_storage" not in beginning


def _read_folder(folder: Path) -> RigRecord:
    """One camera per file, in natural (number-aware) order."""
    files = [file for file in folder.iterdir() if file.suffix.lower() in _IN_FOLDERS]
    files.sort(key=lambda file: natural_key(file.name))
    if not files:
        raise FormatError(f"{folder} holds no camera files; expected one .yaml, .yml, .xml or .mat per camera")
    cameras, units = [], set()
    for file in files:
        record = _TOOLS[file.suffix.lower()][0](file)
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
    if path.suffix.lower() not in _TOOLS:
        raise FormatError(f"cameras cannot be written as '{path.suffix}' ({path}); known: {', '.join(_TOOLS)}")
    _TOOLS[path.suffix.lower()][1](record, path)
    return path
