"""Whether errors show a cause, or noise that lasts would do: by as many of them as are independent."""

from __future__ import annotations

import numpy as np

from ...numerics.arrays import Array

_EVIDENT = float(np.log(1000.0))  # log odds of a cause against none, beyond which it is named
_SURE = 2.0  # standard errors by which what a cause gains may be less than it seems, at least
_BLOCKS = (1, 2, 5, 10, 20, 40)  # of a recording, whose sums show for how long errors last
_LEAST_SUMS = 5  # sums whose mean square is known well enough to count
_OUTLIER = 5.0  # times the median error: larger ones count as that large where errors are added


def is_evident(before: Array, after: Array, n_tried: int, n_fitted: int = 0) -> bool:
    """Whether a cause is clearly more probable than none, from epipolar distances with their sign.

    The errors' likelihood is Cauchy's, as wide as those that the cause leaves. Without the cause they would have to be
    what detectors and calibrations leave: errors that last, that stay the same at a keypoint or everywhere. They count
    as often as they are independent (the geometric mean of both numbers: those with the cause are noise if it is true,
    those without if it is not), and the best of many causes, or of fitted numbers, must be better than chance makes it.

    Parameters
    ----------
    before, after : ndarray, shape (n_pairs, n_frames, n_keypoints), pixels
        Without the cause and with it undone, NaN where missing; compared where they differ.
    n_tried : int
        Causes of the kind that were tried.
    n_fitted : int
        Numbers of the cameras that were fitted to the same points; errors that all keypoints share are then theirs, and
        no noise.
    """
    compared = np.isfinite(before) & np.isfinite(after) & (before != after)
    if not compared.any():
        return False
    scale = max(float(np.median(np.abs(after[compared]))), 1e-9)
    gains = np.where(compared, np.log1p((before / scale) ** 2) - np.log1p((after / scale) ** 2), np.nan)
    gain, spread, n = float(np.nanmean(gains)), float(np.nanstd(gains)), int(compared.sum())
    # the best of many gains by chance what the largest of so many normal numbers is
    gain -= max(_SURE, np.sqrt(2 * np.log(n_tried))) * spread * np.sqrt(_lasting(gains - gain) / n)
    lasting = [_lasting(np.where(compared, errors, np.nan), of_all=not n_fitted) for errors in (before, after)]
    n_independent = n / np.sqrt(lasting[0] * lasting[1])
    by_chance = 0.5 * n_fitted * np.log(max(n_independent, 1.0))
    return bool(n_independent * gain - by_chance > _EVIDENT)


def _lasting(errors: Array, of_all: bool = True) -> float:
    """How many errors (n_pairs, n_frames, n_keypoints) with their sign count as one: over frames, and of all keypoints.

    The mean square of their sums over blocks of frames, against that of independent errors.
    """
    known = np.isfinite(errors)
    limit = _OUTLIER * float(np.median(np.abs(errors[known])))
    filled = np.where(known, np.clip(errors, -limit, limit), 0.0)
    square, found = max(float((filled**2).sum()), 1e-300), [1.0]
    for n_blocks in _BLOCKS:
        starts = np.unique(np.linspace(0, errors.shape[1], n_blocks, endpoint=False).astype(int))
        sums = np.add.reduceat(filled, starts, axis=1)
        counted = (sums, sums.sum(axis=-1)) if of_all else (sums,)
        found += [float((part**2).sum()) / square for part in counted if part.size >= _LEAST_SUMS]
    return max(found)
