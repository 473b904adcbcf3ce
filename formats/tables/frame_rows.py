"""Rows of a table to frames of a recording: the frame number of each row, and absent frames as NaN."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...numerics.arrays import Array
from ..files import FormatError


def frames_from_index(index: ArrayLike, source: str) -> NDArray[np.int64]:
    """(n_rows,) frame number of each row: the index itself, or the number at the end of each image's name.

    Raises
    ------
    FormatError : a row has no frame number, or two rows have the same
    """
    values = np.asarray(index)
    if values.dtype.kind in "iu" or (values.dtype.kind == "f" and np.array_equal(values, np.round(values))):
        frames = values.astype(np.int64)
    else:
        frames = np.array([_number(text, source) for text in values], dtype=np.int64)
    if len(frames) and frames.min() < 0:
        raise FormatError(f"{source} has the frame number {frames.min()}; frames count from 0")
    unique, counts = np.unique(frames, return_counts=True)
    if (counts > 1).any():
        raise FormatError(f"{source} has frame {unique[counts > 1][0]} more than once")
    return frames


def _number(text, source: str) -> int:
    text = text.decode() if isinstance(text, bytes) else str(text)
    found = re.findall(r"\d+", text.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0])
    if not found:
        raise FormatError(f"{source}: no frame number in the row name '{text}'")
    return int(found[-1])


def rows_to_frames(values: Array, frames: NDArray[np.int64], missing: float = np.nan) -> Array:
    """(n_rows, ...) -> (n_frames, ...): each row at its frame, absent frames filled with `missing`."""
    if np.array_equal(frames, np.arange(len(frames))):
        return values
    filled = np.full((int(frames.max()) + 1 if len(frames) else 0, *values.shape[1:]), missing)
    filled[frames] = values
    return filled
