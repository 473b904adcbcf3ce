"""Loops over frames of filters and gaps; every column is one coordinate. They release the interpreter's lock."""

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def central_rows(values, times, out, start, stop):
    """First derivative of values (n_frames, n_columns) into out; see `filters.central_difference`."""
    n, columns = values.shape
    for t in range(start, stop):
        before = times[t] - times[t - 1] if t > 0 else math.nan
        after = times[t + 1] - times[t] if t + 1 < n else math.nan
        left, here, right, slopes = values[max(t - 1, 0)], values[t], values[min(t + 1, n - 1)], out[t]
        w_before = after / (before * (before + after))
        w_after = before / (after * (before + after))
        whole = True
        for c in range(columns):
            slopes[c] = w_before * (here[c] - left[c]) + w_after * (right[c] - here[c])
            whole &= slopes[c] == slopes[c]
        if whole:
            continue
        for c in range(columns):  # an end or a gap: one-sided
            if math.isnan(slopes[c]):
                slopes[c] = (here[c] - left[c]) / before
                if math.isnan(slopes[c]):
                    slopes[c] = (right[c] - here[c]) / after


@njit(cache=True, nogil=True)
def infinite_rows(values, found, start, stop):
    """found[0] = 1 where values (n_frames, n_columns) hold an infinite one."""
    for t in range(start, stop):
        any_infinite = False
        for c in range(values.shape[1]):
            any_infinite |= abs(values[t, c]) == math.inf
        if any_infinite:
            found[0] = 1.0


@njit(cache=True, nogil=True)
def length_rows(vectors, out, start, stop):
    """Euclidean length of vectors (n_frames, n_keypoints, 3) into out (n_frames, n_keypoints)."""
    for t in range(start, stop):
        for k in range(vectors.shape[1]):
            x, y, z = vectors[t, k, 0], vectors[t, k, 1], vectors[t, k, 2]
            out[t, k] = math.sqrt(x * x + y * y + z * z)


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
            if not _solve(normal, right):
                continue
            out[t, c] = right[degree] * factorial / scale**degree
            if degree == 0:
                out[t, c] += values[t, c]


@njit(cache=True, nogil=True)
def _solve(M, b):
    """b becomes the solution of the symmetric positive M x = b; False where M is singular, as across a long pause."""
    n = M.shape[0]
    for k in range(n):
        if not M[k, k] > 1e-14 * M[0, 0]:
            return False
        for i in range(k + 1, n):
            factor = M[i, k] / M[k, k]
            for j in range(k, n):
                M[i, j] -= factor * M[k, j]
            b[i] -= factor * b[k]
    for k in range(n - 1, -1, -1):
        for j in range(k + 1, n):
            b[k] -= M[k, j] * b[j]
        b[k] /= M[k, k]
    return True


@njit(cache=True, nogil=True)
def fill_columns(values, times, longest, out, start, stop):
    """Copy columns start:stop, with straight lines over gaps inside a series of at most `longest` seconds."""
    n = values.shape[0]
    last = np.full(stop - start, -1)
    for t in range(n):
        for c in range(start, stop):
            value = values[t, c]
            out[t, c] = value
            if math.isnan(value):
                continue
            before = last[c - start]
            last[c - start] = t
            if 0 <= before < t - 1 and times[t] - times[before] <= longest:
                slope = (value - values[before, c]) / (times[t] - times[before])
                for s in range(before + 1, t):
                    out[s, c] = values[before, c] + slope * (times[s] - times[before])


@njit(cache=True, nogil=True)
def median_rows(values, half, out, start, stop):
    """Median of the values within `half` frames, of those that are there; NaN where the frame itself is missing.

    For short windows: the rows of the window are sorted all at once, column beside column, by compare and exchange,
    which the processor does on several columns at a time. Missing values count as infinite and are not counted.
    """
    n, columns = values.shape
    window, counts = np.empty((2 * half + 1, columns)), np.empty(columns, dtype=np.int64)
    for t in range(start, stop):
        first, last = max(t - half, 0), min(t + half + 1, n)
        counts[:] = 0
        for s in range(first, last):
            _enter(values[s], window[s - first], counts)
        for end in range(last - first - 1, 0, -1):
            for i in range(end):
                _exchange(window[i], window[i + 1])
        for c in range(columns):
            m = counts[c]
            if math.isnan(values[t, c]):
                out[t, c] = math.nan
            else:
                out[t, c] = window[m // 2, c] if m % 2 else 0.5 * (window[m // 2 - 1, c] + window[m // 2, c])


@njit(cache=True, nogil=True)
def _enter(row, out, counts):
    for c in range(row.shape[0]):
        there = row[c] == row[c]
        out[c] = row[c] if there else math.inf
        counts[c] += 1 if there else 0


@njit(cache=True, nogil=True)
def _exchange(low, high):
    for c in range(low.shape[0]):
        a, b = low[c], high[c]
        low[c] = a if a < b else b
        high[c] = b if a < b else a


@njit(cache=True, nogil=True)
def long_median_rows(values, half, out, start, stop):
    """Median of the values within `half` frames, of those that are there; NaN where the frame itself is missing.

    For long windows: each column keeps its window sorted, one value leaves and one enters per frame.
    """
    n, columns = values.shape
    window = np.empty((columns, 2 * half + 1))
    counts = np.zeros(columns, dtype=np.int64)
    for t in range(start - half, stop + half):
        for c in range(columns):
            row, m = window[c], counts[c]
            leaving = t - 2 * half - 1
            if leaving >= max(start - half, 0) and leaving < n and not math.isnan(values[leaving, c]):
                i = 0
                while row[i] != values[leaving, c]:
                    i += 1
                m -= 1
                while i < m:
                    row[i] = row[i + 1]
                    i += 1
            if 0 <= t < n and not math.isnan(values[t, c]):
                i = m
                while i > 0 and row[i - 1] > values[t, c]:
                    row[i] = row[i - 1]
                    i -= 1
                row[i] = values[t, c]
                m += 1
            counts[c] = m
            middle = t - half
            if middle >= start:
                if math.isnan(values[middle, c]):
                    out[middle, c] = math.nan
                else:
                    out[middle, c] = row[m // 2] if m % 2 else 0.5 * (row[m // 2 - 1] + row[m // 2])
