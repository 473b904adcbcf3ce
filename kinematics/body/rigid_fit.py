"""Rotation of a rigid body part from three or more points, and standard deviations of its angles."""

from __future__ import annotations

import numpy as np

from ...cameras.rotations import hat, orthonormal
from ...datasets import Array, DatasetError
from ..angles.segment_frames import axes_orientation
from .segment_rotation import inverse_inertia

STEP = 1e-6  # radians, of central differences: their error is its square, round-off 1e-10


def rigid_rotation(points: Array, rough: Array) -> Array:
    """Rotations of the best rigid fit (Kabsch 1976, Acta Cryst. A32, 922) of the points to their median body shape.

    A frame needs three of the points; `rough` (n_frames, 3, 3) gives the shape's axes where it is known.
    """
    if points.shape[1] < 3:
        raise DatasetError(f"a rigid fit needs at least three keypoints, got {points.shape[1]}")
    whole = np.asarray(np.isfinite(points).all(axis=(1, 2)) & np.isfinite(rough).all(axis=(1, 2)))
    if not whole.any():
        return np.full_like(rough, np.nan)
    centred = points[whole] - points[whole].mean(axis=1, keepdims=True)
    shape = np.median(np.einsum("tsa,tks->tka", rough[whole], centred), axis=0)
    there = np.asarray(np.isfinite(points).all(axis=2))
    weights = there / np.maximum(there.sum(axis=1, keepdims=True), 1)
    filled = np.where(there[..., None], points, 0.0)
    centred = (filled - np.einsum("tk,tks->ts", weights, filled)[:, None]) * there[..., None]
    body = shape - np.einsum("tk,ka->ta", weights, shape)[:, None]
    fitted = orthonormal(np.einsum("tks,tka->tsa", centred, body))
    return np.where((there.sum(axis=1) >= 3)[:, None, None], fitted, np.nan)


def rigid_angle_std(points: Array, covariance: Array, rotation: Array, up: Array) -> Array:
    """Standard deviations of heading, pitch and roll of a rigid fit, first order.

    Points that move by e_k turn the best fit by ω = I⁺ Σ r_k × e_k, with r from the points' mean and their moment of
    inertia I (the first-order solution of Wahba's problem); the shape itself, a median over the recording, counts as
    known.

    Parameters
    ----------
    points : (n_frames, n_points, 3); those that are NaN were not fitted
    covariance : (n_frames, 3 n_points, 3 n_points)
    rotation : (n_frames, 3, 3) the fit: forward, left, up as columns

    Returns
    -------
    (n_frames, 3) radians; NaN where the rotation is, or the covariance of a point that is there
    """
    there = np.asarray(np.isfinite(points).all(axis=2))
    filled = np.where(there[..., None], points, 0.0)
    mean = filled.sum(axis=1, keepdims=True) / np.maximum(there.sum(axis=1), 1)[:, None, None]
    r = (filled - mean) * there[..., None]
    effect = np.einsum("tij,tpjk->tipk", inverse_inertia(r), hat(r)).reshape(len(r), 3, -1)
    known = np.repeat(there, 3, axis=1)
    covariance = np.where(known[:, :, None] & known[:, None, :], covariance, 0.0)
    slopes = []
    for turn in STEP * np.eye(3):
        ahead, back = rotation + hat(turn) @ rotation, rotation - hat(turn) @ rotation
        change = axes_orientation(ahead, up) - axes_orientation(back, up)
        slopes.append((change + np.pi) % (2 * np.pi) - np.pi)
    by_points = np.einsum("xta,txp->tap", np.stack(slopes) / (2 * STEP), effect)
    return np.sqrt(np.maximum(np.einsum("tap,tpq,taq->ta", by_points, covariance, by_points), 0.0))
