"""Cameras that moved during a recording: the frame at which their epipolar error against the others jumps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...cameras.epipolar import camera_pair_indices
from ...numerics.arrays import Array
from ...numerics.change_point import best_split
from ...numerics.robust_scale import MEDIAN_TO_SIGMA, present_median

_WINDOWS = 40  # at most: a recording is cut in so many, whatever its frame rate
_MIN_VALUES = 12  # of a pair of cameras in a window: the median of fewer is too noisy
_LEAST_JUMP = np.log(1.5)  # of the error: motion blur and light change it by less
_LEAST_SCORE = 6.0  # standard deviations of the windows' errors: of many splits the largest counts
_LEAST_PIXELS = 1.0  # pixels; below, the other cameras' noise hides a movement


def find_camera_motion(distances: Array, n_cameras: int, *, known: tuple[int, ...] = ()) -> tuple[int, int] | None:
    """The camera whose epipolar error jumped most, and the first frame after the jump; None where none did.

    Of a camera counts that part of its pairs' error which pairs without it do not share, so that faster motion, which
    makes all pairs worse, is no jump.

    Parameters
    ----------
    distances : (n_pairs, n_frames, n_keypoints), pixels, NaN where unknown; pairs as in `camera_pair_indices`
    known : cameras known to have moved already

    Returns
    -------
    (camera, frame)
    """
    errors, edges = window_errors(distances)
    pairs = camera_pair_indices(n_cameras)
    settled = np.array([bool(set(pair) & set(known)) for pair in pairs.tolist()])
    best, best_jump = None, 0.0
    for camera in range(n_cameras):
        if camera in known:
            continue
        own = (pairs == camera).any(axis=1)
        series = _excess(errors, own, settled)
        jump, score, at = _split(series)
        pixels = np.fmax(present_median(errors[own][:, :at]), present_median(errors[own][:, at:]))
        if abs(jump) > max(best_jump, _LEAST_JUMP) and score > _LEAST_SCORE and pixels > _LEAST_PIXELS:
            best, best_jump = (camera, _frame(distances[own], int(edges[at]), int(edges[1] - edges[0]))), abs(jump)
    return best


def window_errors(distances: Array) -> tuple[Array, NDArray[np.int64]]:
    """Median epipolar error of each pair in windows of time (n_pairs, n_windows), NaN where too little is seen.

    Also the windows' edges (n_windows + 1,), frames.
    """
    n_values = np.median(np.isfinite(distances).sum(axis=(1, 2))) if len(distances) else 0
    n_windows = int(np.clip(n_values // (2 * _MIN_VALUES), 2, _WINDOWS))
    edges = np.unique(np.linspace(0, distances.shape[1], n_windows + 1).astype(np.int64))
    errors = np.full((len(distances), len(edges) - 1), np.nan)
    size = np.abs(distances)
    for w in range(errors.shape[1]):
        part = size[:, edges[w] : edges[w + 1]].reshape(len(distances), -1)
        enough = np.isfinite(part).sum(axis=1) >= _MIN_VALUES
        errors[:, w] = np.where(enough, present_median(part, axis=1), np.nan)
    return errors, edges


def _excess(errors: Array, own: NDArray[np.bool_], known: NDArray[np.bool_]) -> Array:
    """(n_windows,) log error of a camera's pairs over that of the pairs without it (and without known ones)."""
    logs = np.log(np.maximum(errors, 1e-3))
    mine, rest = present_median(logs[own & ~known], axis=0), present_median(logs[~own & ~known], axis=0)
    return mine if np.isnan(rest).all() else mine - rest


def _split(series: Array) -> tuple[float, float, int]:
    """(jump, its score in standard deviations, first window after it) of the best split in two."""
    observed = np.flatnonzero(np.isfinite(series))
    if len(observed) < 4:
        return 0.0, 0.0, 0
    values = series[observed]
    at, jump, strength = best_split(values)
    rest = np.concatenate([values[:at] - values[:at].mean(), values[at:] - values[at:].mean()])
    spread = max(MEDIAN_TO_SIGMA * float(np.median(np.abs(rest))), 0.02)
    return jump, strength / spread, int(observed[at])


def _frame(distances: Array, middle: int, width: int) -> int:
    """The frame near `middle` at which the errors of a camera's pairs (n_pairs, n_frames, n_keypoints) jump."""
    size = np.abs(distances)
    cap = 4 * np.nanmedian(size)
    start, stop = max(0, middle - 2 * width), min(distances.shape[1], middle + 2 * width)
    part = np.minimum(size[:, start:stop], cap).swapaxes(0, 1).reshape(stop - start, -1)
    count = np.isfinite(part).sum(axis=1)
    total = np.where(np.isfinite(part), part, 0).sum(axis=1)
    return start + best_split(total, count)[0]
