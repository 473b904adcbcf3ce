"""Propagate the covariance of points through any function: linearised, by sigma points, or by Monte Carlo samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr

from ..datasets import Array, DatasetError
from ..datasets.names import named_options, nearest
from .pose_access import keypoint_indices

METHODS = ("linear", "unscented", "monte_carlo")
N_SAMPLES = 400  # of monte_carlo: a standard deviation is then known to 3.5 %


def joint_covariance(pose: xr.Dataset, keypoints: Sequence[str]) -> Array:
    """Joint covariance of the named keypoints.

    Parameters
    ----------
    pose : xarray.Dataset
        With `covariance (time, keypoint, space, space_)`, and `cross_covariance` of some pairs where it is known.
    keypoints : sequence of str
        Names of n keypoints.

    Returns
    -------
    ndarray, shape (n_frames, 3 n, 3 n), world units squared
        Blocks between two keypoints come from `cross_covariance` where the pose has that pair, and are zero elsewhere.

    Raises
    ------
    DatasetError
        The pose has no `covariance`, or a keypoint is unknown.

    Notes
    -----
    NaN where a covariance is missing.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import pose_dataset
    >>> from muybridge.kinematics import joint_covariance
    >>> covariance = np.tile(4.0 * np.eye(3), (1, 2, 1, 1))
    >>> pose = pose_dataset(
    ...     np.zeros((1, 2, 3)), keypoints=["hip", "knee"], times=[0.0], unit="mm", covariance=covariance
    ... )
    >>> np.diag(joint_covariance(pose, ["knee", "hip"])[0])
    array([4., 4., 4., 4., 4., 4.])
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


@named_options(DatasetError)
def propagate(
    function: Callable[[Array], Array], points_3d: Array, covariance: Array, *, method: str = "linear", seed: int = 0
) -> tuple[Array, Array]:
    """Values of a function of some points, and their standard deviations.

    Parameters
    ----------
    function : callable
        From (n_frames, n_points, 3) to (n_frames, n_values); differences of its values are taken modulo 2π where they
        exceed π, so angles may wrap.
    points_3d : ndarray, shape (n_frames, n_points, 3), world units
        NaN where missing.
    covariance : ndarray, shape (n_frames, 3 n_points, 3 n_points), world units squared
        As of `joint_covariance`.
    method : {"linear", "unscented", "monte_carlo"}
        "linear": σ² = J Σ Jᵀ with J by central differences; "unscented": the 6 n_points sigma points of Julier and
        Uhlmann; "monte_carlo": 400 draws of the points.
    seed : int
        Of the draws of "monte_carlo".

    Returns
    -------
    values : ndarray, shape (n_frames, n_values), unit of the function
        The function at the points.
    std : ndarray, shape (n_frames, n_values), unit of the function
        Its standard deviation.

    Raises
    ------
    DatasetError
        Unknown method.

    Notes
    -----
    NaN where a point or a covariance is missing.

    References
    ----------
    Julier & Uhlmann 1997, Proc. SPIE 3068, 182.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.kinematics import propagate
    >>> points = np.array([[[0.0, 0, 0], [3.0, 4.0, 0]]])
    >>> distance, std = propagate(
    ...     lambda p: np.linalg.norm(p[:, 1] - p[:, 0], axis=-1)[:, None], points, np.eye(6)[None]
    ... )
    >>> distance[0], std[0].round(6)
    (array([5.]), array([1.414214]))
    """
    if method not in METHODS:
        raise DatasetError(f"there is no method '{method}'{nearest(method, METHODS)} of propagation; known: {METHODS}")
    values = function(points_3d)
    with np.errstate(invalid="ignore"):
        if method == "linear":
            jacobian = _jacobian(function, points_3d)
            variance = np.einsum("tvi,tij,tvj->tv", jacobian, covariance, jacobian)
        else:
            root = _square_root(covariance)
            offsets = _offsets(root, method, seed)
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


def _offsets(root: Array, method: str, seed: int):
    """Displacements (n_frames, 3 n_points) of the points whose spread is the covariance with that square root."""
    n = root.shape[-1]
    if method == "unscented":
        for column in range(n):
            for sign in (1.0, -1.0):
                yield sign * np.sqrt(n) * root[..., column]
    else:
        rng = np.random.default_rng(seed)
        for _ in range(N_SAMPLES):
            yield np.einsum("tij,tj->ti", root, rng.standard_normal(root.shape[:2]))
