"""Estimate the axis of a hinge joint from the movement of its two bones."""

from __future__ import annotations

import warnings

import numpy as np

from ...datasets import Array

TRUSTED_SHARE = 0.8  # of the bending that one axis must explain, else a warning; a ball joint explains 1/3


def estimate_axis(
    a: Array, b: Array, c: Array, *, frame: Array | None = None, name: str = "hinge"
) -> tuple[Array, float]:
    """Estimate the axis about which the bone b-c bends against the bone a-b.

    Parameters
    ----------
    a : ndarray, shape (n_frames, 3), any unit
        Start of the proximal bone; NaN where missing.
    b : ndarray, shape (n_frames, 3), same unit
        The hinge.
    c : ndarray, shape (n_frames, 3), same unit
        End of the distal bone.
    frame : ndarray, shape (n_frames, 3, 3), same unit, optional
        Three points (rows) of the proximal segment, in which the axis is fixed; None: it is fixed in the world
        (an animal on a treadmill, or one that runs straight).
    name : str
        Name of the hinge in the warning.

    Returns
    -------
    axis : ndarray, shape (1, 3), or (n_frames, 3) with `frame`
        Unit vectors in the world, whose sign makes the joint's mean bend positive.
    share : float
        Part of the bending that lies along the axis, 1/3 to 1; below 0.8 a warning is given.

    Notes
    -----
    The axis is the principal direction of the cross products of the two bones. Frames count by the squared sine of
    their bend, so straight limbs, whose normal is noise, hardly matter. NaN where no frame is complete or bent.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.kinematics import estimate_axis
    >>> bend = np.linspace(0.1, 1.5, 50)
    >>> tip = np.stack([np.cos(bend), np.sin(bend), 0 * bend], axis=-1)
    >>> axis, share = estimate_axis(np.tile([-1.0, 0, 0], (50, 1)), np.zeros((50, 3)), tip)
    >>> axis.round(6), round(share, 6)
    (array([[0., 0., 1.]]), 1.0)
    """
    normals = np.cross(b - a, c - b)
    rotations = None if frame is None else triad(frame)
    if rotations is not None:
        normals = np.einsum("tji,tj->ti", rotations, normals)
    whole = normals[np.isfinite(normals).all(axis=-1)]
    scatter = whole.T @ whole
    total = float(np.trace(scatter))
    if not total > 0:
        return np.full((1, 3), np.nan), np.nan
    values, vectors = np.linalg.eigh(scatter)
    share, axis = float(values[-1] / total), vectors[:, -1]
    axis = axis * (1.0 if (whole @ axis).sum() >= 0 else -1.0)
    if share < TRUSTED_SHARE:
        warnings.warn(
            f"the axis of hinge '{name}' explains only {share:.0%} of its bending: the axis turns with the body (name"
            " three keypoints of the proximal segment as 'frame', or two as 'axis') or the joint is no hinge",
            stacklevel=6,
        )
    if rotations is None:
        return axis[None], share
    return np.ascontiguousarray(rotations @ axis), share


def triad(points: Array) -> Array:
    """Right-handed frames of three points: first axis from point 0 to 1, third across the triangle.

    Parameters
    ----------
    points : (..., 3 points, 3); NaN where missing

    Returns
    -------
    (..., 3, 3) rotations, the axes as columns; NaN where a point is missing or the three lie on a line
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        x = points[..., 1, :] - points[..., 0, :]
        x = x / np.linalg.norm(x, axis=-1, keepdims=True)
        z = np.cross(x, points[..., 2, :] - points[..., 0, :])
        z = z / np.linalg.norm(z, axis=-1, keepdims=True)
        return np.stack([x, np.cross(z, x), z], axis=-1)
