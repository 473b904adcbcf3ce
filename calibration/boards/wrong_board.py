"""Diagnose a wrong board: compare the markers in a few images with other sizes and dictionaries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array, evenly_spread
from ..errors import CalibrationError
from .corner_finders import make_finder, opencv_board
from .image_sources import Image, Source, gray_frames
from .marker_dictionaries import cut_dictionary, opencv_dictionary
from .patterns import Board, CharucoBoard, Checkerboard

_FAMILIES = (
    *("4X4_1000", "5X5_1000", "6X6_1000", "7X7_1000", "ARUCO_ORIGINAL"),
    *("APRILTAG_36h11", "APRILTAG_25h9", "APRILTAG_16h5", "ARUCO_MIP_36h12"),
)
_MAX_IMAGES = 4  # of a source: each is searched with every dictionary, plain and inverted
_MAX_CHECKERED = 8  # images of a source searched for a checkerboard of other counts: each takes 0.1 s
_OFTEN = 0.5  # of the count of the grid seen most: a larger one seen so often is the board, the others parts of it
_NEAR = 100  # frames after the first with a board, among which a larger one is looked for: a video is read so far
_UNIFORM = 10  # grey levels between the darkest and the brightest pixel of an image that shows nothing
_ENOUGH = 8  # markers over all images: single ones are found in noise, too
_PLENTY = 6  # markers per image that are certain
_MAX_SIDE = 20  # squares on a side: the search grows with its square
_MAX_MARKERS = _MAX_SIDE * _MAX_SIDE // 2  # every second square of the largest board tried


class Markers(NamedTuple):
    """Markers found in some images: for each image their ids (n,) and corners (n, 4, 2)."""

    family: str
    inverted: bool
    ids: list
    corners: list

    @property
    def count(self) -> int:
        """Number of markers over all images."""
        return sum(map(len, self.ids))


def board_hint(source: Source, board: Board, camera: str) -> str:
    """A sentence saying what board a source seems to show, empty where nothing better is found."""
    images = sample_images(source, camera)
    if images and not any(map(shows_something, images)):
        return "; its images are of one uniform grey: was the lens covered, or the light off?"
    return other_board(images, board)


def other_board(images: list[Image], board: Board) -> str:
    """A phrase saying what other board some images show, empty where nothing better is found."""
    images = [image for image in images if shows_something(image)]
    if not images:
        return ""
    if isinstance(board, Checkerboard):
        return _checkerboard_hint(_spread(images, _MAX_CHECKERED), board)
    return _charuco_hint(_spread(images, _MAX_IMAGES), board) if isinstance(board, CharucoBoard) else ""


def shows_something(image: Image) -> bool:
    """Whether an image is more than one uniform grey."""
    return int(image.max()) - int(image.min()) >= _UNIFORM


def _spread(images: list[Image], n: int) -> list[Image]:
    """At most `n` of the images, evenly spread."""
    return [images[i] for i in evenly_spread(len(images), n)]


def guess_board(sources: Sequence[Source]) -> CharucoBoard | Checkerboard | None:
    """The board that sources show together, with lengths of a usual board; None where none is recognised for sure.

    All pictures vote: OpenCV's search for a checkerboard's size differs from run to run, and may take the paper's edge
    for a row of corners.
    """
    images = [image for source in sources for image in sample_images(source, "")]
    start = CharucoBoard(7, 10, 25.0, 18.75)
    markers = _most_markers(_spread(images, _MAX_IMAGES), start) if images else None
    if markers is not None and markers.count >= _ENOUGH:
        layout = _layout(markers, start)
        return layout if layout is not None and _n_found(images, layout) >= _ENOUGH else None
    grid, _ = _largest_grid(images)
    return None if grid is None else Checkerboard(*grid, 25.0)


def sample_images(source: Source, camera: str) -> list[Image]:
    """A few images spread over the first hundreds of frames; none where the source cannot be read again."""
    images: list[Image] = []
    try:
        for number, image in enumerate(gray_frames(source, camera)):
            if number % 10 == 0 or number < 4:
                images.append(image)
            if number > 600:
                break
    except (CalibrationError, ValueError, OSError):
        return []
    return _spread(images, _MAX_CHECKERED)


def _charuco_hint(images: list[Image], board: CharucoBoard) -> str:
    """What differs from the board described, from the markers' numbers and where they lie on the plane."""
    best = _most_markers(images, board)
    if best.count < _ENOUGH:
        return ""
    layout = _layout(best, board)
    if layout is None:
        known = f"markers of the dictionary '{best.family}'" + (", black and white exchanged" if best.inverted else "")
        return (
            f"; the images do show {known}, but not laid out as a ChArUco board"
            if not _same_family(best.family, board)
            else ""
        )
    differences = _differences(board, best, layout)
    if not differences:
        return ""
    sure = "do" if _n_found(images, layout) >= _ENOUGH else "seem to"
    return f"; the images {sure} show this board {' and '.join(differences)}"


def _most_markers(images: list[Image], board: CharucoBoard) -> Markers:
    """Of all families, plain and inverted, the one of which most markers are seen; the board's own if it is plain."""
    families = sorted(_FAMILIES, key=lambda name: not _same_family(name, board))
    found = []
    for kind in product(families, (board.inverted, not board.inverted)):
        found.append(_find_markers(images, *kind))
        if found[-1].count >= _PLENTY * len(images):
            break
    return max(found, key=lambda markers: markers.count)


def _same_family(family: str, board: CharucoBoard) -> bool:
    """Whether the board's dictionary is the family's or its beginning."""
    mine = board.dictionary
    return family == mine or (family[1] == "X" and family.split("_")[0] == mine.split("_")[0])


def _find_markers(images: list[Image], family: str, inverted: bool) -> Markers:
    """All markers of a dictionary that the images show."""
    n = min(len(opencv_dictionary(family).bytesList), _MAX_MARKERS)
    detector = cv2.aruco.ArucoDetector(cut_dictionary(family, np.arange(n)))
    ids, corners = [], []
    for image in images:
        found, numbers, _ = detector.detectMarkers(255 - image if inverted else image)
        ids.append(np.zeros(0, int) if numbers is None else np.asarray(numbers, int).ravel())
        corners.append(np.asarray(found, float).reshape(-1, 4, 2))
    return Markers(family, inverted, ids, corners)


def _layout(markers: Markers, board: CharucoBoard) -> CharucoBoard | None:
    """The board whose markers lie as they are seen: the width from their places, the height from the largest number."""
    tried, seen = [], {"dictionary": markers.family, "inverted": markers.inverted}
    for nx, odd, legacy in product(range(2, _MAX_SIDE), (0, 1), (board.legacy, not board.legacy)):
        ny = _height(markers, nx, odd)
        if ny <= _MAX_SIDE and (not legacy or ny % 2 == 0):
            try:
                other = replace(board, squares_x=nx, squares_y=ny, legacy=legacy, **seen)
            except ValueError:
                continue
            tried.append((_n_in_place(markers, other), other))
    best, layout = max(tried, key=lambda trial: (trial[0], -trial[1].n_markers), default=(0, None))
    return layout if best >= max(_ENOUGH, 0.7 * markers.count) else None


def _height(markers: Markers, nx: int, odd: int) -> int:
    """The least number of rows, odd or even, that holds the markers seen in at least two images."""
    numbers, counts = np.unique(np.concatenate(markers.ids), return_counts=True)
    sure = numbers[counts >= min(2, counts.max())]
    ny = max(2, int(np.ceil(2 * (sure.max() + 1) / nx - 1e-9)))
    ny += nx * ny // 2 <= sure.max()
    return int(ny + (ny % 2 != odd))


def _n_in_place(markers: Markers, board: CharucoBoard) -> int:
    """Markers that one homography per image puts where the board has them."""
    made, total = opencv_board(board), 0
    places = dict(zip(np.asarray(made.getIds()).ravel().tolist(), made.getObjPoints(), strict=True))
    for ids, corners in zip(markers.ids, markers.corners, strict=True):
        known = [i for i, number in enumerate(ids) if int(number) in places]
        if len(known) < 2:
            continue
        plane = np.concatenate([np.asarray(places[int(ids[i])])[:, :2] for i in known]).astype(float)
        total += _n_explained(plane, corners[known].reshape(-1, 2)) // 4
    return total


def _n_explained(plane: Array, pixels: Array) -> int:
    """Points (n, 2) of the plane that one homography puts within a sixth of a marker's side of where they are seen."""
    H, _ = cv2.findHomography(plane, pixels, 0)
    if H is None:
        return 0
    put = cv2.perspectiveTransform(plane[:, None], H)[:, 0]
    side = np.linalg.norm(pixels[1::4] - pixels[::4], axis=1)
    return int((np.linalg.norm(put - pixels, axis=1) < np.median(side) / 6).sum())


def _differences(board: CharucoBoard, markers: Markers, layout: CharucoBoard) -> list[str]:
    """Phrases that name how the layout found differs from the board described."""
    words = []
    if not _same_family(markers.family, board):
        words.append(f"with dictionary={markers.family!r}")
    if markers.inverted != board.inverted:
        words.append(f"with inverted={markers.inverted}")
    sides = f"squares_x={layout.squares_x}, squares_y={layout.squares_y}"
    if layout.squares_x != board.squares_x:
        if (layout.squares_y, layout.squares_x) == (board.squares_x, board.squares_y):
            words.append(f"with the sides swapped ({sides})")
        else:
            words.append(f"with {sides} (or more rows)")
    elif layout.squares_y > board.squares_y:
        words.append(f"with {sides} (or more rows)")
    if layout.legacy != board.legacy:
        words.append(f"with legacy={layout.legacy}")
    return words


def _n_found(images: list[Image], board: CharucoBoard) -> int:
    """Number of corners of a board that its finder finds in the images."""
    finder = make_finder(board)
    return sum(int(np.isfinite(finder(image, False).corners[:, 0]).sum()) for image in images)


def _checkerboard_hint(images: list[Image], board: Checkerboard) -> str:
    """The largest grid that most images show, where it is not the board's own."""
    grid, n = _largest_grid(images)
    if grid is None or grid == _sides(board.corner_grid):
        return ""
    return (
        f"; the images show a checkerboard of corners_x={grid[0]}, corners_y={grid[1]} inner corners (in {n} of the"
        f" {len(images)} examined)"
    )


def larger_checkerboard(source: Source, board: Board, frames: NDArray[np.int64], camera: str) -> str:
    """A sentence where the frames in which a checkerboard was found show a larger one, of which it is a part."""
    if not isinstance(board, Checkerboard) or not len(frames):
        return ""
    near = frames[frames <= frames[0] + _NEAR]
    wanted, images = set(near[evenly_spread(len(near), _MAX_IMAGES)].tolist()), []
    for number, image in enumerate(gray_frames(source, camera)):
        if number in wanted:
            images.append(image)
        if len(images) == len(wanted):
            break
    grid, n = _largest_grid(images)
    asked = _sides(board.corner_grid)
    if grid is None or grid == asked or n < len(images) * _OFTEN or not (grid[0] >= asked[0] and grid[1] >= asked[1]):
        return ""
    return (
        f"camera '{camera}': its pictures show more inner corners than stated, corners_x={grid[0]}, corners_y={grid[1]}"
        f" (in {n} of the {len(images)} examined); {asked[0]} x {asked[1]} of them are a part that may be found in"
        " varying places: state the whole board"
    )


def _largest_grid(images: list[Image]) -> tuple[tuple[int, int] | None, int]:
    """Inner corners (more, fewer) of the largest grid, in most images the same, and in how many; None: in no two."""
    shown = Counter(grid for grid in map(_shown_grid, images) if grid)
    best = max(shown, key=lambda grid: (shown[grid], grid), default=None)
    return (best, shown[best]) if best is not None and shown[best] >= min(2, len(images)) else (None, 0)


def _sides(grid: Sequence[int]) -> tuple[int, int]:
    """The counts of a grid, the larger first: a plain checkerboard does not show which is which."""
    first, second = sorted((int(n) for n in grid), reverse=True)
    return first, second


def _shown_grid(image: Image) -> tuple[int, int] | None:
    """The largest grid of corners that an image shows."""
    flags = cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_LARGER
    found, _, grid = cv2.findChessboardCornersSBWithMeta(image, (3, 3), flags)
    return _sides(grid.shape) if found else None
