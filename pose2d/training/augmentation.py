"""Random views of training pictures (place, rotation, zoom) and degradations as cameras produce them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

from ...datasets import Array
from ...formats.video.reading import Image
from ..pictures.image_transforms import GREY, compress
from ..training_config import Augmentation


def random_view(
    rng: Generator, points: Array, size: tuple[int, int], side: int, scale: float, how: Augmentation
) -> tuple[Array, bool]:
    """A random map from an image into a square crop, and whether it mirrors.

    Parameters
    ----------
    points : (n_keypoints, 2) of this image, pixels, NaN where not labelled: the crop lies around them
    size : (width, height) of the image
    side : of the crop, network pixels
    scale : network pixels per image pixel, before the random zoom

    Returns
    -------
    (2, 3) affine map and a flag; a mirrored crop needs left and right keypoints to change places
    """
    seen = points[np.isfinite(points).all(-1)]
    if len(seen) == 0 or rng.random() < how.p_random_crop:
        centre = rng.uniform((0, 0), size)
    else:
        centre = (seen.min(0) + seen.max(0)) / 2
        centre = centre + rng.uniform(-how.shift, how.shift, 2) * side / scale
    zoom = scale * np.exp(rng.uniform(-1, 1) * np.log(how.zoom))
    angle = np.deg2rad(rng.uniform(-how.rotation, how.rotation))
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    mirrored = bool(rng.random() < how.flip)
    if mirrored:
        turn = np.diag([-1.0, 1.0]) @ turn
    return np.column_stack([turn, (side - 1) / 2 - turn @ centre]), mirrored


def degrade(rng: Generator, image: Image, how: Augmentation) -> Image:
    """The picture as a worse camera, another light or a passer-by might have made it."""
    chances = (
        (how.cutout, _cutout),
        (how.motion, _motion_blur),
        (how.blur, _blur),
        (how.resolution, _lower_resolution),
        (how.noise, _noise),
        (how.jpeg, _jpeg),
    )
    drawn = rng.random(len(chances))
    if how.color_jitter > 0:
        image = _relight(rng, image, how.color_jitter, how.contrast)
    for (chance, change), draw in zip(chances, drawn, strict=True):
        if draw < chance:
            image = change(rng, image)
    return image


def _relight(rng: Generator, image: Image, strength: float, fading: float) -> Image:
    """Brightness, contrast (lowered by up to exp(fading)), gamma and colour balance by one table per channel."""
    contrast, gamma = np.exp(rng.uniform((-fading, -strength), strength))
    brightness = rng.uniform(-strength, strength) * 0.5
    colour = 1 + rng.uniform(-strength, strength, 3) * 0.3
    level = np.linspace(0, 1, 256)[:, None]
    table = ((level**gamma - 0.5) * contrast + 0.5 + brightness) * colour
    table = np.clip(np.rint(table * 255), 0, 255).astype(np.uint8)
    return cv2.LUT(image, table.reshape(256, 1, 3))


def _cutout(rng: Generator, image: Image) -> Image:
    side = image.shape[0]
    image = image.copy()
    for _ in range(rng.integers(1, 4)):
        width, height = rng.integers(side // 16, side // 5, 2)
        x, y = rng.integers(0, side - width), rng.integers(0, side - height)
        image[y : y + height, x : x + width] = rng.integers(0, 256, 3) if rng.random() < 0.5 else GREY
    return image


def _motion_blur(rng: Generator, image: Image) -> Image:
    length = int(rng.integers(3, 16))
    kernel = np.zeros((length, length), np.float32)
    angle, middle = rng.uniform(0, np.pi), (length - 1) / 2
    reach = np.array([np.cos(angle), np.sin(angle)]) * middle
    start, end = np.rint(middle - reach).astype(int), np.rint(middle + reach).astype(int)
    cv2.line(kernel, start.tolist(), end.tolist(), 1.0)
    return cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)


def _blur(rng: Generator, image: Image) -> Image:
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 3.0))


def _lower_resolution(rng: Generator, image: Image) -> Image:
    side, factor = image.shape[0], rng.uniform(1.5, 4.0)
    small = cv2.resize(image, (int(side / factor), int(side / factor)), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR)


def _noise(rng: Generator, image: Image) -> Image:
    noise = rng.standard_normal(image.shape, dtype=np.float32) * rng.uniform(3, 30)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def _jpeg(rng: Generator, image: Image) -> Image:
    return compress(image, int(rng.integers(10, 70)))
