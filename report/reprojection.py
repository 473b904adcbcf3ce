"""The 3D points in the pixels of every camera, and how far from them the detections lie."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from ..cameras import CameraRig
from ..datasets import Array

# Two times are the same instant when they are closer than this share of the finer of the two frame steps.
SAME_INSTANT = 0.25


def reproject(position: xr.DataArray, rig: CameraRig) -> xr.DataArray:
    """([individual,] view, time, keypoint, space) pixels of 3D points ([individual,] time, keypoint, space)."""
    points = position.transpose(..., "time", "keypoint", "space")
    seen = np.moveaxis(rig.project(points.values), 0, -4)
    coords = {name: position[name] for name in points.dims[:-1] if name in position.coords}
    dims = (*points.dims[:-3], "view", *points.dims[-3:])
    return xr.DataArray(seen, dims=dims, coords=coords | {"view": list(rig.names)}, attrs={"units": "pixel"})


def positions_at(pose: xr.Dataset, times: Array, keypoints: list[str]) -> xr.DataArray:
    """The pose's positions at given times and keypoints; NaN where it has no such instant or keypoint."""
    frames = instants_of(pose["time"].values, times)
    found = pose["position"].reindex(keypoint=keypoints).isel(time=frames)
    found = found.assign_coords(time=np.asarray(times, float))
    return found.where(xr.DataArray(frames >= 0, dims="time"))


def reprojection_errors(
    views: xr.Dataset | None, pose: xr.Dataset | None, rig: CameraRig | None
) -> xr.DataArray | None:
    """Distance between detection and reprojection, ([individual,] view, time, keypoint), pixels; NaN where one lacks.

    What `reconstruct` has stored in the pose; of a pose from elsewhere computed from the detections and the cameras;
    None where these are not given or show another number of individuals.
    """
    if pose is None or "reprojection_error" in pose:
        return None if pose is None else pose["reprojection_error"]
    if views is None or rig is None or ("individual" in views.dims) != ("individual" in pose.dims):
        return None
    shared = [str(name) for name in views["view"].values if str(name) in rig.names]
    if not shared:
        return None
    detected = views["position"].sel(view=shared)
    keypoints = [str(name) for name in views["keypoint"].values]
    expected = reproject(positions_at(pose, views["time"].values, keypoints), rig.subset(shared))
    errors = np.linalg.norm(expected.values - detected.transpose(*expected.dims).values, axis=-1)
    return expected.isel(space=0, drop=True).copy(data=errors)


def instants_of(times: Array, wanted: Array) -> np.ndarray:
    """(n_wanted,) for each wanted time the index of the frame at that time, −1 where there is none.

    Parameters
    ----------
    times : (n_frames,) seconds, increasing
    wanted : (n_wanted,) seconds, in any order; may be a recording at another frame rate
    """
    times, wanted = np.asarray(times, float), np.asarray(wanted, float)
    step = min((float(np.median(np.diff(np.sort(grid)))) for grid in (times, wanted) if len(grid) > 1), default=np.inf)
    return pd.Index(times).get_indexer(wanted, method="nearest", tolerance=SAME_INSTANT * step)
