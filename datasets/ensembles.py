"""Predictions of several detectors for the same frames, combined: one robust point, its covariance from their spread.

Detectors that were trained apart differ by errors of their own, and these are seen; errors that all of them share are
not. The truth is taken to lie about as far from any detector as the detectors lie from one another, so that the mean of
n of them has the error variance (1 + 1/n) times that of their spread (Fortin et al. 2014); where the cameras disagree
by more than that, the residuals of triangulation tell.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import xarray as xr

from ..numerics.arrays import Array
from ..numerics.robust_scale import present_mean, present_median
from .validators import DatasetError, check_views

_AGREES = 3.0  # standard deviations within which a detector counts fully: of 90 good ones one lies beyond
_ITERATIONS = 10  # of the weighted mean, at most
_SETTLED = 0.01  # standard deviations that the weighted mean may still move by
# Degrees of freedom that the pooled covariance of a camera's keypoint counts as, beside the n - 1 of a frame's own
# spread. On three networks' predictions of a fly the spread varies hardly more from frame to frame than chance lets it.
_PRIOR_WEIGHT = 10.0
_LEAST_VARIANCE = 1e-6  # pixels squared, where all detectors agree exactly
_SIMULATED = 20_000  # points: a median of so many is known to 1 %
_LEAST_CONFIDENCE = 1e-3  # weight of a detector that reports 0


def combine_ensemble(views: xr.Dataset | xr.DataArray, *, like: xr.Dataset | None = None) -> xr.Dataset:
    """Combine the predictions of several detectors into one point each, with a covariance from their spread.

    Parameters
    ----------
    views : Dataset or DataArray
        A ``views`` dataset with a dimension ``detector``, in any order; their individuals, where there are any, must be
        the same in all detectors. Without the dimension it is returned as it is, after it was checked.
    like : Dataset, optional
        Where the views are a part of a recording, frames that stand for all of it: the spread of all frames is theirs.

    Returns
    -------
    Dataset
        Without the dimension ``detector``. ``position``: mean of the detectors, in which those far from the others
        count little. ``covariance``: (1 + 1/n) times the spread of n detectors, drawn towards that of all frames of
        the camera's keypoint, plus the mean of the covariances that the detectors predict, if they do. ``confidence``:
        mean of the detectors', of those far from the point a part only. The attribute ``n_detectors`` says how many
        there are. A single detector is returned as it is.

    Raises
    ------
    DatasetError
        The dataset is malformed, or has no detector.

    Notes
    -----
    A point is missing where every detector misses it; detectors that miss it are left out elsewhere. Where a single one
    has it, its covariance is the pooled one. An error that all detectors share leaves no trace in their spread.

    References
    ----------
    Fortin, Abaza, Anctil and Turcotte (2014), Why should ensemble spread match the RMSE of the ensemble mean?

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> from muybridge.datasets import combine_ensemble, views_dataset
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.uniform(0, 500, (1, 200, 1, 2))
    >>> parts = [
    ...     views_dataset(truth + error, cameras=["top"], keypoints=["nose"], times=np.arange(200))
    ...     for error in rng.normal(0, 2, (3, *truth.shape))
    ... ]
    >>> views = combine_ensemble(xr.concat(parts, xr.DataArray(["a", "b", "c"], dims="detector", name="detector")))
    >>> float(abs(views["position"] - truth).mean()) < float(abs(parts[0]["position"] - truth).mean())
    True
    >>> round(float(np.trace(views["covariance"].mean("time").values[0, 0])) / 2)  # 4 pixels squared, times 4/3
    5
    """
    views = check_views(views)
    if "detector" not in views.dims:
        return views
    if views.sizes["detector"] == 0:
        raise DatasetError("the views have no detector along 'detector'; there is nothing to combine")
    if views.sizes["detector"] == 1:
        return views.isel(detector=0, drop=True)
    views = views.transpose("detector", ...)
    first = views.isel(detector=0, drop=True)
    predicted = np.asarray(views["covariance"].values, float) if "covariance" in views else None
    points_2d, spread = np.asarray(views["position"].values, float), None
    if like is not None:
        spread = np.asarray(like["position"].transpose(*views["position"].dims).values, float)
    position, confidence, covariance = _combined(
        points_2d, np.nan_to_num(views["confidence"].values), predicted, points_2d if spread is None else spread
    )
    combined = first.assign(
        position=first["position"].copy(data=position),
        confidence=first["confidence"].copy(data=confidence),
        covariance=((*first["position"].dims, "space_"), covariance, {"units": "pixel^2"}),
    ).assign_coords(space_=list(first["space"].values) if "space" in first.coords else ["x", "y"])
    return combined.assign_attrs(n_detectors=views.sizes["detector"])


def ensemble_std(views: xr.Dataset) -> Array | None:
    """(n_cameras, n_keypoints) root mean square over the frames of the standard deviation of a combined ensemble.

    Pixels; NaN where a keypoint was never seen. None where the views are no combined ensemble.
    """
    if views.attrs.get("n_detectors", 1) < 2 or "covariance" not in views:
        return None
    variance = np.trace(views["covariance"].transpose("view", "time", "keypoint", ...).values, axis1=-2, axis2=-1) / 2
    return np.sqrt(present_mean(variance, 1))


def _combined(points: Array, confidence: Array, predicted: Array | None, like: Array) -> tuple[Array, Array, Array]:
    """Position (..., n_frames, n_keypoints, 2), confidence and covariance of detectors along the first axis.

    like : the points, or others of the recording, whose spread is that of all frames
    """
    shape = points.shape[1:]
    position, sure = np.empty(shape), np.empty(shape[:-1])
    covariance = np.empty((*shape, 2))
    for camera in np.ndindex(shape[:-3]):  # one camera in memory at a time
        at = (slice(None), *camera)
        own = None if predicted is None else predicted[at]
        variance = _typical_variance(like[at])
        position[camera], sure[camera], covariance[camera] = _of_camera(points[at], confidence[at], own, variance)
    return position, sure, covariance


def _of_camera(
    points: Array, confidence: Array, predicted: Array | None, variance: Array
) -> tuple[Array, Array, Array]:
    """As `_combined`, of the points (n_detectors, n_frames, n_keypoints, 2) of one camera."""
    present = np.isfinite(points[..., 0])
    n = present.sum(axis=0)
    weights = np.where(present, np.maximum(confidence, _LEAST_CONFIDENCE), 0.0)
    centre = present_median(points, axis=0)
    filled = np.where(present[..., None], points, 0.0)
    for _ in range(_ITERATIONS):
        before, weight = centre, weights * _agreement(points - centre, variance, present)
        total = np.where(n > 0, weight.sum(axis=0), np.nan)
        centre = np.einsum("dtk,dtki->tki", weight, filled) / total[..., None]
        if not (np.abs(centre - before) > _SETTLED * np.sqrt(variance)[:, None]).any():
            break
    deviation = np.where(present[..., None], points - centre, 0.0)
    agreement = _agreement(deviation, variance, present)
    sure = (np.where(present, confidence, 0.0) * agreement).sum(axis=0) / np.maximum(n, 1)
    scatter = np.einsum("dtk,dtki,dtkj->tkij", agreement, deviation, deviation)
    covariance = _shrunk(scatter, n, variance)
    if predicted is not None:
        known = np.isfinite(predicted).all(axis=(-1, -2)) & present
        sums = np.where(known[..., None, None], predicted, 0.0).sum(axis=0)
        covariance = covariance + sums / np.maximum(known.sum(axis=0), 1)[..., None, None]
    return centre, sure, covariance


def _typical_variance(points: Array) -> Array:
    """(n_keypoints,) variance of a detector's coordinate, pixels squared, from the distances to the detectors' median.

    Of each frame the middle distance and of these the median, so that it stands a detector that is always elsewhere.
    """
    n = np.isfinite(points[..., 0]).sum(axis=0)
    middle = present_median(np.linalg.norm(points - present_median(points, axis=0), axis=-1), axis=0)
    unit = np.array([np.nan, np.nan, *(_middle_distance(i) for i in range(2, len(points) + 1))])
    own = present_median(middle / unit[n], axis=0) ** 2
    pooled = np.nan_to_num(present_median(own), nan=1.0)
    return np.maximum(np.where(np.isfinite(own), own, pooled), _LEAST_VARIANCE)


@cache
def _middle_distance(n: int) -> float:
    """Median of the middle distance of n points of a standard normal plane from their median; by simulation, to 1 %."""
    points = np.random.default_rng(0).normal(size=(n, _SIMULATED, 2))
    distances = np.linalg.norm(points - np.median(points, axis=0), axis=-1)
    return float(np.median(np.median(distances, axis=0)))


def _agreement(deviation: Array, variance: Array, present: Array) -> Array:
    """(n_detectors, n_frames, n_keypoints) weight of each detector, 0-1: 1 near the point, falling with the square."""
    square = np.einsum("...i,...i->...", deviation, deviation)
    return np.where(present, _AGREES**2 / np.maximum(square / variance, _AGREES**2), 0.0)


def _shrunk(scatter: Array, n: Array, variance: Array) -> Array:
    """(n_frames, n_keypoints, 2, 2) covariance of the mean's error; scatter is the sum of squared deviations."""
    freedom = np.maximum(n - 1, 0)
    whole = freedom.sum(axis=0)
    own = scatter.sum(axis=0) / np.maximum(whole, 1)[:, None, None]
    least = variance[:, None, None] * np.eye(2)
    pooled = np.where((whole > 0)[:, None, None], own, least) + _LEAST_VARIANCE * np.eye(2)
    mixed = (scatter + _PRIOR_WEIGHT * pooled) / (freedom + _PRIOR_WEIGHT)[..., None, None]
    factor = np.where(n > 0, 1 + 1 / np.maximum(n, 1), np.nan)
    return factor[..., None, None] * mixed
