"""The field's usual filters, made safe: a missing frame costs only itself; uneven frames are heard or refused."""

from __future__ import annotations

import numpy as np

from ..datasets import Array, DatasetError
from ..numerics.threads import over_rows
from ._kernels_filters import central_rows, length_rows, polynomial_rows

EVEN = 1e-3  # relative spread of the frame intervals that still counts as evenly spaced


def central_difference(values: Array, times: Array) -> Array:
    """First derivative by the parabola through a frame and its two neighbours (one-sided beside a gap and at the ends).

    Parameters
    ----------
    values : (n_frames, ..., 3); NaN where missing
    times : (n_frames,), seconds, increasing, not necessarily evenly

    Returns
    -------
    (n_frames, ..., 3) per second; NaN only where the frame itself is missing or both its neighbours are
    """
    flat = np.ascontiguousarray(values, float).reshape(len(values), -1)
    out = np.empty_like(flat)
    over_rows(central_rows, len(flat), flat, np.asarray(times, float), out)
    return out.reshape(values.shape)


def lengths(vectors: Array) -> Array:
    """(n_frames, n_keypoints) Euclidean lengths of vectors (n_frames, n_keypoints, 3)."""
    out = np.empty(vectors.shape[:2])
    over_rows(length_rows, len(vectors), np.ascontiguousarray(vectors, float), out)
    return out


def local_polynomial(values: Array, times: Array, window: int, polynomial: int, degree: int) -> Array:
    """Derivative of the polynomial fitted to the frames around each one, by least squares over those that are there.

    For evenly spaced complete frames this is the filter of Savitzky & Golay (1964, Anal. Chem. 36, 1627).

    Parameters
    ----------
    values : (n_frames, ..., 3); NaN where missing
    window : frames, odd, more than `polynomial`; at the ends the window is cut short on the outer side
    degree : of the derivative, 0 for the smoothed value

    Returns
    -------
    (n_frames, ..., 3) per second^degree; NaN where the frame is missing or fewer than `polynomial` + 1 frames are there
    """
    if window % 2 == 0 or window <= polynomial:
        raise DatasetError(f"the window must be odd and longer than the polynomial's degree {polynomial}, got {window}")
    flat = np.ascontiguousarray(values, float).reshape(len(values), -1)
    out = np.empty_like(flat)
    over_rows(polynomial_rows, len(flat), flat, np.asarray(times, float), window // 2, polynomial, degree, out)
    return out.reshape(values.shape)


def butterworth_derivative(values: Array, times: Array, cutoff: float, order: int, degree: int) -> Array:
    """Zero-phase Butterworth low-pass (forwards and backwards), then `degree` central differences.

    Parameters
    ----------
    values : (n_frames, ..., 3); NaN where missing: each unbroken run is filtered on its own
    times : (n_frames,), seconds, evenly spaced
    cutoff : Hz, of one pass (the two passes together are down to a half there)

    Raises
    ------
    DatasetError : uneven frames, or a cutoff that is not below half the frame rate
    """
    from scipy.signal import butter, sosfiltfilt

    steps = np.diff(times)
    if np.ptp(steps) > EVEN * np.median(steps):
        raise DatasetError(
            f"the Butterworth filter needs evenly spaced frames; intervals run from {steps.min():.6g} to"
            f" {steps.max():.6g} s (method 'evidence' takes uneven ones)"
        )
    fps = 1.0 / np.median(steps)
    if not 0 < cutoff < fps / 2:
        raise DatasetError(f"the cutoff must lie between 0 and half the frame rate, {fps / 2:g} Hz, got {cutoff:g} Hz")
    sections = butter(order, cutoff, fs=fps, output="sos")
    shortest = 3 * (2 * ((order + 1) // 2) + 1) + 1  # what sosfiltfilt pads
    flat = np.asarray(values, float).reshape(len(values), -1)
    filtered = np.full_like(flat, np.nan)
    for column in range(flat.shape[1]):
        for run in _runs(np.isfinite(flat[:, column])):
            if run.stop - run.start >= shortest:
                filtered[run, column] = sosfiltfilt(sections, flat[run, column])
    for _ in range(degree):
        filtered = central_difference(filtered, times)
    return filtered.reshape(values.shape)


def _runs(there: np.ndarray) -> list[slice]:
    """Unbroken runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(np.int8)))
    return [slice(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
