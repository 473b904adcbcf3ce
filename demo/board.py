"""The board of the demo: a ChArUco sheet, first on the floor, then carried by a hand that turns it to every camera."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..numerics.arrays import Array


@dataclass(frozen=True)
class Sheet:
    """The printed ChArUco board and the picture of it; lengths in mm."""

    dictionary: str = "4X4_100"
    squares_x: int = 8
    squares_y: int = 6
    square: float = 70.0
    marker: float = 54.0
    margin: float = 25.0  # blank paper round the squares
    thickness: float = 1.0
    texel: float = 0.5  # side of a pixel of the picture
    black: float = 24.0  # grey levels of ink and paper, 0-255
    white: float = 216.0

    @property
    def size(self) -> Array:
        """(2,) width and height with the margin, mm."""
        return self.square * np.array([self.squares_x, self.squares_y]) + 2 * self.margin


SHEET = Sheet()


def board_picture() -> NDArray[np.float32]:
    """(rows, columns) float32 grey values of the sheet, `SHEET.texel` mm per pixel."""
    dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, f"DICT_{SHEET.dictionary}"))
    board = cv2.aruco.CharucoBoard((SHEET.squares_x, SHEET.squares_y), SHEET.square, SHEET.marker, dictionary)
    side = round(SHEET.square / SHEET.texel)
    printed = board.generateImage((SHEET.squares_x * side, SHEET.squares_y * side), marginSize=0, borderBits=1)
    margin = round(SHEET.margin / SHEET.texel)
    printed = np.pad(printed, margin, constant_values=255)
    return (SHEET.black + (SHEET.white - SHEET.black) / 255.0 * printed).astype(np.float32)


def board_poses(times: Array, seed: int = 0) -> Array:
    """(n, 4, 3): the sheet's first corner (mm), its x and y directions, and the normal towards who reads it.

    The hand goes round the volume and up and down, leans the board 14-54° from the horizontal towards every side in
    turn, and turns it in its own plane.
    """
    times, (width, height) = np.asarray(times, float), SHEET.size
    shift = np.random.default_rng(seed).uniform(0, 2 * np.pi, 6)
    round_ = 0.90 * times + shift[0]
    reach = 250 + 190 * np.sin(0.53 * times + shift[1])
    centre = np.stack([reach * np.cos(round_), reach * np.sin(round_), 210 + 110 * np.sin(0.71 * times + shift[2])], -1)
    lean = np.radians(34 + 20 * np.sin(0.83 * times + shift[3]))
    towards = 1.37 * times + shift[4]
    spin = 0.9 * np.sin(0.47 * times + shift[5]) + 0.3 * times
    normal = np.stack([np.sin(lean) * np.cos(towards), np.sin(lean) * np.sin(towards), np.cos(lean)], -1)
    # y of the sheet points down its slope, x to the right of who reads it
    down = np.stack([np.cos(lean) * np.cos(towards), np.cos(lean) * np.sin(towards), -np.sin(lean)], -1)
    right = np.cross(normal, down)
    turn = Rotation.from_rotvec(normal * spin[:, None])
    x, y = turn.apply(right), turn.apply(down)
    corner = centre - 0.5 * width * x - 0.5 * height * y
    # the hand keeps the lowest corner above the floor
    lowest = corner[:, 2] + np.minimum(width * x[:, 2], 0) + np.minimum(height * y[:, 2], 0)
    corner[:, 2] += 20 * np.logaddexp(0, (15 - lowest) / 20)
    return np.stack([corner, x, y, normal], axis=1)


def floor_pose() -> Array:
    """(1, 4, 3) as `board_poses`: the sheet lies on the floor, in the middle of the volume."""
    width, height = SHEET.size
    x, y, normal = np.array([1.0, 0, 0]), np.array([0, -1.0, 0]), np.array([0, 0, 1.0])
    corner = np.array([0, 0, SHEET.thickness]) - 0.5 * width * x - 0.5 * height * y
    return np.stack([corner, x, y, normal])[None]
