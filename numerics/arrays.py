"""The array type of the library (float64, missing values are NaN), and what is made of one in a line."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
Array = NDArray[np.float64]


def for_kernel(values: Array) -> Array:
    """The values, copied unless they are contiguous and writeable: numba compiles a kernel anew for read-only ones."""
    return np.require(values, np.float64, ["C", "W"])


def freeze(owner: object, field: str, values: NDArray) -> None:
    """Set a field of a frozen object to the values, contiguous and read-only."""
    values = np.ascontiguousarray(values)
    values.setflags(write=False)
    object.__setattr__(owner, field, values)


def taken(owner: T, axes: Mapping[str, int], which: slice | NDArray) -> T:
    """A dataclass with some places (a slice, mask or positions) of the given axis of each field named; None stays."""
    own: Any = owner
    held = {name: getattr(own, name) for name in axes if getattr(own, name) is not None}
    parts = {name: values[(slice(None),) * axes[name] + (which,)] for name, values in held.items()}
    return replace(own, **parts)


def evenly_spread(n_rows: int, n_wanted: int, run: int = 1) -> NDArray[np.int64]:
    """At most `n_wanted` of the row numbers 0 to n_rows - 1, evenly spread, in runs of rows that follow each other: the
    same for the same counts."""
    if n_rows <= n_wanted:
        return np.arange(n_rows, dtype=np.int64)
    run = min(run, n_wanted)
    starts = np.linspace(0, n_rows - run, max(1, n_wanted // run)).astype(np.int64)
    return np.unique(starts[:, None] + np.arange(run)).astype(np.int64)


def isotropic(variances: Array) -> Array:
    """(..., 3, 3) covariances with these variances (...) along every axis."""
    return np.asarray(variances)[..., None, None] * np.eye(3)
