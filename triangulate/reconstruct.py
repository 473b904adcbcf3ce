"""The labelled door: what the cameras saw in, the animal in 3D out, by the method of one's choice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import numpy as np
import xarray as xr

from ..calibration import CameraRig
from ..datasets import DatasetError, Skeleton, check_views, fps_of, pose_dataset, with_provenance
from ..datasets.arrays import Array
from .consensus import estimate_sigma, triangulate_ransac
from .diagnosis import diagnose
from .dlt import point_covariances, triangulate_dlt
from .filters import interpolate_gaps, median_filter
from .label import label_trajectory
from .pairs import triangulate_pairs

METHODS = ("dlt", "ransac", "median", "pairs", "smooth", "gimbal", "articulated")
_SAMPLE = 30_000  # points, evenly spread, that the noise is judged from
_CONFIDENT = 4.5  # standard deviations within which a view supports a linear solution


def reconstruct(
    views: xr.Dataset,
    rig: CameraRig,
    *,
    method: str = "smooth",
    skeleton: Skeleton | None = None,
    prior=None,
    body=None,
    window: int = 5,
    max_gap: int = 0,
    chunk_frames: int | None = None,
    **options,
) -> xr.Dataset:
    """Reconstruct a recording in 3D.

    Parameters
    ----------
    views : dataset of 2D positions (view, time, keypoint, space) in pixels, confidence 0-1; an `individual` dimension
        may lead. Its cameras are found in the rig by name
    rig : cameras of at least the views' names
    method : "dlt" (all views, least squares), "ransac" (robust, per frame), "median" (ransac, then a running median),
        "pairs" (median over camera pairs, as in DeepLabCut 3D), "smooth" (robust, with a prior in time and over the
        skeleton's bones), "gimbal" (with pose states as well), "articulated" (joint angles of a `body`)
    skeleton : for "smooth" (optional) and "gimbal"
    prior : a `PosePrior` for "gimbal"; None: learned from the recording
    body : a `Body` or its name for "articulated"
    window : odd number of frames of the running median of "median"
    max_gap : gaps of at most so many frames are bridged by straight lines ("dlt", "ransac", "median", "pairs");
        their confidence stays 0 and their covariance NaN
    chunk_frames : frames held in memory at a time by the methods that work frame by frame; the answer is the same
    options : further keyword arguments of the method's own function

    Returns
    -------
    pose dataset: position, covariance, confidence (posterior probability that the point is supported),
    reprojection_error per view, n_cameras, and what the method adds (velocity, acceleration, cross_covariance, state);
    its attributes say how it was made

    Raises
    ------
    DatasetError : the views are malformed, or name a camera that the rig does not have
    ValueError : the method is unknown, or lacks the skeleton or body that it needs
    """
    if method not in METHODS:
        raise ValueError(f"there is no reconstruction method {method!r}; known: {list(METHODS)}")
    rig = matching_rig(views, rig)
    settings = {"method": method, "window": window, "max_gap": max_gap, **options}
    if "individual" in views.dims:
        shared = {"skeleton": skeleton, "prior": prior, "body": body, "window": window, "max_gap": max_gap, **options}
        parts = [
            reconstruct(views.isel(individual=i, drop=True), rig, method=method, chunk_frames=chunk_frames, **shared)
            for i in range(views.sizes["individual"])
        ]
        pose = xr.concat(parts, dim=xr.DataArray(views["individual"].values, dims="individual", name="individual"))
        return with_provenance(pose, "reconstruct", settings, {"rig": rig_hash(rig)})
    if method in _FRAMEWISE:
        pieces = list(framewise_pieces(views, rig, method, window, max_gap, chunk_frames, options))
        pose = pieces[0] if len(pieces) == 1 else xr.concat(pieces, dim="time")
    else:
        pose = _modelled(check_views(views), rig, method, skeleton, prior, body, options)
    return described(pose, views, rig, settings)


def described(pose: xr.Dataset, views: xr.Dataset, rig: CameraRig, settings: dict) -> xr.Dataset:
    """The pose with its provenance and the diagnosis of its cameras and keypoints in words, as attributes."""
    pose = with_provenance(pose, "reconstruct", settings, {"rig": rig_hash(rig)})
    sample = sampled(views)
    points_2d, confidence = _arrays(sample)
    keypoints = [str(name) for name in sample["keypoint"].values]
    words = diagnose(points_2d, rig, keypoints=keypoints, confidence=confidence).messages
    return pose.assign_attrs(diagnosis="\n".join(words))


def rig_hash(rig: CameraRig) -> str:
    """Hash of everything that a rig computes with."""
    digest = blake2b(digest_size=16)
    digest.update("|".join(rig.names).encode())
    for values in rig.arrays:
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def matching_rig(views: xr.Dataset, rig: CameraRig) -> CameraRig:
    """The rig's cameras in the order of the views."""
    dim = "views" if "views" in getattr(views, "dims", ()) else "view"
    if not isinstance(views, xr.Dataset) or dim not in views.coords:
        raise DatasetError("views must be an xarray.Dataset with camera names along 'view'")
    names = [str(name) for name in views[dim].values]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DatasetError(f"the views repeat the cameras {repeated}; each camera may appear once")
    unknown = [name for name in names if name not in rig.names]
    if unknown:
        raise DatasetError(
            f"the views come from cameras {unknown} that the rig does not have; it has {list(rig.names)}"
        )
    if len(names) < 2:
        raise DatasetError(f"3D needs at least two views; the dataset has only {names}")
    return rig.subset(names)


def _arrays(views: xr.Dataset) -> tuple[Array, Array]:
    return np.asarray(views["position"].values, dtype=float), np.asarray(views["confidence"].values, dtype=float)


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


_FRAMEWISE: dict[str, Callable[..., dict]] = {"dlt": _dlt, "ransac": _ransac, "median": _ransac, "pairs": _pairs}


def sampled(views: xr.Dataset) -> xr.Dataset:
    """Evenly spread frames, enough to judge the noise and the cameras by: the same for the same recording."""
    n_keypoints = views.sizes.get("keypoint", views.sizes.get("keypoints", 1))
    step = max(1, views.sizes["time"] * n_keypoints // _SAMPLE)
    return check_views(views.isel(time=slice(None, None, step)))


def framewise_pieces(
    views: xr.Dataset, rig: CameraRig, method: str, window: int, max_gap: int, chunk_frames: int | None, options: dict
) -> Iterator[xr.Dataset]:
    """Poses of consecutive stretches of time, by a method that takes every frame on its own and filters that look
    no further than the stretches overlap: together they are the answer in one piece."""
    if method not in _FRAMEWISE:
        raise ValueError(f"method {method!r} looks at all of time at once; in pieces there are {sorted(_FRAMEWISE)}")
    if chunk_frames is not None and chunk_frames < 1:
        raise ValueError(f"chunk_frames must be at least 1, got {chunk_frames}")
    points_2d, confidence = _arrays(sampled(views))
    sigma = estimate_sigma(points_2d, rig, confidence=confidence)
    n_frames = views.sizes["time"]
    chunk = max(1, n_frames if chunk_frames is None else int(chunk_frames))
    overlap = (window // 2 if method == "median" else 0) + (max_gap + 1 if max_gap > 0 else 0)
    for start in range(0, max(n_frames, 1), chunk):
        stop, low = min(start + chunk, n_frames), max(start - overlap, 0)
        part = check_views(views.isel(time=slice(low, stop + overlap)))
        pose = _framewise(part, rig, method, window, max_gap, sigma, options)
        yield pose.isel(time=slice(start - low, stop - low))


def _framewise(
    views: xr.Dataset, rig: CameraRig, method: str, window: int, max_gap: int, sigma: Array, options: dict
) -> xr.Dataset:
    variables: dict[str, Any] = _FRAMEWISE[method](*_arrays(views), rig, sigma, options)
    points_3d, times = variables.pop("position"), np.asarray(views["time"].values, dtype=float)
    if method == "median":
        points_3d = median_filter(points_3d, window)
    if max_gap > 0:
        points_3d = interpolate_gaps(points_3d, max_gap, times)
    keypoints = [str(name) for name in views["keypoint"].values]
    return pose_dataset(points_3d, keypoints=keypoints, times=times, unit=rig.unit, cameras=rig.names, **variables)


def _in_order(skeleton: Skeleton | None, keypoints: list[str]) -> Skeleton | None:
    """The skeleton with its keypoints in the order of the views."""
    if skeleton is None:
        return None
    unknown = sorted(set(skeleton.keypoints) - set(keypoints))
    if unknown:
        raise ValueError(f"the skeleton's keypoints {unknown} are not in the views, which have {keypoints}")
    return replace(skeleton, keypoints=tuple(keypoints))


def _modelled(views: xr.Dataset, rig: CameraRig, method: str, skeleton, prior, body, options: dict) -> xr.Dataset:
    """A method with a model of time, skeleton, pose states or body."""
    points_2d, confidence = _arrays(views)
    keypoints = [str(name) for name in views["keypoint"].values]
    skeleton = _in_order(skeleton, keypoints)
    shared = {"fps": fps_of(views), "confidence": confidence}
    if method == "smooth":
        from .smooth import smooth

        trajectory = smooth(points_2d, rig, skeleton=skeleton, **shared, **options)
    elif method == "gimbal":
        if skeleton is None:
            raise ValueError("method 'gimbal' needs a skeleton; give skeleton=Skeleton(keypoints, bones)")
        from .poses import infer_poses

        trajectory = infer_poses(points_2d, rig, skeleton=skeleton, prior=prior, **shared, **options)
    else:
        if body is None:
            raise ValueError(
                "method 'articulated' needs a body; give body=read_body(...) or its name, such as 'cheetah'"
            )
        from .body import fit_body, read_body

        body = read_body(body) if isinstance(body, str) else body
        trajectory = fit_body(points_2d, rig, body=body, **shared, **options)
    times = np.asarray(views["time"].values, dtype=float)
    return label_trajectory(trajectory, points_2d, rig, keypoints=keypoints, times=times)
