"""The older way, kept as a baseline: every camera pair on its own, then the median of the pairs."""

from __future__ import annotations

import itertools

import numpy as np

from ...cameras import CameraRig
from ...numerics.arrays import Array
from .dlt import triangulate_dlt
from .input_checks import check_confidence, check_points_2d


def triangulate_pairs(
    points_2d: Array, rig: CameraRig, *, confidence: Array | None = None, min_confidence: float = 0.0
) -> Array:
    """Median over all camera pairs of the two-view point, each coordinate on its own.

    DeepLabCut 3D (Nath et al. 2019) triangulates one pair; Anipose's fast start (Karashchuk et al. 2021) takes this
    median. Cost grows with the square of the number of cameras; use `triangulate_ransac` for accuracy.

    Parameters
    ----------
    points_2d : (n_cameras, ..., 2), pixels, NaN where missing
    confidence : (n_cameras, ...), 0-1; views below `min_confidence` are left out; None: all count

    Returns
    -------
    (..., 3) world units; NaN where fewer than two views see the point

    Raises
    ------
    ValueError : as `triangulate_dlt`
    """
    points_2d = check_points_2d(points_2d, rig)
    confidence = check_confidence(confidence, points_2d, rig)
    if confidence is not None:
        points_2d = np.where((confidence >= min_confidence)[..., None], points_2d, np.nan)
    candidates = [
        triangulate_dlt(points_2d[[i, j]], rig.subset([rig.names[i], rig.names[j]]))
        for i, j in itertools.combinations(range(len(rig)), 2)
    ]
    return _nanmedian(np.stack(candidates))


def _nanmedian(candidates: Array) -> Array:
    """Median over the first axis of the values present; NaN (without a warning) where there is none."""
    ordered = np.sort(candidates, axis=0)  # NaN last
    n = np.isfinite(ordered).sum(axis=0, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum((n - 1) // 2, 0), axis=0)
    high = np.take_along_axis(ordered, np.minimum(n // 2, len(ordered) - 1), axis=0)
    return np.where(n > 0, 0.5 * (low + high), np.nan)[0]
