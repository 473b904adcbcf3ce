"""The confidence of a pose, lowered by what is known of whole cameras: chance agreement, and delays not removed."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from scipy.special import chdtrc

from ...cameras import CameraRig
from ...numerics.arrays import Array
from ..points.consensus import triangulate_ransac
from ..points.input_checks import from_views, matching_rig
from .view_agreement import Diagnosis

_REGION = 0.05  # probability beyond the 95 % region: a point within it is not contradicted


def believed(pose: xr.Dataset, views: xr.Dataset, rig: CameraRig, diagnosis: Diagnosis) -> xr.Dataset:
    """The pose with its confidence multiplied by the probability that its views mean what the rig says.

    Two factors: that the agreement of the point's views is not chance (see `related_probability`), and, where cameras
    are delayed, that the point agrees with the one of the same views in time.
    """
    if "confidence" not in pose:
        return pose
    rig = matching_rig(views, rig)
    factor = related_probability(np.asarray(pose["n_cameras"].values), diagnosis.chance)
    cause = diagnosis.cause
    if cause is not None and cause.offsets is not None:
        factor = factor * _consistent(pose, views, rig, cause)
    confidence = pose["confidence"]
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


def _consistent(pose: xr.Dataset, views: xr.Dataset, rig: CameraRig, cause: Any) -> Array:
    """(..., n_frames, n_keypoints) 1 where a point lies in the 95 % region of the one from views in time, else less."""
    points_2d, confidence = from_views(views, rig, individuals=True, confidence=None)
    single = points_2d.ndim == 4
    tracks = points_2d[:, None] if single else np.moveaxis(points_2d, 0, 1)
    prior = confidence[:, None] if single else np.moveaxis(np.asarray(confidence), 0, 1)
    mended, _ = cause.mended(tracks, rig)
    factors = []
    for i in range(tracks.shape[1]):
        known = np.isfinite(mended[:, i]).all(axis=-1)
        found = triangulate_ransac(mended[:, i], rig, confidence=np.where(known, np.maximum(prior[:, i], 0.02), 0.0))
        here = pose["position"] if single else pose["position"].isel(individual=i)
        off = np.asarray(here.values) - found.points_3d
        squared = np.einsum("tki,tkij,tkj->tk", off, np.linalg.pinv(np.nan_to_num(2 * found.covariances_3d)), off)
        factors.append(np.where(np.isfinite(squared), np.minimum(chdtrc(3, squared) / _REGION, 1.0), 1.0))
    return factors[0] if single else np.stack(factors)
