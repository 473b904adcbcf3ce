"""Pictures of all cameras at one instant in a grid, with detections and reprojections drawn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing

import cv2
import numpy as np
import xarray as xr

from ...cameras import CameraRig
from ...datasets import Array, Skeleton
from ...formats.predictions.instant_rows import frames_of_view, pictures_of_instants
from ...formats.video.reading import Image, VideoSource, probe_video
from ..player import bone_indices, keypoint_sides
from ..reprojection import positions_at, reproject
from .painting import SIDES, draw_dots, draw_lines, draw_words

_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)  # of names, and of the rim that keeps them legible


def grid_pictures(
    views: xr.Dataset,
    videos: dict[str, VideoSource],
    frames: range,
    *,
    pose: xr.Dataset | None,
    rig: CameraRig | None,
    skeleton: Skeleton | None,
    width: int,
) -> Iterator[Image]:
    """The grid at each of some frames, `width` pixels wide; damaged and absent pictures are black."""
    names = [str(name) for name in views["view"].values if str(name) in videos]
    infos = [probe_video(videos[name], rate_needed=False) for name in names]
    n_columns = int(np.ceil(np.sqrt(len(names))))
    own = width // n_columns // 2 * 2
    high = round(own * max(info.height / info.width for info in infos)) // 2 * 2
    keypoints = [str(name) for name in views["keypoint"].values]
    bones = bone_indices(keypoints, skeleton)
    sides = np.array(keypoint_sides(keypoints, skeleton))
    times = np.asarray(views["time"].values, float)[frames.start : frames.stop]
    reprojected = None
    if pose is not None and rig is not None:
        reprojected = reproject(positions_at(pose, times, keypoints), rig)
    with ExitStack() as stack:
        readers = [
            stack.enter_context(closing(pictures_of_instants(videos[name], frames_of_view(views, name)[frames])))
            for name in names
        ]
        for i, time in enumerate(times):
            grid = np.zeros((high * -(-len(names) // n_columns), own * n_columns, 3), np.uint8)
            for place, (name, reader, info) in enumerate(zip(names, readers, infos, strict=True)):
                row, column = divmod(place, n_columns)
                cell = grid[row * high : (row + 1) * high, column * own : (column + 1) * own]
                detected = _points(views["position"].sel(view=name).isel(time=frames[i]))
                expected = None
                if reprojected is not None and name in reprojected["view"].values:
                    expected = _points(reprojected.sel(view=name).isel(time=i))
                scale = min(own / info.width, high / info.height)
                _show(cell, next(reader, None), scale)
                _draw(cell, detected, expected, scale, bones, sides)
                draw_words(cell, name, (8, 22), _WHITE, _BLACK)
            draw_words(grid, f"{time:.3f} s", (8, grid.shape[0] - 10), _WHITE, _BLACK)
            yield grid


def _points(position: xr.DataArray) -> Array:
    """(n_individuals, n_keypoints, 2) with or without an axis of individuals."""
    values = position.transpose(..., "keypoint", "space").values
    return values.reshape(-1, *values.shape[-2:])


def _show(cell: np.ndarray, image: Image | None, scale: float) -> None:
    if image is None:
        return
    size = round(image.shape[1] * scale), round(image.shape[0] * scale)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)[: cell.shape[0], : cell.shape[1]]
    cell[: small.shape[0], : small.shape[1]] = small


def _draw(
    cell: np.ndarray, detected: Array, expected: Array | None, scale: float, bones: list[list[int]], sides: Array
) -> None:
    """Bones of the reprojection, or of the detections where there is none, and a ring at each detection."""
    radius = max(2.0, cell.shape[1] / 160)
    for one in range(len(detected)):
        # pixel (0, 0) is the centre of the first pixel
        found = (detected[one] + 0.5) * scale - 0.5
        ends = found if expected is None else (expected[one] + 0.5) * scale - 0.5
        for a, b in bones:
            draw_lines(cell, ends[[a]], ends[[b]], SIDES[int(sides[b] or sides[a])], radius / 2)
        for side, colour in enumerate(SIDES):
            draw_dots(cell, found[sides == side], colour, radius, filled=expected is None)
