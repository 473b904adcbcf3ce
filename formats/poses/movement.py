"""Datasets of the package `movement`, which itself is not needed."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ...datasets import check_pose, check_views, fps_of, frame_times
from ...datasets.validators import singular_dims
from ..files import FormatError

_SECONDS = ("seconds", "s")


def to_movement(pose: xr.Dataset, *, plural: bool = False) -> xr.Dataset:
    """Convert a pose or one view to the dataset of the package `movement`, which itself is not needed.

    Parameters
    ----------
    pose : Dataset
        A 3D pose, or one view of 2D points (``views.sel(view=...)``).
    plural : bool
        Name the dimensions keypoints and individuals, as older versions of `movement` did.

    Returns
    -------
    Dataset
        ``position`` over (time, space, keypoint, individual) and ``confidence``, with movement's attributes. Missing
        points and unknown confidences are NaN.

    Raises
    ------
    FormatError
        The dataset has several views.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import pose_dataset
    >>> from muybridge.formats import to_movement
    >>> pose = pose_dataset(np.zeros((2, 1, 3)), keypoints=["nose"], times=[0.0, 0.02], unit="mm")
    >>> to_movement(pose)["position"].dims
    ('time', 'space', 'keypoint', 'individual')
    """
    if "view" in pose["position"].dims:
        raise FormatError("movement keeps one view at a time: give views.sel(view=...)")
    names = ["position", *(["confidence"] if "confidence" in pose else [])]
    kept = pose[names]
    if "individual" not in kept.dims:
        kept = kept.expand_dims(individual=["individual_0"])
    kept = kept.transpose("time", "space", "keypoint", "individual", missing_dims="ignore")
    if "confidence" not in kept:
        kept["confidence"] = xr.full_like(kept["position"].isel(space=0, drop=True), np.nan)
    kept = kept.drop_vars([name for name in kept.coords if name not in kept.dims])
    unit = pose["position"].attrs.get("units", "")
    attributes = {"source_software": "muybridge", "ds_type": "poses", "time_unit": "seconds", "space_unit": unit}
    kept = kept.assign_attrs(attributes | {"fps": fps_of(pose)})
    return kept.rename({"keypoint": "keypoints", "individual": "individuals"}) if plural else kept


def from_movement(
    dataset: xr.Dataset, *, fps: float | None = None, unit: str | None = None, view: str = "view_0"
) -> xr.Dataset:
    """Convert a dataset of the package `movement` to a pose, or to the views of one camera.

    Parameters
    ----------
    dataset : Dataset
        ``position`` over time, space, keypoints and individuals (or keypoint, individual), 2D or 3D.
    fps : float, hertz, optional
        Frames per second, where the dataset counts time in frames and has no attribute ``fps``.
    unit : str, optional
        World unit of 3D points, where the attribute ``space_unit`` does not state it; "mm" by default.
    view : str
        Name of the camera of 2D points.

    Returns
    -------
    Dataset
        A ``pose`` (3D) or ``views`` (2D). A single individual is an animal without a name.

    Raises
    ------
    FormatError
        There is no position, or the times are frames of an unknown rate.
    DatasetError
        Names or values are impossible.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import pose_dataset
    >>> from muybridge.formats import from_movement, to_movement
    >>> pose = pose_dataset(np.ones((2, 1, 3)), keypoints=["nose"], times=[0.0, 0.02], unit="mm")
    >>> from_movement(to_movement(pose))["position"].identical(pose["position"])
    True
    """
    dataset = singular_dims(dataset)
    if "position" not in dataset or not {"time", "space", "keypoint"} <= set(dataset["position"].dims):
        held = sorted(map(str, dataset.data_vars))
        raise FormatError(f"there is no 'position' over time, space and keypoints in the dataset; it has {held}")
    kept = dataset[[name for name in ("position", "confidence") if name in dataset]]
    if kept.sizes.get("individual") == 1:
        kept = kept.squeeze("individual", drop=True)
    if "confidence" in kept and kept["confidence"].isnull().all():
        kept = kept.drop_vars("confidence")
    elif "confidence" in kept:
        kept["confidence"] = kept["confidence"].fillna(0.0).assign_attrs(units="1")
    kept = kept.assign_coords(time=("time", _seconds(dataset, fps), {"units": "s"}))
    kept.attrs = {}
    if kept.sizes["space"] == 2:
        kept["position"].attrs = {"units": "pixel"}
        return check_views(kept.expand_dims(view=[view]))
    kept["position"].attrs = {"units": unit or dataset.attrs.get("space_unit") or "mm"}
    return check_pose(kept)


def _seconds(dataset: xr.Dataset, fps: float | None):
    times = np.asarray(dataset["time"].values, float) if "time" in dataset.coords else np.arange(dataset.sizes["time"])
    if fps is None and dataset.attrs.get("time_unit", "frames") in _SECONDS:
        return times
    rate = fps if fps is not None else dataset.attrs.get("fps")
    if rate is None:
        raise FormatError("the dataset counts time in frames, and the frame rate is unknown: give fps=...")
    first = times[0] if fps is None or dataset.attrs.get("time_unit", "frames") not in _SECONDS else 0.0
    return first / float(rate) + frame_times(len(times), float(rate))
