"""Views whose instants are not the frame numbers of every camera: which frame shows an instant."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..video.instants import Instants


def with_frames(views: xr.Dataset, instants: Instants, notes: Iterable[str] = ()) -> xr.Dataset:
    """Views with the frame numbers of each instant, where they are not the instant's, and with what is to be noted.

    The variable `frame` (view, time) holds the numbers, -1 where a camera has no frame; the attribute `notes` has one
    line per note.
    """
    notes = [*instants.notes, *notes]
    if notes:
        views = views.assign_attrs(notes="\n".join(notes))
    numbers = np.stack([instants.frames[str(name)] for name in views["view"].values])
    if (numbers == np.arange(numbers.shape[1])).all():
        return views
    return views.assign(frame=(("view", "time"), numbers, {"units": "1", "long_name": "frame number in the video"}))


def frames_of_view(views: xr.Dataset, camera: str) -> NDArray[np.int64]:
    """Frame number of a camera's video at each instant of its views, -1 where it has none."""
    if "frame" not in views:
        return np.arange(views.sizes["time"])
    numbers = np.asarray(views["frame"].sel(view=camera).values, float)
    return np.nan_to_num(numbers, nan=-1).astype(np.int64)
