"""The views of long recordings, made of other tools' files one window of time after the other."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr

from ..individuals_of_cameras import numbered_individuals
from ..reading import check_lengths, recording_times, split_tables, views_of_tracks, with_notes
from .long_tables import WINDOW, LongTable, open_long_table

LONG = 60e6  # bytes of files, up to which they are read whole: 15,000 frames of 20 keypoints in 6 cameras as CSV


class WindowedViews(NamedTuple):
    """Frames of the recording, and its views in consecutive pieces."""

    n_frames: int
    pieces: Iterator[xr.Dataset]


def views_in_windows(sources: Mapping[str, Any], folder: Path, **options: Any) -> WindowedViews | None:
    """As `read_views`, with its options, for long recordings in DeepLabCut's tables; None of others.

    folder : where the values of CSV files are kept meanwhile
    """
    files = {str(camera): Path(own) for camera, own in sources.items() if isinstance(own, str | os.PathLike)}
    is_apart = isinstance(options.get("times"), Mapping) or options.get("individuals", "same") not in (
        "same",
        "numbered",
    )
    if len(files) < len(sources) or is_apart or not all(own.is_file() for own in files.values()):
        return None
    if sum(own.stat().st_size for own in files.values()) <= LONG:
        return None
    tables: dict[str, LongTable] = {}
    with ExitStack() as held:
        for camera, own in files.items():
            table = open_long_table(own, folder, held)
            if table is None:
                return None
            tables[camera] = table
        lengths = {camera: table.n_frames for camera, table in tables.items()}
        check_lengths(lengths, files, options.get("pad", False))
        pieces = _pieces(tables, files, max(lengths.values()), **options)
        return WindowedViews(max(lengths.values()), _closing(held.pop_all(), pieces))


def _closing(held: ExitStack, pieces: Iterator[xr.Dataset]) -> Iterator[xr.Dataset]:
    with held:
        yield from pieces


def _pieces(
    tables: dict[str, LongTable],
    files: dict[str, Path],
    n_frames: int,
    *,
    fps: float | None = None,
    times: Any = None,
    keypoints: Sequence[str] | None = None,
    pad: bool = False,
    individuals: str = "same",
) -> Iterator[xr.Dataset]:
    times = recording_times(n_frames, fps, times)
    for start in range(0, n_frames, WINDOW):
        stop = min(start + WINDOW, n_frames)
        tracks = split_tables({camera: table.window(start, stop) for camera, table in tables.items()}, files)
        if individuals == "numbered":
            tracks = numbered_individuals(tracks)
        views = views_of_tracks(tracks, files, None, times[start:stop], keypoints, stop - start)
        yield with_notes(views, [tracks], {c: str(own) for c, own in files.items()}, fps)
