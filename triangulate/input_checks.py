"""Checks of 2D points: arrays with the cameras in the rig's order, taken from arrays or from a views dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from ..cameras import CameraRig
from ..cameras.rig_arrays import RigArrays
from ..datasets import DatasetError, Skeleton, combine_ensemble, fps_of
from ..datasets.ensembles import ensemble_std
from ..datasets.names import repeated_names
from ..numerics.arrays import Array

_HELD_BY_VIEWS = {
    "confidence": lambda views: np.asarray(views["confidence"].values, dtype=float),
    "covariances_2d": lambda views: np.asarray(views["covariance"].values) if "covariance" in views else None,
    "fps": fps_of,
    "ensemble_std": ensemble_std,
    "keypoints": lambda views: tuple(str(name) for name in views["keypoint"].values),
}


def from_views(points_2d: Any, rig: CameraRig, *, individuals: bool = False, **given: Any) -> tuple:
    """(points_2d, *given.values()), from a views dataset in the rig's order of cameras if it is one.

    Of what is `given` as None the dataset's own is returned: confidence, covariances_2d, fps, keypoints, ensemble_std.
    `individuals`: whether a leading dimension of individuals is taken. A DataArray of positions is taken as a dataset
    of them. The predictions of several detectors are combined.

    Raises
    ------
    DatasetError : the dataset is malformed, lacks a camera of the rig, or holds several individuals unasked
    """
    if not isinstance(points_2d, xr.Dataset | xr.DataArray):
        return (points_2d, *given.values())
    views = combine_ensemble(points_2d)
    missing = [name for name in rig.names if name not in views["view"].values]
    if missing:
        raise DatasetError(
            f"the views lack the cameras {missing} of the rig; they have {[str(v) for v in views['view'].values]}: give"
            " rig.subset(names) of these"
        )
    if "individual" in views.dims and not individuals:
        if views.sizes["individual"] != 1:
            raise DatasetError("the views hold several individuals; select one: views.isel(individual=0)")
        views = views.isel(individual=0, drop=True)
    views = views.sel(view=list(rig.names))
    values = [_HELD_BY_VIEWS[name](views) if value is None else value for name, value in given.items()]
    return (np.asarray(views["position"].values, dtype=float), *values)


def individuals_as_keypoints(views: Any) -> Any:
    """Views of several individuals with all their keypoints side by side (0_nose, 1_nose, ...), others as given."""
    if not isinstance(views, xr.Dataset | xr.DataArray) or "individual" not in views.dims:
        return views
    parts: list[Any] = [views.isel(individual=i, drop=True) for i in range(views.sizes["individual"])]
    named = [part.assign_coords(keypoint=[f"{i}_{k}" for k in part["keypoint"].values]) for i, part in enumerate(parts)]
    options: dict[str, Any] = {"data_vars": "minimal"} if isinstance(views, xr.Dataset) else {}
    return xr.concat(named, dim="keypoint", **options)


def matching_rig(views: xr.Dataset, rig: CameraRig) -> CameraRig:
    """The rig's cameras in the order of the views."""
    if "view" not in views.coords:
        raise DatasetError("views must be an xarray.Dataset with camera names along 'view'")
    names = [str(name) for name in views["view"].values]
    repeated = repeated_names(names)
    if repeated:
        raise DatasetError(f"the views repeat the cameras {repeated}; each camera may appear once")
    unknown = [name for name in names if name not in rig.names]
    if unknown:
        raise DatasetError(
            f"the views come from cameras {unknown} that the rig does not have; it has {list(rig.names)}"
        )
    if len(names) < 2:
        raise DatasetError(f"3D needs at least two views; the dataset has only {names}")
    empty = [dim for dim, size in views.sizes.items() if size == 0]
    if empty:
        raise DatasetError(f"the views hold nothing along {empty}; there is nothing to reconstruct")
    return rig.subset(names)


def check_observations(
    points_2d: Any, rig: CameraRig, confidence: Array | None = None, *, fewest_views: int = 2, by_frame: bool = False
) -> tuple[Array, Array | None]:
    """2D points and confidence as arrays, after all was checked; `by_frame`: (n_cameras, n_frames, n_keypoints, 2).

    Raises
    ------
    DatasetError, ValueError : as `from_views`, `check_points_2d` and `check_confidence`
    """
    points_2d, confidence = from_views(points_2d, rig, confidence=confidence)
    points_2d = check_points_2d(points_2d, rig, fewest_views)
    if by_frame and points_2d.ndim != 4:
        raise ValueError(f"points_2d has shape {points_2d.shape}; expected (n_cameras, n_frames, n_keypoints, 2)")
    return points_2d, check_confidence(confidence, points_2d, rig)


def in_order(skeleton: Skeleton, keypoints: Sequence[str]) -> Skeleton:
    """The skeleton with the keypoints in the order of the views, which may have more of them.

    Raises
    ------
    ValueError : the views lack a keypoint of the skeleton
    """
    unknown = sorted(set(skeleton.keypoints) - set(keypoints))
    if unknown:
        raise ValueError(f"the skeleton's keypoints {unknown} are not in the views, which have {list(keypoints)}")
    return replace(skeleton, keypoints=tuple(keypoints))


@contextmanager
def of_recording(number: int, n_recordings: int) -> Iterator[None]:
    """Say in errors about a recording which one of several it is, from 0."""
    try:
        yield
    except ValueError as error:
        if n_recordings == 1:
            raise
        raise ValueError(f"recording {number + 1} of {n_recordings}: {error}") from error


def check_fps(fps: float | None) -> float:
    """The frame rate; ValueError where it is no positive number."""
    if fps is None or isinstance(fps, str) or not (np.isfinite(fps) and fps > 0):
        raise ValueError(f"fps is {fps!r}; expected a positive number of frames per second")
    return float(fps)


def check_points_2d(points_2d: Array, rig: CameraRig, fewest_views: int = 2) -> Array:
    """(n_cameras, ..., 2) as contiguous float64, after its shape and values were checked.

    Raises
    ------
    ValueError : the shape does not fit the rig, the rig has fewer cameras than `fewest_views`, or a value is infinite
    """
    points_2d = np.ascontiguousarray(points_2d, dtype=float)
    if points_2d.ndim < 2 or points_2d.shape[0] != len(rig) or points_2d.shape[-1] != 2:
        raise ValueError(
            f"points_2d has shape {points_2d.shape}; expected (n_cameras, n_frames, n_keypoints, 2) with the rig's"
            f" {len(rig)} cameras {list(rig.names)} first"
        )
    if len(rig) < fewest_views:
        raise ValueError(f"3D needs at least two views; the rig has only {list(rig.names)}")
    for name, points in zip(rig.names, points_2d, strict=True):
        infinite = np.isinf(points)
        if infinite.any():
            place = tuple(int(i) for i in np.argwhere(infinite)[0][:-1])
            raise ValueError(
                f"points_2d holds an infinite value in camera '{name}' at (frame, keypoint) {place};"
                " a missing point is NaN in both coordinates"
            )
    return points_2d


def check_confidence(confidence: Array | None, points_2d: Array, rig: CameraRig) -> Array | None:
    """Confidence in the shape of `points_2d` without its last axis, NaN as 0; None stays None.

    Raises
    ------
    ValueError : the shape differs, or a value is outside 0-1
    """
    if confidence is None:
        return None
    confidence = np.ascontiguousarray(confidence, dtype=float)
    if confidence.shape != points_2d.shape[:-1]:
        raise ValueError(
            f"confidence has shape {confidence.shape}, expected {points_2d.shape[:-1]}: points_2d without its last axis"
        )
    low, high = np.fmin.reduce(confidence, axis=None), np.fmax.reduce(confidence, axis=None)
    if low < 0 or high > 1:
        outside = (confidence < 0) | (confidence > 1)
        camera, *place = (int(i) for i in np.argwhere(outside)[0])
        raise ValueError(
            f"confidence is {confidence[outside][0]:g} in camera '{rig.names[camera]}' at (frame, keypoint)"
            f" {tuple(place)}; it is a probability between 0 and 1"
        )
    return np.nan_to_num(confidence, nan=0.0) if np.isnan(low + confidence.sum()) else confidence


def centred_arrays(rig: CameraRig) -> tuple[RigArrays, Array]:
    """The rig's arrays about the mean of its cameras' centres, and that mean (3,).

    A world whose origin lies far from the rig would otherwise cost the normal equations their digits.
    """
    origin = rig.centers.mean(axis=0)
    arrays = rig.arrays
    return arrays._replace(t=arrays.t + np.einsum("cij,j->ci", arrays.R, origin)), origin
