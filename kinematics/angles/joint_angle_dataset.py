"""Angles of declared joints from a pose dataset, with standard deviations."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import xarray as xr

from ...datasets import Array, DatasetError
from ...datasets.names import nearest
from ..error_propagation import joint_covariance, propagate
from ..pose_access import keypoint_indices, per_individual, points_of, unit_of
from ._kernels_angles import ABOUT_AXIS, ABOUT_PAIR, UNSIGNED
from .formulas import AnglePlan, PairTable, corrected_three_point_angle, plan_angles, plan_angles_with_std
from .hinge_axes import estimate_axis
from .joint_definitions import Joint, parse_joints
from .segment_frames import framed_angles


@per_individual
def joint_angles(
    pose: xr.Dataset, joints: Mapping[str, object], *, std: bool | str = True, up: Array | None = None
) -> xr.Dataset:
    """Angles of the declared joints, each with its standard deviation.

    Parameters
    ----------
    pose : xarray.Dataset or DataArray
        `position (time, keypoint, space)`, in world units; NaN where missing. With `covariance` (and
        `cross_covariance`) the angles get standard deviations.
    joints : mapping
        {name: (a, b, c)}, or {name: table} with a kind: angle, hinge, dihedral, chain, segments, orientation; see
        `parse_joints`.
    std : bool or {"unscented", "monte_carlo"}
        Whether to propagate the covariance where the pose has one; the names are slower checks of the linear
        propagation (see `propagate`).
    up : ndarray, shape (3,), optional
        World direction against gravity, for an orientation; None: the pose's attribute `up`.

    Returns
    -------
    xarray.Dataset
        `angle (time, joint)` in radians, with `angle_std` where the pose has a covariance. A hinge and a dihedral are 0
        where straight (cis), a three-point angle is π where straight. The attributes say how `angle_std` was made.

    Raises
    ------
    DatasetError
        Unknown keypoints, a declaration that cannot be read, or no vertical for an orientation.

    Notes
    -----
    NaN where a point of the joint is missing or two coincide, and in no other frame.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import pose_dataset
    >>> from muybridge.kinematics import joint_angles
    >>> points = np.array([[[1.0, 0, 0], [0, 0, 0], [0, 1, 0]]])
    >>> pose = pose_dataset(points, keypoints=["hip", "knee", "ankle"], times=[0.0], unit="mm")
    >>> angles = joint_angles(pose, {"knee": ("hip", "knee", "ankle")})
    >>> np.degrees(angles["angle"].values).round(6)
    array([[90.]])
    """
    parsed = parse_joints(joints)
    _check_keypoints(pose, parsed)
    simple = [joint for joint in parsed if joint.kind in ("angle", "hinge", "dihedral")]
    framed = [joint for joint in parsed if joint not in simple]
    method = None if "covariance" not in pose or std is False else "linear" if std is True else std
    attributes = {"zero_and_sign": conventions_of(parsed), "position_units": unit_of(pose)}
    names, angles, stds = _simple_angles(pose, simple, method, attributes)
    if framed:
        more_names, more_angles, more_stds = framed_angles(pose, framed, method, up)
        names += more_names
        angles = np.concatenate([angles, more_angles], axis=1)
        if stds is not None and more_stds is not None:
            stds = np.concatenate([stds, more_stds], axis=1)
    attributes["angle_std"] = _how(pose, method)
    order = declared_order(parsed, names)
    if order != sorted(order):  # copying costs
        names, angles = [names[i] for i in order], angles[:, order]
        stds = None if stds is None else stds[:, order]
    variables = {"angle": (("time", "joint"), angles, {"units": "rad"})}
    if stds is not None:
        variables["angle_std"] = (("time", "joint"), stds, {"units": "rad"})
    return xr.Dataset(variables, coords={"time": pose["time"], "joint": names}, attrs=attributes)


def declared_order(joints: list[Joint], names: list[str]) -> list[int]:
    """Places of the angles in the order in which their joints were declared; a framed joint has three in a row."""
    starts = {joint.name: i for i, joint in enumerate(joints)}
    return sorted(range(len(names)), key=lambda i: (starts.get(names[i], starts.get(names[i].rsplit("_", 1)[0], 0)), i))


def _simple_angles(
    pose: xr.Dataset, joints: list[Joint], method: str | None, attributes: dict
) -> tuple[list[str], Array, Array | None]:
    """Names, angles (n_frames, n_joints) and std or None of angles, hinges and dihedrals."""
    points = points_of(pose)
    plan = angle_plan(pose, points, joints, attributes)
    stds = None
    if method == "linear":
        angles, stds = plan_angles_with_std(points, pose["covariance"].values, plan, pair_table(pose))
    elif method is not None:
        angles, stds = _checked_std(pose, points, plan, method)
    else:
        angles = plan_angles(points, plan)
    for j, joint in enumerate(joints):
        if joint.flip:
            angles[:, j] *= -1
        if joint.corrected:
            if stds is None:
                raise DatasetError(f"joint '{joint.name}' asks for the corrected angle; the pose has no 'covariance'")
            angles[:, j] = corrected_three_point_angle(angles[:, j], stds[:, j])
    _warn_coincident(points, angles, plan, joints)
    return [joint.name for joint in joints], angles, stds


def _checked_std(pose: xr.Dataset, points: Array, plan: AnglePlan, method: str) -> tuple[Array, Array]:
    """Angles and standard deviations joint by joint, with sigma points or samples instead of the first order."""
    columns = []
    names = [str(name) for name in pose["keypoint"].values]
    for j in range(len(plan.kinds)):
        used, places = np.unique(plan.ends[j], return_inverse=True)
        alone = AnglePlan(plan.kinds[j : j + 1], places.reshape(1, 6), plan.axes[j : j + 1])
        covariance = joint_covariance(pose, [names[k] for k in used])
        own_points = np.ascontiguousarray(points[:, used])
        columns.append(propagate(lambda p, plan=alone: plan_angles(p, plan), own_points, covariance, method=method))
    return np.concatenate([c[0] for c in columns], axis=1), np.concatenate([c[1] for c in columns], axis=1)


def angle_plan(pose: xr.Dataset, points: Array, joints: list[Joint], attributes: dict) -> AnglePlan:
    """The kernel's tables; estimated hinge axes are noted in `attributes`."""
    kinds = np.zeros(len(joints), dtype=np.int64)
    ends = np.zeros((len(joints), 6), dtype=np.int64)
    axes: list[Array] = []
    for j, joint in enumerate(joints):
        at = keypoint_indices(pose, joint.points)
        axis = np.zeros((1, 3))
        if joint.kind == "angle":
            kinds[j], ends[j, :4] = UNSIGNED, (at[0], at[1], at[2], at[1])
        elif joint.kind == "dihedral":
            kinds[j], ends[j] = ABOUT_PAIR, (at[0], at[1], at[3], at[2], at[2], at[1])
        else:
            kinds[j], ends[j, :4] = ABOUT_AXIS, (at[1], at[0], at[2], at[1])
            if isinstance(joint.axis, tuple):
                start, end = keypoint_indices(pose, joint.axis)
                kinds[j], ends[j, 4:] = ABOUT_PAIR, (end, start)
            elif isinstance(joint.axis, str):
                frame = points[:, keypoint_indices(pose, joint.frame)] if joint.frame else None
                axis, share = estimate_axis(*(points[:, i] for i in at), frame=frame, name=joint.name)
                attributes[f"axis_share_{joint.name}"] = share
            else:
                axis = np.asarray(joint.axis)[None]
        axes.append(axis)
    longest = max((len(axis) for axis in axes), default=1)
    return AnglePlan(
        kinds, ends, np.stack([np.broadcast_to(axis, (longest, 3)) for axis in axes]) if axes else np.zeros((0, 1, 3))
    )


def pair_table(pose: xr.Dataset) -> PairTable | None:
    """The pose's covariances between keypoints, whose pairs are named "a|b"; None where it has none."""
    if "cross_covariance" not in pose:
        return None
    pairs = [str(pair).split("|") for pair in pose["pair"].values]
    wrong = [pair for pair in pairs if len(pair) != 2]
    if wrong:
        raise DatasetError(f"'cross_covariance' pairs are named 'keypoint|keypoint', got {'|'.join(wrong[0])!r}")
    indices = np.array([keypoint_indices(pose, pair) for pair in pairs], dtype=np.int64).reshape(-1, 2)
    return PairTable(pose["cross_covariance"].values, indices)


def _check_keypoints(pose: xr.Dataset, joints: list[Joint]) -> None:
    known = [str(name) for name in pose["keypoint"].values]
    for joint in joints:
        names = [*joint.points, *(joint.frame or ()), *(n for pairs in joint.segments for pair in pairs for n in pair)]
        if isinstance(joint.axis, tuple):
            names += joint.axis
        for name in names:
            if name not in known:
                raise DatasetError(
                    f"joint '{joint.name}' names the keypoint '{name}'{nearest(name, known)}; known: {known}"
                )


def _warn_coincident(points: Array, angles: Array, plan: AnglePlan, joints: list[Joint]) -> None:
    """One warning for all joints with NaN angles although every point is there."""
    if np.isfinite(angles.sum()):
        return
    counts = {}
    for j, joint in enumerate(joints):
        missing = np.isnan(angles[:, j])
        if missing.any():
            used = plan.ends[j] if plan.kinds[j] == ABOUT_PAIR else plan.ends[j, :4]
            there = np.isfinite(points[missing][:, np.unique(used)]).all(axis=(1, 2))
            if plan.kinds[j] == ABOUT_AXIS:
                axes = plan.axes[j]
                there &= np.isfinite(axes[missing] if len(axes) > 1 else axes).all(axis=1)
            if there.any():
                counts[joint.name] = int(there.sum())
    if counts:
        frames = ", ".join(f"{name} ({n} frames)" for name, n in counts.items())
        warnings.warn(f"angles are NaN where points of the joint coincide or lie on its axis: {frames}", stacklevel=4)


def conventions_of(joints: list[Joint]) -> str:
    texts = {
        "angle": "three-point angle: 0 folded, pi straight",
        "hinge": "hinge: 0 straight, positive right-handed about the axis",
        "dihedral": "dihedral: 0 cis, positive clockwise seen from the second to the third point",
        "segments": "segments: flexion, abduction, rotation of the distal in the proximal segment, 0 where aligned",
        "orientation": "orientation: heading, pitch (nose up positive), roll (right side down positive)",
    }
    return "; ".join(text for kind, text in texts.items() if any(joint.kind == kind for joint in joints))


def _how(pose: xr.Dataset, method: str | None) -> str:
    if method is None:
        return "not asked for" if "covariance" in pose else "none: the pose has no covariance"
    if "cross_covariance" in pose:
        return f"{method}, with the covariances between keypoints where the pose has them"
    return f"{method}, keypoints counted as independent: the pose has no cross_covariance"
