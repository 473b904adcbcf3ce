"""The labelled door: what the cameras saw in, the animal in 3D out, by the method of one's choice."""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b

import numpy as np
import xarray as xr

from ..cameras import CameraRig
from ..datasets import DatasetError, Skeleton, check_views, fps_of, with_provenance
from . import framewise_methods
from .framewise_methods import framewise_pieces, known_order, needed_symmetries, noise, sampled, unswapped, view_arrays
from .points.diagnosis import diagnose
from .trajectory_dataset import label_trajectory

METHODS = (*framewise_methods.METHODS, "smooth", "gimbal")


def reconstruct(
    views: xr.Dataset,
    rig: CameraRig,
    *,
    method: str = "smooth",
    skeleton: Skeleton | None = None,
    prior=None,
    body=None,
    window: int | None = None,
    max_gap: int = 0,
    swaps: bool = False,
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
        skeleton's bones), "gimbal" (with pose states as well)
    skeleton : for "smooth" (optional), "gimbal" and `swaps`
    prior : a `PosePrior` for "gimbal"; None: learned from the recording
    body : for the method "articulated", which is not built yet
    window : frames: of the running median of "median" (odd; None: 5), or solved at once by "smooth" and "gimbal" (None:
        chosen for the memory)
    max_gap : gaps of at most so many frames are bridged by straight lines ("dlt", "ransac", "median", "pairs");
        their confidence stays 0 and their covariance NaN
    swaps : let each view choose between a keypoint and its mirror partner first (see `repair_swaps`)
    chunk_frames : frames held in memory at a time by the methods that work frame by frame; the answer is the same
    options : further keyword arguments of the method's own function

    Returns
    -------
    pose dataset: position, covariance, confidence (posterior probability that the point is supported),
    reprojection_error per view, n_cameras, and what the method adds (velocity, acceleration, cross_covariance; of
    "gimbal" state, state_probability, heading and repaired, see `PoseInference`); its attributes say how it was made

    Raises
    ------
    DatasetError : the views are malformed, or name a camera that the rig does not have
    ValueError : the method is unknown, lacks the skeleton that it needs, or does not use an option given
    TypeError : the rig is no CameraRig
    NotImplementedError : "articulated"
    """
    _check_request(rig, method, prior, body, max_gap, chunk_frames)
    rig = matching_rig(views, rig)
    settings = {"method": method, "window": window, "max_gap": max_gap, "swaps": swaps, **options}
    if "individual" in views.dims:
        shared = {"skeleton": skeleton, "prior": prior, "body": body, "chunk_frames": chunk_frames}
        parts = [
            reconstruct(views.isel(individual=i, drop=True), rig, **shared, **settings)
            for i in range(views.sizes["individual"])
        ]
        pose = xr.concat(parts, dim=xr.DataArray(views["individual"].values, dims="individual", name="individual"))
        return with_provenance(pose, "reconstruct", settings, {"rig": rig_hash(rig)})
    if method in framewise_methods.METHODS:
        sides = needed_symmetries(skeleton, views) if swaps else None
        pieces = list(framewise_pieces(views, rig, method, window, max_gap, chunk_frames, options, sides))
        pose = pieces[0] if len(pieces) == 1 else xr.concat(pieces, dim="time")
    else:
        whole = check_views(views)
        if swaps:
            whole = unswapped(whole, rig, needed_symmetries(skeleton, whole), noise(whole, rig))
        pose = _modelled(whole, rig, method, skeleton, prior, {**options, **_given(window=window)})
    return described(pose, views, rig, settings)


def _check_request(rig, method: str, prior, body, max_gap: int, chunk_frames: int | None) -> None:
    if not isinstance(rig, CameraRig):
        raise TypeError(f"rig is {type(rig).__name__}, not a CameraRig; read_rig(path) or calibrate(...).rig gives one")
    if method == "articulated" or body is not None:
        raise NotImplementedError("method 'articulated' is not built yet; use 'smooth' with a skeleton, or 'gimbal'")
    if method not in METHODS:
        raise ValueError(f"there is no reconstruction method {method!r}; known: {list(METHODS)}")
    if prior is not None and method != "gimbal":
        raise ValueError(f"method {method!r} knows no pose states, so that a prior has no use; 'gimbal' does")
    if method in framewise_methods.METHODS:
        return
    by_frame = ", ".join(map(repr, framewise_methods.METHODS))
    if max_gap:
        raise ValueError(
            f"method {method!r} bridges every gap by itself, with error bars that grow; max_gap is for {by_frame}"
        )
    if chunk_frames is not None:
        raise ValueError(
            f"method {method!r} looks at all of time at once; window bounds its memory, chunk_frames is for {by_frame}"
        )


def described(pose: xr.Dataset, views: xr.Dataset, rig: CameraRig, settings: dict) -> xr.Dataset:
    """The pose with its provenance and the diagnosis of its cameras and keypoints in words, as attributes."""
    pose = with_provenance(pose, "reconstruct", settings, {"rig": rig_hash(rig)})
    sample = sampled(views)
    points_2d, confidence = view_arrays(sample)
    keypoints = [str(name) for name in sample["keypoint"].values]
    words = diagnose(points_2d, rig, keypoints=keypoints, confidence=confidence).messages
    return pose.assign_attrs(diagnosis="\n".join(words))


def _given(**options) -> dict:
    return {name: value for name, value in options.items() if value is not None}


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
    empty = [dim for dim, size in views.sizes.items() if size == 0]
    if empty:
        raise DatasetError(f"the views hold nothing along {empty}; there is nothing to reconstruct")
    return rig.subset(names)


def _in_order(skeleton: Skeleton | None, keypoints: list[str]) -> Skeleton | None:
    """The skeleton with its keypoints in the order of the views."""
    return None if skeleton is None else replace(skeleton, keypoints=known_order(skeleton, keypoints))


def _modelled(views: xr.Dataset, rig: CameraRig, method: str, skeleton, prior, options: dict) -> xr.Dataset:
    """A method with a model of time, skeleton or pose states."""
    points_2d, confidence = view_arrays(views)
    keypoints = [str(name) for name in views["keypoint"].values]
    skeleton = _in_order(skeleton, keypoints)
    shared: dict = {"fps": fps_of(views), "confidence": confidence}
    if "covariance" in views:
        shared["covariances_2d"] = np.asarray(views["covariance"].values, dtype=float)
    if method == "smooth":
        from .smoothing.smoother import smooth

        trajectory = smooth(points_2d, rig, skeleton=skeleton, **shared, **options)
    else:
        if skeleton is None:
            raise ValueError("method 'gimbal' needs a skeleton; give skeleton=Skeleton(keypoints, bones)")
        from .pose_states.pose_inference import infer_poses

        trajectory = infer_poses(points_2d, rig, skeleton=skeleton, prior=prior, **shared, **options)
    times = np.asarray(views["time"].values, dtype=float)
    return label_trajectory(trajectory, points_2d, rig, keypoints=keypoints, times=times)
