"""The board of the demo: a ChArUco sheet, first on the floor, then carried by a hand that turns it to every camera."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..numerics.arrays import Array

DICTIONARY = "4X4_100"
SQUARES_X, SQUARES_Y, SQUARE, MARKER = 8, 6, 70.0, 54.0  # mm
MARGIN = 25.0
TEXEL = 0.5
THICKNESS = 1.0
SHEET = (SQUARES_X * SQUARE + 2 * MARGIN, SQUARES_Y * SQUARE + 2 * MARGIN)
_BLACK, _PAPER = 24.0, 216.0


def board_picture() -> NDArray[np.float32]:
    """(rows, columns) float32 grey values of the sheet, TEXEL mm per pixel."""
    dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, f"DICT_{DICTIONARY}"))
    board = cv2.aruco.CharucoBoard((SQUARES_X, SQUARES_Y), SQUARE, MARKER, dictionary)
    side = round(SQUARE / TEXEL)
    printed = board.generateImage((SQUARES_X * side, SQUARES_Y * side), marginSize=0, borderBits=1)
    margin = round(MARGIN / TEXEL)
    printed = np.pad(printed, margin, constant_values=255)
    return (_BLACK + (_PAPER - _BLACK) / 255.0 * printed).astype(np.float32)


def board_poses(times: Array, seed: int = 0) -> Array:
    """(n, 4, 3): the sheet's first corner (mm), its x and y directions, and the normal towards who reads it.

    The hand goes round the volume and up and down, leans the board 14-54° from the horizontal towards every side in
    turn, and turns it in its own plane.
    """
    times = np.asarray(times, float)
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
    corner = centre - 0.5 * SHEET[0] * x - 0.5 * SHEET[1] * y
    # the hand keeps the lowest corner above the floor
    lowest = corner[:, 2] + np.minimum(SHEET[0] * x[:, 2], 0) + np.minimum(SHEET[1] * y[:, 2], 0)
    corner[:, 2] += 20 * np.logaddexp(0, (15 - lowest) / 20)
    return np.stack([corner, x, y, normal], axis=1)


def floor_pose() -> Array:
    """(1, 4, 3) as `board_poses`: the sheet lies on the floor, in the middle of the volume."""
    x, y, normal = np.array([1.0, 0, 0]), np.array([0, -1.0, 0]), np.array([0, 0, 1.0])
    corner = np.array([0, 0, THICKNESS]) - 0.5 * SHEET[0] * x - 0.5 * SHEET[1] * y
    return np.stack([corner, x, y, normal])[None]


def board_corners(poses: Array) -> Array:
    """(n, n_corners, 3) the inner corners of the chess pattern in the world, row by row."""
    i, j = np.meshgrid(np.arange(1, SQUARES_X), np.arange(1, SQUARES_Y))
    sheet = np.stack([MARGIN + SQUARE * i.ravel(), MARGIN + SQUARE * j.ravel()], -1)
    return poses[:, 0, None] + np.einsum("cs,nsk->nck", sheet, poses[:, 1:3])
