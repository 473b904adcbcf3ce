"""Tables of points with one row per frame, and the frame number of each row."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...numerics.arrays import Array
from ..files import FormatError, as_text, check_size

# variances of x and y that EKS states: of its smoother, else of the detectors that it joins
VARIANCES = (("x_posterior_var", "y_posterior_var"), ("x_ens_var", "y_ens_var"))
_MAX_FRAME = 10**8  # eleven days at 100 frames per second; a larger number is a time or a mistake


class PointTable(NamedTuple):
    """A table in DeepLabCut's layout.

    columns : one tuple (scorer, [individual,] keypoint, coordinate) per column
    values : (n_rows, n_columns), NaN where a cell is empty
    index : (n_rows,) frame numbers, or names of pictures
    """

    columns: list[tuple[str, ...]]
    values: Array
    index: NDArray


def frames_from_index(index: ArrayLike, source: str) -> NDArray[np.int64]:
    """(n_rows,) frame number of each row: the index itself, or the number at the end of each image's name.

    Raises
    ------
    FormatError
        A row has no frame number or an impossible one, or two rows have the same.
    """
    values = np.asarray(index)
    if values.dtype.kind in "iu" or (values.dtype.kind == "f" and np.array_equal(values, np.round(values))):
        frames = values.astype(np.int64)
    elif values.dtype.kind == "f":
        odd = values[values != np.round(values)][0]
        raise FormatError(f"{source} has the frame number {odd:g}; frames are whole numbers, one row each")
    else:
        frames = np.array([_number(as_text(text), source) for text in values], dtype=np.int64)
    outside = frames[(frames < 0) | (frames > _MAX_FRAME)]
    if len(outside):
        raise FormatError(f"{source} has the frame number {outside[0]}; frames count from 0 to at most {_MAX_FRAME}")
    unique, counts = np.unique(frames, return_counts=True)
    if (counts > 1).any():
        folders = sorted({as_text(text).rpartition("/")[0] for text in values}) if values.dtype.kind in "SUO" else []
        videos = (
            f"; it holds the pictures of {folders}: split it into one file each"
            if len(folders) > 1
            else "; remove all its rows but one"
        )
        raise FormatError(f"{source} has frame {unique[counts > 1][0]} more than once{videos}")
    return frames


def _number(text: str, source: str) -> int:
    found = re.findall(r"\d+", text.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0])
    if not found:
        raise FormatError(f"{source}: no frame number in the row name '{text}'")
    # longer numbers than int64 holds are refused by their size
    return min(int(found[-1]), np.iinfo(np.int64).max)


def rows_to_frames(values: Array, frames: NDArray[np.int64], source: str = "the table") -> Array:
    """(n_rows, ...) -> (n_frames, ...): each row at its frame, absent frames NaN.

    Raises
    ------
    FormatError
        The last frame's number is so large that the gaps would fill the memory.
    """
    if np.array_equal(frames, np.arange(len(frames))):
        return values
    n_frames = int(frames.max()) + 1 if len(frames) else 0
    check_gaps(n_frames, len(values), values[:1].nbytes, source)
    filled = np.full((n_frames, *values.shape[1:]), np.nan)
    filled[frames] = values
    return filled


def check_gaps(n_frames: int, n_rows: int, row_bytes: int, source: str) -> None:
    """FormatError where so few rows would become so many frames that they fill the memory or the disk."""
    check_size(n_frames * row_bytes, n_rows * row_bytes, f"{source} ends with frame {n_frames - 1}")
