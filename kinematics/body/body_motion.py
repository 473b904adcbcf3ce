"""The body as a whole: its frame, heading and turning, its centre of mass, its path and speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from ...datasets import Array, DatasetError
from ..angles.segment_frames import ORIENTATION_ANGLES, orientation_angles, unit
from ..derivatives import motion_of, velocity
from ..error_propagation import joint_covariance, propagate
from ..pose_access import checked, keypoint_indices, per_individual, points_of, times_of, unit_of, up_of
from .rigid_fit import rigid_angle_std, rigid_rotation


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
    """The frame that moves with the body, the points seen from it, and how it is turned in the world.

    Parameters
    ----------
    back, front : keypoints; forwards is from the first to the second
    lateral : (left, right) keypoints, which give the roll; None: the frame stays upright (roll 0)
    rigid : three or more keypoints of a rigid part (trunk, skull): the frame is then the rigid fit of all of them to
        their mean shape, which is steadier than two or three points
    origin : keypoint at the frame's origin; None: the middle between back and front
    up : world direction against gravity; None: the pose's attribute `up`
    method : of the velocities behind the turning rate, as in `velocity`

    Returns
    -------
    `origin (time, space)`; `rotation (time, space, axis)`, the body's axes (forward, left, up) as columns;
    `egocentric (time, keypoint, axis)` the points from the origin along those axes; `heading`, `pitch`, `roll (time)`
    in radians (signs: `orientation_angles`), with `_std` where the pose has a covariance;
    `turning_rate (time)` in rad/s, positive counter-clockwise seen from above. NaN where a needed keypoint is missing.

    Raises
    ------
    DatasetError : unknown keypoints, no vertical known, or fewer than three rigid keypoints
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
    angles, stds = orientation_angles(rotation[..., 0], -rotation[..., 1], vertical), None
    if rigid is not None and "covariance" in pose:
        own = points[:, keypoint_indices(pose, rigid)]
        stds = rigid_angle_std(own, joint_covariance(pose, rigid), rotation, vertical)
    elif "covariance" in pose:
        _, stds = propagate(lambda p: _angles(p, vertical), used, joint_covariance(pose, names))
    rate, rate_std = _turning_rate(pose, back, front, vertical, method)
    length = {"units": unit_of(pose)}
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


def _angles(points: Array, up: Array) -> Array:
    axes = _axes(points, up)
    return orientation_angles(axes[..., 0], -axes[..., 1], up)


def _turning_rate(pose: xr.Dataset, back: str, front: str, up: Array, method: str) -> tuple[Array, Array | None]:
    """How fast the horizontal direction from back to front turns: up · (f × df/dt) / |f|², and its std."""
    pair = pose.sel(keypoint=[back, front])
    keep = [name for name in ("position", "covariance", "velocity", "velocity_covariance") if name in pair]
    motion = motion_of(pair[keep], 1, method, {})
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
    segments : {name: (proximal keypoint, distal keypoint, share of the body's mass, place of the segment's own centre
        as a fraction from proximal to distal)}; the shares are normalised to sum to 1

    Returns
    -------
    `position (time, space)`, with `position_std` where the pose has a covariance; NaN where a keypoint is missing

    Raises
    ------
    DatasetError : unknown keypoints, or shares and fractions that cannot be
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
    length = {"units": unit_of(pose)}
    variables = {"position": (("time", "space"), np.einsum("k,tks->ts", weights, points), length)}
    if "covariance" in pose:
        effect = np.kron(weights, np.eye(3))
        variance = np.einsum("si,tij,sj->ts", effect, joint_covariance(pose, names), effect)
        variables["position_std"] = (("time", "space"), np.sqrt(np.maximum(variance, 0)), length)
    return xr.Dataset(variables, coords={"time": pose["time"], "space": pose["space"]})


@per_individual
def path_length(pose: xr.Dataset, *, method: str = "auto", **options) -> xr.Dataset:
    """Distance each keypoint has travelled: the integral of its speed.

    Adding up the steps between noisy positions would count the noise as travel (at 120 Hz and 5 mm about 0.8 m every
    second); the evidence-tuned velocity hardly does.

    Returns
    -------
    `path_length (time, keypoint)` in world units from the first frame; frames without a velocity add nothing
    """
    result = velocity(pose, method=method, **options)
    speed = np.nan_to_num(result["speed"].values)
    steps = np.diff(times_of(pose))[:, None] * (speed[1:] + speed[:-1]) / 2
    length = np.concatenate([np.zeros((1, speed.shape[1])), np.cumsum(steps, axis=0)])
    return xr.Dataset(
        {"path_length": (("time", "keypoint"), length, {"units": unit_of(pose)})},
        coords={"time": pose["time"], "keypoint": pose["keypoint"]},
        attrs=result.attrs,
    )


def speed_profile(pose: xr.Dataset, keypoint: str, *, method: str = "auto", **options) -> pd.DataFrame:
    """One keypoint's speed over time, one row per frame.

    Returns
    -------
    columns time (s), speed and speed_std (world units/s; first order, NaN where the method knows none), path_length
    (world units)
    """
    pose = checked(pose)
    if "individual" in pose.dims:
        raise DatasetError("a speed profile is of one animal: choose it with pose.sel(individual=...)")
    keypoint_indices(pose, [keypoint])
    alone = pose.sel(keypoint=[keypoint])[[n for n in pose.data_vars if "pair" not in pose[n].dims]]
    result = velocity(alone, method=method, **options)
    values, speed = result["velocity"].values[:, 0], result["speed"].values[:, 0]
    std = np.full_like(speed, np.nan)
    if "velocity_std" in result:
        direction = np.abs(unit(values))
        std = np.sqrt(np.einsum("ti,ti->t", direction**2, result["velocity_std"].values[:, 0] ** 2))
    times, known = times_of(pose), np.nan_to_num(speed)
    length = np.concatenate([[0.0], np.cumsum(np.diff(times) * (known[1:] + known[:-1]) / 2)])
    return pd.DataFrame({"time": times, "speed": speed, "speed_std": std, "path_length": length})
