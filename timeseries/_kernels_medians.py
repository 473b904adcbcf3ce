"""Running medians, NaN where missing.

Small windows are sorted anew at each frame, many series at once, by a network whose exchanges vectorise; large windows
are kept sorted as they slide.
"""

import math

import numpy as np

from ..numerics._kernels_options import helper, kernel

STRIP = 64  # series sorted side by side: their window stays in the first cache


@helper
def _rank(window, n, value):
    """Number of values below `value`: counting vectorises, and beats a search in windows this small."""
    below = 0
    for i in range(n):
        below += window[i] < value
    return below


@helper
def _insert(window, n, value):
    at = _rank(window, n, value)
    for i in range(n, at, -1):
        window[i] = window[i - 1]
    window[at] = value


@helper
def _remove(window, n, value):
    for i in range(_rank(window, n, value), n - 1):
        window[i] = window[i + 1]


@helper
def _exchange(window, n, old, new):
    """Put `new` in the place of `old` and move what lies between."""
    at, to = _rank(window, n, old), _rank(window, n, new)
    if to > at:
        to -= 1
        for i in range(at, to):
            window[i] = window[i + 1]
    else:
        for i in range(at, to, -1):
            window[i] = window[i - 1]
    window[to] = new


@helper
def _deviation(window, n, middle):
    """Median of the distances to `middle`, by walking outwards from both ends of the sorted window."""
    low, high = 0, n - 1
    last, before = 0.0, 0.0
    for _ in range(n // 2 + 1):
        down, up = middle - window[low], window[high] - middle
        before = last
        if down > up:
            last, low = down, low + 1
        else:
            last, high = up, high - 1
    return last if n % 2 == 1 else 0.5 * (last + before)


@kernel
def running_median(series, half, start, stop, medians, deviations):
    """Median of the present values within `half` frames, for the rows start to stop; NaN where the frame is missing.

    `deviations`, of the same shape or with no columns: the median distance to that median.
    """
    n_frames = series.shape[1]
    window = np.empty(2 * half + 2)
    for s in range(start, stop):
        n = 0
        for frame in range(-half, n_frames):
            new = series[s, frame + half] if frame + half < n_frames else math.nan
            old = series[s, frame - half - 1] if frame > half else math.nan
            if new == new and old == old:
                _exchange(window, n, old, new)
            elif new == new:
                _insert(window, n, new)
                n += 1
            elif old == old:
                _remove(window, n, old)
                n -= 1
            if frame < 0:
                continue
            medians[s, frame] = math.nan
            if not math.isnan(series[s, frame]):
                medians[s, frame] = 0.5 * (window[n // 2] + window[(n - 1) // 2])
            if deviations.shape[1] > 0:
                deviations[s, frame] = math.nan
                if not math.isnan(series[s, frame]):
                    deviations[s, frame] = _deviation(window, n, medians[s, frame])


@helper
def _sort_columns(rows, n_rows, n):
    """Sort every column of rows (n_rows, n) by odd-even transposition."""
    for turn in range(n_rows):
        for i in range(turn % 2, n_rows - 1, 2):
            for s in range(n):
                a, b = rows[i, s], rows[i + 1, s]
                rows[i, s] = a if a < b else b
                rows[i + 1, s] = b if a < b else a


@kernel
def small_running_median(values, half, start, stop, medians, deviations):
    """As `running_median`, for values (n_frames, n_series) and the frames start to stop."""
    n_frames, n_series = values.shape
    rows, count = np.empty((2 * half + 1, STRIP)), np.empty(STRIP, np.int64)
    for first in range(0, n_series, STRIP):
        n = min(STRIP, n_series - first)
        for frame in range(start, stop):
            low, high = max(frame - half, 0), min(frame + half + 1, n_frames)
            count[:n] = 0
            for i in range(high - low):
                for s in range(n):
                    value = values[low + i, first + s]
                    count[s] += value == value
                    rows[i, s] = value if value == value else math.inf
            for which in range(2 if deviations.shape[1] > 0 else 1):
                _sort_columns(rows, high - low, n)
                for s in range(n):
                    middle = 0.5 * (rows[count[s] // 2, s] + rows[(count[s] - 1) // 2, s]) if count[s] > 0 else math.nan
                    middle = middle if values[frame, first + s] == values[frame, first + s] else math.nan
                    if which == 0:
                        medians[frame, first + s] = middle
                    else:
                        deviations[frame, first + s] = middle
                if which == 0 and deviations.shape[1] > 0:
                    for i in range(high - low):
                        for s in range(n):
                            rows[i, s] = abs(rows[i, s] - medians[frame, first + s])
                            rows[i, s] = rows[i, s] if rows[i, s] == rows[i, s] else math.inf
