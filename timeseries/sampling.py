"""Values and sampling times of a recording, as an array or as a labelled dataset; windows in seconds to frames."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ..datasets import Array, frame_times

ROUNDING = 1e-3  # share of a frame interval: times written with few decimals differ by less from even ones


def values_and_times(points_3d: Array | xr.Dataset | xr.DataArray, fps: float | None) -> tuple[Array, Array]:
    """(n_frames, ...) values, time first and space last, and (n_frames,) seconds of an array, Dataset or DataArray."""
    if not isinstance(points_3d, np.ndarray) and hasattr(points_3d, "dims"):
        position = points_3d["position"] if hasattr(points_3d, "data_vars") else points_3d
        position = position.transpose("time", ..., *(dim for dim in position.dims if dim == "space"))  # type: ignore[union-attr]
        return np.asarray(position.values, dtype=float), np.asarray(points_3d["time"].values, dtype=float)  # type: ignore[call-overload]
    values = np.asarray(points_3d, dtype=float)
    if fps is None:
        raise ValueError("fps is None: an array carries no frame rate; give fps=..., or a dataset with times")
    return values, frame_times(len(values), fps)


def frame_interval(times: Array) -> float:
    """Median interval between frames, seconds; 1 for a single frame."""
    return float(np.median(np.diff(times))) if len(times) > 1 else 1.0


def window_frames(window: float, interval: float) -> int:
    """Odd number of frames in a centred window of so many seconds, at least 1.

    Raises
    ------
    ValueError : `window` is no positive number
    """
    if not window > 0:
        raise ValueError(f"window must be a positive number of seconds, got {window!r}")
    return 2 * (int(window / interval + ROUNDING) // 2) + 1
