"""Pictures of a board chosen for a review: the worst and those that cover the image, with each corner's residual."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np

from ...calibration import Calibration, Checkerboard
from ...calibration.boards.image_sources import Source, gray_frames
from ...datasets import Array
from ..pictures.stills import jpeg_address

JPEG_QUALITY = 70  # of 100: corners of the board stay sharp
_CELLS = 10  # across and down the image, as in the report's coverage
_DECIMALS = 3  # of a pixel: by which corners of the detections are those that the report kept

Residuals = list[dict[str, Any]]


class CameraCorners:
    """Residuals of one camera's corners, frame by frame: those that the calibration kept, and the rejected ones."""

    def __init__(self, calibration: Calibration, name: str):
        at = calibration.rig.names.index(name)
        self.calibration, self.camera = calibration, calibration.rig[at]
        self.found = calibration.detections[name]
        self.noise = float(calibration.report.facts.get("noise of a corner (px)", np.nan))
        pixels, residuals = calibration.report.corners[at], calibration.report.residuals[at]
        self.kept = {tuple(np.round(xy, _DECIMALS)): rest for xy, rest in zip(pixels, residuals, strict=True)}
        width = self.found.size[0]
        self.flipped = not self._hits(self.found.corners) and self._hits((width - 1, 0) + self.found.corners * (-1, 1))

    def _hits(self, corners: Array) -> bool:
        seen = corners[np.isfinite(corners[..., 0])][:200]
        return any(tuple(np.round(xy, _DECIMALS)) in self.kept for xy in seen)

    def frames(self) -> list[int]:
        """Numbers of the frames with corners."""
        return [int(f) for f in np.flatnonzero(np.isfinite(self.found.corners[..., 0]).any(axis=1))]

    def residuals(self, frame: int) -> Residuals:
        """Each corner of a frame: x, y, dx and dy (observed minus projected, px; None if unknown), and why rejected."""
        corners, width = self.found.corners[frame], self.found.size[0]
        expected = self._expected(frame)
        rows = []
        for i in np.flatnonzero(np.isfinite(corners[:, 0])):
            x, y = corners[i]
            key = (width - 1 - x, y) if self.flipped else (x, y)
            rest, why = self.kept.get(tuple(np.round(key, _DECIMALS))), ""
            if rest is not None:
                rest = rest * (-1, 1) if self.flipped else rest
            elif expected is None or not np.isfinite(expected[i]).all():
                why = "the board's pose in this frame is unknown: too few corners, or views that disagree"
            else:
                rest = corners[i] - expected[i]
                off = float(np.linalg.norm(rest))
                times = f", {off / self.noise:.0f} times the noise of a corner" if self.noise > 0 else ""
                why = f"off by {off:.1f} px{times}"
            shift = (None, None) if rest is None else (round(float(rest[0]), 3), round(float(rest[1]), 3))
            rows.append({"x": round(float(x), 1), "y": round(float(y), 1), "dx": shift[0], "dy": shift[1], "why": why})
        return rows

    def _expected(self, frame: int) -> Array | None:
        """(n_corners, 2) where the calibration sees the board, in the order of the detections; None without a pose."""
        if frame not in self.calibration.frames:
            return None
        try:
            points = self.calibration.board_points(frame)
        except ValueError:
            return None
        projected, corners = self.camera.project(points), self.found.corners[frame]
        if projected.shape != corners.shape:
            return None
        orders = [projected]
        board = self.calibration.board_of(frame)
        if isinstance(board, Checkerboard):  # its corners may be counted from any of its ends
            grid = projected.reshape(board.corners_y, board.corners_x, 2)
            orders += [part.reshape(-1, 2) for part in (grid[::-1, ::-1], grid[::-1], grid[:, ::-1])]
        off = [np.nanmedian(np.linalg.norm(order - corners, axis=1)) if np.isfinite(order).any() else np.inf
               for order in orders]  # fmt: skip
        return orders[int(np.nanargmin(off))]


def choose_frames(corners: CameraCorners, n_pictures: int) -> dict[int, str]:
    """{frame: why}: half of them the frames of largest residual, the others those that cover most of the image."""
    frames = corners.frames()
    size, cells, worst = np.array(corners.found.size), {}, {}
    for frame in frames:
        rows = corners.residuals(frame)
        lengths = [np.hypot(row["dx"], row["dy"]) for row in rows if row["dx"] is not None]
        worst[frame] = max(lengths, default=np.inf)
        at = np.array([[row["x"], row["y"]] for row in rows]) / size * _CELLS
        cells[frame] = set(map(tuple, np.clip(at.astype(int), 0, _CELLS - 1)))
    chosen = dict.fromkeys(sorted(frames, key=lambda f: -worst[f])[: (n_pictures + 1) // 2], "largest residual")
    covered = set().union(*(cells[f] for f in chosen)) if chosen else set()
    while len(chosen) < min(n_pictures, len(frames)):
        best = max((f for f in frames if f not in chosen), key=lambda f: len(cells[f] - covered))
        chosen[best] = "coverage of the image"
        covered |= cells[best]
    return chosen


def read_pictures(source: Source, camera: str, frames: list[int], width: int) -> dict[int, str]:
    """{frame: JPEG of at most `width` pixels, as a data address}, of those frames that the source has."""
    found = {}
    for number, image in enumerate(islice(gray_frames(source, camera), max(frames, default=-1) + 1)):
        if number in frames:
            found[number] = jpeg_address(image, width, JPEG_QUALITY)
    return found


def camera_pictures(
    calibration: Calibration, name: str, sources: Mapping[str, Any], n_pictures: int, width: int
) -> list[dict[str, Any]]:
    """The chosen pictures of one camera with their corners; without its file a picture is empty.

    sources : {camera: source}, or {recording: {camera: source}} where there were several recordings
    """
    corners = CameraCorners(calibration, name)
    chosen = choose_frames(corners, n_pictures)
    recordings = calibration.recordings or {"": range(corners.found.n_frames)}
    pictures = {}
    for recording, numbers in recordings.items():
        frames = [f for f in chosen if f in numbers]
        own = sources if not calibration.recordings else sources.get(recording, {})
        images = read_pictures(own[name], name, [f - numbers.start for f in frames], width) if name in own else {}
        for frame in frames:
            label = f"{recording}: frame {frame - numbers.start}" if recording else f"frame {frame}"
            image = images.get(frame - numbers.start, "")
            rows = corners.residuals(frame)
            pictures[frame] = {"label": label, "why": chosen[frame], "src": image, "corners": rows}
    return [pictures[frame] for frame in chosen if frame in pictures]
