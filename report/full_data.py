"""The data of every frame beside the page, in pieces that its script loads when a reader zooms into a window of time.

A page opened from a disk may read no other file, but it may run scripts beside it: each piece is one, and calls
`reportPiece` with its data.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..datasets import Array
from ..datasets.atomic_files import atomic_write
from .markup import base64_of

PIECE = 4096  # frames in a file
MISSING = -32768  # stands for NaN
_STEPS = 32000  # of an int16, from 0


class Curve(NamedTuple):
    """What is drawn of a quantity: its (n_frames,) values, and standard deviations where they are known."""

    values: Array
    std: Array | None = None


def write_pieces(
    folder: Path, times: Array, positions: np.ndarray, curves: Mapping[str, Curve], every: int = 1
) -> dict[str, object]:
    """Write the pieces, and return what the page's script must know of them.

    times : (n_frames,) seconds; positions : (n_frames, n_points, 3) int16 as the player has them
    every : frames of the recording from one of these to the next
    """
    folder.mkdir(parents=True, exist_ok=True)
    packed = {name: _packed(curve) for name, curve in curves.items()}
    n_pieces = -(-len(times) // PIECE)
    for i in range(n_pieces):
        part = slice(i * PIECE, (i + 1) * PIECE)
        piece = {
            "times": base64_of(times[part].astype("<f8")),
            "positions": base64_of(positions[part].astype("<i2")),
            "curves": [[base64_of(row[part]) for row in rows] for rows, _, _ in packed.values()],
        }
        with atomic_write(folder / f"{i:05d}.js") as partial:
            partial.write_text(f"reportPiece({i},{json.dumps(piece, separators=(',', ':'))})", encoding="ascii")
    for old in folder.glob("[0-9][0-9][0-9][0-9][0-9].js"):
        if int(old.stem) >= n_pieces:
            old.unlink()
    described = {name: {"low": low, "steps": steps} for name, (_, low, steps) in packed.items()}
    return {"folder": folder.name, "piece": PIECE, "n_frames": len(times), "every": every, "curves": described}


def _packed(curve: Curve) -> tuple[Sequence[np.ndarray], float, list[float]]:
    """int16 rows of the values and of their deviations, where the values begin, and the step of each row."""
    low = float(np.nanmin(curve.values)) if np.isfinite(curve.values).any() else 0.0
    rows, steps = [], []
    for row in (curve.values - low, *([] if curve.std is None else [curve.std])):
        step = float(np.nanmax(row, initial=0.0)) / _STEPS or 1.0
        counts = np.rint(row / step)
        rows.append(np.where(np.isfinite(counts), counts, MISSING).astype("<i2"))
        steps.append(step)
    return rows, low, steps


def data_folder(page: str | os.PathLike) -> Path:
    """The folder of the pieces of a page: report.html has report_data."""
    path = Path(page)
    return path.with_name(f"{path.stem}_data")
