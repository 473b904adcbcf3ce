"""Derivatives of sampled signals with gaps: central differences, local polynomials, Butterworth filters."""

from __future__ import annotations

import numpy as np

from ..datasets import Array, DatasetError
from ..numerics.arrays import for_kernel
from ..numerics.runs import runs_of
from ..numerics.threads import over_rows
from ._kernels_filters import central_rows, length_rows, polynomial_rows
from .sampling import ROUNDING, frame_interval, window_frames


def central_difference(values: Array, times: Array) -> Array:
    """First derivative by the parabola through a frame and its two neighbours.

    Parameters
    ----------
    values : ndarray, shape (n_frames, ..., n_axes), any unit
        NaN where missing.
    times : ndarray, shape (n_frames,), seconds
        Increasing, not necessarily evenly.

    Returns
    -------
    ndarray, shape (n_frames, ..., n_axes), unit of the values per second
        First derivative; one-sided beside a gap and at both ends.

    Notes
    -----
    NaN only where the frame itself is missing or both its neighbours are.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.timeseries import central_difference
    >>> times = np.array([0.0, 1.0, 3.0, 4.0])
    >>> central_difference(times[:, None] ** 2, times)[:, 0]
    array([1., 2., 6., 7.])
    """
    values = np.asarray(values, float)
    flat = for_kernel(values).reshape(len(values), -1)
    out = np.empty_like(flat)
    over_rows(central_rows, len(flat), flat, for_kernel(times), out)
    return out.reshape(values.shape)


def lengths(vectors: Array) -> Array:
    """(n_frames, n_keypoints) Euclidean lengths of vectors (n_frames, n_keypoints, 3)."""
    out = np.empty(vectors.shape[:2])
    over_rows(length_rows, len(vectors), np.ascontiguousarray(vectors, float), out)
    return out


def local_polynomial(values: Array, times: Array, window: float, polyorder: int = 3, derivative: int = 0) -> Array:
    """Derivative of the polynomial fitted to the frames around each one by least squares.

    Parameters
    ----------
    values : ndarray, shape (n_frames, ..., n_axes), any unit
        NaN where missing; the polynomial goes through the frames that are present.
    times : ndarray, shape (n_frames,), seconds
        Increasing, not necessarily evenly.
    window : float, seconds
        Width of the centred window, rounded to an odd number of frames; it is cut short at both ends of the recording.
    polyorder : int
        Degree of the polynomial.
    derivative : int
        Which derivative; 0 is the smoothed value.

    Returns
    -------
    ndarray, shape (n_frames, ..., n_axes), unit of the values per second^derivative
        The derivative at each frame.

    Raises
    ------
    DatasetError
        The window holds no more frames than the polynomial's degree.

    Notes
    -----
    NaN where the frame is missing or fewer than `polyorder` + 1 frames of its window are present. For evenly spaced
    complete frames this is the filter of Savitzky and Golay.

    References
    ----------
    Savitzky & Golay 1964, Anal. Chem. 36, 1627.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.timeseries import local_polynomial
    >>> times = np.arange(7) / 100
    >>> local_polynomial(times[:, None] ** 2, times, window=0.05, polyorder=2, derivative=2)[:, 0].round(6)
    array([2., 2., 2., 2., 2., 2., 2.])
    """
    values, times = np.asarray(values, float), for_kernel(times)
    interval = frame_interval(times)
    n_window = window_frames(window, interval)
    if n_window <= polyorder:
        raise DatasetError(
            f"a polynomial of order {polyorder} needs a window of more than {polyorder} frames; {window:g} s hold"
            f" {n_window} at {1 / interval:g} frames per second"
        )
    flat = for_kernel(values).reshape(len(values), -1)
    out = np.empty_like(flat)
    over_rows(polynomial_rows, len(flat), flat, times, n_window // 2, polyorder, derivative, out)
    return out.reshape(values.shape)


def butterworth_derivative(values: Array, times: Array, cutoff: float, order: int = 4, derivative: int = 0) -> Array:
    """Zero-phase Butterworth low-pass filter, forwards and backwards, then central differences.

    Parameters
    ----------
    values : ndarray, shape (n_frames, ..., n_axes), any unit
        NaN where missing: each unbroken run is filtered on its own.
    times : ndarray, shape (n_frames,), seconds
        Evenly spaced.
    cutoff : float, hertz
        Cutoff frequency of one pass; the two passes together halve the amplitude there.
    order : int
        Order of one pass.
    derivative : int
        Which derivative; 0 is the filtered value.

    Returns
    -------
    ndarray, shape (n_frames, ..., n_axes), unit of the values per second^derivative
        The derivative at each frame.

    Raises
    ------
    DatasetError
        The frames are uneven, or the cutoff is not below half the frame rate.

    Notes
    -----
    Runs too short for the filter's padding become NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.timeseries import butterworth_derivative
    >>> times = np.arange(200) / 100
    >>> speed = butterworth_derivative(3 * times[:, None], times, cutoff=10, derivative=1)
    >>> speed[100].round(6)
    array([3.])
    """
    from scipy.signal import butter, sosfiltfilt

    values, steps = np.asarray(values, float), np.diff(times)
    interval = frame_interval(times)
    if np.ptp(steps) > ROUNDING * interval:
        raise DatasetError(
            f"the Butterworth filter needs evenly spaced frames; intervals run from {steps.min():.6g} to"
            f" {steps.max():.6g} s (method 'evidence' takes uneven ones)"
        )
    fps = 1.0 / interval
    if not 0 < cutoff < fps / 2:
        raise DatasetError(f"the cutoff must lie between 0 and half the frame rate, {fps / 2:g} Hz, got {cutoff:g} Hz")
    sections = butter(order, cutoff, fs=fps, output="sos")
    shortest = 3 * (2 * ((order + 1) // 2) + 1) + 1  # what sosfiltfilt pads
    flat = values.reshape(len(values), -1)
    filtered = np.full_like(flat, np.nan)
    for column in range(flat.shape[1]):
        for run in runs_of(np.isfinite(flat[:, column])):
            if run.stop - run.start >= shortest:
                filtered[run, column] = sosfiltfilt(sections, flat[run, column])
    for _ in range(derivative):
        filtered = central_difference(filtered, times)
    return filtered.reshape(values.shape)
