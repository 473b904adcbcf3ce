"""Frames of several cameras, each with its own times, to the instants of one recording: a missing frame is a gap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...numerics.arrays import Array
from .frame_times import shortest_interval
from .video_errors import VideoError

SAME_RATE = 1e-3  # share by which the frame rates of synchronous containers may differ: headers are rounded
_SAME_CLOCK_RATE = 0.1  # the same of recorded timestamps, which waver
_TOGETHER = 0.5  # of an interval: frames of an instant lie no further apart
# of an interval, by which recordings of as many frames are apart in the median if one begins a frame later: a computer
# that writes down when frames arrive is late by less
_ANOTHER = 0.75
_HOLE = 1.5  # intervals between two instants from which on one is missing between them
_UNEVEN = 0.45  # of an interval: how far a step may lie from a whole number of intervals
_MOST_FILLED = 9  # empty instants per frame: a rate that falls to a tenth
_N_RANGES = 5  # of numbers, that a sentence lists before it says ...


@dataclass(frozen=True, eq=False)
class Instants:
    """The instants of a recording, and which frame of each camera shows them.

    Parameters
    ----------
    times : ndarray, shape (n_instants,), seconds
        Increasing. The steps are about even: where no camera has a frame, empty instants stand between.
    frames : dict of str to ndarray of int, shape (n_instants,)
        Frame number of each camera at each instant, -1 where it has none.
    notes : tuple of str
        A sentence for each thing that a user should know: dropped frames, a varying frame rate.
    """

    times: Array
    frames: dict[str, NDArray[np.int64]]
    notes: tuple[str, ...] = ()

    @property
    def are_frames(self) -> bool:
        """Whether the frame number of every camera is the number of the instant."""
        return all(np.array_equal(own, np.arange(len(own))) for own in self.frames.values())

    @property
    def fps(self) -> float:
        """Instants per second, by the median step; NaN of a single instant."""
        return float(1 / np.median(np.diff(self.times))) if len(self.times) > 1 else float("nan")

    @property
    def is_even(self) -> bool:
        """Whether frame i of every camera is instant i, and all steps are equal."""
        steps = np.diff(self.times)
        return self.are_frames and bool(len(steps) == 0 or np.ptp(steps) < 1e-6 * steps.mean())

    def placed(self, camera: str, values: Array, axis: int = 0) -> Array:
        """Values of a camera's frames along `axis` at the instants; NaN where it has no frame."""
        frames = self.frames[camera]
        values = np.moveaxis(np.asarray(values, float), axis, 0)
        known = (frames >= 0) & (frames < len(values))
        placed = np.full((len(frames), *values.shape[1:]), np.nan)
        placed[known] = values[frames[known]]
        return np.moveaxis(placed, 0, axis)


def join_times(times: Mapping[str, Array], *, one_clock: bool = False) -> Instants:
    """Put the frames of cameras together by their times.

    Parameters
    ----------
    times : mapping of str to ndarray, shape (n_frames,), seconds
        {camera: times of its frames}, increasing.
    one_clock : bool
        Whether the times of all cameras are of one clock; else each begins with its first frame, which are synchronous.

    Returns
    -------
    Instants
        Cameras of the same number of frames keep frame i as instant i, unless their times say otherwise.

    Raises
    ------
    VideoError
        The frame rates differ, or one varies so that its frames lie on no even times.
    """
    own = {name: np.asarray(seconds, float) for name, seconds in times.items()}
    start = min(seconds[0] for seconds in own.values())
    own = {name: seconds - (start if one_clock else seconds[0]) for name, seconds in own.items()}
    intervals = {name: shortest_interval(seconds) for name, seconds in own.items() if len(seconds) > 1}
    _check_rates(intervals, _SAME_CLOCK_RATE if one_clock else SAME_RATE)
    step = float(np.median(list(intervals.values()))) if intervals else 1.0
    notes = ()
    if one_clock and not _overlap(own):
        notes = (_apart(own),)
        own = {name: seconds - seconds[0] for name, seconds in own.items()}
    if _agree(own, step):
        joined = np.mean(list(own.values()), axis=0)
        frames = {name: np.arange(len(joined)) for name in own}
    else:
        joined, frames = _clustered(own, step)
    dropped = notes + tuple(_dropped(name, numbers) for name, numbers in frames.items() if (numbers < 0).any())
    return _with_empty_instants(joined, frames, step, dropped)


def _check_rates(intervals: Mapping[str, float], tolerance: float) -> None:
    if intervals and max(intervals.values()) > (1 + tolerance) * min(intervals.values()):
        listed = ", ".join(f"{name} {1 / interval:.5g} Hz" for name, interval in intervals.items())
        raise VideoError(
            f"the frame rates differ ({listed}): the recordings are not synchronous, or a file states a wrong rate; if"
            " all cameras were triggered together, state their rate (fps)"
        )


def _overlap(times: Mapping[str, Array]) -> bool:
    """Whether all cameras recorded at some time together."""
    return max(own[0] for own in times.values()) <= min(own[-1] for own in times.values())


def _apart(times: Mapping[str, Array]) -> str:
    first, last = (pick(times, key=lambda name: times[name][0]) for pick in (min, max))
    return (
        f"by the timestamps, camera '{last}' begins {times[last][0] - times[first][0]:.4g} s after camera '{first}',"
        " when another has ended: their clocks differ, and the first frames of all cameras are taken for one instant"
    )


def _agree(times: Mapping[str, Array], step: float) -> bool:
    """Whether frame i of all cameras is one instant: as many frames, at the same times or all without a hole."""
    if len({len(own) for own in times.values()}) > 1:
        return False
    together = np.stack(list(times.values()))
    if np.ptp(np.median(together, axis=1)) > _ANOTHER * step:
        return False  # one began later
    if all(len(own) < 2 or np.diff(own).max() < _HOLE * step for own in times.values()):
        return True
    return bool(np.ptp(together, axis=0).max() < _TOGETHER * step)


def _clustered(times: Mapping[str, Array], step: float) -> tuple[Array, dict[str, NDArray[np.int64]]]:
    """Times of instants and each camera's frames: an instant takes the frames of half an interval from its first."""
    names, own = list(times), [seconds.tolist() for seconds in times.values()]
    next_frame, joined, rows = [0] * len(own), [], []
    while True:
        waiting = [seconds[i] if i < len(seconds) else np.inf for seconds, i in zip(own, next_frame, strict=True)]
        first = min(waiting)
        if first == np.inf:
            break
        here = [seconds < first + _TOGETHER * step for seconds in waiting]
        rows.append([i if is_here else -1 for i, is_here in zip(next_frame, here, strict=True)])
        joined.append(sum(s for s, is_here in zip(waiting, here, strict=True) if is_here) / sum(here))
        next_frame = [i + is_here for i, is_here in zip(next_frame, here, strict=True)]
    return np.array(joined), dict(zip(names, np.array(rows, np.int64).T, strict=True))


def _with_empty_instants(
    times: Array, frames: Mapping[str, NDArray[np.int64]], step: float, notes: tuple[str, ...]
) -> Instants:
    """The instants with empty ones where all cameras pause, and a note where that is often: the rate varies."""
    widths = np.diff(times)
    counts = np.where(widths < _HOLE * step, 1, np.rint(widths / step)).astype(int)
    uneven = np.abs(widths / step - counts) > _UNEVEN
    if uneven.sum() > 0.01 * len(widths) or counts.sum() > (1 + _MOST_FILLED) * len(times):
        raise VideoError(
            f"the frame rate varies from {1 / widths.max():.4g} to {1 / widths.min():.4g} Hz, and its frames lie on no"
            " even times; convert the videos to a constant rate, or state the rate (fps) if the times are wrong"
        )
    if (counts == 1).all():
        return Instants(times, dict(frames), notes)
    position = np.concatenate([[0], np.cumsum(counts)])
    every = np.arange(position[-1] + 1)
    placed = {name: np.full(len(every), -1, np.int64) for name in frames}
    for name, numbers in frames.items():
        placed[name][position] = numbers
    n_empty = len(every) - len(times)
    holes = np.flatnonzero(counts > 1)
    if len(holes) > 0.05 * len(widths):
        rates = f"{1 / (step * counts.max()):.4g} to {1 / step:.4g} Hz"
        note = f"the frame rate varies from {rates}: times are the files', {n_empty} instants without a frame are gaps"
    else:
        listed = number_ranges(np.setdiff1d(every, position))
        note = f"no camera has a frame at {n_empty} instants ({listed}): they are gaps"
    return Instants(np.interp(every, position, times), placed, (*notes, note))


def _dropped(name: str, numbers: NDArray[np.int64]) -> str:
    missing = np.flatnonzero(numbers < 0)
    return f"camera '{name}' has no frame at {len(missing)} instants ({number_ranges(missing)}): they are gaps"


def number_ranges(numbers: ArrayLike) -> str:
    """Sorted whole numbers as text such as "3, 7-9", shortened after some ranges."""
    numbers = np.asarray(numbers, int)
    pieces = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    words = [f"{piece[0]}-{piece[-1]}" if len(piece) > 1 else str(piece[0]) for piece in pieces if len(piece)]
    return ", ".join(words[:_N_RANGES]) + (", ..." if len(words) > _N_RANGES else "")
