"""Poses whose error bars were checked by cameras left out: rescaled, with what was found as attributes."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ..cameras import CameraRig
from ..numerics.arrays import Array
from ..numerics.robust_scale import present_median
from .left_out_pixels import MakePose, own_covariances
from .noise.detector_noise import DetectorNoise
from .predicted_regions import Coverage, judge_coverage


def with_coverage(
    pose: xr.Dataset, views: xr.Dataset, rig: CameraRig, make_pose: MakePose, noise: DetectorNoise | None = None
) -> xr.Dataset:
    """The pose with its covariances rescaled where `judge_coverage` asks for it, and what it found as attributes.

    `coverage` holds the table's records as JSON and `coverage_words` the sentences, `coverage_warning` is that of
    `Coverage` where there is one, and `coverage_failed` says why there was no check. Velocities and accelerations keep
    their covariances: errors that last, which a left-out camera shows, cancel in them. The part of the covariances that
    all views have in common (`shared_std`) leaves no trace in a left-out camera and stays, too.
    """
    try:
        found = judge_coverage(views, rig, make_pose, noise=noise)
    except ValueError as error:  # the pose itself is made
        return pose.assign_attrs(coverage_failed=str(error))
    pose = rescaled(pose, found.factors)
    return pose.assign_attrs(coverage_attributes(found, variances_of(pose), rig.unit))


def variances_of(pose: xr.Dataset) -> Array:
    """(n_frames, n_keypoints) mean variance of a position along an axis."""
    return np.trace(pose["covariance"].values, axis1=-2, axis2=-1) / 3


def coverage_attributes(found: Coverage, variances: Array, unit: str) -> dict[str, str]:
    """The attributes of a pose that say what was found, of its `variances` (some of them are enough)."""
    attrs = {"coverage": str(found.table.reset_index().to_json(orient="records")), "coverage_words": str(found)}
    if found.warning:
        spread = f"The error bars are ± {np.sqrt(present_median(variances)):.2g} {unit} in the median."
        attrs["coverage_warning"] = f"{found.warning} {spread}"
    return attrs


def rescaled(pose: xr.Dataset, factors: Array) -> xr.Dataset:
    """The pose with the standard deviations of its positions multiplied by factors (n_keypoints,)."""
    if (factors == 1).all():
        return pose
    names = [str(name) for name in pose["keypoint"].values]
    own, covariance = own_covariances(pose), pose["covariance"]
    values = covariance.values + (factors[:, None, None] ** 2 - 1) * own
    pose = pose.assign(covariance=covariance.copy(data=values))
    if "cross_covariance" not in pose:
        return pose
    of, cross = dict(zip(names, factors, strict=True)), pose["cross_covariance"]
    both = np.array([of[a] * of[b] for a, b in (str(pair).split("|") for pair in pose["pair"].values)])
    return pose.assign(cross_covariance=cross.copy(data=cross.values * both[:, None, None]))
