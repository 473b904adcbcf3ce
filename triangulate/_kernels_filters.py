"""Running medians over series (n_series, n_frames), NaN where missing: a window kept sorted as it slides."""

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _insert(window, n, value):
    at = n
    while at > 0 and window[at - 1] > value:
        window[at] = window[at - 1]
        at -= 1
    window[at] = value


@njit(cache=True, nogil=True)
def _remove(window, n, value):
    at = 0
    while window[at] != value:
        at += 1
    for i in range(at, n - 1):
        window[i] = window[i + 1]


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def running_median(series, half, start, stop, medians, deviations):
    """Median of the present values within `half` frames, for the rows start to stop; NaN where the frame is missing.

    `deviations`, of the same shape or with no columns: the median distance to that median.
    """
    n_frames = series.shape[1]
    window = np.empty(2 * half + 2)
    for s in range(start, stop):
        n = 0
        for frame in range(-half, n_frames):
            new, old = frame + half, frame - half - 1
            if new < n_frames and not math.isnan(series[s, new]):
                _insert(window, n, series[s, new])
                n += 1
            if old >= 0 and not math.isnan(series[s, old]):
                _remove(window, n, series[s, old])
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
