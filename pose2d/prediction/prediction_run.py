"""The options of a prediction, and its run: the rows of all frames, window by window, here or as tasks."""

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
from ...formats.video.reading import VideoError, VideoInfo
from ..inference.detector import Detector
from .predicted_views import Recording
from .stored_rows import Rows
from .window_prediction import Prediction, Search, fingerprint, predict_window

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


def prediction_of(
    detector: Detector, infos: Mapping[str, VideoInfo], options: PredictionOptions, n_peaks: int
) -> Prediction:
    """The work of a prediction; its rows are kept in memory, or in a folder, in which only the same work finds them.

    n_peaks : of each keypoint that are kept
    """
    search = Search(options.track_crop, options.precision, options.runtime, options.batch_instants, n_peaks)
    if options.checkpoint is None:
        return Prediction(detector, infos, search, Rows(tuple(infos), None), float("inf"))
    folder = Path(options.checkpoint, fingerprint(detector, infos, *search[:3], options.n_windows, n_peaks))
    folder.mkdir(parents=True, exist_ok=True)
    return Prediction(detector, infos, search, Rows(tuple(infos), folder), options.checkpoint_every)


def predict_rows(work: Prediction, source: Recording, options: PredictionOptions) -> Instants:
    """Add the rows of all frames to those that are kept; returns the recording's instants.

    Raises
    ------
    VideoError : no frame could be decoded
    """
    rows, executor = work.rows, options.executor
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
