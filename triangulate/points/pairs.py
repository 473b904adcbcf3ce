"""Triangulation by every pair of cameras on its own, then the median of the pairs: a baseline."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ...cameras import CameraRig
from ...numerics.arrays import Array
from ...numerics.robust_scale import present_median
from ..input_checks import check_observations
from .dlt import triangulate_dlt


def triangulate_pairs(
    points_2d: Any, rig: CameraRig, *, confidence: Array | None = None, min_confidence: float = 0.0
) -> Array:
    """Median over all pairs of cameras of the two-view point, each coordinate on its own.

    A baseline: DeepLabCut 3D triangulates one pair; Anipose's fast start takes this median. The cost grows with the
    square of the number of cameras; use `triangulate_ransac` for accuracy.

    Parameters
    ----------
    points_2d : ndarray, shape (n_cameras, ..., 2), pixels, or xarray.Dataset
        Keypoints, the cameras in the order of the rig, NaN where missing; or a views dataset.
    rig : CameraRig
        The calibrated cameras.
    confidence : ndarray, shape (n_cameras, ...), 0-1, optional
        Confidence of each keypoint. None: that of the dataset, or all views count.
    min_confidence : float, 0-1
        Views of a lower confidence are left out.

    Returns
    -------
    ndarray, shape (..., 3), world units
        Points; NaN where fewer than two views see the point.

    Raises
    ------
    ValueError
        As `triangulate_dlt`.

    References
    ----------
    Nath et al. (2019), Using DeepLabCut for 3D markerless pose estimation, Nature Protocols; Karashchuk et al. (2021),
    Anipose, Cell Reports.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.triangulate import triangulate_pairs
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> rig = CameraRig(tuple(Camera(f"cam_{x}", (1280, 1024), K, [], np.eye(3), [x, 0, 1000]) for x in (-200, 0, 200)))
    >>> points_2d = rig.project(np.array([[[10.0, 20.0, 30.0]]]))
    >>> triangulate_pairs(points_2d, rig).round(6)
    array([[[10., 20., 30.]]])
    """
    points_2d, confidence = check_observations(points_2d, rig, confidence)
    if confidence is not None:
        points_2d = np.where((confidence >= min_confidence)[..., None], points_2d, np.nan)
    candidates = [
        triangulate_dlt(points_2d[[i, j]], rig.subset([rig.names[i], rig.names[j]]))
        for i, j in itertools.combinations(range(len(rig)), 2)
    ]
    return present_median(np.stack(candidates), axis=0)
