"""Frames of body segments, three-dimensional joint angles after the ISB, and the body's orientation in the world."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ...datasets import Array
from ..error_propagation import joint_covariance, propagate
from ..pose_access import points_of, up_of
from .joint_definitions import Joint

SEGMENT_ANGLES = ("flexion", "abduction", "rotation")
ORIENTATION_ANGLES = ("heading", "pitch", "roll")


def unit(vectors: Array) -> Array:
    """Vectors over their length; NaN where it is zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, length, out=np.full_like(vectors, np.nan), where=length > 0)


def segment_frame(distal: Array, proximal: Array, left: Array, right: Array) -> Array:
    """Frame of a body segment from its two ends and a left and a right point.

    Parameters
    ----------
    distal : ndarray, shape (..., 3), any unit
        Distal end; NaN where missing.
    proximal : ndarray, shape (..., 3), same unit
        Proximal end.
    left : ndarray, shape (..., 3), same unit
        Left point; only the part of left-right across the segment counts.
    right : ndarray, shape (..., 3), same unit
        Right point.

    Returns
    -------
    ndarray, shape (..., 3, 3)
        Rotations with the axes as columns: y along the segment from the distal to the proximal end, z to the right,
        x = y × z forwards.

    Notes
    -----
    NaN where a point is missing or left-right lies along y. The axes are those of the ISB's recommendation.

    References
    ----------
    Wu et al. 2002, J. Biomech. 35, 543.

    Examples
    --------
    >>> from muybridge.kinematics import segment_frame
    >>> segment_frame([0.0, 0, 0], [0.0, 1, 0], left=[0.0, 0, -1], right=[0.0, 0, 1])
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    """
    y = unit(np.asarray(proximal, float) - distal)
    x = unit(np.cross(y, np.asarray(right, float) - left))
    frame = np.stack([x, y, np.cross(x, y)], axis=-1)
    return np.where(np.isfinite(frame).all(axis=(-1, -2), keepdims=True), frame, np.nan)


def segment_angles(proximal: Array, distal: Array) -> Array:
    """Flexion, abduction and axial rotation of a distal segment in its proximal one.

    Parameters
    ----------
    proximal : ndarray, shape (..., 3, 3)
        Frame of the proximal segment, as of `segment_frame`; NaN where missing.
    distal : ndarray, shape (..., 3, 3)
        Frame of the distal segment.

    Returns
    -------
    ndarray, shape (..., 3), radians
        All 0 where the frames agree. Flexion about the proximal z axis (right), positive where the distal end swings
        forwards; abduction about the floating axis, right-handed about x (forwards), positive where the distal end
        swings to the left; rotation about the distal y axis (along the bone), right-handed.

    Notes
    -----
    NaN where a frame is. The joint coordinate system R = Rz(flexion) Rx(abduction) Ry(rotation). Flexion and rotation
    are not distinguishable where abduction is ±π/2.

    References
    ----------
    Grood & Suntay 1983, J. Biomech. Eng. 105, 136.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.spatial.transform import Rotation
    >>> from muybridge.kinematics import segment_angles
    >>> distal = Rotation.from_euler("z", 30, degrees=True).as_matrix()
    >>> np.degrees(segment_angles(np.eye(3), distal)).round(6)[0]
    np.float64(30.0)
    """
    R = np.swapaxes(proximal, -1, -2) @ distal
    flexion = np.arctan2(-R[..., 0, 1], R[..., 1, 1])
    abduction = np.arctan2(R[..., 2, 1], np.hypot(R[..., 2, 0], R[..., 2, 2]))
    rotation = np.arctan2(-R[..., 2, 0], R[..., 2, 2])
    return np.stack([flexion, abduction, rotation], axis=-1)


def orientation_angles(forward: Array, right: Array, up: Array) -> Array:
    """Heading, pitch and roll of a body in the world.

    Parameters
    ----------
    forward : ndarray, shape (..., 3), any length
        Direction forwards; NaN where missing.
    right : ndarray, shape (..., 3), any length
        Direction to the right, not necessarily perpendicular to `forward`.
    up : ndarray, shape (3,)
        Unit vector against gravity.

    Returns
    -------
    ndarray, shape (..., 3), radians
        Heading in (−π, π] about `up`, counter-clockwise seen from above, 0 along the world's x axis (its horizontal
        part; y where x is nearly vertical); pitch in [−π/2, π/2], nose up positive; roll in (−π, π], right side down
        positive.

    Notes
    -----
    NaN where a direction is missing or has no length.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.kinematics import orientation_angles
    >>> angles = orientation_angles(np.array([0.0, 1, 1]), np.array([1.0, 0, 0]), up=np.array([0.0, 0, 1]))
    >>> np.degrees(angles).round(6)[:2]
    array([90., 45.])
    """
    east, north = horizontal_axes(up)
    f = unit(np.asarray(forward, float))
    top = unit(np.cross(right, f))
    side = np.cross(f, top)
    heading = np.arctan2(f @ north, f @ east)
    pitch = np.arctan2(f @ up, np.hypot(f @ east, f @ north))
    return np.stack([heading, pitch, np.arctan2(-(side @ up), top @ up)], axis=-1)


def axes_orientation(axes: Array, up: Array) -> Array:
    """`orientation_angles` of a body's axes (..., 3, 3): forward, left and up as columns."""
    return orientation_angles(axes[..., 0], -axes[..., 1], up)


def horizontal_axes(up: Array) -> tuple[Array, Array]:
    """Two horizontal directions, right-handed with `up`; the first is the world's x (y where x is nearly vertical)."""
    start = np.array([1.0, 0, 0]) if abs(up[0]) < 0.9 else np.array([0, 1.0, 0])
    east = start - (start @ up) * up
    east /= np.linalg.norm(east)
    return east, np.cross(up, east)


def framed_angles(
    pose: xr.Dataset, joints: list[Joint], method: str | None, up: Array | None
) -> tuple[list[str], Array, Array | None]:
    """Names, angles (n_frames, 3 n_joints) and std (None where `method` is) of segments and orientations."""
    names: list[str] = []
    angles: list[Array] = []
    stds: list[Array] = []
    for joint in joints:
        keypoints = list(dict.fromkeys(name for pairs in joint.segments for pair in pairs for name in pair))
        places = [[[keypoints.index(name) for name in pair] for pair in pairs] for pairs in joint.segments]
        points = points_of(pose, keypoints)
        if joint.kind == "segments":
            parts = SEGMENT_ANGLES
            function = _segments_of(places)
        else:
            parts = ORIENTATION_ANGLES
            function = _orientation_of(places[0], up_of(pose, up, f"the orientation '{joint.name}'"))
        names += [f"{joint.name}_{part}" for part in parts]
        if method is None:
            angles.append(function(points))
        else:
            values, std = propagate(function, points, joint_covariance(pose, keypoints), method=method)
            angles.append(values)
            stds.append(std)
    return names, np.concatenate(angles, axis=1), np.concatenate(stds, axis=1) if stds else None


def _segments_of(places: list):
    def function(points: Array) -> Array:
        frames = [segment_frame(*(points[:, i] for pair in pairs for i in pair)) for pairs in places]
        return segment_angles(frames[0], frames[1])

    return function


def _orientation_of(places: list, up: Array):
    (back, front), (left, right) = places

    def function(points: Array) -> Array:
        return orientation_angles(points[:, front] - points[:, back], points[:, right] - points[:, left], up)

    return function
