"""Left and right mistaken for each other by some views: found where the other views say so, and undone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...datasets import Skeleton
from ...numerics.arrays import Array
from ...numerics.threads import over_rows
from . import _kernels_swaps
from .consensus import DEFAULT_THRESHOLD, camera_pairs, estimate_sigma, per_camera
from .input_checks import centred_arrays, check_confidence, check_points_2d


@dataclass(frozen=True, eq=False)
class SwapRepair:
    """2D points with the swaps undone.

    points_2d, confidence : as given, exchanged between mirror partners where a view had them swapped
    swapped : (n_cameras, n_frames, n_keypoints), bool: what was exchanged (True for both partners)
    """

    points_2d: Array
    confidence: Array | None
    swapped: NDArray[np.bool_]


def repair_swaps(
    points_2d: Array,
    rig: CameraRig,
    skeleton: Skeleton,
    *,
    confidence: Array | None = None,
    sigma: float | Array | None = None,
    swap_probability: float = 0.02,
) -> SwapRepair:
    """Let each view choose between a keypoint and its mirror partner.

    For each frame and pair of partners, both 3D points are sought together: mid-points from every pair of views, either
    way round, are scored with every view free to swap its two observations at the prior cost of a swap. The cheapest
    explanation is kept. At least three views must see a partner, and a majority must have the names right: all views
    swapped at once cannot be told from geometry.

    Parameters
    ----------
    points_2d : (n_cameras, n_frames, n_keypoints, 2), pixels, NaN where missing
    skeleton : its `symmetries` name the partners
    confidence : (n_cameras, n_frames, n_keypoints), 0-1; moves with the points
    sigma : pixels, a number or one per camera: standard deviation of a coordinate; None: from the recording
    swap_probability : of one view in one frame, beforehand

    Returns
    -------
    SwapRepair

    Raises
    ------
    ValueError : shapes do not fit, the skeleton has no symmetries, or the probability is not between 0 and 0.5
    """
    points_2d = check_points_2d(points_2d, rig)
    confidence = check_confidence(confidence, points_2d, rig)
    if points_2d.ndim != 4 or points_2d.shape[2] != len(skeleton.keypoints):
        raise ValueError(f"points_2d has shape {points_2d.shape}; the skeleton has {len(skeleton.keypoints)} keypoints")
    if not skeleton.symmetries:
        raise ValueError("the skeleton names no symmetries: without (left, right) pairs there are no swaps to find")
    if not 0 < swap_probability < 0.5:
        raise ValueError(f"swap_probability must lie between 0 and 0.5, got {swap_probability}")
    sigma = estimate_sigma(points_2d, rig, confidence=confidence) if sigma is None else per_camera(sigma, rig, "sigma")
    swapped = np.zeros(points_2d.shape[:-1], dtype=bool)
    cost = np.log((1 - swap_probability) / swap_probability)
    sides = skeleton.keypoints.index
    for left, right in ((sides(a), sides(b)) for a, b in skeleton.symmetries):
        swapped[:, :, left] = swapped[:, :, right] = _find(points_2d[:, :, [left, right]], rig, sigma, cost)
    mirror = skeleton.mirror
    repaired = np.where(swapped[..., None], points_2d[:, :, mirror], points_2d)
    if confidence is not None:
        confidence = np.where(swapped, confidence[:, :, mirror], confidence)
    return SwapRepair(repaired, confidence, swapped)


def _find(both: Array, rig: CameraRig, sigma: Array, cost: float) -> NDArray[np.bool_]:
    """(n_cameras, n_frames) which views swap the two keypoints of (n_cameras, n_frames, 2 sides, 2)."""
    arrays, origin = centred_arrays(rig)
    sides = np.ascontiguousarray(np.moveaxis(both, 2, 0))
    n_frames = both.shape[1]
    swapped = np.empty((len(rig), n_frames), dtype=bool)
    fixed = (rig.centers - origin, camera_pairs(len(rig)), sides, sigma**-2.0, 0.5 * DEFAULT_THRESHOLD**2, cost)
    over_rows(
        lambda start, stop: _kernels_swaps.find_swaps(arrays, *fixed, start, stop, swapped), n_frames, smallest=100
    )
    return swapped
