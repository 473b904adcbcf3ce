"""Affine maps between pixels of an image, pixels of the network's input, and cells of its maps.

Everywhere the centre of the first pixel (or cell) is 0, so a scaling by s maps x to s (x + 0.5) - 0.5. Forgetting the
halves moves every point by a constant (DeepLabCut #1509).
"""

from __future__ import annotations

import cv2
import numpy as np

from ...datasets import Array
from ...formats.video.reading import Image

GREY = 127  # of 255, what lies outside an image: nearly 0 in the network's input of -1..1, the middle of its range


def scaling(scale: float) -> Array:
    """(2, 3) affine map that scales about the corner of the first pixel."""
    shift = 0.5 * scale - 0.5
    return np.array([[scale, 0, shift], [0, scale, shift]], dtype=float)


def window(centre: Array, size: tuple[int, int], scale: float) -> Array:
    """(2, 3) map from image pixels into a window of `size` (width, height) whose middle shows `centre`."""
    middle = (np.array(size, float) - 1) / 2
    shift = middle - scale * np.asarray(centre, dtype=float)
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], dtype=float)


def turned(view: tuple[Array, tuple[int, int]], angle: float, mirrored: bool) -> tuple[Array, tuple[int, int]]:
    """A view (map and size) turned by so many degrees about its middle, then mirrored left to right or not.

    By quarter turns the whole view stays to be seen; by others its corners are cut off.
    """
    matrix, (width, height) = view
    turn = np.deg2rad(angle)
    linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    size = (height, width) if round(angle) % 180 == 90 else (width, height)
    if mirrored:
        linear = np.diag([-1.0, 1.0]) @ linear
    shift = (np.array(size) - 1) / 2 - linear @ ((np.array([width, height]) - 1) / 2)
    return compose(np.column_stack([linear, shift]), matrix), size


def apply_affine(matrix: Array, points: Array) -> Array:
    """(..., 2) points moved by a (2, 3) map; NaN stays NaN."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def invert_affine(matrix: Array) -> Array:
    """(2, 3) map that undoes another."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]]).astype(float)


def compose(second: Array, first: Array) -> Array:
    """(2, 3) map that does `first`, then `second`."""
    return np.column_stack([second[:, :2] @ first[:, :2], second[:, :2] @ first[:, 2] + second[:, 2]])


def warp(image: Image, matrix: Array, size: tuple[int, int]) -> Image:
    """The image seen through a (2, 3) map, `size` = (width, height), grey outside.

    An image that shrinks by two or more is averaged over whole pixels first: bilinear sampling alone would skip some.
    """
    if image.shape[1::-1] == size and np.array_equal(matrix, np.eye(2, 3)):
        return image
    shrink = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    factor = int(np.floor(0.5 / shrink * 1.001)) if shrink < 0.5 else 1
    if factor > 1:
        # an area average of a factor that does not divide the size would shift the grid: cut off the rest
        height, width = image.shape[0] // factor * factor, image.shape[1] // factor * factor
        image = cv2.resize(image[:height, :width], (width // factor, height // factor), interpolation=cv2.INTER_AREA)
        matrix = compose(matrix, scaling(factor))
    return cv2.warpAffine(
        image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(GREY, GREY, GREY)
    )


def compress(image: Image, quality: int) -> Image:
    """The image after JPEG compression; quality from 0 to 100."""
    _, content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(content, cv2.IMREAD_COLOR)
    return image if decoded is None else decoded
