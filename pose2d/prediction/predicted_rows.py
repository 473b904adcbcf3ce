"""Rows of a recording's frames from its videos, window by window, by the options of a prediction."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from ...cameras import CameraRig
from ...datasets import Array
from ...formats.video.instants import Instants
from ...formats.video.reading import VideoError
from ..inference.detector import Detector
from .predicted_views import Recording
from .prediction_rows import Prediction, Search, fingerprint, predict_window
from .stored_rows import Rows

KEPT_EVERY = 30.0  # seconds between two parts that are kept in files


@dataclass(frozen=True, eq=False, kw_only=True)
class PredictionOptions:
    """The options of `predict` and `predict_file`."""

    track_crop: bool = True
    precision: str = "auto"
    runtime: str = "auto"
    fps: float | None = None
    times: Array | Mapping[str, Array] | None = None
    batch_instants: int | str = "auto"
    n_animals: int | None = None
    rig: CameraRig | None = None
    checkpoint: str | os.PathLike | None = None
    checkpoint_every: float = KEPT_EVERY
    n_windows: int = 1
    executor: Executor | None = None
    progress: bool = True


def kept_rows(
    detector: Detector, source: Recording, search: Search, folder: str | os.PathLike | None, n_windows: int = 1
) -> Rows:
    """Where the rows are kept: in memory (None), or in a folder, in which only the same prediction finds them."""
    if folder is None:
        return Rows(tuple(source.infos), None)
    name = fingerprint(detector, source.infos, *search[:3], n_windows, search.n_peaks)
    Path(folder, name).mkdir(parents=True, exist_ok=True)
    return Rows(tuple(source.infos), Path(folder, name))


def predict_rows(
    detector: Detector, source: Recording, search: Search, rows: Rows, options: PredictionOptions
) -> Instants:
    """Add the rows of all frames to those that are kept; returns the recording's instants.

    Raises
    ------
    VideoError : no frame could be decoded
    """
    seconds = options.checkpoint_every if rows.folder else float("inf")
    work, executor = Prediction(detector, source.infos, search, rows, seconds), options.executor
    windows = work.windows(options.n_windows)
    total = sum(info.n_frames for info in source.infos.values())
    n_kept = len(source.infos) * sum(len(frames) for start, _ in windows[:1] for frames in rows.kept(start))
    with tqdm(total=total, initial=n_kept, desc="predict", unit="frame", disable=not options.progress) as bar:
        if executor is None:
            for window in windows:
                predict_window(work, *window, bar.update)
        else:
            for task in [executor.submit(predict_window, work, *window) for window in windows]:
                task.result()
                bar.update(total // len(windows))
    kept = rows.kept()
    if not kept:
        raise VideoError("no frame could be decoded from any of the videos")
    return source.instants_of(kept[-1].stop)
