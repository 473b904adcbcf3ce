"""The prior of angles in time: their changes are autoregressive, so that they may persist or oscillate at a rhythm."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ....numerics.arrays import Array

_LASTING, _SHORTEST = 12, 0.04  # durations tried, and the shortest, seconds; the longest is four times the recording
_RHYTHMS, _FASTEST = 20, 12.7  # frequencies tried, and the highest, hertz: faster than animals take strides
_LEAST_CYCLE = 4.0  # frames: a shorter cycle is not distinguished from noise


@dataclass(frozen=True)
class TimeCourse:
    """The change v of an angle from frame to frame: v(t+1) = first v(t) + second v(t-1) + white innovation.

    With (1, 0) and (2, -1) the second and the third differences of the angle are white. Else the process is stationary,
    and its first values have the stationary distribution.

    reach : earlier frames that an angle may depend on, 2 or 3; with 2 there is no `second`
    """

    reach: int
    first: float
    second: float = 0.0

    @classmethod
    def differences(cls, order: int, reach: int) -> TimeCourse:
        """White differences of order 2 or 3."""
        return cls(reach, order - 1.0, 2.0 - order)

    @property
    def stationary(self) -> bool:
        return self.first + self.second < 1 - 1e-9

    @property
    def order(self) -> int:
        return 3 if self.second else 2

    @property
    def frequency(self) -> float:
        """Radians per frame at which it oscillates, NaN where it does not."""
        oscillates = self.first**2 + 4 * self.second < 0
        return float(np.arccos(0.5 * self.first / np.sqrt(-self.second))) if oscillates else np.nan

    def rows(self, n_frames: int) -> tuple[NDArray[np.int64], Array]:
        """(n_rows,) first frame and (n_rows, reach + 1) weights of the angles in the innovations, of variance 1."""
        start, row = _rows(self.reach, np.array([self.first]), np.array([self.second]))
        begin = np.arange(max(n_frames - self.reach, 0))
        rows = np.tile(row, (len(begin), 1))
        if self.stationary and len(begin):
            begin, rows = np.append(np.zeros(self.reach - 1, np.int64), begin), np.concatenate([start[0], rows])
        return begin, rows


def gram_of(first: NDArray[np.int64], rows: Array, n_frames: int) -> Array:
    """(n_frames, reach + 1) precision of a frame with that 0, 1, ... frames later, of innovations of precision 1 whose
    `rows` begin at these frames, see `TimeCourse.rows`."""
    gram = np.zeros((n_frames, rows.shape[1]))
    for i in range(rows.shape[1]):
        for lag in range(rows.shape[1] - i):
            np.add.at(gram[:, lag], first + i, rows[:, i] * rows[:, i + lag])
    return gram


def _rows(reach: int, first: Array, second: Array) -> tuple[Array, Array]:
    """Of n courses: (n, reach - 1, reach + 1) rows of the first changes, (n, reach + 1) of the later ones."""
    row, start = np.zeros((len(first), 4)), np.zeros((len(first), 2, 4))
    row[:] = np.stack([second, first - second, -1 - first, np.ones_like(first)], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = (1 - second) / ((1 + second) * ((1 - second) ** 2 - first**2))
        alike = first / (1 - second)
        start[:, 0, :2] = np.array([-1.0, 1.0]) / np.sqrt(variance)[:, None]
        later = np.stack([alike, -1 - alike, np.ones_like(alike)], axis=1)
        start[:, 1, :3] = later / np.sqrt(variance * (1 - alike**2))[:, None]
    return start[:, : reach - 1, : reach + 1], row[:, 3 - reach :]


@cache
def _candidates(reach: int, order: int | None, n_frames: int, fps: float) -> tuple[Array, Array]:
    """(n,) first and second of the courses that are compared: changes that decay at one rate, at two rates, and those
    that oscillate."""
    keep = np.exp(-1 / np.geomspace(_SHORTEST * fps, 4 * n_frames, _LASTING))
    one = keep, np.zeros(_LASTING)
    if reach == 2 or order == 2:
        return one
    a, b = (keep[i] for i in np.triu_indices(_LASTING))
    fastest = max(min(_FASTEST / fps, 1 / _LEAST_CYCLE), 1 / n_frames)  # cycles per frame
    swings = 2 * np.cos(2 * np.pi * np.geomspace(1 / n_frames, fastest, _RHYTHMS))
    pairs = [(a + b, -a * b), ((keep[:, None] * swings).ravel(), np.repeat(-(keep**2), _RHYTHMS))]
    first, second = (np.concatenate(parts) for parts in zip(*(pairs if order == 3 else [one, *pairs]), strict=True))
    return first, second


def probable_course(reach: int, order: int | None, angles: Array, lagged: Array, fps: float) -> TimeCourse:
    """The course that makes angles (n_frames, n_angles) with covariances `lagged` (n_frames, reach + 1, n_angles) with
    0, 1, ... frames later most likely, each with a variance of its own: a step of expectation maximisation.

    `order`, if given, is that of the course.
    """
    n_frames, n_angles = angles.shape
    if n_frames < 2 * reach + 2:
        return TimeCourse.differences(order or reach, reach)
    n, width = n_frames - reach, reach + 1
    whole, begin = np.empty((2, n_angles, width, width))
    for i in range(width):
        for j in range(i, width):
            products = angles[i : n + i] * angles[j : n + j] + lagged[i : n + i, j - i]
            whole[:, i, j] = whole[:, j, i] = products.sum(axis=0)
            begin[:, i, j] = begin[:, j, i] = products[0]
    first, second = _candidates(reach, order, n_frames, fps)
    start, row = _rows(reach, first, second)
    squares = np.einsum("ci,aij,cj->ca", row, whole, row, optimize=True)
    squares += np.einsum("cri,aij,crj->ca", start, begin, start, optimize=True)
    volume = np.log(np.diagonal(start[:, :, 1:], axis1=1, axis2=2)).sum(axis=1)
    log = n_angles * volume - 0.5 * (n_frames - 1) * np.log(squares).sum(axis=1)
    best = int(log.argmax())
    return TimeCourse(reach, float(first[best]), float(second[best]))
