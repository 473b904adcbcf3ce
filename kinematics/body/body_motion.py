"""Body frame, heading, turning rate and centre of mass of an animal; the rotation of a rigid part from its points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from ...cameras.rotations import hat, orthonormal
from ...datasets import Array, DatasetError
from ..angles.segment_frames import ORIENTATION_ANGLES, axes_orientation, unit
from ..derivative_methods import motion_of
from ..error_propagation import joint_covariance, propagate
from ..pose_access import keypoint_indices, of_keypoints, per_individual, points_of, up_of
from .segment_rotation import inverse_inertia
from .travelled_path import length_unit

STEP = 1e-6  # radians, of central differences: their error is its square, round-off 1e-10


@per_individual
def body_frame(
    pose: xr.Dataset,
    back: str,
    front: str,
    *,
    lateral: tuple[str, str] | None = None,
    rigid: Sequence[str] | None = None,
    origin: str | None = None,
    up: Array | None = None,
    method: str = "auto",
) -> xr.Dataset:
    """The frame that moves with the body, the points seen from it, and its orientation in the world.

    Parameters
    ----------
    pose : xarray.Dataset or DataArray
        `position (time, keypoint, space)`, in world units; NaN where missing.
    back : str
        Keypoint at the rear end of the trunk.
    front : str
        Keypoint at the front end of the trunk; forwards is from `back` to `front`.
    lateral : tuple of str, optional
        Left and right keypoint, which give the roll; None: the frame stays upright (roll 0).
    rigid : sequence of str, optional
        Three or more keypoints of a rigid part (trunk, skull): the frame is then the rigid fit of all of them to their
        median shape, which is more precise than two or three points.
    origin : str, optional
        Keypoint at the frame's origin; None: the middle between `back` and `front`.
    up : ndarray, shape (3,), optional
        World direction against gravity; None: the pose's attribute `up`.
    method : str
        Method of the velocities behind the turning rate, as in `velocity`.

    Returns
    -------
    xarray.Dataset
        `origin (time, space)`; `rotation (time, space, axis)`, the body's axes (forward, left, up) as columns;
        `egocentric (time, keypoint, axis)`, the points from the origin along those axes; `heading`, `pitch`,
        `roll (time)` in radians (signs: `orientation_angles`), with `_std` where the pose has a covariance;
        `turning_rate (time)` in rad/s, positive counter-clockwise seen from above.

    Raises
    ------
    DatasetError
        Unknown keypoints, no vertical known, or fewer than three rigid keypoints.

    Notes
    -----
    NaN where a needed keypoint is missing.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import pose_dataset
    >>> from muybridge.kinematics import body_frame
    >>> points = np.tile([[0.0, 0.0, 0.0], [0.0, 50.0, 0.0]], (9, 1, 1))
    >>> pose = pose_dataset(points, keypoints=["tail", "neck"], times=np.arange(9) / 100, unit="mm")
    >>> body = body_frame(pose, "tail", "neck", up=[0, 0, 1])
    >>> np.degrees(body["heading"].values[:3])
    array([90., 90., 90.])
    """
    vertical = up_of(pose, up, "the body frame")
    names = [back, front, *(lateral or ())]
    points = points_of(pose)
    used = points[:, keypoint_indices(pose, names)]
    rotation = _axes(used, vertical)
    if rigid is not None:
        rotation = rigid_rotation(points[:, keypoint_indices(pose, rigid)], rotation)
    at = points[:, keypoint_indices(pose, [origin])[0]] if origin else used[:, :2].mean(axis=1)
    egocentric = np.einsum("tsa,tks->tka", rotation, points - at[:, None])
    angles, stds = axes_orientation(rotation, vertical), None
    if rigid is not None and "covariance" in pose:
        own = points[:, keypoint_indices(pose, rigid)]
        stds = rigid_angle_std(own, joint_covariance(pose, rigid), rotation, vertical)
    elif "covariance" in pose:
        _, stds = propagate(
            lambda p: axes_orientation(_axes(p, vertical), vertical), used, joint_covariance(pose, names)
        )
    rate, rate_std = _turning_rate(pose, back, front, vertical, method)
    length = length_unit(pose)
    variables: dict = {
        "origin": (("time", "space"), at, length),
        "rotation": (("time", "space", "axis"), rotation, {"units": "1"}),
        "egocentric": (("time", "keypoint", "axis"), egocentric, length),
        "turning_rate": ("time", rate, {"units": "rad/s"}),
    }
    if rate_std is not None:
        variables["turning_rate_std"] = ("time", rate_std, {"units": "rad/s"})
    for i, name in enumerate(ORIENTATION_ANGLES):
        variables[name] = ("time", angles[:, i], {"units": "rad"})
        if stds is not None:
            variables[f"{name}_std"] = ("time", stds[:, i], {"units": "rad"})
    coords = {name: pose[name] for name in ("time", "keypoint", "space")}
    return xr.Dataset(variables, coords={**coords, "axis": ["forward", "left", "up"]}, attrs={"up": vertical})


def _axes(points: Array, up: Array) -> Array:
    """(n_frames, 3, 3) forward, left, up as columns, of back, front and perhaps left and right points."""
    forward = unit(points[:, 1] - points[:, 0])
    right = points[:, 3] - points[:, 2] if points.shape[1] == 4 else np.cross(forward, up)
    top = unit(np.cross(right, forward))
    return np.stack([forward, np.cross(top, forward), top], axis=-1)


def _turning_rate(pose: xr.Dataset, back: str, front: str, up: Array, method: str) -> tuple[Array, Array | None]:
    """How fast the horizontal direction from back to front turns: up · (f × df/dt) / |f|², and its std."""
    motion = motion_of(of_keypoints(pose, [back, front]), 1, method)
    points, velocities = motion.values
    forward, change = points[:, 1] - points[:, 0], velocities[:, 1] - velocities[:, 0]
    flat = forward - (forward @ up)[:, None] * up
    with np.errstate(invalid="ignore", divide="ignore"):
        lever = np.cross(up, flat) / np.einsum("ti,ti->t", flat, flat)[:, None]
    std = motion.stds[1]
    rate_std = None if std is None else np.sqrt(np.einsum("ti,tki->t", lever**2, std**2))
    return np.einsum("ti,ti->t", lever, change), rate_std


@per_individual
def centre_of_mass(pose: xr.Dataset, segments: Mapping[str, tuple[str, str, float, float]]) -> xr.Dataset:
    """Centre of mass from the segments' shares of the mass.

    Parameters
    ----------
    pose : xarray.Dataset or DataArray
        `position (time, keypoint, space)`, in world units; NaN where missing.
    segments : mapping
        {name: (proximal keypoint, distal keypoint, share of the body's mass, place of the segment's own centre as a
        fraction from proximal to distal)}; the shares are normalised to sum to 1.

    Returns
    -------
    xarray.Dataset
        `position (time, space)`, in world units, with `position_std` where the pose has a covariance.

    Raises
    ------
    DatasetError
        Unknown keypoints, a share that is not positive, or a fraction outside 0 to 1.

    Notes
    -----
    NaN where a keypoint is missing.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import pose_dataset
    >>> from muybridge.kinematics import centre_of_mass
    >>> points = np.tile([[0.0, 0.0, 0.0], [100.0, 0.0, 0.0]], (3, 1, 1))
    >>> pose = pose_dataset(points, keypoints=["tail", "neck"], times=np.arange(3) / 100, unit="mm")
    >>> centre_of_mass(pose, {"trunk": ("tail", "neck", 1.0, 0.4)})["position"].values[0]
    array([40.,  0.,  0.])
    """
    names = list(dict.fromkeys(name for proximal, distal, *_ in segments.values() for name in (proximal, distal)))
    weights = np.zeros(len(names))
    for segment, (proximal, distal, share, fraction) in segments.items():
        if not share > 0 or not 0 <= fraction <= 1:
            raise DatasetError(
                f"segment '{segment}' has the mass share {share} and centre {fraction}; expected above 0 and 0 to 1"
            )
        weights[names.index(proximal)] += share * (1 - fraction)
        weights[names.index(distal)] += share * fraction
    weights /= weights.sum()
    points = points_of(pose, names)
    length = length_unit(pose)
    variables = {"position": (("time", "space"), np.einsum("k,tks->ts", weights, points), length)}
    if "covariance" in pose:
        effect = np.kron(weights, np.eye(3))
        variance = np.einsum("si,tij,sj->ts", effect, joint_covariance(pose, names), effect)
        variables["position_std"] = (("time", "space"), np.sqrt(np.maximum(variance, 0)), length)
    return xr.Dataset(variables, coords={"time": pose["time"], "space": pose["space"]})


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
