"""The labelled function of this part: a views dataset to a pose dataset, by the method of one's choice."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from ..cameras import CameraRig
from ..datasets import Skeleton, check_views, combine_ensemble
from ..datasets.stretches import joined
from ..datasets.validators import singular_dims
from .checked_poses import with_coverage
from .diagnosis.confidence import cause_of, with_confidence
from .framewise_methods import framewise_pieces, side_repair, view_arrays
from .input_checks import matching_rig
from .reconstruction_settings import (
    FRAMEWISE_METHODS,
    RECONSTRUCTION_METHODS,
    Settings,
    check_settings,
    described,
    settings_of,
)
from .trajectory_dataset import label_body_fit, label_trajectory


def reconstruct(
    views: xr.Dataset | xr.DataArray,
    rig: CameraRig,
    *,
    method: str = "smooth",
    skeleton: Skeleton | None = None,
    prior=None,
    body=None,
    window: float | None = None,
    max_gap: float = 0.0,
    swaps: bool = False,
    chunk_frames: int | None = None,
    check_coverage: bool = False,
    **options,
) -> xr.Dataset:
    """Reconstruct a recording in 3D.

    Parameters
    ----------
    views : xarray.Dataset
        2D positions (view, time, keypoint, space) in pixels and confidence 0-1; an `individual` dimension may lead, and
        a `detector` dimension: several predictions per camera, combined by `combine_ensemble`. A DataArray of positions
        is taken, too. The cameras are found in the rig by name.
    rig : CameraRig
        Cameras of at least the views' names.
    method : {"smooth", "dlt", "ransac", "median", "pairs", "gimbal", "articulated"}
        "dlt": all views, least squares. "ransac": robust, per frame. "median": ransac, then a running median. "pairs":
        median over camera pairs, as in DeepLabCut 3D. "smooth": robust, with a prior in time and over the skeleton's
        bones. "gimbal": with pose states as well. "articulated": joint angles of a body.
    skeleton : Skeleton, optional
        For "smooth"; needed by "gimbal" and `swaps`.
    prior : PosePrior or MovementPrior, optional
        For "gimbal", the states of poses (None: learned from the recording); for "articulated", how joints move
        together.
    body : Body, str or pathlib.Path, optional
        Needed by "articulated": see `fit_body`.
    window : float, seconds, optional
        Of the running median of "median" (None: 0.05, at least three frames), or solved at once by "smooth", "gimbal"
        and "articulated" (None: chosen for the memory).
    max_gap : float, seconds
        Gaps of at most this length are bridged by straight lines ("dlt", "ransac", "median", "pairs"); their
        confidence stays 0 and their covariance NaN.
    swaps : bool
        Whether views that exchanged left and right are put right first, see `repair_swaps`.
    chunk_frames : int, frames, optional
        Held in memory at a time by the methods that work frame by frame; the answer is the same.
    check_coverage : bool
        Whether the error bars are checked by leaving each camera out, see `check_coverage`, and the covariances of
        positions rescaled where too few or too many pixels lie in the predicted regions. Needs three cameras; costs as
        many reconstructions of some 4,000 points as there are cameras.
    **options
        Further keyword arguments of the method's own function, see `RECONSTRUCTION_METHODS`, and of every method
        `noise`: the detector's, `DetectorNoise`.

    Returns
    -------
    xarray.Dataset
        Pose: position, covariance, confidence (posterior probability that the point is supported, times that of its
        views being images of it by this rig, see `diagnose`; 0 where that refuses the recording), reprojection_error
        per view, n_cameras, and what the method adds (velocity, acceleration, cross_covariance; of "gimbal" state,
        state_probability, heading and overridden, see `PoseInference`; of "articulated" body_angle, body_angle_std and
        their velocities along body_joint, see `BodyFit`); its attributes say how it was made.
        With `check_coverage` the attribute `coverage` holds the table of `Coverage` as JSON and `coverage_words` its
        sentences, or `coverage_failed` says why it could not be had.

    Raises
    ------
    DatasetError
        The views are malformed, or name a camera that the rig does not have.
    ValueError
        The method is unknown, lacks the skeleton or the body that it needs, or does not take an option given.
    TypeError
        The rig is no CameraRig.
    ModuleNotFoundError
        The method is "articulated" and jax is not installed.

    See Also
    --------
    diagnose : Which camera or keypoint is at fault where the result is poor.
    predict_left_out : Which method predicts a left-out camera best.
    check_coverage : Whether the error bars hold.

    Notes
    -----
    A point that no method can place is NaN, and so is what depends on it. The spread of several detectors enters the
    covariance: as the least noise per camera and keypoint of "ransac" and "median", per camera of "dlt" and "pairs"; of
    "smooth" and "gimbal" as the ratio of a pixel's noise to that of its camera.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.datasets import views_dataset
    >>> from muybridge.triangulate import reconstruct
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> rig = CameraRig(tuple(Camera(f"cam_{x}", (1280, 1024), K, [], np.eye(3), [x, 0, 1000]) for x in (-200, 0, 200)))
    >>> truth = np.random.default_rng(0).uniform(-50, 50, (40, 2, 3))
    >>> views = views_dataset(
    ...     rig.project(truth), cameras=rig.names, keypoints=["nose", "tail"], times=np.arange(40) / 100
    ... )
    >>> pose = reconstruct(views, rig, method="dlt")
    >>> pose["position"].dims, float(abs(pose["position"] - truth).max()) < 1e-6
    (('time', 'keypoint', 'space'), True)
    """
    settings = Settings(method, skeleton, prior, body, window, max_gap, swaps, chunk_frames, check_coverage, options)
    pose = _pose(views, rig, settings)
    views = combined_views(views)
    return with_confidence(pose, views, rig, cause_of(views, rig))


def combined_views(views: xr.Dataset | xr.DataArray) -> xr.Dataset:
    """Views as `reconstruct` takes them, with the predictions of one detector, and confidence."""
    views = singular_dims(views)
    return combine_ensemble(views) if "detector" in views.dims or isinstance(views, xr.DataArray) else views


def pose_of(views: xr.Dataset | xr.DataArray, rig: CameraRig, **settings) -> xr.Dataset:
    """The pose that `reconstruct` returns, with the confidence of its method, which takes the cameras for right."""
    return _pose(views, rig, settings_of(**settings))


def maker_of_poses(settings: Settings) -> Callable[[xr.Dataset, CameraRig], xr.Dataset]:
    """What makes the poses that the check of the error bars judges: a part of the views, some of the cameras."""
    return partial(_pose, settings=replace(settings, chunk_frames=None, check_coverage=False))


def _pose(views: xr.Dataset | xr.DataArray, rig: CameraRig, settings: Settings) -> xr.Dataset:
    if not isinstance(rig, CameraRig):
        raise TypeError(f"rig is {type(rig).__name__}, not a CameraRig; read_rig(path) or calibrate(...).rig gives one")
    check_settings(settings)
    views = combined_views(views)
    rig = matching_rig(views, rig)
    if "individual" in views.dims:
        parts = [_pose(views.isel(individual=i, drop=True), rig, settings) for i in range(views.sizes["individual"])]
        names = views["individual"].values
        pose = xr.concat(parts, dim=xr.DataArray(names, dims="individual", name="individual"))
        return described(pose.assign_attrs(attributes_of(parts, [str(name) for name in names])), rig, settings.recorded)
    if settings.method in FRAMEWISE_METHODS:
        pose = joined(list(framewise_pieces(views, rig, settings)))
    else:
        whole = check_views(views)
        pose = _modelled(side_repair(whole, rig, settings)(whole), rig, settings)
    if settings.check_coverage:
        pose = with_coverage(pose, views, rig, maker_of_poses(settings), settings.options.get("noise"))
    return described(pose, rig, settings.recorded)


def attributes_of(parts: Sequence[xr.Dataset], names: Sequence[str]) -> dict[str, Any]:
    """The attributes on coverage and bodies of the individuals' poses, each with its name."""
    attrs: dict[str, Any] = {}
    tables = {name: part.attrs["coverage"] for name, part in zip(names, parts, strict=True) if "coverage" in part.attrs}
    if tables:
        records = [{"individual": name, **row} for name, table in tables.items() for row in json.loads(table)]
        attrs["coverage"] = json.dumps(records)
    for key in ("coverage_words", "coverage_warning", "coverage_failed"):
        said = [f"{name}: {part.attrs[key]}" for name, part in zip(names, parts, strict=True) if key in part.attrs]
        attrs |= {key: "\n".join(said)} if said else {}
    if "bone_lengths" in parts[0].attrs:
        own = {key: [json.loads(part.attrs[key]) for part in parts] for key in ("bone_lengths", "undetermined_angles")}
        lengths, unknown = (list(zip(names, own[key], strict=True)) for key in own)
        attrs["bone_lengths"] = json.dumps(
            {f"{name} {bone}": length for name, of in lengths for bone, length in of.items()}
        )
        attrs["undetermined_angles"] = json.dumps([f"{name} {angle}" for name, of in unknown for angle in of])
        attrs["prior_share"] = [float(part.attrs["prior_share"]) for part in parts]
    return attrs


def _modelled(views: xr.Dataset, rig: CameraRig, settings: Settings) -> xr.Dataset:
    """A method with a model of time, skeleton, pose states or joints."""
    method, options = settings.method, {**settings.options, "window": settings.window}
    if method == "gimbal" and settings.skeleton is None:
        raise ValueError("method 'gimbal' needs a skeleton; give skeleton=Skeleton(keypoints, bones)")
    if method == "articulated":
        options["body"] = settings.body
    else:
        options["skeleton"] = settings.skeleton
    if method in ("gimbal", "articulated"):
        options["prior"] = settings.prior
    trajectory = RECONSTRUCTION_METHODS[method](views, rig, **options)
    keypoints, times = [str(name) for name in views["keypoint"].values], np.asarray(views["time"].values, dtype=float)
    label = label_body_fit if method == "articulated" else label_trajectory
    return label(trajectory, view_arrays(views)[0], rig, keypoints=keypoints, times=times)
