"""Shadows of the animal and the board on the floor of the demo's room."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..numerics.arrays import Array

Float32 = NDArray[np.float32]
# unit vector towards the light, from above and aside: every camera sees lit and shaded sides
LIGHT = np.array([0.42, -0.30, 0.86]) / np.linalg.norm([0.42, -0.30, 0.86])
_SHADOW_CELL, _SHADOW_SIZE = 5.0, 240  # mm, cells along each side: 1.2 m hold the animal and its shadow


@dataclass(frozen=True, eq=False)
class Shadow:
    """Darkness (n, n) of a square of the floor, 0-1; origin is its lowest corner."""

    darkness: Float32
    origin: Array
    cell: float = _SHADOW_CELL

    @property
    def corners(self) -> Array:
        """(4, 3) of the rectangle on the floor that holds what is dark."""
        dark = np.argwhere(self.darkness > 0.004) if self.darkness.max() > 0.004 else np.zeros((1, 2))
        (low, left), (high, right) = self.cell * (dark.min(axis=0) - 1), self.cell * (dark.max(axis=0) + 2)
        ends = [[left, low, 0], [right, low, 0], [right, high, 0], [left, high, 0]]
        return np.array([*self.origin, 0.0]) + np.array(ends)


def animal_shadow(parts: Array) -> Shadow:
    """Of round cones (n, 8): a soft shadow along the light, and the darkness under the body where no sky is seen."""
    ends = np.concatenate([parts[:, :3], parts[:, 4:7]])
    radii = np.concatenate([parts[:, 3], parts[:, 7]])
    cast = ends[:, :2] - ends[:, 2:] * LIGHT[:2] / LIGHT[2]
    middle = 0.5 * (cast.min(axis=0) + cast.max(axis=0))
    origin = middle - 0.5 * _SHADOW_CELL * _SHADOW_SIZE
    layers = []
    for flat, blur, strength in ((cast, 1.6, 0.50), (ends[:, :2], 7.0, 0.34)):
        mask = np.zeros((_SHADOW_SIZE, _SHADOW_SIZE), np.uint8)
        pixels = np.round((flat - origin) / _SHADOW_CELL * 16 - 8).astype(int)
        n = len(parts)
        for k in range(n):
            width = max(round(float(radii[k] + radii[k + n]) / _SHADOW_CELL), 1)
            cv2.line(mask, pixels[k].tolist(), pixels[k + n].tolist(), 255, width, cv2.LINE_AA, 4)
        layers.append(cv2.GaussianBlur(mask, (0, 0), blur).astype(np.float32) * (strength / 255))
    return Shadow(1 - (1 - layers[0]) * (1 - layers[1]), origin)


def plane_shadow(corners: Array) -> Shadow:
    """Of a board with the given corners (4, 3), soft because it is carried high."""
    cast = corners[:, :2] - corners[:, 2:] * LIGHT[:2] / LIGHT[2]
    origin = cast.mean(axis=0) - 0.5 * _SHADOW_CELL * _SHADOW_SIZE
    mask = np.zeros((_SHADOW_SIZE, _SHADOW_SIZE), np.uint8)
    cv2.fillConvexPoly(mask, np.round((cast - origin) / _SHADOW_CELL).astype(np.int32), 255, cv2.LINE_AA)
    return Shadow(cv2.GaussianBlur(mask, (0, 0), 9).astype(np.float32) * (0.42 / 255), origin)
