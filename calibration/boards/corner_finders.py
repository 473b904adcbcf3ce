"""Find the corners of a board in one image with OpenCV's detectors, set up once per board."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from .image_sources import Image
from .marker_dictionaries import cut_dictionary
from .patterns import Board, CharucoBoard, Checkerboard, MarkerBoard

MIN_CORNERS = 4  # of a view: fewer determine no pose of a plane


class Sight(NamedTuple):
    """What one image shows: corners (n_corners, 2) px, NaN where unseen; the markers recognised; pattern mirrored?"""

    corners: Array
    n_markers: int
    mirrored: bool


Finder = Callable[[Image, bool], Sight]


def make_finder(board: Board) -> Finder:
    """A function of (grey image, whether to search for the mirrored pattern) that returns a `Sight`."""
    if isinstance(board, Checkerboard):
        return lambda image, mirrored: _find_checkerboard(board, image)
    find = _charuco_finder(board) if isinstance(board, CharucoBoard) else _marker_finder(board)

    def finder(image: Image, mirrored: bool) -> Sight:
        image = 255 - image if board.inverted else image
        if not mirrored:
            return Sight(*find(image), mirrored=False)
        corners, n_markers = find(np.ascontiguousarray(image[:, ::-1]))
        corners[:, 0] = image.shape[1] - 1 - corners[:, 0]
        return Sight(corners, n_markers, mirrored=True)

    return finder


def opencv_board(board: CharucoBoard) -> cv2.aruco.CharucoBoard:
    """The board as OpenCV's object, with the dictionary cut to its own markers."""
    dictionary = cut_dictionary(board.dictionary, np.arange(board.n_markers))
    made = cv2.aruco.CharucoBoard(
        (board.squares_x, board.squares_y), float(board.square_length), float(board.marker_length), dictionary
    )
    made.setLegacyPattern(board.legacy)
    return made


def _charuco_finder(board: CharucoBoard) -> Callable[[Image], tuple[Array, int]]:
    """A function image -> (corners (n_corners, 2) px, number of markers) for a ChArUco board."""
    detector = cv2.aruco.CharucoDetector(opencv_board(board))
    n_corners = len(board.points)

    def find(image: Image) -> tuple[Array, int]:
        found, ids, _, marker_ids = detector.detectBoard(image)
        corners = np.full((n_corners, 2), np.nan)
        if ids is not None and len(ids) >= MIN_CORNERS:
            corners[np.asarray(ids, np.int64).ravel()] = found.reshape(-1, 2)
        return corners, 0 if marker_ids is None else len(marker_ids)

    return find


def _marker_finder(board: MarkerBoard) -> Callable[[Image], tuple[Array, int]]:
    """A function image -> (corners (4 n_markers, 2) px, number of markers) for single markers."""
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    detector = cv2.aruco.ArucoDetector(cut_dictionary(board.dictionary, np.array(board.ids)), parameters)

    def find(image: Image) -> tuple[Array, int]:
        found, ids, _ = detector.detectMarkers(image)
        corners = np.full((len(board.ids), 4, 2), np.nan)
        for marker, index in zip(found, [] if ids is None else np.asarray(ids, np.int64).ravel(), strict=True):
            corners[index] = marker.reshape(4, 2)
        return corners.reshape(-1, 2), 0 if ids is None else len(ids)

    return find


def _find_checkerboard(board: Checkerboard, image: Image) -> Sight:
    """Corners of a checkerboard in an image, refined to a fraction of a pixel."""
    n_corners = len(board.points)
    flags = cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_FAST_CHECK
    found, corners = cv2.findChessboardCorners(image, board.corner_grid, flags=flags)
    if not found:
        found, corners = _sectors(board, image)
    if not found or corners is None:
        return Sight(np.full((n_corners, 2), np.nan), 0, mirrored=False)
    corners = np.ascontiguousarray(corners.reshape(-1, 1, 2), dtype=np.float32)
    half = int(np.clip(_spacing(corners.reshape(-1, 2).astype(float), board) // 3, 2, 11))
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 60, 1e-4)
    cv2.cornerSubPix(image, corners, (half, half), (-1, -1), criteria)
    return Sight(_oriented(corners.reshape(-1, 2).astype(float), board, image), 0, mirrored=False)


def _sectors(board: Checkerboard, image: Image) -> tuple[bool, NDArray[Any] | None]:
    """Corners by OpenCV's slower finder; none where they are a part of a larger grid, which it would take, too."""
    flags = cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_LARGER
    found, corners, grid = cv2.findChessboardCornersSBWithMeta(image, board.corner_grid, flags)
    nx, ny = board.corner_grid
    if found and grid.shape == (ny, nx):
        return True, corners
    if found and grid.shape == (nx, ny):
        return cv2.findChessboardCornersSB(image, board.corner_grid, flags=cv2.CALIB_CB_NORMALIZE_IMAGE)
    return False, None


def _spacing(corners: Array, board: Checkerboard) -> float:
    """Least distance between neighbouring corners, pixels."""
    first, second = board.neighbours.T
    return float(np.linalg.norm(corners[first] - corners[second], axis=-1).min())


def _oriented(corners: Array, board: Checkerboard, image: Image) -> Array:
    """The corners in the one order that x, y, normal right-handed and a dark first inner square allow."""
    nx, ny = board.corner_grid
    grid = corners.reshape(ny, nx, 2)
    along_x, along_y = grid[0, -1] - grid[0, 0], grid[-1, 0] - grid[0, 0]
    if along_x[0] * along_y[1] - along_x[1] * along_y[0] < 0:
        grid = grid[:, ::-1]
    if not board.ambiguous and _brightness(grid, image, 0, 0) > _brightness(grid, image, 0, 1):
        grid = grid[::-1, ::-1]
    return np.ascontiguousarray(grid).reshape(-1, 2)


def _brightness(grid: Array, image: Image, row: int, column: int) -> float:
    """Mean brightness of the inner squares of the colour of square (row, column)."""
    centers = 0.25 * (grid[:-1, :-1] + grid[1:, :-1] + grid[:-1, 1:] + grid[1:, 1:])
    rows, columns = np.indices(centers.shape[:2])
    pixels = np.rint(centers[(rows + columns) % 2 == (row + column) % 2]).astype(int)
    pixels = np.clip(pixels, 0, np.array(image.shape[::-1]) - 1)
    return float(image[pixels[:, 1], pixels[:, 0]].mean())
