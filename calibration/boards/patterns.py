"""Calibration boards: what is printed on them, and where their corners lie."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array

_CONSTANTS = [name for name in dir(cv2.aruco) if name.startswith("DICT_")]
DICTIONARIES: dict[str, int] = {name.removeprefix("DICT_"): getattr(cv2.aruco, name) for name in _CONSTANTS}


@dataclass(frozen=True)
class CharucoBoard:
    """A checkerboard with ArUco markers in its white squares; a view of a part of it is enough.

    Parameters
    ----------
    squares_x, squares_y : squares along x and y (the corners are one fewer)
    square_length, marker_length : sides, world units; their unit becomes the world's
    dictionary : a predefined ArUco dictionary, such as "4X4_1000" or "APRILTAG_36h11"
    legacy : the layout printed by OpenCV before 4.6 (differs where `squares_y` is even)
    inverted : white and black are exchanged in the print

    Raises
    ------
    ValueError : fewer than 2 squares a side, lengths that do not fit, an unknown or too small dictionary
    """

    squares_x: int
    squares_y: int
    square_length: float
    marker_length: float
    dictionary: str = "4X4_1000"
    legacy: bool = False
    inverted: bool = False

    def __post_init__(self):
        _check_counts("CharucoBoard", "squares", self.squares_x, self.squares_y)
        _check_length("square_length", self.square_length)
        _check_length("marker_length", self.marker_length)
        if self.marker_length >= self.square_length:
            raise ValueError(
                f"marker_length {self.marker_length:g} must be smaller than square_length {self.square_length:g}"
                " (both in world units)"
            )
        object.__setattr__(self, "dictionary", dictionary_name(self.dictionary))
        available = len(cv2.aruco.getPredefinedDictionary(DICTIONARIES[self.dictionary]).bytesList)
        if self.n_markers > available:
            raise ValueError(
                f"a board of {self.squares_x}x{self.squares_y} squares needs {self.n_markers} markers;"
                f" the dictionary {self.dictionary} has {available}"
            )

    @property
    def n_markers(self) -> int:
        return self.squares_x * self.squares_y // 2

    @property
    def corner_grid(self) -> tuple[int, int]:
        """Inner corners along x and y."""
        return self.squares_x - 1, self.squares_y - 1

    @cached_property
    def points(self) -> Array:
        """(n_corners, 3) corners on the board, world units, row by row along x; the board is the plane z = 0."""
        first = np.array([self.square_length, self.square_length, 0.0])
        return first + _grid_points(*self.corner_grid, self.square_length)

    @cached_property
    def neighbours(self) -> NDArray[np.int64]:
        """(n_pairs, 2) pairs of corners that lie one square apart."""
        return _grid_neighbours(*self.corner_grid)

    def __str__(self) -> str:
        return f"ChArUco board of {self.squares_x}x{self.squares_y} squares ({self.dictionary})"


@dataclass(frozen=True)
class Checkerboard:
    """A plain checkerboard, which must be seen whole.

    Parameters
    ----------
    corners_x, corners_y : inner corners along x and y. Several cameras need one odd and one even count: the pattern
        looks the same after half a turn otherwise
    square_length : side of a square, world units

    Raises
    ------
    ValueError : fewer than 2 corners a side or a length that is not positive
    """

    corners_x: int
    corners_y: int
    square_length: float

    def __post_init__(self):
        _check_counts("Checkerboard", "corners", self.corners_x, self.corners_y)
        _check_length("square_length", self.square_length)

    @property
    def corner_grid(self) -> tuple[int, int]:
        return self.corners_x, self.corners_y

    @property
    def ambiguous(self) -> bool:
        """Whether the pattern looks the same after half a turn."""
        return (self.corners_x + self.corners_y) % 2 == 0

    @cached_property
    def points(self) -> Array:
        """(n_corners, 3) inner corners, world units, row by row along x; the board is the plane z = 0."""
        return _grid_points(*self.corner_grid, self.square_length)

    @cached_property
    def neighbours(self) -> NDArray[np.int64]:
        """(n_pairs, 2) pairs of corners that lie one square apart."""
        return _grid_neighbours(*self.corner_grid)

    def __str__(self) -> str:
        return f"checkerboard of {self.corners_x}x{self.corners_y} inner corners"


@dataclass(frozen=True)
class MarkerBoard:
    """Single ArUco markers on one plane, of one size and orientation; one marker is enough.

    Parameters
    ----------
    ids : marker numbers
    marker_length : side of a marker, world units
    centers : (x, y) of each marker's centre on the plane, world units; None: one marker at the origin
    dictionary, inverted : as in `CharucoBoard`

    Raises
    ------
    ValueError : a repeated or unknown id, a count of centres that differs from the ids, a length that is not positive
    """

    ids: tuple[int, ...]
    marker_length: float
    centers: tuple[tuple[float, float], ...] | None = None
    dictionary: str = "4X4_1000"
    inverted: bool = False

    def __post_init__(self):
        object.__setattr__(self, "ids", tuple(int(i) for i in np.atleast_1d(self.ids)))
        _check_length("marker_length", self.marker_length)
        object.__setattr__(self, "dictionary", dictionary_name(self.dictionary))
        centers = ((0.0, 0.0),) if self.centers is None else tuple((float(x), float(y)) for x, y in self.centers)
        object.__setattr__(self, "centers", centers)
        if len(set(self.ids)) != len(self.ids) or len(self.ids) != len(centers):
            raise ValueError(
                f"marker ids {self.ids} must differ and have one centre each; got {len(centers)} centres for"
                f" {len(self.ids)} ids"
            )
        available = len(cv2.aruco.getPredefinedDictionary(DICTIONARIES[self.dictionary]).bytesList)
        unknown = [i for i in self.ids if not 0 <= i < available]
        if unknown:
            raise ValueError(
                f"marker {unknown[0]} is not in the dictionary {self.dictionary}, which ends at {available - 1}"
            )

    @property
    def square_length(self) -> float:
        """The stated length that sets the scale: the side of a marker."""
        return self.marker_length

    @cached_property
    def points(self) -> Array:
        """(4 n_markers, 3) marker corners, world units: clockwise in the image from the marker's top left."""
        half = 0.5 * self.marker_length
        square = np.array([[-half, -half, 0], [half, -half, 0], [half, half, 0], [-half, half, 0]])
        centers = np.column_stack([np.asarray(self.centers, float), np.zeros(len(self.ids))])
        return (centers[:, None] + square).reshape(-1, 3)

    @cached_property
    def neighbours(self) -> NDArray[np.int64]:
        """(n_pairs, 2) pairs of corners that are ends of one side of a marker."""
        sides = np.array([[0, 1], [1, 2], [2, 3], [3, 0]])
        return (4 * np.arange(len(self.ids))[:, None, None] + sides).reshape(-1, 2)

    def __str__(self) -> str:
        return f"set of {len(self.ids)} ArUco markers ({self.dictionary})"


Board = CharucoBoard | Checkerboard | MarkerBoard


def dictionary_name(name: str) -> str:
    """The dictionary's name without the leading "DICT_". Raises ValueError where OpenCV has no such dictionary."""
    known = {key.upper(): key for key in DICTIONARIES}
    key = str(name).upper().removeprefix("DICT_")
    if key not in known:
        raise ValueError(f"unknown ArUco dictionary {name!r}; known: {sorted(DICTIONARIES)}")
    return known[key]


def _check_counts(kind: str, what: str, nx: int, ny: int) -> None:
    if int(nx) != nx or int(ny) != ny or nx < 2 or ny < 2:
        raise ValueError(f"{kind} of {nx}x{ny} {what}: at least 2x2 whole {what} are needed")


def _check_length(what: str, length: float) -> None:
    if not np.isfinite(length) or length <= 0:
        raise ValueError(f"{what} must be a positive length in world units, got {length!r}")


def _grid_points(nx: int, ny: int, step: float) -> Array:
    y, x = np.mgrid[:ny, :nx]
    return np.stack([x.ravel() * step, y.ravel() * step, np.zeros(nx * ny)], axis=-1)


def _grid_neighbours(nx: int, ny: int) -> NDArray[np.int64]:
    index = np.arange(nx * ny).reshape(ny, nx)
    along_x = np.stack([index[:, :-1].ravel(), index[:, 1:].ravel()], axis=-1)
    along_y = np.stack([index[:-1].ravel(), index[1:].ravel()], axis=-1)
    return np.concatenate([along_x, along_y])
