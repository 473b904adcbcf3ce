"""Methods that take every frame on its own, over stretches of time: the answer is that of one piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from ..cameras import CameraRig
from ..datasets import Skeleton, check_views, pose_dataset
from ..numerics.arrays import Array
from ..timeseries.medians import interpolate_gaps, median_filter
from .points.consensus import estimate_sigma, triangulate_ransac
from .points.dlt import point_covariances, triangulate_dlt
from .points.pairs import triangulate_pairs
from .points.swaps import repair_swaps

_MEDIAN_WINDOW = 5  # frames
_SAMPLE = 30_000  # points, evenly spread, that the noise is judged from
_CONFIDENT = 4.5  # standard deviations within which a view supports a linear solution


def view_arrays(views: xr.Dataset) -> tuple[Array, Array]:
    return np.asarray(views["position"].values, dtype=float), np.asarray(views["confidence"].values, dtype=float)


def sampled(views: xr.Dataset) -> xr.Dataset:
    """Evenly spread frames, enough to judge the noise and the cameras by: the same for the same recording."""
    n_keypoints = views.sizes.get("keypoint", views.sizes.get("keypoints", 1))
    step = max(1, views.sizes["time"] * n_keypoints // _SAMPLE)
    return check_views(views.isel(time=slice(None, None, step)))


def _dlt(points_2d: Array, confidence: Array, rig: CameraRig, sigma: Array, options: dict) -> dict:
    return _linear(triangulate_dlt(points_2d, rig, confidence=confidence, **options), points_2d, confidence, rig, sigma)


def _pairs(points_2d: Array, confidence: Array, rig: CameraRig, sigma: Array, options: dict) -> dict:
    return _linear(
        triangulate_pairs(points_2d, rig, confidence=confidence, **options), points_2d, confidence, rig, sigma
    )


def _linear(points_3d: Array, points_2d: Array, confidence: Array, rig: CameraRig, sigma: Array) -> dict:
    """The variables of a method without outliers: every view counts, and the share that agrees is the confidence."""
    error = np.linalg.norm(rig.project(points_3d) - points_2d, axis=-1)
    used = np.isfinite(points_2d).all(axis=-1) & (confidence > 0) & np.isfinite(points_3d).all(axis=-1)
    agree = used & (error < _CONFIDENT * sigma[:, None, None])
    return {
        "position": points_3d,
        "covariance": point_covariances(points_3d, rig, sigma, used),
        "confidence": agree.sum(axis=0) / np.maximum(used.sum(axis=0), 1),
        "reprojection_error": error,
        "n_cameras": used.sum(axis=0),
    }


def _ransac(points_2d: Array, confidence: Array, rig: CameraRig, sigma: Array, options: dict) -> dict:
    found = triangulate_ransac(points_2d, rig, confidence=confidence, **{"sigma": sigma, **options})
    return {
        "position": found.points_3d,
        "covariance": found.covariances_3d,
        "confidence": found.confidence,
        "reprojection_error": found.reprojection_error,
        "n_cameras": found.n_cameras,
    }


METHODS: dict[str, Callable[..., dict]] = {"dlt": _dlt, "ransac": _ransac, "median": _ransac, "pairs": _pairs}


def framewise_pieces(
    views: xr.Dataset,
    rig: CameraRig,
    method: str,
    window: int | None,
    max_gap: int,
    chunk_frames: int | None,
    options: dict,
    sides: Skeleton | None = None,
) -> Iterator[xr.Dataset]:
    """Poses of consecutive stretches of time, by a method that takes every frame on its own and filters that look
    no further than the stretches overlap: together they are the answer in one piece."""
    if method not in METHODS:
        raise ValueError(f"method {method!r} looks at all of time at once; in pieces there are {sorted(METHODS)}")
    if chunk_frames is not None and chunk_frames < 1:
        raise ValueError(f"chunk_frames must be at least 1, got {chunk_frames}")
    sigma, window = noise(views, rig), _MEDIAN_WINDOW if window is None else window
    n_frames = views.sizes["time"]
    chunk = max(1, n_frames if chunk_frames is None else int(chunk_frames))
    overlap = (window // 2 if method == "median" else 0) + (max_gap + 1 if max_gap > 0 else 0)
    for start in range(0, max(n_frames, 1), chunk):
        stop, low = min(start + chunk, n_frames), max(start - overlap, 0)
        part = check_views(views.isel(time=slice(low, stop + overlap)))
        part = part if sides is None else unswapped(part, rig, sides, sigma)
        pose = _framewise(part, rig, method, window, max_gap, sigma, options)
        yield pose.isel(time=slice(start - low, stop - low))


def _framewise(
    views: xr.Dataset, rig: CameraRig, method: str, window: int, max_gap: int, sigma: Array, options: dict
) -> xr.Dataset:
    variables: dict[str, Any] = METHODS[method](*view_arrays(views), rig, sigma, options)
    points_3d, times = variables.pop("position"), np.asarray(views["time"].values, dtype=float)
    if method == "median":
        points_3d = median_filter(points_3d, window)
    if max_gap > 0:
        points_3d = interpolate_gaps(points_3d, max_gap, times)
    keypoints = [str(name) for name in views["keypoint"].values]
    return pose_dataset(points_3d, keypoints=keypoints, times=times, unit=rig.unit, cameras=rig.names, **variables)


def noise(views: xr.Dataset, rig: CameraRig) -> Array:
    points_2d, confidence = view_arrays(sampled(views))
    return estimate_sigma(points_2d, rig, confidence=confidence)


def unswapped(views: xr.Dataset, rig: CameraRig, skeleton: Skeleton, sigma: Array) -> xr.Dataset:
    points_2d, confidence = view_arrays(views)
    repaired = repair_swaps(points_2d, rig, skeleton, confidence=np.nan_to_num(confidence), sigma=sigma)
    return views.assign(
        position=views["position"].copy(data=repaired.points_2d),
        confidence=views["confidence"].copy(data=repaired.confidence),
    )


def needed_symmetries(skeleton: Skeleton | None, views: xr.Dataset) -> Skeleton:
    """The skeleton in the order of the views; refused where it cannot say what may be swapped."""
    if skeleton is None or not skeleton.symmetries:
        raise ValueError("swaps=True needs a skeleton with symmetries, the (left, right) pairs that may be exchanged")
    dim = "keypoints" if "keypoints" in views.dims else "keypoint"
    return replace(skeleton, keypoints=known_order(skeleton, [str(name) for name in views[dim].values]))


def known_order(skeleton: Skeleton, keypoints: list[str]) -> tuple[str, ...]:
    unknown = sorted(set(skeleton.keypoints) - set(keypoints))
    if unknown:
        raise ValueError(f"the skeleton's keypoints {unknown} are not in the views, which have {keypoints}")
    return tuple(keypoints)
