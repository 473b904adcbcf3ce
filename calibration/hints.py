"""Which board is it then? What a few images show when the board described is not found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from .boards import Board, CharucoBoard, Checkerboard
from .errors import CalibrationError
from .finders import make_finder
from .images import Image, Source, gray_frames

_FAMILIES = ("4X4_1000", "5X5_1000", "6X6_1000", "7X7_1000", "ARUCO_ORIGINAL", "APRILTAG_36h11", "APRILTAG_25h9")
_MAX_IMAGES = 6
_ENOUGH = 12


def board_hint(source: Source, board: Board, camera: str) -> str:
    """A sentence saying what board a source seems to show, empty where nothing better is found."""
    images = sample_images(source, camera)
    if not images:
        return ""
    if all(image.max() - image.min() < 10 for image in images):
        return "; its images are of one uniform grey: was the lens covered, or the light off?"
    if isinstance(board, Checkerboard):
        return _best(images, _checkerboards(board))
    return _best(images, _charucos(board)) if isinstance(board, CharucoBoard) else ""


def sample_images(source: Source, camera: str) -> list[Image]:
    """A few images spread over the first hundreds of frames; none where the source cannot be read again."""
    images: list[Image] = []
    try:
        for number, image in enumerate(gray_frames(source, camera)):
            if number % 10 == 0 or number < 4:
                images.append(image)
            if number > 600:
                break
    except CalibrationError:
        return []
    keep = np.unique(np.linspace(0, len(images) - 1, _MAX_IMAGES).astype(int)) if images else []
    return [images[i] for i in keep]


def _charucos(board: CharucoBoard) -> Iterable[tuple[str, Board]]:
    swapped = replace(board, squares_x=board.squares_y, squares_y=board.squares_x)
    yield f"with the sides swapped (squares_x={swapped.squares_x}, squares_y={swapped.squares_y})", swapped
    yield f"with legacy={not board.legacy}", replace(board, legacy=not board.legacy)
    yield f"with inverted={not board.inverted}", replace(board, inverted=not board.inverted)
    for family in _FAMILIES:
        if family != board.dictionary:
            try:
                yield f"with dictionary={family!r}", replace(board, dictionary=family)
            except ValueError:
                continue
    for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1), (1, 1), (-1, -1)):
        try:
            other = replace(board, squares_x=board.squares_x + dx, squares_y=board.squares_y + dy)
        except ValueError:
            continue
        yield f"with squares_x={other.squares_x}, squares_y={other.squares_y}", other


def _checkerboards(board: Checkerboard) -> Iterable[tuple[str, Board]]:
    for dx, dy in ((-1, -1), (1, 1), (-1, 0), (1, 0), (0, -1), (0, 1)):
        try:
            other = replace(board, corners_x=board.corners_x + dx, corners_y=board.corners_y + dy)
        except ValueError:
            continue
        yield f"with corners_x={other.corners_x}, corners_y={other.corners_y} inner corners", other


def _best(images: list[Image], boards: Iterable[tuple[str, Board]]) -> str:
    """The board of which most corners are found, if they are many; the first of equals."""
    best, most = "", _ENOUGH - 1
    for words, board in boards:
        finder = make_finder(board)
        count = sum(int(np.isfinite(finder(image, False).corners[:, 0]).sum()) for image in images)
        if count > most:
            best, most = words, count
    return f"; the images do show this board {best}" if best else ""
