"""Rows of keypoints found in frames, in memory or in files."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...datasets import Array
from ...datasets.atomic_files import atomic_write
from ...datasets.npz_files import read_npz


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of all cameras' frames, (n_keypoints, width) float32 each, see `of_rows`; NaN: damaged.

    They are kept in parts, consecutive frames each, in files of a folder, or in memory (None). A camera has fewer rows
    than a part has frames where its video ends.
    """

    cameras: tuple[str, ...]
    folder: Path | None
    parts: dict[range, dict[str, np.ndarray]] = field(default_factory=dict)

    def add(self, frames: range, rows: Mapping[str, list[np.ndarray]], shape: tuple[int, int]) -> None:
        """Keep a part; shape: of one row."""
        nothing = np.empty((0, *shape), np.float32)
        part = {f"rows_{c}": np.stack(rows[name]) if rows[name] else nothing for c, name in enumerate(self.cameras)}
        if self.folder is None:
            self.parts[frames] = part
            return
        with atomic_write(self.folder / f"rows-{frames.start}-{frames.stop}.npz") as file, file.open("wb") as stream:
            np.savez(stream, **part)  # type: ignore[arg-type]

    def kept(self, start: int = 0) -> list[range]:
        """The parts that follow each other from a frame on; a damaged file ends them."""
        known = {frames.start: frames for frames in (self.parts if self.folder is None else self._stored())}
        chain: list[range] = []
        while start in known:
            chain.append(known[start])
            start = known[start].stop
        return chain

    def _stored(self) -> Iterator[range]:
        assert self.folder is not None
        for path in self.folder.glob("rows-*-*.npz"):
            if zipfile.is_zipfile(path):
                yield range(*map(int, path.stem.split("-")[1:]))

    def part(self, frames: range) -> dict[str, np.ndarray]:
        """{camera: its rows} of one part."""
        path = None if self.folder is None else self.folder / f"rows-{frames.start}-{frames.stop}.npz"
        own = self.parts[frames] if path is None else read_npz(path)
        return {name: own[f"rows_{c}"] for c, name in enumerate(self.cameras)}

    def remove(self) -> None:
        """Remove the files, and the folders if nothing else lies there."""
        if self.folder is None:
            return
        for path in self.folder.glob("rows-*"):
            path.unlink()
        with suppress(OSError):
            self.folder.rmdir()
            self.folder.parent.rmdir()


@dataclass(eq=False)
class StoredRows:
    """Rows read in the order of time: only the parts that hold the last ones stay in memory."""

    rows: Rows
    read: dict[range, dict[str, np.ndarray]] = field(default_factory=dict)

    def __post_init__(self):
        self.chain = self.rows.kept()

    def placed(self, camera: str, numbers: NDArray[np.int64]) -> Array:
        """(n, n_keypoints, width) rows of a camera's frames; NaN where a number is -1 or the camera has no frame."""
        seen = numbers[numbers >= 0]
        low, high = (int(seen.min()), int(seen.max())) if len(seen) else (0, -1)
        needed = [frames for frames in self.chain if frames.stop > low and frames.start <= high]
        self.read = {frames: self.read.get(frames) or self.rows.part(frames) for frames in needed or self.chain[:1]}
        shape = next(iter(self.read.values()))[camera].shape[1:]
        placed = np.full((len(numbers), *shape), np.nan)
        for frames in needed:
            own = self.read[frames][camera]
            here = (numbers >= frames.start) & (numbers < frames.start + len(own))
            placed[here] = own[numbers[here] - frames.start]
        return placed
