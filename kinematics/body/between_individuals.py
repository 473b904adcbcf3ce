"""Where several animals are to each other: distances, relative headings and bearings of every ordered pair."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr

from ...datasets import Array, DatasetError
from ...datasets.names import named_options
from ..error_propagation import joint_covariance, propagate
from ..pose_access import checked, keypoint_indices, points_of, unit_of, up_of


@named_options(DatasetError)
def individual_distances(pose: xr.Dataset, keypoints: Sequence[str] | None = None) -> xr.Dataset:
    """Distance between the animals of every pair, from the middle of some keypoints to that of the other's.

    Parameters
    ----------
    pose : xarray.Dataset
        `position (individual, time, keypoint, space)`, in world units; NaN where missing.
    keypoints : sequence of str, optional
        Keypoints whose mean is the animal's place, all needed in a frame, such as `["nose"]`. None: all of the pose.

    Returns
    -------
    xarray.Dataset
        `distance (individual, other, time)` in world units, 0 of an animal to itself; with `distance_std` where the
        pose has a covariance (the animals' errors are independent of each other).

    Raises
    ------
    DatasetError
        The pose has no `individual` dimension, or a keypoint is unknown.

    Notes
    -----
    NaN where a needed keypoint is missing.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import pose_dataset
    >>> from muybridge.kinematics import individual_distances
    >>> points = np.zeros((2, 1, 1, 3))
    >>> points[1] += [3.0, 4.0, 0.0]
    >>> pose = pose_dataset(points, keypoints=["nose"], times=[0.0], unit="mm")
    >>> individual_distances(pose)["distance"].values[:, :, 0]
    array([[0., 5.],
           [5., 0.]])
    """
    pose = _several(pose)
    names = [str(name) for name in pose["keypoint"].values] if keypoints is None else list(keypoints)
    n = len(keypoint_indices(pose, names))

    def distance(points: Array) -> Array:
        return np.linalg.norm(points[:, :n].mean(axis=1) - points[:, n:].mean(axis=1), axis=-1)[:, None]

    values, stds = _of_pairs(pose, names, distance)
    units = {"units": unit_of(pose)}
    return _dataset(pose, {"distance": values[..., 0]}, {"distance": stds}, units)


@named_options(DatasetError)
def relative_headings(pose: xr.Dataset, back: str, front: str, *, up: Array | None = None) -> xr.Dataset:
    """How every animal is turned to every other, and in which direction the other is.

    Parameters
    ----------
    pose : xarray.Dataset
        `position (individual, time, keypoint, space)`, in world units; NaN where missing.
    back : str
        Keypoint at the rear end of the trunk.
    front : str
        Keypoint at the front end of the trunk; an animal heads from `back` to `front`, in the horizontal plane.
    up : ndarray, shape (3,), optional
        World direction against gravity; None: the pose's attribute `up`.

    Returns
    -------
    xarray.Dataset
        `relative_heading (individual, other, time)`, the other's heading less the own, and `bearing (individual, other,
        time)`, the direction of the middle of the other's trunk from the middle of the own, less the own heading; in
        radians from -π to π, positive counter-clockwise seen from above: a bearing of 0 is ahead, π/2 to the left.
        With `_std` where the pose has a covariance. NaN of an animal to itself.

    Raises
    ------
    DatasetError
        The pose has no `individual` dimension, a keypoint is unknown, or the vertical is.

    Notes
    -----
    NaN where a needed keypoint is missing.

    Examples
    --------
    The second animal is 10 mm to the left of the first and heads the opposite way.

    >>> import numpy as np
    >>> from muybridge.datasets import pose_dataset
    >>> from muybridge.kinematics import relative_headings
    >>> points = np.array([[[[0.0, 0, 0], [4, 0, 0]]], [[[4, 10, 0], [0, 10, 0]]]])
    >>> pose = pose_dataset(points, keypoints=["tail", "neck"], times=[0.0], unit="mm")
    >>> found = relative_headings(pose, "tail", "neck", up=[0, 0, 1])
    >>> np.abs(np.degrees(found["relative_heading"].values[0, 1])), np.degrees(found["bearing"].values[0, 1])
    (array([180.]), array([90.]))
    """
    pose = _several(pose)
    vertical = up_of(pose, up, "the relative heading")

    def turned(points: Array) -> Array:
        own, other = points[:, 1] - points[:, 0], points[:, 3] - points[:, 2]
        towards = points[:, 2:].mean(axis=1) - points[:, :2].mean(axis=1)
        return np.stack([_angle(own, other, vertical), _angle(own, towards, vertical)], axis=-1)

    values, stds = _of_pairs(pose, [back, front], turned)
    itself = np.arange(len(values))
    values[itself, itself] = np.nan
    named = {"relative_heading": values[..., 0], "bearing": values[..., 1]}
    return _dataset(pose, named, dict.fromkeys(named, stds), {"units": "rad"})


def _several(pose: xr.Dataset) -> xr.Dataset:
    pose = checked(pose)
    if "individual" not in pose.dims:
        raise DatasetError("the pose has no 'individual' dimension; distances and headings are between several animals")
    return pose


def _angle(a: Array, b: Array, up: Array) -> Array:
    """(n_frames,) radians from a to b about the vertical."""
    flat_a, flat_b = (v - (v @ up)[:, None] * up for v in (a, b))
    return np.arctan2(np.cross(flat_a, flat_b) @ up, np.einsum("ts,ts->t", flat_a, flat_b))


def _of_pairs(pose: xr.Dataset, names: Sequence[str], function: Callable[[Array], Array]) -> tuple[Array, Array | None]:
    """(n_individuals, n_individuals, n_frames, n_values) of a function of two animals' points, and the std, if any."""
    parts = [pose.isel(individual=i, drop=True) for i in range(pose.sizes["individual"])]
    points = [points_of(part, names) for part in parts]
    n, width = len(parts), 3 * len(names)
    covariances = [joint_covariance(part, names) for part in parts] if "covariance" in pose else None
    first = function(np.concatenate([points[0], points[0]], axis=1))
    values = np.full((n, n, *first.shape), np.nan)
    stds = None if covariances is None else np.zeros_like(values)
    for i in range(n):
        for j in range(n):
            pair = np.concatenate([points[i], points[j]], axis=1)
            if covariances is None or stds is None or i == j:
                values[i, j] = function(pair)
                continue
            together = np.zeros((len(pair), 2 * width, 2 * width))
            together[:, :width, :width], together[:, width:, width:] = covariances[i], covariances[j]
            values[i, j], stds[i, j] = propagate(function, pair, together)
    return values, stds


def _dataset(pose: xr.Dataset, values: dict[str, Array], stds: dict[str, Array | None], units: dict) -> xr.Dataset:
    dims, variables = ("individual", "other", "time"), {}
    for i, (name, own) in enumerate(values.items()):
        variables[name] = (dims, own, units)
        std = stds[name]
        if std is not None:
            variables[f"{name}_std"] = (dims, np.where(np.isnan(own), np.nan, std[..., i]), units)
    names = pose["individual"].values
    return xr.Dataset(variables, coords={"individual": names, "other": names, "time": pose["time"]})
