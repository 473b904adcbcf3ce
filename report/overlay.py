"""Frames of the videos with the detected keypoints and the reprojected 3D points drawn over them."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import cv2
import numpy as np
import xarray as xr

from ..datasets import Array, Skeleton
from ..formats.predictions.instant_rows import frames_of_view
from ..formats.video.reading import VideoError, VideoSource, read_frames_at
from .markup import Markup, element, escape
from .player import keypoint_sides, known_bones
from .quality import quantile
from .reprojection import instants_of

# Videos are read from their start to the last wanted frame: a seek lands on another frame in many files.
FIRST_FRAMES = 900  # frames of each video at most
PICTURE_WIDTH = 480  # pixels: four fit a screen side by side
JPEG_QUALITY = 78  # of 100: no blocks are visible at this size


@dataclass(frozen=True, eq=False)
class Instant:
    """A frame of the views chosen for the overlay, and why."""

    frame: int
    time: float
    reason: str


def choose_instants(views: xr.Dataset, errors: xr.DataArray | None) -> list[Instant]:
    """A typical instant, a bad one, and the worst, by the median error over cameras and keypoints of each frame.

    Without errors: instants at a fifth, a half and four fifths of the recording. Only the first `FIRST_FRAMES` frames
    are candidates, because the videos are read in sequence.
    """
    times = np.asarray(views["time"].values[:FIRST_FRAMES], float)
    scores = np.full(len(times), np.nan)
    if errors is not None:
        by_frame = errors.transpose("time", ...).values
        matched = instants_of(errors["time"].values, times)
        scores = np.array([quantile(by_frame[i], 0.5) if i >= 0 else np.nan for i in matched])
    known = np.flatnonzero(np.isfinite(scores))
    if len(known) < 3:
        by_frame = views["position"].transpose("time", ...).values[: len(times)]
        seen = np.flatnonzero(np.isfinite(by_frame).reshape(len(times), -1).any(axis=1))
        frames = seen if len(seen) else np.arange(len(times))
        picked = [frames[int(share * (len(frames) - 1))] for share in (0.2, 0.5, 0.8)]
        return [Instant(int(f), float(times[f]), "evenly spaced") for f in dict.fromkeys(picked)]
    order = known[np.argsort(scores[known], kind="stable")]
    at = {"typical": 0.5, "among the worst 5 %": 0.95, "the worst": 1.0}
    picked = {int(order[round(share * (len(order) - 1))]): why for why, share in reversed(at.items())}
    return [Instant(f, float(times[f]), f"{why} (median error {scores[f]:.2f} px)") for f, why in picked.items()][::-1]


def overlay_figures(
    instants: list[Instant],
    views: xr.Dataset,
    videos: dict,
    *,
    expected: xr.DataArray | None,
    skeleton: Skeleton | None,
) -> list[tuple[Instant, list[Markup]]]:
    """For each instant one figure per camera that has a video; a frame that cannot be read says so in its place.

    `expected` ([individual,] view, instant, keypoint, space): the reconstruction in the pixels of the cameras.
    """
    keypoints = [str(name) for name in views["keypoint"].values]
    drawn: list[tuple[Instant, list[Markup]]] = [(instant, []) for instant in instants]
    for camera in (str(name) for name in views["view"].values if str(name) in videos):
        shown = frames_of_view(views, camera)
        pictures = _read_frames(videos[camera], [int(shown[instant.frame]) for instant in instants])
        own = expected.sel(view=camera) if expected is not None and camera in expected["view"].values else None
        for row, (instant, figures) in enumerate(drawn):
            detected = _all_points(views["position"].sel(view=camera).isel(time=instant.frame).values)
            points = None if own is None else _all_points(own.isel(time=row).values)
            figures.append(
                _figure(camera, pictures.get(int(shown[instant.frame])), detected, points, keypoints, skeleton)
            )
    return drawn


def _read_frames(video: VideoSource, frames: list[int]) -> dict[int, np.ndarray]:
    """{frame number: (height, width, 3) RGB image}; frames past the end or unreadable are absent."""
    try:
        return {
            number: image for number, image in read_frames_at(video, [n for n in frames if n >= 0]) if image is not None
        }
    except VideoError:
        return {}


def _all_points(points: Array) -> Array:
    """(n_individuals, n_keypoints, 2) with or without an axis of individuals."""
    return points.reshape(-1, *points.shape[-2:])


def _figure(
    camera: str,
    image: np.ndarray | None,
    detected: Array,
    expected: Array | None,
    keypoints: list[str],
    skeleton: Skeleton | None,
) -> Markup:
    """A picture cropped around the animal under an SVG of the points, with the camera's error in the caption."""
    if image is None:
        return element("figure", element("figcaption", f"{camera}: the frame cannot be read from its video"))
    left, top, width, height = crop_box(detected, expected, (image.shape[1], image.shape[0]))
    picture = jpeg_address(image[top : top + height, left : left + width])
    marks = point_marks(detected, expected, keypoints, skeleton, radius=width / 90)
    # pixel (0, 0) is the centre of the first pixel: the picture begins half a pixel before it
    view = f"{left - 0.5} {top - 0.5} {width} {height}"
    label = f"Frame of camera {camera} with detected and reprojected keypoints"
    svg = (
        f'<svg viewBox="{view}" role="img" aria-label="{escape(label)}">'
        f'<image href="{picture}" x="{left - 0.5}" y="{top - 0.5}" width="{width}" height="{height}"/>'
        f'<g class="drawn" stroke-width="{width / 320:.2f}">{marks}</g></svg>'
    )
    return element("figure", Markup(svg), element("figcaption", f"{camera}: {_error_text(detected, expected)}"))


def _error_text(detected: Array, expected: Array | None) -> str:
    found = np.isfinite(detected).all(-1)
    seen = f"{found.sum()} of {found.size} keypoints detected"
    if expected is None:
        return seen
    gaps = np.linalg.norm(detected - expected, axis=-1)
    if not np.isfinite(gaps).any():
        return f"{seen}, none with a reprojection"
    return f"median {quantile(gaps, 0.5):.2f} px, largest {quantile(gaps, 1.0):.2f} px, {seen}"


def crop_box(detected: Array, expected: Array | None, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, width, height in whole pixels: 4:3 around the animal, or the whole image where it is unseen.

    The reconstruction places the crop where there is one: a single false detection must not shrink the picture.
    """
    limits = np.array(size, float)
    for points in (expected, detected):
        if points is None:
            continue
        inside = points[np.isfinite(points).all(-1)]
        inside = inside[((inside >= 0) & (inside < limits)).all(-1)]
        if len(inside):
            middle, extent = (inside.max(0) + inside.min(0)) / 2, np.ptp(inside, axis=0)
            width = max(1.5 * extent[0], 1.5 * extent[1] * 4 / 3, 200.0)
            break
    else:
        middle, width = limits / 2, limits[0]
    crop = np.minimum(np.ceil([width, width * 3 / 4]), limits).astype(int)
    corner = np.clip(np.rint(middle - crop / 2), 0, limits - crop).astype(int)
    return int(corner[0]), int(corner[1]), int(crop[0]), int(crop[1])


def jpeg_address(image: np.ndarray) -> str:
    """A data address of the RGB image, no wider than `PICTURE_WIDTH`."""
    scale = min(1.0, PICTURE_WIDTH / image.shape[1])
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    _, packed = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(packed.tobytes()).decode("ascii")


def point_marks(
    detected: Array, expected: Array | None, keypoints: list[str], skeleton: Skeleton | None, radius: float
) -> Markup:
    """Bones and crosses of the reprojection, circles of the detections, and the gaps between them, coloured by side."""
    bones = [[keypoints.index(end) for end in bone] for bone in known_bones(skeleton, keypoints)]
    sides = keypoint_sides(keypoints, skeleton)
    parts = []
    for one in range(len(detected)):
        found, hoped = detected[one], expected[one] if expected is not None else np.full_like(detected[one], np.nan)
        ends = hoped if expected is not None else found
        parts += [_path(f"bone side-{sides[b] or sides[a]}", (ends[a], ends[b])) for a, b in bones]
        for name, side, at, goal in zip(keypoints, sides, found, hoped, strict=True):
            parts += [_path("gap", (at, goal)), _cross(side, goal, 0.7 * radius), _circle(name, side, at, goal, radius)]
    return Markup("".join(parts))


def _circle(name: str, side: int, at: Array, goal: Array, radius: float) -> str:
    """A detection, with its name and error where the pointer rests."""
    if not np.isfinite(at).all():
        return ""
    gap = np.linalg.norm(at - goal)
    title = element("title", name + (f", {gap:.2f} px" if np.isfinite(gap) else ", no reprojection"))
    return element(
        "circle", title, class_=f"found side-{side}", cx=f"{at[0]:.2f}", cy=f"{at[1]:.2f}", r=f"{radius:.2f}"
    )


def _path(class_: str, *lines: tuple[Array, Array]) -> str:
    """Straight lines from start to end; nothing where an end is missing."""
    if not np.isfinite(lines).all():
        return ""
    path = "".join(f"M{start[0]:.2f} {start[1]:.2f}L{end[0]:.2f} {end[1]:.2f}" for start, end in lines)
    return f'<path class="{class_}" d="{path}"/>'


def _cross(side: int, at: Array, arm: float) -> str:
    down, up = np.array([arm, arm]), np.array([arm, -arm])
    return _path(f"expected side-{side}", (at - down, at + down), (at - up, at + up))
