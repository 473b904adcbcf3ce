"""Triangulation of every frame on its own, and filters over few frames, in stretches of time that overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from ..cameras import CameraRig
from ..datasets import Skeleton, check_views, fps_of, pose_dataset
from ..datasets.ensembles import ensemble_std
from ..numerics.arrays import Array, isotropic
from ..numerics.robust_scale import present_median
from ..timeseries.gaps import interpolate_gaps
from ..timeseries.medians import running_median
from ..timeseries.sampling import window_frames
from .input_checks import in_order
from .noise.detector_noise import DetectorNoise, without_bias
from .points.consensus import robust_points
from .points.dlt import point_covariances, triangulate_dlt
from .points.pairs import triangulate_pairs
from .points.recording_noise import estimate_noise, estimate_sigma
from .points.swaps import repair_swaps

_MEDIAN_WINDOW = 0.05  # seconds: shorter than any stride, longer than a single wrong frame at 60 Hz and more
_SAMPLE = 30_000  # points, evenly spread, that the noise is estimated from: its own error is then below 1 %
_FREEDOM = 20.0  # degrees of freedom that the recording's noise counts as beside those of a point's own residuals
_CONFIDENT = 4.5  # standard deviations within which a view supports a linear solution: 1 of 25,000 is beyond by noise


def view_arrays(views: xr.Dataset) -> tuple[Array, Array]:
    """Positions and confidence of a views dataset."""
    return np.asarray(views["position"].values, dtype=float), np.asarray(views["confidence"].values, dtype=float)


def sampled(views: xr.Dataset) -> xr.Dataset:
    """Evenly spread frames, enough to estimate the noise from: the same for the same recording."""
    n_keypoints = views.sizes.get("keypoint", 1)
    step = max(1, views.sizes["time"] * n_keypoints // _SAMPLE)
    return check_views(views.isel(time=slice(None, None, step)))


def _linear(
    solve: Callable[..., Array],
    points_2d: Array,
    confidence: Array,
    rig: CameraRig,
    noise: DetectorNoise,
    options: dict,
) -> dict:
    """The variables of a method without outliers: every view counts, and the share that agrees is the confidence.

    Where the views disagree by more than their noise, the covariance is as much wider (Birge 1932, The calculation of
    errors by the method of least squares, Physical Review 40).
    """
    points_2d, noise = without_bias(points_2d, noise)
    sigma = noise.inlier_std[:, None]
    points_3d = solve(points_2d, rig, confidence=confidence, **options)
    error = np.linalg.norm(rig.project(points_3d) - points_2d, axis=-1)
    used = np.isfinite(points_2d).all(axis=-1) & (confidence > 0) & np.isfinite(points_3d).all(axis=-1)
    agree = used & (error < _CONFIDENT * sigma)
    squares, freedom = np.where(used, (error / sigma) ** 2, 0.0).sum(axis=0), 2 * used.sum(axis=0) - 3
    disagreement = (_FREEDOM + squares) / (_FREEDOM + np.maximum(freedom, 0))
    covariance = point_covariances(points_3d, rig, np.broadcast_to(sigma, used.shape), used)
    return {
        "position": points_3d,
        "covariance": disagreement[..., None, None] * covariance + isotropic(noise.shared_std**2),
        "confidence": agree.sum(axis=0) / np.maximum(used.sum(axis=0), 1),
        "reprojection_error": error,
        "n_cameras": used.sum(axis=0),
    }


def _ransac(points_2d: Array, confidence: Array, rig: CameraRig, noise: DetectorNoise | None, options: dict) -> dict:
    found = robust_points(points_2d, rig, confidence=confidence, noise=noise, **options)
    return {
        "position": found.points_3d,
        "covariance": found.covariances_3d,
        "confidence": found.confidence,
        "reprojection_error": found.reprojection_error,
        "n_cameras": found.n_cameras,
    }


METHODS: dict[str, Callable[..., dict]] = {
    "dlt": partial(_linear, triangulate_dlt),
    "ransac": _ransac,
    "median": _ransac,
    "pairs": partial(_linear, triangulate_pairs),
}


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
    given = options.get("noise")
    options = {name: value for name, value in options.items() if name != "noise"}
    if given is None and "sigma" not in options:
        given = estimate_noise(sampled(views), rig)
    if given is not None:  # the stretches are arrays without names
        names = tuple(str(name) for name in views["keypoint"].values)
        given = given.for_recording(rig, len(names), names)
    sigma = None if sides is None else noise(views, rig)
    interval = 1.0 / fps_of(views)
    # without a window at least three frames
    width = window_frames(max(_MEDIAN_WINDOW, 3 * interval) if window is None else window, interval)
    n_median = width if method == "median" else 1
    times = np.asarray(views["time"].values, dtype=float)
    n_frames = len(times)
    chunk = max(1, n_frames if chunk_frames is None else int(chunk_frames))
    for start in range(0, max(n_frames, 1), chunk):
        stop = min(start + chunk, n_frames)
        low, high = _reach(times, start, stop, max_gap + interval if max_gap > 0 else 0.0, n_median // 2)
        part = check_views(views.isel(time=slice(low, high)))
        part = part if sides is None or sigma is None else unswapped(part, rig, sides, sigma)
        pose = _framewise(part, rig, method, n_median, max_gap, given, options)
        yield pose.isel(time=slice(start - low, stop - low))


def _reach(times: Array, start: int, stop: int, seconds: float, n_frames: int) -> tuple[int, int]:
    """First and last + 1 frame that lie within so many seconds and then so many frames of the frames start to stop."""
    if start == stop:
        return start, stop
    low = np.searchsorted(times, times[start] - seconds, side="left")
    high = np.searchsorted(times, times[stop - 1] + seconds, side="right")
    return max(int(low) - n_frames, 0), int(high) + n_frames


def _framewise(
    views: xr.Dataset,
    rig: CameraRig,
    method: str,
    n_median: int,
    max_gap: float,
    noise: DetectorNoise | None,
    options: dict,
) -> xr.Dataset:
    """The pose of a stretch; `n_median` frames of the running median, `max_gap` in seconds."""
    variables: dict[str, Any] = METHODS[method](*view_arrays(views), rig, noise, options)
    variables["shared_std"] = None if noise is None else noise.shared_std
    points_3d, times = variables.pop("position"), np.asarray(views["time"].values, dtype=float)
    if method == "median":
        points_3d = running_median(points_3d, n_median)
    if max_gap > 0:
        points_3d = interpolate_gaps(points_3d, max_gap, times=times)
    keypoints = [str(name) for name in views["keypoint"].values]
    return pose_dataset(points_3d, keypoints=keypoints, times=times, unit=rig.unit, cameras=rig.names, **variables)


def noise(views: xr.Dataset, rig: CameraRig) -> Array:
    """Standard deviation (n_cameras,) of an inlier's coordinate, pixels; of an ensemble at least their spread."""
    part = sampled(views)
    points_2d, confidence = view_arrays(part)
    sigma, spread = estimate_sigma(points_2d, rig, confidence=confidence), ensemble_std(part)
    return sigma if spread is None else np.fmax(sigma, present_median(spread, axis=1))


def unswapped(views: xr.Dataset, rig: CameraRig, skeleton: Skeleton, sigma: Array) -> xr.Dataset:
    """The views with exchanged left and right keypoints put right."""
    points_2d, confidence = view_arrays(views)
    repaired = repair_swaps(points_2d, rig, skeleton, confidence=np.nan_to_num(confidence), sigma=sigma)
    return views.assign(
        position=views["position"].copy(data=repaired.points_2d),
        confidence=views["confidence"].copy(data=repaired.confidence),
    )


def exchanged_sides(views: xr.Dataset, rig: CameraRig, skeleton: Skeleton | None) -> list[str]:
    """A sentence for each camera in which `unswapped` puts left and right keypoints right."""
    sides, (points_2d, confidence) = needed_symmetries(skeleton, views), view_arrays(views)
    sigma = noise(views, rig)
    repaired = repair_swaps(points_2d, rig, sides, confidence=np.nan_to_num(confidence), sigma=sigma)
    shares = repaired.swapped.any(axis=-1).mean(axis=-1)
    return [
        f"camera '{name}': left and right keypoints were exchanged in {share:.1%} of the frames: they were put right"
        for name, share in zip(rig.names, shares, strict=True)
        if share
    ]


def needed_symmetries(skeleton: Skeleton | None, views: xr.Dataset) -> Skeleton:
    """The skeleton in the order of the views; refused where it cannot say what may be swapped."""
    if skeleton is None or not skeleton.symmetries:
        raise ValueError("swaps=True needs a skeleton with symmetries, the (left, right) pairs that may be exchanged")
    return in_order(skeleton, [str(name) for name in views["keypoint"].values])
