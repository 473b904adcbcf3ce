"""Which keypoint of the data is which marker of a body, by their names."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...datasets.names import repeated_names
from ...numerics.arrays import Array
from .kinematic_tree import Body


def marker_columns(body: Body, keypoints: Sequence[str], n_keypoints: int) -> NDArray[np.int64]:
    """(n_markers,) position of each marker among the keypoints of the data, -1 where they lack it.

    Raises
    ------
    ValueError : keypoints and data do not fit together, a name is repeated, or no marker is among them

    Warns
    -----
    UserWarning : markers are lacking
    """
    if len(keypoints) != n_keypoints:
        raise ValueError(
            f"the points have {n_keypoints} keypoints and there are {len(keypoints)} names; give"
            " keypoints=[...], the names in the order of the data"
        )
    if repeated := repeated_names(keypoints):
        raise ValueError(f"the names of the keypoints repeat {repeated}; every keypoint needs its own")
    missing = [name for name in body.marker_names if name not in keypoints]
    if len(missing) == len(body.marker_names):
        raise ValueError(
            f"none of the markers of body '{body.name}' is among the keypoints {list(keypoints)}; it has"
            f" {list(body.marker_names)}"
        )
    if missing:
        warnings.warn(
            f"the data lack the markers {missing} of body '{body.name}': it is fitted without them", stacklevel=4
        )
    return np.array([list(keypoints).index(name) if name not in missing else -1 for name in body.marker_names])


def of_markers(points: Array, columns: NDArray[np.int64]) -> Array:
    """Points (..., n_keypoints, n) in the order of the body's markers, NaN for a marker that the data lack."""
    ordered = points[..., columns, :]
    ordered[..., columns < 0, :] = np.nan
    return ordered
