"""Check a pose dataset, take its arrays out, and apply a function to each individual."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import cast

import numpy as np
import xarray as xr

from ..datasets import Array, DatasetError, check_pose
from ..datasets.names import named_options, nearest
from ..datasets.validators import check_times, singular_dims


def checked(pose: xr.Dataset | xr.DataArray) -> xr.Dataset:
    """The pose with its dimensions in the library's order; unlike `check_pose` it copies no array.

    A point with one NaN coordinate is left as it is: every function here treats it as missing.

    Raises
    ------
    DatasetError : what `check_pose` refuses, naming it
    """
    pose = singular_dims(pose, "pose")
    if "time" not in pose.dims or pose.sizes["time"] == 0:
        raise DatasetError("the pose holds no frames: its 'time' dimension is missing or empty")
    head = check_pose(pose.isel(time=slice(0, 1)))
    check_times(pose["time"].values, "pose")
    _refuse_infinite(pose["position"])
    for name, variable in head.data_vars.items():
        if tuple(pose[name].dims) != tuple(variable.dims):
            pose = pose.assign({name: pose[name].transpose(*variable.dims)})
    return cast(xr.Dataset, pose)


def _refuse_infinite(position: xr.DataArray) -> None:
    infinite = np.isinf(position.values)
    if infinite.any():
        at = dict(zip(position.dims, np.argwhere(infinite)[0], strict=True))
        raise DatasetError(
            f"pose 'position' holds {int(infinite.sum())} infinite values, the first of keypoint"
            f" '{position['keypoint'].values[at['keypoint']]}' at frame {at['time']}; a missing point is NaN in all"
            " coordinates"
        )


def per_individual(function: Callable) -> Callable:
    """Let a labelled function of one animal take several: called for each `individual`, results stacked.

    It refuses unknown options by name, too.
    """
    function = named_options(DatasetError)(function)

    @functools.wraps(function)
    def for_all(pose: xr.Dataset | xr.DataArray, *arguments, **options) -> xr.Dataset:
        pose = checked(pose)
        if "individual" not in pose.dims:
            return function(pose, *arguments, **options)
        parts = [function(pose.isel(individual=i), *arguments, **options) for i in range(pose.sizes["individual"])]
        together = xr.concat(
            [part.drop_vars("individual", errors="ignore") for part in parts],
            dim=pose["individual"],
            coords="minimal",
            compat="override",
            join="exact",
            combine_attrs="drop_conflicts",
        )
        return cast(xr.Dataset, together)

    return for_all


def points_of(pose: xr.Dataset, keypoints: Iterable[str] | None = None) -> Array:
    """(n_frames, n_keypoints, 3) world units, contiguous; all keypoints or the named ones, in that order."""
    values = np.ascontiguousarray(pose["position"].values, dtype=float)
    return values if keypoints is None else values[:, keypoint_indices(pose, keypoints)]


def of_keypoints(pose: xr.Dataset, keypoints: Iterable[str]) -> xr.Dataset:
    """The pose of some keypoints, without the covariances between pairs of them."""
    names = list(keypoints)
    keypoint_indices(pose, names)
    return pose.sel(keypoint=names)[[name for name in pose.data_vars if "pair" not in pose[name].dims]]


def keypoint_indices(pose: xr.Dataset, keypoints: Iterable[str]) -> list[int]:
    """Positions of the named keypoints on the keypoint axis.

    Raises
    ------
    DatasetError : a name is unknown; the message suggests the nearest
    """
    known = {str(name): i for i, name in enumerate(pose["keypoint"].values)}
    keypoints = [str(name) for name in keypoints]
    for name in keypoints:
        if name not in known:
            raise DatasetError(f"there is no keypoint '{name}'{nearest(name, known)}; known: {list(known)}")
    return [known[name] for name in keypoints]


def times_of(pose: xr.Dataset) -> Array:
    """(n_frames,) seconds."""
    return np.asarray(pose["time"].values, dtype=float)


def unit_of(pose: xr.Dataset) -> str:
    return str(pose["position"].attrs["units"])


def up_of(pose: xr.Dataset, up: Array | None, what: str) -> Array:
    """(3,) unit vector against gravity: the argument, else the pose's attribute `up`.

    Raises
    ------
    DatasetError : neither is given, or it is no direction
    """
    given = up if up is not None else pose.attrs.get("up")
    if given is None:
        raise DatasetError(
            f"{what} needs the vertical: give up=(x, y, z), or set it on the rig (CameraRig(..., up=...)) so that the"
            " pose carries it"
        )
    vector = np.asarray(given, dtype=float)
    if vector.shape != (3,) or not np.isfinite(vector).all() or not np.linalg.norm(vector) > 0:
        raise DatasetError(f"up must be a direction of three numbers, got {given!r}")
    return vector / np.linalg.norm(vector)
