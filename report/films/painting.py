"""Lines, dots and words on pictures (height, width, 3) uint8 RGB; missing points draw nothing."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ...datasets import Array

Colour = tuple[int, int, int]
_BITS = 4  # of a pixel's fraction that OpenCV draws by
SIDES: tuple[Colour, ...] = ((255, 228, 92), (87, 176, 255), (255, 139, 61))  # midline, left, right, over pictures


def draw_lines(image: np.ndarray, starts: Array, ends: Array, colour: Colour, width: float) -> None:
    """Lines between points (n, 2), pixels."""
    whole = np.isfinite(starts).all(-1) & np.isfinite(ends).all(-1)
    for a, b in zip(_fixed(starts[whole]), _fixed(ends[whole]), strict=True):
        cv2.line(image, a, b, colour, max(1, round(width)), cv2.LINE_AA, _BITS)


def draw_dots(image: np.ndarray, points: Array, colour: Colour, radius: float, *, filled: bool = True) -> None:
    """Dots or rings at points (n, 2), pixels."""
    for at in _fixed(points[np.isfinite(points).all(-1)]):
        cv2.circle(image, at, round(radius * (1 << _BITS)), colour, -1 if filled else 1, cv2.LINE_AA, _BITS)


def draw_words(image: np.ndarray, words: str, at: tuple[int, int], colour: Colour, around: Colour) -> None:
    """A line of text that starts at a pixel, its baseline there, with an edge that sets it off."""
    size = max(0.4, min(image.shape[1] / 900, 0.8))
    places = [(x, y, around) for x in (-1, 0, 1) for y in (-1, 0, 1)]
    for x, y, shade in (*places, (0, 0, colour)):
        cv2.putText(image, words, (at[0] + x, at[1] + y), cv2.FONT_HERSHEY_SIMPLEX, size, shade, 1, cv2.LINE_AA)


def _fixed(points: Array) -> Sequence[tuple[int, int]]:
    """Points as OpenCV's fixed-point integers; those far outside are moved to where they stay outside."""
    numbers = np.rint(np.clip(points, -2e4, 2e4) * (1 << _BITS)).astype(int)
    return [(int(x), int(y)) for x, y in numbers]
