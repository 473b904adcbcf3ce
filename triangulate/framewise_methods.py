"""Triangulation of every frame on its own, and filters over few frames, in stretches of time that overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import xarray as xr

from ..cameras import CameraRig
from ..datasets import Skeleton, check_views, fps_of, pose_dataset
from ..numerics.arrays import Array
from ..timeseries.medians import interpolate_gaps, median_filter
from .points.consensus import estimate_sigma, triangulate_ransac
from .points.dlt import point_covariances, triangulate_dlt
from .points.input_checks import in_order
from .points.pairs import triangulate_pairs
from .points.swaps import repair_swaps

_MEDIAN_WINDOW = 0.05  # seconds: shorter than any stride, longer than a single wrong frame at 60 Hz and more
_SAMPLE = 30_000  # points, evenly spread, that the noise is estimated from: its own error is then below 1 %
_CONFIDENT = 4.5  # standard deviations within which a view supports a linear solution


def view_arrays(views: xr.Dataset) -> tuple[Array, Array]:
    """Positions and confidence of a views dataset."""
    return np.asarray(views["position"].values, dtype=float), np.asarray(views["confidence"].values, dtype=float)


def sampled(views: xr.Dataset) -> xr.Dataset:
    """Evenly spread frames, enough to estimate the noise from: the same for the same recording."""
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
    window: float | None,
    max_gap: float,
    chunk_frames: int | None,
    options: dict,
    sides: Skeleton | None = None,
) -> Iterator[xr.Dataset]:
    """Poses of consecutive stretches of time, by a method that takes every frame on its own.

    The filters reach no further than the stretches overlap: together they are the answer in one piece. `window` and
    `max_gap` are seconds.
    """
    if method not in METHODS:
        raise ValueError(f"method {method!r} uses all of time at once; in pieces there are {sorted(METHODS)}")
    if chunk_frames is not None and chunk_frames < 1:
        raise ValueError(f"chunk_frames must be at least 1, got {chunk_frames}")
    sigma = noise(views, rig)
    window_frames = _odd_frames(window, views) if method == "median" else 1
    gap_frames = _frames(max_gap, views) if max_gap > 0 else 0
    n_frames = views.sizes["time"]
    chunk = max(1, n_frames if chunk_frames is None else int(chunk_frames))
    overlap = window_frames // 2 + (gap_frames + 1 if gap_frames > 0 else 0)
    for start in range(0, max(n_frames, 1), chunk):
        stop, low = min(start + chunk, n_frames), max(start - overlap, 0)
        part = check_views(views.isel(time=slice(low, stop + overlap)))
        part = part if sides is None else unswapped(part, rig, sides, sigma)
        pose = _framewise(part, rig, method, window_frames, gap_frames, sigma, options)
        yield pose.isel(time=slice(start - low, stop - low))


def _frames(seconds: float, views: xr.Dataset) -> int:
    """Whole frames in a stretch of time; a millionth of a frame short of one counts as one."""
    return int(seconds * fps_of(views) + 1e-6)


def _odd_frames(window: float | None, views: xr.Dataset) -> int:
    """Odd number of frames of a running window of so many seconds, at least three where it is not given."""
    if window is not None and not window > 0:
        raise ValueError(f"window must be a positive number of seconds, got {window!r}")
    if window is None:
        return max(3, _odd_frames(_MEDIAN_WINDOW, views))
    return 2 * (_frames(window, views) // 2) + 1


def _framewise(
    views: xr.Dataset, rig: CameraRig, method: str, window: int, max_gap: int, sigma: Array, options: dict
) -> xr.Dataset:
    """The pose of a stretch; window and max_gap in frames."""
    variables: dict[str, Any] = METHODS[method](*view_arrays(views), rig, sigma, options)
    points_3d, times = variables.pop("position"), np.asarray(views["time"].values, dtype=float)
    if method == "median":
        points_3d = median_filter(points_3d, window)
    if max_gap > 0:
        points_3d = interpolate_gaps(points_3d, max_gap, times)
    keypoints = [str(name) for name in views["keypoint"].values]
    return pose_dataset(points_3d, keypoints=keypoints, times=times, unit=rig.unit, cameras=rig.names, **variables)


def noise(views: xr.Dataset, rig: CameraRig) -> Array:
    """Standard deviation (n_cameras,) of an inlier's coordinate, pixels."""
    points_2d, confidence = view_arrays(sampled(views))
    return estimate_sigma(points_2d, rig, confidence=confidence)


def unswapped(views: xr.Dataset, rig: CameraRig, skeleton: Skeleton, sigma: Array) -> xr.Dataset:
    """The views with exchanged left and right keypoints put right."""
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
    return in_order(skeleton, [str(name) for name in views[dim].values])
