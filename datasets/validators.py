"""Validate the labelled datasets: views (2D, pixels), pose (3D, world units), kinematics.

Dimension names are those of the field (`view, time, keypoint, space`); an ``individual`` dimension may lead, and of
views a ``detector`` dimension, where several detectors predicted the same frames (see `combine_ensemble`). Missing is
NaN. The ``time`` coordinate, in seconds, is the only source of the frame rate: none is ever assumed.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import xarray as xr

from .names import repeated_names

SPACE_2D = ("x", "y")
SPACE_3D = ("x", "y", "z")
_PLURALS = {
    "views": "view",
    "keypoints": "keypoint",
    "individuals": "individual",
    "times": "time",
    "detectors": "detector",
}
VIEWS = {
    "position": ("view", "time", "keypoint", "space"),
    "confidence": ("view", "time", "keypoint"),
    "covariance": ("view", "time", "keypoint", "space", "space_"),
}
POSE = {
    "position": ("time", "keypoint", "space"),
    "covariance": ("time", "keypoint", "space", "space_"),
    "confidence": ("time", "keypoint"),
    "reprojection_error": ("view", "time", "keypoint"),
    "n_cameras": ("time", "keypoint"),
    "velocity": ("time", "keypoint", "space"),
    "velocity_covariance": ("time", "keypoint", "space", "space_"),
    "acceleration": ("time", "keypoint", "space"),
    "acceleration_covariance": ("time", "keypoint", "space", "space_"),
    "cross_covariance": ("time", "pair", "space", "space_"),
    "state": ("time",),
    "shared_std": ("keypoint",),
}
_KINEMATICS = {"angle": ("time", "joint"), "angle_std": ("time", "joint"), "velocity": ("time", "keypoint", "space")}


class DatasetError(ValueError):
    """A dataset lacks something, or holds impossible values; the message names variable, value and remedy."""


def check_views(dataset: xr.Dataset | xr.DataArray) -> xr.Dataset:
    """Validate a ``views`` dataset and put its dimensions in the library's order.

    Parameters
    ----------
    dataset : Dataset or DataArray
        2D points in ``position`` over view, time, keypoint and space, or a DataArray of these positions; an
        ``individual`` and a ``detector`` dimension may lead, and the plural names of older files (``keypoints``) are
        taken, too.

    Returns
    -------
    Dataset
        A copy, with ``confidence`` (1 where a point is present) if it was absent; a point with one NaN coordinate is
        NaN in both.

    Raises
    ------
    DatasetError
        A variable, dimension, name or value is missing or impossible.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import check_views, views_dataset
    >>> views = views_dataset(np.zeros((1, 2, 1, 2)), cameras=["top"], keypoints=["nose"], times=[0.0, 0.1])
    >>> check_views(views.transpose("space", "keypoint", "time", "view"))["position"].dims
    ('view', 'time', 'keypoint', 'space')
    """
    dataset = _check_layout(dataset, VIEWS, ("position",), SPACE_2D, "views", leading=("individual", "detector"))
    if "confidence" not in dataset:
        present = dataset["position"].notnull().all("space")
        dataset["confidence"] = present.astype(float).assign_attrs(units="1")
    _check_confidence(dataset, "views")
    return dataset


def check_pose(dataset: xr.Dataset | xr.DataArray) -> xr.Dataset:
    """Validate a ``pose`` dataset and put its dimensions in the library's order.

    Parameters
    ----------
    dataset : Dataset or DataArray
        3D points in ``position`` over time, keypoint and space, with the world unit in its ``units`` attribute, or a
        DataArray of these positions; an ``individual`` dimension may lead.

    Returns
    -------
    Dataset
        A copy; a point with one NaN coordinate is NaN in all.

    Raises
    ------
    DatasetError
        A variable, dimension, name, unit or value is missing or impossible.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import check_pose, pose_dataset
    >>> pose = pose_dataset(np.zeros((2, 1, 3)), keypoints=["nose"], times=[0.0, 0.1], unit="mm")
    >>> check_pose(pose.rename(keypoint="keypoints"))["position"].dims
    ('time', 'keypoint', 'space')
    """
    dataset = _check_layout(dataset, POSE, ("position",), SPACE_3D, "pose")
    if "units" not in dataset["position"].attrs:
        raise DatasetError("pose 'position' has no 'units' attribute; set it to the world unit, such as 'mm'")
    _check_confidence(dataset, "pose")
    return dataset


def check_kinematics(dataset: xr.Dataset) -> xr.Dataset:
    """Validate a ``kinematics`` dataset: dimensions, times, and a unit for every variable.

    Parameters
    ----------
    dataset : Dataset
        Any of ``angle`` and ``angle_std`` over (time, joint) and ``velocity`` over (time, keypoint, space), and further
        variables with a ``units`` attribute.

    Returns
    -------
    Dataset
        A copy with its dimensions in the library's order.

    Raises
    ------
    DatasetError
        A dimension, name, time or unit is missing or impossible.

    Examples
    --------
    >>> import xarray as xr
    >>> from muybridge.datasets import check_kinematics
    >>> angle = xr.DataArray([[1.5], [1.6]], {"time": [0.0, 0.1], "joint": ["knee"]}, attrs={"units": "rad"})
    >>> list(check_kinematics(angle.to_dataset(name="angle")))
    ['angle']
    """
    dataset = _check_layout(dataset, _KINEMATICS, (), SPACE_3D, "kinematics")
    without = sorted(str(name) for name, values in dataset.data_vars.items() if "units" not in values.attrs)
    if without:
        raise DatasetError(f"kinematics variables {without} have no 'units' attribute")
    return dataset


def singular_dims(dataset: xr.Dataset | xr.DataArray, what: str = "views", *, positions: bool = True) -> xr.Dataset:
    """The dataset with the library's names of dimensions; if `positions`, a DataArray of these as a dataset of them.

    Raises
    ------
    DatasetError : it is neither
    """
    if isinstance(dataset, xr.DataArray) and positions:
        dataset = dataset.to_dataset(name="position")
    if not isinstance(dataset, xr.Dataset):
        raise DatasetError(f"{what} must be an xarray.Dataset, got {type(dataset).__name__}")
    return dataset.rename({old: new for old, new in _PLURALS.items() if old in dataset.dims and new not in dataset})


def _check_layout(
    dataset: xr.Dataset | xr.DataArray,
    layout: dict,
    needed: Iterable[str],
    space: tuple,
    what: str,
    leading: tuple[str, ...] = ("individual",),
) -> xr.Dataset:
    """The dataset in the library's order of dimensions, its variables checked against their layout."""
    dataset = singular_dims(dataset, what, positions="position" in needed)
    for name in needed:
        if name not in dataset:
            raise DatasetError(f"{what} lacks the variable '{name}'; it has {sorted(map(str, dataset.data_vars))}")
    for name, dims in layout.items():
        if name not in dataset:
            continue
        missing = set(dims) - set(dataset[name].dims)
        extra = set(dataset[name].dims) - set(dims) - set(leading)
        if missing or extra:
            raise DatasetError(
                f"{what} '{name}' has dimensions {tuple(map(str, dataset[name].dims))}, expected {dims}"
                f" (a dimension {' or '.join(map(repr, leading))} may lead)"
            )
    _check_coordinates(dataset, space, what)
    dataset = dataset.transpose("individual", "detector", "view", "time", "pair", "keypoint", "joint", "space",
                                "space_", ..., missing_dims="ignore")  # fmt: skip
    if "position" in dataset:
        position = dataset["position"]  # of the new dataset that `transpose` returns
        values = np.array(position.values, dtype=np.result_type(position.dtype, np.float32))
        if np.isinf(values).any():
            raise DatasetError(f"{what} 'position' holds infinite values; a missing point is NaN in all coordinates")
        by_axis = np.moveaxis(values, position.get_axis_num("space"), -1)
        by_axis[np.isnan(by_axis).any(axis=-1)] = np.nan
        position.values = values
    return dataset


def _check_coordinates(dataset: xr.Dataset, space: tuple, what: str) -> None:
    """Refuse absent or repeated names, other axes than x, y(, z), and times that do not increase."""
    for dim in ("view", "keypoint", "individual", "detector", "joint", "pair"):
        if dim not in dataset.dims:
            continue
        if dim not in dataset.coords:
            raise DatasetError(f"{what} has no names along '{dim}'; give it a coordinate")
        repeated = repeated_names(str(name) for name in dataset[dim].values)
        if repeated:
            raise DatasetError(f"{what} repeats the names {repeated} along '{dim}'")
    if "space" in dataset.coords and tuple(map(str, dataset["space"].values)) != space:
        raise DatasetError(f"{what} 'space' is {list(dataset['space'].values)}, expected {list(space)}")
    if "time" in dataset.dims:
        if "time" not in dataset.coords:
            raise DatasetError(f"{what} has no 'time' coordinate; give seconds (the frame rate is never assumed)")
        check_times(dataset["time"].values, what)


def check_times(times: np.ndarray, what: str) -> None:
    """Refuse times that are no finite seconds or do not increase."""
    if not np.issubdtype(times.dtype, np.number) or not np.isfinite(times).all():
        raise DatasetError(f"{what} 'time' must be finite seconds, got values of type {times.dtype}")
    backwards = np.flatnonzero(np.diff(times) <= 0)
    if len(backwards):
        at = backwards[0]
        raise DatasetError(
            f"{what} 'time' does not increase at frame {at + 1}: {times[at]} s, then {times[at + 1]} s;"
            " sort the frames and drop repeated ones"
        )


def _check_confidence(dataset: xr.Dataset, what: str) -> None:
    """Refuse a confidence outside 0 to 1."""
    if "confidence" not in dataset:
        return
    values = dataset["confidence"].values
    outside = np.isfinite(values) & ((values < 0) | (values > 1))
    if outside.any():
        raise DatasetError(f"{what} 'confidence' holds {values[outside][0]:g}; it is a probability between 0 and 1")
