"""How much perspective a camera has: what motion in depth changes in its image."""

from __future__ import annotations

import numpy as np

LEAST_SHIFT = 25.0  # pixels: with less, a board as wide as a third of the view shows no perspective


def depth_shift(size: tuple[int, int], focal: float) -> float:
    """Pixels by which a point at the image's corner moves when it comes nearer by the width of what the camera sees.

    Parameters
    ----------
    size : (width, height), pixels
    focal : focal length, pixels
    """
    return 0.5 * float(np.hypot(*size)) * size[0] / focal


def orthographic_sentence(name: str, size: tuple[int, int], focal: float) -> str:
    """What it costs that a camera is close to orthographic; nothing where it is not."""
    shift = depth_shift(size, abs(focal))
    if shift >= LEAST_SHIFT:
        return ""
    return (
        f"camera '{name}' is close to orthographic (focal length {abs(focal):.0f} px, images of {size[0]}x{size[1]}"
        f" px): a point that comes nearer by the whole width of its view moves by {shift:.2g} px at the image's corner,"
        " so its distance and focal length are hardly determined, and depth along its axis is left to the other cameras"
    )
