"""Points of delayed cameras as synchronous cameras would have seen them."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from ...datasets import check_views
from ...numerics.arrays import Array
from .frame_offset_search import FrameOffsets


def shift_frames(points_2d: Any, offsets: FrameOffsets | Array) -> Any:
    """Points as synchronous cameras would have seen them: camera c at frame i is taken from frame i + offsets[c].

    Parameters
    ----------
    points_2d : ndarray, shape (n_cameras, n_frames, n_keypoints, 2), pixels, or xarray.Dataset
        Keypoints; fractions of a frame are interpolated linearly. Or a views dataset.
    offsets : FrameOffsets, or ndarray, shape (n_cameras,) or (n_cameras, n_frames), frames
        Delays in the order of the cameras, of each frame where they change, NaN counts as 0; of `FrameOffsets` those
        to apply, in a dataset by name.

    Returns
    -------
    ndarray, shape (n_cameras, n_frames, n_keypoints, 2), pixels, or xarray.Dataset
        NaN where a frame needed is missing; of a dataset with confidence and covariances shifted alike, the confidence
        0 there.

    Raises
    ------
    ValueError
        A camera of the dataset is not among the offsets.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.triangulate import shift_frames
    >>> points_2d = np.arange(4.0).reshape(1, 4, 1, 1) * np.ones((1, 1, 1, 2))
    >>> shift_frames(points_2d, [1.5])[0, :, 0, 0]
    array([1.5, 2.5, nan, nan])
    """
    if not isinstance(points_2d, xr.Dataset | xr.DataArray):
        return _shifted(points_2d, offsets.to_apply() if isinstance(offsets, FrameOffsets) else offsets)
    views = check_views(points_2d)
    if isinstance(offsets, FrameOffsets):
        offsets = _by_name(offsets, [str(name) for name in views["view"].values])
    moved = {}
    for name, values in views.data_vars.items():
        if {"view", "time"} <= set(values.dims):
            ordered = values.transpose("view", "time", ...)
            moved[name] = ordered.copy(data=_shifted(ordered.values, offsets)).transpose(*values.dims)
    moved["confidence"] = moved["confidence"].fillna(0.0)
    return views.assign(moved)


def _by_name(offsets: FrameOffsets, names: list[str]) -> Array:
    """(n_names,) offsets to apply to the named cameras."""
    known = dict(zip(offsets.names, offsets.to_apply(), strict=True))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"there are no frame offsets of the cameras {unknown}; there are those of {list(known)}")
    return np.array([known[name] for name in names])


def _shifted(values: Array, offsets: Array) -> Array:
    """(n_cameras, n_frames, ...) values at the frames that `shift_frames` asks for."""
    shifted = np.full(values.shape, np.nan)
    n_frames = values.shape[1]
    offsets = np.nan_to_num(np.asarray(offsets, float))
    per_frame = np.broadcast_to(offsets if offsets.ndim == 2 else offsets[:, None], (len(values), n_frames))
    for camera, offset in enumerate(per_frame):
        whole = np.floor(offset)
        fraction = offset - whole
        here = np.arange(n_frames) + whole.astype(int)
        there = here + (fraction > 0)
        inside = (here >= 0) & (there < n_frames)
        weight = fraction[inside].reshape(-1, *[1] * (values.ndim - 2))
        one, other = values[camera, here[inside]], values[camera, there[inside]]
        shifted[camera, inside] = (1 - weight) * one + weight * other
    return shifted
