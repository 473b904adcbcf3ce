"""The instants of a recording from its videos: by their containers' times, by timestamp files, or at a stated rate."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...datasets import frame_times
from ...numerics.arrays import Array
from .frame_times import FrameTimes, read_frame_times
from .instants import SAME_RATE, Instants, join_times, number_ranges
from .reading import VideoInfo, VideoSource, probe_video
from .video_errors import VideoError

STATED_RATE = 0.01  # share by which a stated rate may differ from the files': 30 for 29.97


def instants_of_videos(
    videos: Mapping[str, VideoSource],
    *,
    fps: float | None = None,
    timestamps: Mapping[str, Array] | None = None,
    decoded: bool = False,
) -> Instants:
    """Which frames of the videos belong together, and when they were taken.

    Parameters
    ----------
    videos : mapping of str to path or sequence of path
        {camera: video, or the files of one recording in their order}.
    fps : float, hertz, optional
        The true rate. Where the containers state another, frame i of all cameras is instant i, with a note.
    timestamps : mapping of str to ndarray, shape (n_frames,), seconds, optional
        {camera: times of its frames}, of one clock, instead of the containers' times.
    decoded : bool
        Whether the frames will be decoded, which tells exactly what is damaged: then there is no note of it here.

    Returns
    -------
    Instants
        With a note for dropped or damaged frames, a varying rate, and containers that are overruled.

    Raises
    ------
    VideoError
        A video is unreadable, the rates differ, or the timestamps are not as many as the frames.
    """
    infos = {name: probe_video(source, rate_needed=False) for name, source in videos.items()}
    timings = {name: read_frame_times(info.files) for name, info in infos.items()}
    if timestamps is not None:
        _check_counts(infos, timings, timestamps)
        return join_times(timestamps, one_clock=True)
    rates = {name: _rate(infos[name], timing) for name, timing in timings.items()}
    usual = float(np.median(list(rates.values())))
    known = {name: timing for name, timing in timings.items() if timing is not None}
    if fps is not None and any(abs(rate - fps) > STATED_RATE * fps for rate in rates.values() if np.isfinite(rate)):
        return _at_rate(infos, timings, fps, _overruled(fps, rates))
    if len(known) < len(infos):
        _check_stated(rates, fps)
        return _at_rate(infos, timings, fps or usual, ())
    joined = join_times({name: timing.times for name, timing in known.items()})
    times = joined.times
    if joined.are_frames and all(timing.is_even for timing in known.values()):
        times = frame_times(len(times), fps or usual)
    unverified = {name: timing for name, timing in known.items() if not (decoded and timing.is_counted)}
    absent = tuple(_absent(name, timing) for name, timing in unverified.items() if not timing.is_stored.all())
    return Instants(times, joined.frames, joined.notes + absent)


def _check_counts(
    infos: Mapping[str, VideoInfo], timings: Mapping[str, FrameTimes | None], timestamps: Mapping[str, Array]
) -> None:
    for name, info in infos.items():
        if name not in timestamps:
            raise VideoError(f"camera '{name}' has no timestamps; give them for every camera or for none")
        timing = timings[name]
        n_frames = info.n_frames if timing is None else len(timing.times)
        n_stored = n_frames if timing is None else int(timing.is_stored.sum())
        if len(timestamps[name]) not in (n_frames, n_stored):
            raise VideoError(
                f"camera '{name}' has {len(timestamps[name])} timestamps for the {n_frames} frames of {info.path}; they"
                " are of different recordings, or lines were lost"
            )


def _rate(info: VideoInfo, timing: FrameTimes | None) -> float:
    """Frames per second of the times, where the header does not say it to a thousandth."""
    if timing is None or abs(info.fps * timing.interval - 1) < max(SAME_RATE, 1e-3 / timing.times[-1]):
        return info.fps  # some containers round times to milliseconds
    return 1 / timing.interval


def _check_stated(rates: Mapping[str, float], fps: float | None) -> None:
    values = list(rates.values())
    if fps is None and (not np.isfinite(values).all() or max(values) > (1 + SAME_RATE) * min(values)):
        listed = ", ".join(f"{name} {rate:g}" for name, rate in rates.items())
        raise VideoError(f"the videos have different frame rates or none ({listed} Hz); state their rate (fps)")


def _at_rate(
    infos: Mapping[str, VideoInfo], timings: Mapping[str, FrameTimes | None], fps: float, notes: tuple[str, ...]
) -> Instants:
    """Frame i of every camera at i / fps; a camera with fewer frames lacks the last."""
    counts = {name: infos[name].n_frames if t is None else len(t.times) for name, t in timings.items()}
    longest = max(counts.values())
    number = np.arange(longest)
    frames = {name: np.where(number < count, number, -1) for name, count in counts.items()}
    return Instants(frame_times(longest, fps), frames, notes)


def _overruled(fps: float, rates: Mapping[str, float]) -> tuple[str]:
    listed = ", ".join(f"{name} {rate:.5g} Hz" for name, rate in rates.items())
    return (f"the stated frame rate of {fps:g} Hz is used; the files say {listed}",)


def _absent(name: str, timing: FrameTimes) -> str:
    missing = np.flatnonzero(~timing.is_stored)
    return (
        f"camera '{name}': {len(missing)} of {len(timing.times)} frames are not in its file, or damaged"
        f" ({number_ranges(missing)}): they are gaps"
    )
