"""Pictures of the skeleton in 3D, as the player of the report shows it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

from ...cameras import CameraRig
from ...datasets import Array, Skeleton
from ...formats.video.reading import Image
from ..player import bone_indices, display_axes, keypoint_sides, round_step, vertical_of
from .painting import Colour, draw_dots, draw_lines, draw_words

_PAPER, _GRID, _MUTED = (246, 244, 239), (217, 213, 203), (102, 98, 91)  # the page's light colours
_SIDES: tuple[Colour, ...] = ((75, 72, 65), (42, 111, 196), (207, 90, 34))  # midline, left, right, on paper
_YAW, _PITCH = -0.9, 0.3  # radians: of the viewer about the vertical and above the floor
_TRAIL = 0.5  # seconds
_AWAY = 3.2  # of the viewer, in radii of what is seen: a mild perspective


def skeleton_pictures(
    pose: xr.Dataset,
    frames: range,
    *,
    rig: CameraRig | None,
    skeleton: Skeleton | None,
    size: tuple[int, int],
    turn: float,
) -> Iterator[Image]:
    """The skeleton at each of some frames, seen from a place that turns about it.

    size : (width, height), pixels; turn : degrees per second, about the vertical
    """
    names = [str(name) for name in pose["keypoint"].values]
    position = pose["position"].transpose("time", ..., "keypoint", "space").values[frames.start : frames.stop]
    n_individuals = pose.sizes.get("individual", 1)
    points = position.reshape(len(position), -1, 3) @ display_axes(vertical_of(rig)[0]).T
    bones = bone_indices(names, skeleton, n_individuals)
    sides = np.array(keypoint_sides(names, skeleton) * n_individuals)
    times = np.asarray(pose["time"].values, float)[frames.start : frames.stop]
    seen = points[np.isfinite(points).all(-1)]
    if not len(seen):
        seen = np.array([[-1.0, -1, -1], [1, 1, 1]])
    low, high = np.quantile(seen, (0.005, 0.995), axis=0)
    step = round_step(max(float(np.linalg.norm(high - low)), 1e-9) / 8)
    floor = _floor_lines(low, high, step)
    trail = max(1, round(_TRAIL / float(np.median(np.diff(times))))) if len(times) > 1 else 1
    unit = str(pose["position"].attrs.get("units", ""))
    for i, time in enumerate(times):
        yaw = _YAW + np.radians(turn) * (time - times[0])
        image = np.full((size[1], size[0], 3), _PAPER, np.uint8)
        project = _Viewer((low + high) / 2, float(np.linalg.norm(high - low)) / 2, yaw, size)
        draw_lines(image, project(floor[:, 0]), project(floor[:, 1]), _GRID, 1)
        path = project(points[max(0, i - trail) : i + 1])
        flat = project(np.where([False, False, True], low[2], points[i]))
        at = path[-1]
        for a, b in bones:
            draw_lines(image, flat[[a]], flat[[b]], _GRID, 3)
        for k, side in enumerate(sides):
            faint = tuple(int(0.6 * p + 0.4 * c) for p, c in zip(_PAPER, _SIDES[side], strict=True))
            draw_lines(image, path[:-1, k], path[1:, k], faint, 1)  # pyright: ignore[reportArgumentType]
        for a, b in bones:
            draw_lines(image, at[[a]], at[[b]], _SIDES[sides[b] or sides[a]], size[0] / 220)
        for side, colour in enumerate(_SIDES):
            draw_dots(image, at[sides == side], colour, size[0] / 190)
        draw_words(image, f"{time:.3f} s   squares of {step:g} {unit}", (12, size[1] - 14), _MUTED, _PAPER)
        yield image


def _floor_lines(low: Array, high: Array, step: float) -> Array:
    """(n, 2, 3) start and end of the lines of a level grid under what is seen."""
    first, last = np.floor(low[:2] / step - 0.5) * step, np.ceil(high[:2] / step + 0.5) * step
    across, along = (np.arange(first[k], last[k] + step / 2, step) for k in (0, 1))
    lines = [[(x, first[1], low[2]), (x, last[1], low[2])] for x in across]
    lines += [[(first[0], y, low[2]), (last[0], y, low[2])] for y in along]
    return np.array(lines)


class _Viewer:
    """Perspective of a viewer who looks at the middle of a sphere that fills the picture."""

    def __init__(self, middle: Array, radius: float, yaw: float, size: tuple[int, int]):
        back = np.array([np.cos(_PITCH) * np.cos(yaw), np.cos(_PITCH) * np.sin(yaw), np.sin(_PITCH)])
        right = np.array([-np.sin(yaw), np.cos(yaw), 0.0])
        self.axes = np.stack([right, -np.cross(back, right), -back])
        self.eye = middle + _AWAY * radius * back
        self.focal = 0.46 * min(size) * np.sqrt(_AWAY**2 - 1) * (1.25 if size[0] > size[1] else 1.0)
        self.centre = np.array(size) / 2

    def __call__(self, points: Array) -> Array:
        """(..., 2) pixels of (..., 3) points."""
        seen = (points - self.eye) @ self.axes.T
        with np.errstate(invalid="ignore"):
            depth = np.where(seen[..., 2:] > 0, seen[..., 2:], np.nan)
        return self.centre + self.focal * seen[..., :2] / depth
