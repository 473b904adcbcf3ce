"""Loops over frames: differences, local polynomials, gaps. They release the interpreter's lock."""

import math

import numpy as np

from ..numerics._kernels_options import helper, kernel


@kernel
def central_rows(values, times, out, start, stop):
    """First derivative of values (n_frames, n_columns) into out; see `central_difference`."""
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


@kernel
def length_rows(vectors, out, start, stop):
    """Euclidean length of vectors (n_frames, n_keypoints, 3) into out (n_frames, n_keypoints)."""
    for t in range(start, stop):
        for k in range(vectors.shape[1]):
            x, y, z = vectors[t, k, 0], vectors[t, k, 1], vectors[t, k, 2]
            out[t, k] = math.sqrt(x * x + y * y + z * z)


@kernel
def polynomial_rows(values, times, half, polyorder, derivative, out, start, stop):
    """A derivative of the polynomial through the frames within `half` of each frame; see `local_polynomial`."""
    n, columns = values.shape
    size = polyorder + 1
    normal, right, moments = np.zeros((size, size)), np.zeros(size), np.zeros(2 * size - 1)
    factorial = 1.0
    for f in range(2, derivative + 1):
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
            out[t, c] = right[derivative] * factorial / scale**derivative
            if derivative == 0:
                out[t, c] += values[t, c]


@helper
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


@kernel
def fill_gaps(points, times, max_gap, out, filled):
    """Copy points (n_frames, n_points, n_axes), with straight lines over gaps of at most `max_gap` seconds.

    `filled` (n_frames, n_points), False at first, is set where a gap was bridged.
    """
    n_frames, n_points, n_axes = points.shape
    last = np.full(n_points, -1)
    for t in range(n_frames):
        for k in range(n_points):
            present = True
            for c in range(n_axes):
                value = points[t, k, c]
                out[t, k, c] = value
                present &= value == value
            if not present:
                continue
            before = last[k]
            last[k] = t
            if (
                before < 0
                or before == t - 1
                or max(times[t] - times[before + 1], times[t - 1] - times[before]) > max_gap
            ):
                continue
            for s in range(before + 1, t):
                filled[s, k] = True
                share = (times[s] - times[before]) / (times[t] - times[before])
                for c in range(n_axes):
                    out[s, k, c] = (1 - share) * points[before, k, c] + share * points[t, k, c]
