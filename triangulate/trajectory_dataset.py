"""A trajectory's arrays as the variables of a pose dataset."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import xarray as xr

from ..cameras import CameraRig
from ..datasets import pose_dataset
from ..numerics.arrays import Array

_FIELDS = {
    "covariance": "covariances_3d",
    "velocity": "velocities",
    "velocity_covariance": "velocity_covariances",
    "acceleration": "accelerations",
    "acceleration_covariance": "acceleration_covariances",
    "state": "states",
    "shared_std": "shared_std",
}


def label_trajectory(trajectory, points_2d: Array, rig: CameraRig, *, keypoints: list[str], times: Array) -> xr.Dataset:
    """Pose dataset of a `Trajectory` (or what extends it): every field that it has and a pose can hold.

    Of a `PoseInference` also state_probability (time, pose_state), heading (time), radians about up, and overridden
    (time, keypoint), 1 where the views were overridden by the poses.

    The confidence is the probability that at least two views support the point; a point carried by time and skeleton
    alone keeps its position, its wide covariance and a confidence near 0.
    """
    points_3d = trajectory.points_3d
    inlier = np.nan_to_num(trajectory.inlier_probability) * np.isfinite(points_2d).all(axis=-1)
    none = np.prod(1 - inlier, axis=0)
    one = sum(inlier[c] * np.prod(1 - np.delete(inlier, c, axis=0), axis=0) for c in range(len(inlier)))
    variables: dict[str, Any] = {name: getattr(trajectory, field, None) for name, field in _FIELDS.items()}
    cross = getattr(trajectory, "cross_covariances", None)
    pairs = [(keypoints[a], keypoints[b]) for a, b in trajectory.pairs] if cross is not None else []
    if pairs:
        variables["cross_covariance"] = cross
    pose = pose_dataset(
        points_3d,
        keypoints=keypoints,
        times=times,
        unit=rig.unit,
        cameras=rig.names,
        pairs=pairs or None,
        confidence=np.clip(1 - none - one, 0.0, 1.0) * np.isfinite(points_3d).all(axis=-1),
        reprojection_error=np.linalg.norm(rig.project(points_3d) - points_2d, axis=-1),
        n_cameras=(inlier > 0.5).sum(axis=0),
        **variables,
    )
    return _with_states(pose, trajectory)


def label_body_fit(fit, points_2d: Array, rig: CameraRig, *, keypoints: list[str], times: Array) -> xr.Dataset:
    """Pose dataset of a `BodyFit`: the views' keypoints, NaN where the body has no such marker, and its angles.

    body_angle, body_angle_std, body_velocity and body_velocity_std have the dimensions (time, body_joint); the first
    three are the root's place in world units, the others radians. The attributes hold the body's name, the bone
    lengths, the angles that the pixels do not determine, and `prior_share`.
    """
    names = list(fit.body.marker_names)
    columns = [names.index(name) if name in names else -1 for name in keypoints]
    lacking = np.array(columns) < 0
    by_keypoint = {}
    for field in ("points_3d", "covariances_3d"):
        by_keypoint[field] = getattr(fit, field)[:, columns].copy()
        by_keypoint[field][:, lacking] = np.nan
    inlier = fit.inlier_probability[:, :, columns].copy()
    inlier[:, :, lacking] = np.nan
    pose = label_trajectory(
        SimpleNamespace(**by_keypoint, inlier_probability=inlier), points_2d, rig, keypoints=keypoints, times=times
    )
    dims, angles = ("time", "body_joint"), np.array(fit.body.angle_names)
    per_second = "the angle's unit per second"
    pose = pose.assign_coords(body_joint=angles).assign(
        body_angle=(dims, fit.angles, {"units": f"rad; {rig.unit} for x, y and z"}),
        body_angle_std=(dims, fit.angles_std, {"units": f"rad; {rig.unit} for x, y and z"}),
        body_velocity=(dims, fit.velocities, {"units": per_second}),
        body_velocity_std=(dims, fit.velocities_std, {"units": per_second}),
    )
    lengths = zip(fit.body.length_names, fit.lengths.tolist(), fit.lengths_std.tolist(), strict=True)
    return pose.assign_attrs(
        body=fit.body.name,
        bone_lengths=json.dumps({name: [length, std] for name, length, std in lengths}),
        undetermined_angles=json.dumps(angles[~fit.determined].tolist()),
        prior_share=fit.prior_share,
    )


def _with_states(pose: xr.Dataset, trajectory) -> xr.Dataset:
    """The pose with the states and headings of a `PoseInference`, and the points whose views were overridden."""
    probabilities = getattr(trajectory, "state_probabilities", None)
    if probabilities is None:
        return pose
    return pose.assign_coords(pose_state=np.arange(probabilities.shape[1])).assign(
        state_probability=(("time", "pose_state"), probabilities, {"units": "1"}),
        heading=("time", trajectory.headings, {"units": "rad"}),
        overridden=(("time", "keypoint"), trajectory.overridden.astype(np.int8), {"units": "1"}),
    )
