"""Views whose instants are not the frame numbers of every camera: tracks at instants, and which frame shows one."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...numerics.arrays import Array
from ..files import FormatError
from ..video.instants import Instants
from ..video.reading import Image, VideoSource, read_frames, read_frames_at
from .tracks import Track

FRAME_ATTRIBUTES = {"units": "1", "long_name": "frame number in the video"}


def with_frames(views: xr.Dataset, instants: Instants, own: slice = slice(None)) -> xr.Dataset:
    """Views with the frame numbers of each instant, where they are not the instant's, and with what is to be noted.

    own : which of the instants the views are of

    The variable `frame` (view, time) holds the numbers, -1 where a camera has no frame; the attribute `notes` has one
    line per note.
    """
    if instants.notes:
        views = views.assign_attrs(notes="\n".join(instants.notes))
    if instants.are_frames:
        return views
    numbers = np.stack([instants.frames[str(name)][own] for name in views["view"].values])
    return views.assign(frame=(("view", "time"), numbers, FRAME_ATTRIBUTES))


def frames_of_view(views: xr.Dataset, camera: str) -> NDArray[np.int64]:
    """Frame number of a camera's video at each instant of its views, -1 where it has none."""
    if "frame" not in views:
        return np.arange(views.sizes["time"])
    numbers = np.asarray(views["frame"].sel(view=camera).values, float)
    return np.nan_to_num(numbers, nan=-1).astype(np.int64)


def pictures_of_instants(video: VideoSource, numbers: NDArray[np.int64]) -> Generator[Image | None]:
    """The pictures of some frames in increasing order; None where the number is -1 or the frame is damaged."""
    if len(numbers) and numbers[0] >= 0 and (np.diff(numbers) == 1).all():
        yield from read_frames(video, int(numbers[0]), int(numbers[-1]) + 1)
        return
    with closing(read_frames_at(video, numbers[numbers >= 0].tolist())) as frames:
        coming = next(frames, None)
        for number in numbers:
            if coming is not None and coming[0] == number:
                yield coming[1]
                coming = next(frames, None)
            else:
                yield None


def check_times(lengths: Sequence[Mapping[str, int]], times: Mapping[str, Array]) -> dict[str, Array]:
    """The times of the cameras, as many as rows of each detector, or more: a tool may leave out the last frames.

    Raises
    ------
    FormatError : a camera has no times, or fewer than rows
    """
    for of_detector in lengths:
        for camera, n_frames in of_detector.items():
            if camera not in times:
                raise FormatError(f"camera '{camera}' has no times; give them for every camera, or fps=...")
            if len(times[camera]) < n_frames:
                raise FormatError(
                    f"camera '{camera}' has 2D points of {n_frames} frames and times of"
                    f" {len(times[camera])}; they are of different recordings"
                )
    return {camera: times[camera] for camera in lengths[0]}


def at_instants(track: Track, instants: Instants, camera: str) -> Track:
    """A camera's track, a row per instant; missing where the camera has no frame."""
    confidence = np.nan_to_num(instants.placed(camera, track.confidence, axis=1))
    return track.rearranged(lambda values: instants.placed(camera, values, axis=1), confidence)
