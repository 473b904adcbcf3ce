"""Angular velocity and acceleration of segments from the velocities of their points, without Euler angles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from ...cameras.rotations import hat, rotation_vector
from ...datasets import Array, DatasetError
from ..derivative_methods import motion_of
from ..pose_access import keypoint_indices, per_individual, unit_of

FLAT = 1e-6  # of the largest moment of inertia: points within a thousandth of their length of a line count as on it


@per_individual
def angular_velocity(
    pose: xr.Dataset,
    segments: Mapping[str, Sequence[str]],
    *,
    method: str = "auto",
    window: float | None = None,
    polyorder: int | None = None,
    cutoff: float | None = None,
    order: int | None = None,
) -> xr.Dataset:
    """Angular velocity of segments given by two or more keypoints, with its standard deviation.

    Parameters
    ----------
    pose : xarray.Dataset or DataArray
        `position (time, keypoint, space)`, in world units; NaN where missing.
    segments : mapping
        {name: keypoints}; for two keypoints, or several on a line, the rotation about the line itself cannot be
        observed and is taken as 0.
    method : str
        Method of the velocities, as in `velocity`.
    window, polyorder, cutoff, order : float or int, optional
        Options of the method, as in `velocity`.

    Returns
    -------
    xarray.Dataset
        `angular_velocity (time, segment, space)` in rad/s about the world's axes, and `angular_velocity_std` where
        the method computes the velocities' own.

    Raises
    ------
    DatasetError
        Unknown keypoints, a segment of fewer than two, or as in `velocity`.

    Notes
    -----
    NaN where a keypoint's velocity is.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import pose_dataset
    >>> from muybridge.kinematics import angular_velocity
    >>> times = np.arange(100) / 1000
    >>> tip = np.stack([np.cos(2 * times), np.sin(2 * times), 0 * times], axis=-1)
    >>> pose = pose_dataset(np.stack([0 * tip, tip], axis=1), keypoints=["hip", "knee"], times=times, unit="mm")
    >>> turning = angular_velocity(pose, {"thigh": ["hip", "knee"]}, method="central")
    >>> turning["angular_velocity"].values[50, 0].round(2)
    array([0., 0., 2.])
    """
    options = {"window": window, "polyorder": polyorder, "cutoff": cutoff, "order": order}
    return _turning(pose, segments, 1, method, **options)


@per_individual
def angular_acceleration(
    pose: xr.Dataset,
    segments: Mapping[str, Sequence[str]],
    *,
    method: str = "auto",
    window: float | None = None,
    polyorder: int | None = None,
    cutoff: float | None = None,
    order: int | None = None,
) -> xr.Dataset:
    """Angular acceleration of segments given by two or more keypoints, with its standard deviation.

    Parameters
    ----------
    pose : xarray.Dataset or DataArray
        `position (time, keypoint, space)`, in world units; NaN where missing.
    segments : mapping
        {name: keypoints}; for two keypoints, or several on a line, the rotation about the line itself cannot be
        observed and is taken as 0.
    method : str
        Method of the velocities, as in `velocity`.
    window, polyorder, cutoff, order : float or int, optional
        Options of the method, as in `velocity`.

    Returns
    -------
    xarray.Dataset
        `angular_acceleration (time, segment, space)` in rad/s² about the world's axes, and
        `angular_acceleration_std` where the method computes the velocities' own.

    Raises
    ------
    DatasetError
        Unknown keypoints, a segment of fewer than two, or as in `velocity`.

    Notes
    -----
    NaN where a keypoint's velocity is.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import pose_dataset
    >>> from muybridge.kinematics import angular_acceleration
    >>> times = np.arange(100) / 1000
    >>> tip = np.stack([np.cos(times**2), np.sin(times**2), 0 * times], axis=-1)
    >>> pose = pose_dataset(np.stack([0 * tip, tip], axis=1), keypoints=["hip", "knee"], times=times, unit="mm")
    >>> turning = angular_acceleration(pose, {"thigh": ["hip", "knee"]}, method="central")
    >>> turning["angular_acceleration"].values[50, 0].round(2)
    array([0., 0., 2.])
    """
    options = {"window": window, "polyorder": polyorder, "cutoff": cutoff, "order": order}
    return _turning(pose, segments, 2, method, **options)


def _turning(pose: xr.Dataset, segments: Mapping, degree: int, method: str, **options: float | None) -> xr.Dataset:
    name = {1: "angular_velocity", 2: "angular_acceleration"}[degree]
    if not isinstance(segments, Mapping) or not segments:
        raise DatasetError(f"segments are declared as {{name: [keypoints]}}, got {segments!r}")
    motion = motion_of(pose, degree, method, **options)
    values, stds = [], []
    for segment, keypoints in segments.items():
        if isinstance(keypoints, str) or len(set(keypoints)) < 2:
            raise DatasetError(f"segment '{segment}' needs at least two keypoints, got {keypoints!r}")
        at = keypoint_indices(pose, keypoints)
        points, velocities = motion.values[0][:, at], motion.values[1][:, at]
        turning = rigid_angular_velocity(points, velocities)
        if degree == 2:
            turning = rigid_angular_acceleration(points, motion.values[2][:, at], turning)
        values.append(turning)
        stds.append(_std(points, motion.stds[degree], at))
    dims, unit = ("time", "segment", "space"), "rad/s" if degree == 1 else "rad/s^2"
    variables = {name: (dims, np.stack(values, axis=1), {"units": unit})}
    if motion.stds[degree] is not None:
        variables[f"{name}_std"] = (dims, np.stack(stds, axis=1), {"units": unit})
    coords = {"time": pose["time"], "segment": list(segments), "space": ["x", "y", "z"]}
    return xr.Dataset(variables, coords=coords, attrs={"method": motion.method, "position_units": unit_of(pose)})


def rigid_angular_velocity(points_3d: Array, velocities: Array) -> Array:
    """The angular velocity of the rigid motion nearest to the points' velocities, in the least-squares sense.

    Parameters
    ----------
    points_3d, velocities : (n_frames, n_points, 3); NaN where missing

    Returns
    -------
    (n_frames, 3) rad/s: ω = I⁺ Σ r × v, r from the points' mean, I = Σ |r|² 1 − r rᵀ; I⁺ leaves out a turn about a line
    on which all the points lie. NaN where a value is missing or the points coincide.
    """
    r = points_3d - points_3d.mean(axis=1, keepdims=True)
    return np.einsum("tij,tj->ti", inverse_inertia(r), np.cross(r, velocities).sum(axis=1))


def rigid_angular_acceleration(points_3d: Array, accelerations: Array, angular_velocities: Array) -> Array:
    """(n_frames, 3) rad/s²: as `rigid_angular_velocity`, of the accelerations without their centripetal part."""
    r = points_3d - points_3d.mean(axis=1, keepdims=True)
    omega = angular_velocities[:, None, :]
    centripetal = np.cross(omega, np.cross(omega, r))
    return np.einsum("tij,tj->ti", inverse_inertia(r), np.cross(r, accelerations - centripetal).sum(axis=1))


def angular_velocity_of_rotations(rotations: Array, times: Array) -> Array:
    """Angular velocity of rotations over time, from the rotation between each frame's neighbours.

    Parameters
    ----------
    rotations : ndarray, shape (n_frames, 3, 3)
        Axes as columns; NaN where missing.
    times : ndarray, shape (n_frames,), seconds
        Increasing, not necessarily evenly.

    Returns
    -------
    ndarray, shape (n_frames, 3), radians per second
        About the world's axes; one-sided at the ends and beside gaps.

    Notes
    -----
    NaN where the rotation is missing or both its neighbours are.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.spatial.transform import Rotation
    >>> from muybridge.kinematics import angular_velocity_of_rotations
    >>> times = np.arange(4) / 100
    >>> rotations = Rotation.from_rotvec(np.outer(3 * times, [0, 0, 1])).as_matrix()
    >>> angular_velocity_of_rotations(rotations, times)[1].round(6)
    array([0., 0., 3.])
    """
    n = len(times)
    known = np.asarray(np.isfinite(rotations).all(axis=(1, 2)))
    omega = np.full((n, 3), np.nan)
    frames = np.arange(n)
    before, after = np.maximum(frames - 1, 0), np.minimum(frames + 1, n - 1)
    before, after = np.where(known[before], before, frames), np.where(known[after], after, frames)
    usable = known & (after > before)
    a, b = before[usable], after[usable]
    turn = rotation_vector(rotations[b] @ rotations[a].swapaxes(-1, -2))
    omega[usable] = turn / (times[b] - times[a])[:, None]
    return omega


def inverse_inertia(r: Array) -> Array:
    """(n_frames, 3, 3) pseudo-inverses of the points' moments of inertia; NaN where the points coincide."""
    inertia = np.einsum("tpi,tpi->t", r, r)[:, None, None] * np.eye(3) - np.einsum("tpi,tpj->tij", r, r)
    known = np.asarray(np.trace(inertia, axis1=1, axis2=2) > 0)
    inverse = np.full_like(inertia, np.nan)
    inverse[known] = np.linalg.pinv(inertia[known], rcond=FLAT, hermitian=True)
    return inverse


def _std(points_3d: Array, stds: Array | None, at: list[int]) -> Array | None:
    """First order, from the standard deviations (n_frames, n_keypoints, 3) of the derivatives."""
    if stds is None:
        return None
    r = points_3d - points_3d.mean(axis=1, keepdims=True)
    effect = np.einsum("tij,tpjk->tpik", inverse_inertia(r), hat(r))
    return np.sqrt(np.einsum("tpik,tpk->ti", effect**2, stds[:, at] ** 2))
