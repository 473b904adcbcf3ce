"""Error bars of any function of the points: first order, or checked with sigma points or samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr

from ..datasets import Array, DatasetError
from .pose_access import keypoint_indices

WAYS = ("first_order", "unscented", "sampled")
N_SAMPLES = 400


def joint_covariance(pose: xr.Dataset, keypoints: Sequence[str]) -> Array:
    """(n_frames, 3 n, 3 n) covariance of the named keypoints together, world units squared.

    Blocks between two keypoints come from `cross_covariance` where the pose has that pair, and are zero elsewhere.

    Raises
    ------
    DatasetError : the pose has no `covariance`
    """
    if "covariance" not in pose:
        raise DatasetError(
            "the pose has no 'covariance': reconstruct it with a method that gives one, such as 'smooth'"
        )
    at = keypoint_indices(pose, keypoints)
    n = len(at)
    together = np.zeros((pose.sizes["time"], n, 3, n, 3))
    own = pose["covariance"].values
    for i, k in enumerate(at):
        together[:, i, :, i, :] = own[:, k]
    if "cross_covariance" in pose:
        rows = {tuple(str(pair).split("|")): row for row, pair in enumerate(pose["pair"].values)}
        values = pose["cross_covariance"].values
        for i, a in enumerate(keypoints):
            for j, b in enumerate(keypoints):
                if (a, b) in rows and i != j:
                    block = values[:, rows[a, b]]
                    together[:, i, :, j, :] = block
                    together[:, j, :, i, :] = block.swapaxes(-1, -2)
    return together.reshape(len(together), 3 * n, 3 * n)


def propagate(
    function: Callable[[Array], Array], points_3d: Array, covariance: Array, *, way: str = "first_order", seed: int = 0
) -> tuple[Array, Array]:
    """Values of a function of some points, in radians or not wrapped, and their standard deviations.

    Parameters
    ----------
    function : (n_frames, n_points, 3) -> (n_frames, n_values); differences of its values are taken modulo 2π where they
        exceed π, so angles may wrap
    points_3d, covariance : (n_frames, n_points, 3), (n_frames, 3 n_points, 3 n_points)
    way : "first_order": σ² = J Σ Jᵀ with central differences; "unscented": the 6 n sigma points of Julier & Uhlmann
        (1997, Proc. SPIE 3068, 182); "sampled": 400 draws of the points

    Returns
    -------
    values, std : (n_frames, n_values); NaN where a point or a covariance is missing
    """
    if way not in WAYS:
        raise DatasetError(f"error bars are made in the ways {WAYS}, got '{way}'")
    values = function(points_3d)
    with np.errstate(invalid="ignore"):
        if way == "first_order":
            jacobian = _jacobian(function, points_3d)
            variance = np.einsum("tvi,tij,tvj->tv", jacobian, covariance, jacobian)
        else:
            root = _square_root(covariance)
            offsets = _offsets(root, way, seed)
            spread = np.stack(
                [_wrapped(function(points_3d + offset.reshape(points_3d.shape)) - values) for offset in offsets]
            )
            variance = np.mean(spread**2, axis=0) - np.mean(spread, axis=0) ** 2
        return values, np.sqrt(np.maximum(variance, 0.0))


def _jacobian(function: Callable[[Array], Array], points_3d: Array) -> Array:
    """(n_frames, n_values, 3 n_points) by central differences, stepped by 1e-6 of the points' extent."""
    size = np.nanmax(np.ptp(points_3d, axis=1), initial=0.0)
    step = 1e-6 * (size if size > 0 else 1.0)
    columns = []
    for p in range(points_3d.shape[1]):
        for c in range(3):
            forward, backward = points_3d.copy(), points_3d.copy()
            forward[:, p, c] += step
            backward[:, p, c] -= step
            columns.append(_wrapped(function(forward) - function(backward)) / (2 * step))
    return np.stack(columns, axis=-1)


def _wrapped(difference: Array) -> Array:
    return np.where(np.abs(difference) > np.pi, (difference + np.pi) % (2 * np.pi) - np.pi, difference)


def _square_root(covariance: Array) -> Array:
    """Symmetric square roots; missing frames stay NaN."""
    known = np.isfinite(covariance).all(axis=(-1, -2))
    root = np.full_like(covariance, np.nan)
    values, vectors = np.linalg.eigh(covariance[known])
    root[known] = (vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]) @ vectors.swapaxes(-1, -2)
    return root


def _offsets(root: Array, way: str, seed: int):
    n = root.shape[-1]
    if way == "unscented":
        for column in range(n):
            for sign in (1.0, -1.0):
                yield sign * np.sqrt(n) * root[..., column]
    else:
        rng = np.random.default_rng(seed)
        for _ in range(N_SAMPLES):
            yield np.einsum("tij,tj->ti", root, rng.standard_normal(root.shape[:2]))
