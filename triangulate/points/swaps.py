"""Left and right keypoints that some views exchanged: found by the geometry of the other views, and put right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...datasets import Skeleton
from ...numerics.arrays import Array
from ...numerics.threads import over_rows
from ..input_checks import centred_arrays, check_observations, from_views, in_order
from . import _kernels_swaps
from .consensus_solver import DEFAULT_THRESHOLD, camera_pairs, per_camera
from .recording_noise import estimate_sigma


@dataclass(frozen=True, eq=False)
class SwapRepair:
    """2D points in which exchanged left and right keypoints were put right.

    Parameters
    ----------
    points_2d : ndarray, shape (n_cameras, n_frames, n_keypoints, 2), pixels
        As given, exchanged between mirror partners where a view had them swapped.
    confidence : ndarray, shape (n_cameras, n_frames, n_keypoints), 0-1, or None
        Exchanged with the points.
    swapped : ndarray of bool, shape (n_cameras, n_frames, n_keypoints)
        What was exchanged; True for both partners.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.triangulate import SwapRepair
    >>> points_2d = np.zeros((1, 1, 2, 2))
    >>> SwapRepair(points_2d, None, np.array([[[True, True]]])).swapped.sum()
    np.int64(2)
    """

    points_2d: Array
    confidence: Array | None
    swapped: NDArray[np.bool_]


def repair_swaps(
    points_2d: Any,
    rig: CameraRig,
    skeleton: Skeleton,
    *,
    confidence: Array | None = None,
    sigma: float | Array | None = None,
    swap_probability: float = 0.02,
) -> SwapRepair:
    """Find views that exchanged a left keypoint with its right partner, and undo it.

    For each frame and pair of partners, both 3D points are sought together: mid-points from every pair of views, either
    way round, are scored with every view free to swap its two observations at the prior cost of a swap. The explanation
    of least cost is kept.

    Parameters
    ----------
    points_2d : ndarray, shape (n_cameras, n_frames, n_keypoints, 2), pixels, or xarray.Dataset
        Keypoints, the cameras in the order of the rig, NaN where missing; or a views dataset.
    rig : CameraRig
        The calibrated cameras.
    skeleton : Skeleton
        Its `symmetries` name the partners; its keypoints are those of `points_2d`, in the same order (of a dataset
        they are found by name).
    confidence : ndarray, shape (n_cameras, n_frames, n_keypoints), 0-1, optional
        Moves with the points. None: that of the dataset, or all alike.
    sigma : float or ndarray, shape (n_cameras,), pixels, optional
        Standard deviation of a coordinate. None: estimated from the recording.
    swap_probability : float
        Prior probability that a view swaps a pair in a frame.

    Returns
    -------
    SwapRepair
        The points with the swaps undone, and which they were.

    Raises
    ------
    ValueError
        Shapes do not fit, the skeleton has no symmetries, or the probability is not between 0 and 0.5.

    Notes
    -----
    At least three views must see a partner, and a majority must have the names right: geometry cannot show that all
    views are swapped at once.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.datasets import Skeleton
    >>> from muybridge.triangulate import repair_swaps
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> rig = CameraRig(tuple(Camera(f"cam_{x}", (1280, 1024), K, [], np.eye(3), [x, 0, 1000]) for x in (-200, 0, 200)))
    >>> points_2d = rig.project(np.array([[[-40.0, 20.0, 0.0], [40.0, 0.0, 10.0]]]))
    >>> points_2d[1] = points_2d[1, :, ::-1]
    >>> skeleton = Skeleton(("left_ear", "right_ear"), (), symmetries=(("left_ear", "right_ear"),))
    >>> repair_swaps(points_2d, rig, skeleton, sigma=1.0).swapped[:, 0, 0]
    array([False,  True, False])
    """
    points_2d, keypoints, confidence = from_views(points_2d, rig, keypoints=None, confidence=confidence)
    points_2d, confidence = check_observations(points_2d, rig, confidence, by_frame=True)
    skeleton = skeleton if keypoints is None else in_order(skeleton, keypoints)
    if points_2d.shape[2] != len(skeleton.keypoints):
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
