"""The confidence of a pose, lowered by what is known of whole cameras: chance agreement, delays, wrong cameras."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import xarray as xr
from scipy.special import chdtrc

from ...cameras import CameraRig
from ...datasets import check_views
from ...datasets.stretches import judged_frames
from ...numerics.arrays import Array
from ..input_checks import from_views, matching_rig
from ..points.consensus import robust_points
from .cause import Cause, find_cause, usable

_REGION = 0.05  # probability beyond the 95 % region: a point within it is not contradicted


def cause_of(views: xr.Dataset, rig: CameraRig) -> Cause:
    """What is wrong with whole cameras, as `diagnose` finds it, from the middle of a long recording."""
    judged = judged_frames(views.sizes["time"], views.sizes.get("individual", 1) * views.sizes["keypoint"])
    part = views.isel(time=judged).load()
    rig = matching_rig(part, rig)
    given = from_views(part, rig, individuals=True, confidence=None, keypoints=None, fps=None)
    points_2d, confidence, keypoints, fps = given
    cause = find_cause(_tracks(usable(points_2d, confidence)), rig, keypoints, fps)
    return replace(cause, jumps=tuple(replace(jump, frame=jump.frame + judged.start) for jump in cause.jumps))


def _tracks(points_2d: Array) -> Array:
    """(n_cameras, n_individuals, n_frames, n_keypoints, 2) of the points of a dataset with or without individuals."""
    return points_2d[:, None] if points_2d.ndim == 4 else np.moveaxis(points_2d, 0, 1)


def with_confidence(pose: xr.Dataset, views: xr.Dataset, rig: CameraRig, cause: Cause) -> xr.Dataset:
    """The pose with its confidence multiplied by the probability that its views mean what the rig says.

    0 where the recording is refused, with a warning. Else two factors: that the agreement of the point's views is not
    chance (see `related_probability`), and, where cameras are delayed or wrong and yet used, that the point agrees with
    the one of the same views in time and without these cameras.
    """
    if "confidence" not in pose:
        return pose
    confidence = pose["confidence"]
    if cause.refusal:
        warnings.warn(f"the confidence of all points is 0: {cause.refusal}", stacklevel=3)
        return pose.assign(confidence=xr.zeros_like(confidence)).assign_attrs(refusal=cause.refusal)
    views, rig = check_views(views), matching_rig(views, rig)
    factor = related_probability(np.asarray(pose["n_cameras"].values), cause.agreement.chance)
    wrong = views["confidence"].sel(view=list(cause.wrong)).values > 0
    if cause.is_late or wrong.any():
        factor = factor * _consistent(pose, views, rig, cause)
    return pose.assign(confidence=confidence.copy(data=np.asarray(confidence.values) * factor))


def related_probability(n_cameras: Array, chance: float) -> Array:
    """Probability that views which agree in a point are related, from the share of unrelated points that agree as well.

    Half of the related points lie within their median epipolar error, and `chance` of the unrelated ones: so many of
    the agreeing points are agreeing by chance (the false discovery rate of Storey 2002 with the share of related points
    at its largest). Each further view adds two equations for the same three unknowns.
    """
    if not np.isfinite(chance):
        return np.ones(np.shape(n_cameras))
    equations = np.maximum(2 * np.asarray(n_cameras) - 3, 1)
    alike = 0.5 * np.minimum(2 * chance, 1.0) ** equations
    return (0.5 - alike) / (0.5 * (1 - alike))


def _consistent(pose: xr.Dataset, views: xr.Dataset, rig: CameraRig, cause: Cause) -> Array:
    """(..., n_frames, n_keypoints) 1 where a point lies in the 95 % region of the point of right cameras, else less."""
    points_2d, confidence = from_views(views, rig, individuals=True, confidence=None)
    single = points_2d.ndim == 4
    right = np.array([name not in cause.wrong for name in rig.names])
    tracks = np.where(right[:, None, None, None, None], _tracks(points_2d), np.nan)
    prior = confidence[:, None] if single else np.moveaxis(np.asarray(confidence), 0, 1)
    mended = cause.in_time(tracks)
    factors = []
    for i in range(tracks.shape[1]):
        known = np.isfinite(mended[:, i]).all(axis=-1)
        found = robust_points(mended[:, i], rig, confidence=np.where(known, np.maximum(prior[:, i], 0.02), 0.0))
        here = pose["position"] if single else pose["position"].isel(individual=i)
        off = np.asarray(here.values) - found.points_3d
        squared = np.einsum("tki,tkij,tkj->tk", off, np.linalg.pinv(np.nan_to_num(2 * found.covariances_3d)), off)
        factors.append(np.where(np.isfinite(squared), np.minimum(chdtrc(3, squared) / _REGION, 1.0), 1.0))
    return factors[0] if single else np.stack(factors)
