"""What every array door of this part checks first, and how its kernels run over blocks of points."""

from __future__ import annotations

import numpy as np

from ...cameras import CameraRig
from ...cameras.camera import RigArrays
from ...numerics.arrays import Array


def check_points_2d(points_2d: Array, rig: CameraRig, fewest_views: int = 2) -> Array:
    """(n_cameras, ..., 2) as contiguous float64, after its shape and values were checked.

    Raises
    ------
    ValueError : the shape does not fit the rig, the rig has fewer cameras than `fewest_views`, or a value is infinite
    """
    points_2d = np.ascontiguousarray(points_2d, dtype=float)
    if points_2d.ndim < 2 or points_2d.shape[0] != len(rig) or points_2d.shape[-1] != 2:
        raise ValueError(
            f"points_2d has shape {points_2d.shape}; expected (n_cameras, n_frames, n_keypoints, 2) with the rig's"
            f" {len(rig)} cameras {list(rig.names)} first"
        )
    if len(rig) < fewest_views:
        raise ValueError(f"3D needs at least two views; the rig has only {list(rig.names)}")
    for name, points in zip(rig.names, points_2d, strict=True):
        infinite = np.isinf(points)
        if infinite.any():
            place = tuple(int(i) for i in np.argwhere(infinite)[0][:-1])
            raise ValueError(
                f"points_2d holds an infinite value in camera '{name}' at (frame, keypoint) {place};"
                " a missing point is NaN in both coordinates"
            )
    return points_2d


def check_confidence(confidence: Array | None, points_2d: Array, rig: CameraRig) -> Array | None:
    """Confidence in the shape of `points_2d` without its last axis, NaN as 0; None stays None.

    Raises
    ------
    ValueError : the shape differs, or a value is outside 0-1
    """
    if confidence is None:
        return None
    confidence = np.ascontiguousarray(confidence, dtype=float)
    if confidence.shape != points_2d.shape[:-1]:
        raise ValueError(
            f"confidence has shape {confidence.shape}, expected {points_2d.shape[:-1]}: points_2d without its last axis"
        )
    low, high = np.fmin.reduce(confidence, axis=None), np.fmax.reduce(confidence, axis=None)
    if low < 0 or high > 1:
        outside = (confidence < 0) | (confidence > 1)
        camera, *place = (int(i) for i in np.argwhere(outside)[0])
        raise ValueError(
            f"confidence is {confidence[outside][0]:g} in camera '{rig.names[camera]}' at (frame, keypoint)"
            f" {tuple(place)}; it is a probability between 0 and 1"
        )
    return np.nan_to_num(confidence, nan=0.0) if np.isnan(low + confidence.sum()) else confidence


def centred_arrays(rig: CameraRig) -> tuple[RigArrays, Array]:
    """The rig's arrays about the mean of its cameras' centres, and that mean (3,).

    A world whose origin lies far from the rig would otherwise cost the normal equations their digits.
    """
    origin = rig.centers.mean(axis=0)
    arrays = rig.arrays
    return arrays._replace(t=arrays.t + np.einsum("cij,j->ci", arrays.R, origin)), origin
