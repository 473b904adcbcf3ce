"""Triangulation of every frame on its own, and filters over few frames, in stretches of time that overlap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
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
from .reconstruction_settings import Settings

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
    **options,
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


def _ransac(points_2d: Array, confidence: Array, rig: CameraRig, **options) -> dict:
    found = robust_points(points_2d, rig, confidence=confidence, **options)
    return {
        "position": found.points_3d,
        "covariance": found.covariances_3d,
        "confidence": found.confidence,
        "reprojection_error": found.reprojection_error,
        "n_cameras": found.n_cameras,
    }


_METHODS: dict[str, Callable[..., dict]] = {
    "dlt": partial(_linear, triangulate_dlt),
    "ransac": _ransac,
    "median": _ransac,
    "pairs": partial(_linear, triangulate_pairs),
}


def framewise_pieces(views: xr.Dataset, rig: CameraRig, settings: Settings) -> Iterator[xr.Dataset]:
    """Poses of consecutive stretches of `settings.chunk_frames`, by a method that takes every frame on its own.

    The filters reach no further than the stretches overlap: together they are the answer in one piece.
    """
    options, given = settings.options, settings.options.get("noise")
    if given is None and "sigma" not in options:
        given = estimate_noise(sampled(views), rig)
    if given is not None:  # the stretches are arrays without names
        names = tuple(str(name) for name in views["keypoint"].values)
        given = given.for_recording(rig, len(names), names)
    settings = replace(settings, options=options | {"noise": given})
    put_right = side_repair(views, rig, settings)
    interval = 1.0 / fps_of(views)
    # without a window at least three frames
    width = max(_MEDIAN_WINDOW, 3 * interval) if settings.window is None else settings.window
    n_median = window_frames(width, interval) if settings.method == "median" else 1
    bridged = settings.max_gap + interval if settings.max_gap > 0 else 0.0
    times = np.asarray(views["time"].values, dtype=float)
    n_frames = len(times)
    chunk = int(settings.chunk_frames or max(1, n_frames))
    for start in range(0, max(n_frames, 1), chunk):
        stop = min(start + chunk, n_frames)
        low, high = _reach(times, start, stop, bridged, n_median // 2)
        part = put_right(check_views(views.isel(time=slice(low, high))))
        yield _framewise(part, rig, settings, n_median).isel(time=slice(start - low, stop - low))


def _reach(times: Array, start: int, stop: int, seconds: float, n_frames: int) -> tuple[int, int]:
    """First and last + 1 frame that lie within so many seconds and then so many frames of the frames start to stop."""
    if start == stop:
        return start, stop
    low = np.searchsorted(times, times[start] - seconds, side="left")
    high = np.searchsorted(times, times[stop - 1] + seconds, side="right")
    return max(int(low) - n_frames, 0), int(high) + n_frames


def _framewise(views: xr.Dataset, rig: CameraRig, settings: Settings, n_median: int) -> xr.Dataset:
    """The pose of a stretch; `n_median` frames of the running median."""
    variables: dict[str, Any] = _METHODS[settings.method](*view_arrays(views), rig, **settings.options)
    noise = settings.options["noise"]
    variables["shared_std"] = None if noise is None else noise.shared_std
    points_3d, times = variables.pop("position"), np.asarray(views["time"].values, dtype=float)
    if settings.method == "median":
        points_3d = running_median(points_3d, n_median)
    if settings.max_gap > 0:
        points_3d = interpolate_gaps(points_3d, settings.max_gap, times=times)
    keypoints = [str(name) for name in views["keypoint"].values]
    return pose_dataset(points_3d, keypoints=keypoints, times=times, unit=rig.unit, cameras=rig.names, **variables)


def noise(views: xr.Dataset, rig: CameraRig) -> Array:
    """Standard deviation (n_cameras,) of an inlier's coordinate, pixels; of an ensemble at least their spread."""
    part = sampled(views)
    points_2d, confidence = view_arrays(part)
    sigma, spread = estimate_sigma(points_2d, rig, confidence=confidence), ensemble_std(part)
    return sigma if spread is None else np.fmax(sigma, present_median(spread, axis=1))


def side_repair(views: xr.Dataset, rig: CameraRig, settings: Settings) -> Callable[[xr.Dataset], xr.Dataset]:
    """What puts exchanged left and right keypoints of a part of the views right, where the settings say so."""
    if not settings.swaps:
        return _as_they_are
    sides = needed_symmetries(settings.skeleton, views)
    return partial(_unswapped, rig=rig, skeleton=sides, sigma=noise(views, rig))


def _as_they_are(views: xr.Dataset) -> xr.Dataset:
    return views


def _unswapped(views: xr.Dataset, rig: CameraRig, skeleton: Skeleton, sigma: Array) -> xr.Dataset:
    points_2d, confidence = view_arrays(views)
    repaired = repair_swaps(points_2d, rig, skeleton, confidence=np.nan_to_num(confidence), sigma=sigma)
    return views.assign(
        position=views["position"].copy(data=repaired.points_2d),
        confidence=views["confidence"].copy(data=repaired.confidence),
    )


def exchanged_sides(views: xr.Dataset, rig: CameraRig, skeleton: Skeleton | None) -> list[str]:
    """A sentence for each camera in which `side_repair` puts left and right keypoints right."""
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
