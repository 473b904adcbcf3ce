"""Loops over frames of filters and gaps; every column is one coordinate. They release the interpreter's lock."""

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def central_rows(values, times, out, start, stop):
    """First derivative of values (n_frames, n_columns) into out; see `filters.central_difference`."""
    n, columns = values.shape
    for t in range(start, stop):
        before = times[t] - times[t - 1] if t > 0 else 1.0
        after = times[t + 1] - times[t] if t + 1 < n else 1.0
        w_before = after / (before * (before + after))
        w_after = before / (after * (before + after))
        for c in range(columns):
            here = values[t, c]
            fall = here - values[t - 1, c] if t > 0 else math.nan
            rise = values[t + 1, c] - here if t + 1 < n else math.nan
            slope = w_before * fall + w_after * rise
            if math.isnan(slope):
                slope = fall / before
                if math.isnan(slope):
                    slope = rise / after
            out[t, c] = slope


@njit(cache=True, nogil=True)
def polynomial_rows(values, times, half, polynomial, degree, out, start, stop):
    """Derivative `degree` at each frame of the polynomial through the frames within `half`; see `local_polynomial`."""
    n, columns = values.shape
    size = polynomial + 1
    normal, right, moments = np.zeros((size, size)), np.zeros(size), np.zeros(2 * size - 1)
    factorial = 1.0
    for f in range(2, degree + 1):
        factorial *= f
    for t in range(start, stop):
        first, last = max(t - half, 0), min(t + half, n - 1)
        scale = max(times[t] - times[first], times[last] - times[t])
        for c in range(columns):
            out[t, c] = math.nan
            if math.isnan(values[t, c]):
                continue
            right[:] = 0.0
            moments[:] = 0.0
            count = 0
            for s in range(first, last + 1):
                if math.isnan(values[s, c]):
                    continue
                count += 1
                x, power = (times[s] - times[t]) / scale, 1.0
                for i in range(2 * size - 1):
                    moments[i] += power
                    if i < size:
                        right[i] += power * (values[s, c] - values[t, c])
                    power *= x
            if count < size:
                continue
            for i in range(size):
                for j in range(size):
                    normal[i, j] = moments[i + j]
            solution = np.linalg.solve(normal, right)
            out[t, c] = solution[degree] * factorial / scale**degree
            if degree == 0:
                out[t, c] += values[t, c]
