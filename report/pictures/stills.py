"""Stills of all cameras along the recording, cut out around the animal, with the points to draw over them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import xarray as xr

from ...cameras import CameraRig
from ...datasets import Array, Skeleton
from ...datasets.individuals import individual_names
from ...formats.predictions.instant_rows import frames_of_view
from ...formats.video.reading import VideoError, VideoSource
from ...formats.video.sparse_reading import key_frames_near, read_sparse_frames
from ..markup import base64_of
from ..player import bone_indices, coloured, keypoint_sides, point_names
from ..quality import quantile
from ..reprojection import instants_of, positions_at, reproject

STILL_BYTES = 2_600_000  # of the page, of all stills together
TYPICAL_BYTES = 15_000  # of one still in the page
MOST_INSTANTS = 60  # that have stills, of a recording by few cameras
PICTURE_WIDTH = 400  # pixels
JPEG_QUALITY = 74  # of 100: no blocks are visible at this size
SHORT = 900  # frames up to which any instant is shown; of longer recordings those of key frames, which read quickly


def still_scene(
    views: xr.Dataset,
    videos: dict[str, VideoSource],
    *,
    pose: xr.Dataset | None,
    rig: CameraRig | None,
    errors: xr.DataArray | None,
    skeleton: Skeleton | None,
) -> dict[str, Any] | None:
    """What the script draws, as a JSON-able dictionary; None where no camera has a video or no frame can be read.

    Returns
    -------
    dict with `frames`, `times` (seconds) and `reasons` ({position of a still: why it is worth a look}) of the stills;
    `cameras`, each with `pictures` (data address and `box`: left, top, width, height in pixels of the video; None where
    unreadable), `detected` and `expected` (x, y of all points in a row, pixels; None where missing) and `confidence` of
    what is detected
    """
    filmed = [str(name) for name in views["view"].values if str(name) in videos]
    if not filmed or not views.sizes["time"]:
        return None
    reasons = instants_worth_a_look(views, errors)
    frames = sorted({*reasons, *spread_instants(views, videos[filmed[0]], filmed)})
    keypoints = [str(name) for name in views["keypoint"].values]
    times = np.asarray(views["time"].values, float)[frames]
    expected = None
    if pose is not None and rig is not None:
        expected = reproject(positions_at(pose, times, keypoints), rig)
    cameras = [_camera(name, views, videos[name], frames, expected) for name in filmed]
    if not any(any(camera["pictures"]) for camera in cameras):
        return None
    kept = _within_budget(cameras, [frame in reasons for frame in frames])
    for camera in cameras:
        for key in {"pictures", "detected", "expected", "confidence"} & set(camera):
            camera[key] = [camera[key][i] for i in kept]
    individuals = individual_names(views)
    n_individuals = max(1, len(individuals))
    return {
        "individuals": coloured(individuals),
        "keypoints": point_names(keypoints, individuals),
        "bones": bone_indices(keypoints, skeleton, n_individuals),
        "sides": keypoint_sides(keypoints, skeleton) * n_individuals,
        "n_frames": int(views.attrs.get("n_frames", views.sizes["time"])),
        "frames": [int(views.attrs.get("every", 1)) * frames[i] for i in kept],
        "times": [round(float(times[i]), 6) for i in kept],
        "reasons": {place: reasons[frames[i]] for place, i in enumerate(kept) if frames[i] in reasons},
        "cameras": cameras,
    }


def instants_worth_a_look(views: xr.Dataset, errors: xr.DataArray | None) -> dict[int, str]:
    """{frame: why}: a typical instant, a bad one and the worst, by the median error of each frame.

    Empty where fewer than three frames have an error.
    """
    if errors is None:
        return {}
    by_frame = errors.transpose("time", ...).values.reshape(errors.sizes["time"], -1)
    own = np.array([quantile(row, 0.5) for row in by_frame])
    matched = instants_of(errors["time"].values, views["time"].values)
    scores = np.where(matched >= 0, own[matched], np.nan)
    known = np.flatnonzero(np.isfinite(scores))
    if len(known) < 3:
        return {}
    order = known[np.argsort(scores[known], kind="stable")]
    at = {"the worst": 1.0, "among the worst 5 %": 0.95, "typical": 0.5}
    picked = {why: int(order[round(share * (len(order) - 1))]) for why, share in at.items()}
    return {frame: f"{why} (median error {scores[frame]:.2f} px)" for why, frame in picked.items()}


def spread_instants(views: xr.Dataset, video: VideoSource, filmed: list[str]) -> list[int]:
    """Frames evenly spread over the recording, as many as fit; of long recordings at key frames of the first video."""
    n_frames = views.sizes["time"]
    n = int(np.clip(STILL_BYTES // (TYPICAL_BYTES * len(filmed)), 3, MOST_INSTANTS))
    even = np.unique(np.linspace(0, n_frames - 1, min(n, n_frames)).round().astype(int))
    if n_frames <= SHORT or "every" in views.attrs:  # key frames need not be among the instants
        return even.tolist()
    number = frames_of_view(views, filmed[0])
    instant_of = {int(own): i for i, own in enumerate(number) if own >= 0}
    keys = key_frames_near(video, [int(own) for own in number[even] if own >= 0])
    return sorted({instant_of[own] for own in keys if own in instant_of})


def _camera(
    name: str, views: xr.Dataset, video: VideoSource, frames: list[int], expected: xr.DataArray | None
) -> dict[str, Any]:
    numbers = frames_of_view(views, name)[frames]
    seen = [_all_points(row) for row in _by_time(views["position"].sel(view=name).isel(time=frames))]
    reprojected: list[Array] | None = None
    if expected is not None and name in expected["view"].values:
        reprojected = [_all_points(row) for row in _by_time(expected.sel(view=name))]
    pictures: list[dict[str, Any] | None] = [None] * len(frames)
    places = {int(number): i for i, number in enumerate(numbers) if number >= 0}
    try:
        for number, image in read_sparse_frames(video, places):
            i = places[number]
            if image is not None:
                pictures[i] = _picture(image, seen[i], None if reprojected is None else reprojected[i])
    except VideoError:
        pass  # what could be read is shown, and the page says which picture is missing
    camera = {"name": name, "pictures": pictures, "detected": [_flat(points) for points in seen]}
    if "confidence" in views:
        confidence = views["confidence"].sel(view=name).isel(time=frames).transpose("time", ..., "keypoint").values
        camera["confidence"] = [_flat(row, 2) for row in confidence]
    return camera if reprojected is None else camera | {"expected": [_flat(points) for points in reprojected]}


def _by_time(position: xr.DataArray) -> Array:
    return position.transpose("time", ..., "keypoint", "space").values


def _all_points(points: Array) -> Array:
    """(n_points, 2) with or without an axis of individuals."""
    return points.reshape(-1, 2)


def _flat(points: Array, digits: int = 1) -> list[float | None]:
    return [round(value, digits) if np.isfinite(value) else None for value in points.ravel().tolist()]


def _picture(image: np.ndarray, detected: Array, expected: Array | None) -> dict[str, Any]:
    left, top, width, height = crop_box(detected, expected, (image.shape[1], image.shape[0]))
    return {"href": jpeg_address(image[top : top + height, left : left + width]), "box": [left, top, width, height]}


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


def jpeg_address(image: np.ndarray, width: int = PICTURE_WIDTH, quality: int = JPEG_QUALITY) -> str:
    """A data address of the picture, RGB or grey, no wider than `width`."""
    scale = min(1.0, width / image.shape[1])
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    return f"data:image/jpeg;base64,{base64_of(cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])}"


def _within_budget(cameras: list[dict[str, Any]], is_fixed: list[bool]) -> list[int]:
    """Positions of the stills to keep: every second one of the spread ones goes until all fit `STILL_BYTES`."""
    size = [sum(len(c["pictures"][i]["href"]) for c in cameras if c["pictures"][i]) for i in range(len(is_fixed))]
    fixed, spread = ([i for i, own in enumerate(is_fixed) if own is wanted] for wanted in (True, False))
    while len(spread) > 1 and sum(size[i] for i in fixed + spread) > STILL_BYTES:
        spread = spread[::2]
    return sorted(fixed + spread)
