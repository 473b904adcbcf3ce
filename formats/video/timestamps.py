"""Timestamps of frames that a recording program wrote beside the video: a list of numbers, or a table."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd

from ...numerics.arrays import Array
from ..files import FormatError, existing
from ..tables.exact_csv import check_columns

_TIME_WORDS = ("time", "stamp", "second", "clock")
_CAMERA_COLUMNS = ("cam_id", "camera", "cam", "port", "camera_id", "cam_name", "view", "device")
# seconds of each unit
_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
_NAMED = {"nanoseconds": "ns", "microseconds": "us", "milliseconds": "ms", "seconds": "s", "sec": "s", "µs": "us"}


def read_timestamps(path: str | os.PathLike, camera: str = "", *, fps: float | None = None) -> Array:
    """Times of a camera's frames from a file with one line per frame.

    Parameters
    ----------
    path : path
        A text file of numbers, or a CSV whose column of times has "time" or "stamp" in its name. A table of all cameras
        names them in a column ("cam_id", "camera", "port", ...).
    camera : str
        The camera, where the table has several: its name, or the number in it.
    fps : float, hertz, optional
        The rate that the video states, by which the unit is found where the column's name does not end with it.

    Returns
    -------
    ndarray, shape (n_frames,), seconds
        Increasing, as the file counts them.

    Raises
    ------
    FormatError
        The file is unreadable, has no times, or they do not increase.

    Examples
    --------
    >>> from pathlib import Path
    >>> from muybridge.formats.video.timestamps import read_timestamps
    >>> _ = Path("times.csv").write_text("frame,timestamp_ms\\n0,500\\n1,520\\n2,560\\n")
    >>> read_timestamps("times.csv").tolist()
    [0.5, 0.52, 0.56]
    """
    path = existing(path)
    table = _table(path)
    table = _of_camera(table, camera, path)
    column = _time_column(table, path)
    values = np.asarray(pd.to_numeric(table[column], errors="coerce"), dtype=float)
    if not len(values) or not np.isfinite(values).all():
        row = int(np.argmax(~np.isfinite(values))) if len(values) else 0
        raise FormatError(f"{path}: the time of frame {row} in column '{column}' is no number")
    seconds = values * _UNITS[_unit_of(str(column), values, fps, path)]
    if len(seconds) > 1 and (np.diff(seconds) <= 0).any():
        frame = int(np.argmax(np.diff(seconds) <= 0)) + 1
        raise FormatError(
            f"{path}: the time of frame {frame}, {values[frame]:.10g}, is not after that of the one before"
        )
    return seconds


def _table(path: Path) -> pd.DataFrame:
    check_columns(path)
    try:
        first = path.read_text(encoding="utf-8", errors="replace").lstrip().splitlines()[:1]
        has_header = bool(first) and bool(re.search(r"[a-df-zA-DF-Z]", first[0]))
        separator = r"\s*[,;\t]\s*|\s+" if not has_header else r"\s*[,;\t]\s*"
        return pd.read_csv(path, sep=separator, engine="python", header=0 if has_header else None, comment="#")
    except (ValueError, OSError) as error:
        raise FormatError(f"{path} is no table of timestamps: {' '.join(str(error).split())}") from error


def _of_camera(table: pd.DataFrame, camera: str, path: Path) -> pd.DataFrame:
    """The rows of a camera, where a column names several; in the order of their times."""
    named = [column for column in table.columns if str(column).lower() in _CAMERA_COLUMNS]
    if not named or len(set(table[named[0]])) < 2:
        return table
    names = np.array([str(name) for name in table[named[0]]])
    number = re.findall(r"\d+", camera)
    for wanted in (camera, *(n.lstrip("0") or "0" for n in number[-1:])):
        if (names == wanted).any():
            return table.loc[names == wanted]
    raise FormatError(
        f"{path} has times of cameras {sorted(set(names.tolist()))}, none of '{camera}'; name the cameras so"
    )


def _time_column(table: pd.DataFrame, path: Path) -> object:
    named = [column for column in table.columns if any(word in str(column).lower() for word in _TIME_WORDS)]
    if named:
        return named[0]
    if len(table.columns) <= 2 and all(isinstance(column, int) for column in table.columns):
        return table.columns[-1]
    raise FormatError(f"{path} has no column of times among {list(table.columns)}; name one 'timestamp'")


def _unit_of(column: str, values: Array, fps: float | None, path: Path) -> str:
    """Unit by the column's name, else the one whose rate is nearest to the video's, else seconds."""
    ending = re.split(r"[^a-zµ]+", column.lower().rstrip(")] "))[-1]
    ending = _NAMED.get(ending, ending)
    if ending in _UNITS:
        return ending
    if fps is None or not np.isfinite(fps) or len(values) < 2:
        return "s"
    rates = {unit: 1 / (np.median(np.diff(values)) * size) for unit, size in _UNITS.items()}
    unit = min(rates, key=lambda name: abs(np.log(abs(rates[name]) / fps)))
    if abs(np.log10(rates[unit] / fps)) > 1:
        raise FormatError(
            f"{path}: its times give {rates['s']:.4g} Hz in seconds, and the video has {fps:.4g} Hz; end the column's"
            " name with its unit (_ms)"
        )
    return unit
