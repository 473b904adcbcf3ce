"""Calibration boards: their patterns and the positions of their corners."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from .marker_dictionaries import dictionary_name, opencv_dictionary


@dataclass(frozen=True)
class CharucoBoard:
    """A checkerboard with ArUco markers in its white squares; a view of a part of it is enough.

    Parameters
    ----------
    squares_x : int
        Squares along x (the corners are one fewer).
    squares_y : int
        Squares along y.
    square_length : float, world units
        Side of a square; its unit becomes the world's.
    marker_length : float, world units
        Side of a marker.
    dictionary : str
        A predefined ArUco dictionary, such as "4X4_1000" or "APRILTAG_36h11".
    legacy : bool
        The layout printed by OpenCV before 4.6 (differs where `squares_y` is even).
    inverted : bool
        White and black are exchanged in the print.

    Attributes
    ----------
    points : ndarray, shape (n_corners, 3), world units
        Corners on the board, row by row along x; the board is the plane z = 0.
    neighbours : ndarray of int, shape (n_pairs, 2)
        Pairs of corners that lie one square apart.

    Raises
    ------
    ValueError
        Fewer than 2 squares a side, lengths that do not fit, an unknown or too small dictionary.

    Examples
    --------
    >>> from muybridge.calibration import CharucoBoard
    >>> board = CharucoBoard(8, 11, 24.0, 18.75)
    >>> board.points.shape, board.n_markers
    ((70, 3), 44)
    >>> print(board)
    ChArUco board of 8x11 squares (4X4_1000)
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
        available = len(opencv_dictionary(self.dictionary).bytesList)
        if self.n_markers > available:
            raise ValueError(
                f"a board of {self.squares_x}x{self.squares_y} squares needs {self.n_markers} markers;"
                f" the dictionary {self.dictionary} has {available}"
            )

    @property
    def n_markers(self) -> int:
        """Number of markers on the board."""
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
    corners_x : int
        Inner corners along x.
    corners_y : int
        Inner corners along y. Several cameras need one odd and one even count: otherwise the pattern is the same after
        half a turn.
    square_length : float, world units
        Side of a square; its unit becomes the world's.

    Attributes
    ----------
    points : ndarray, shape (n_corners, 3), world units
        Inner corners, row by row along x; the board is the plane z = 0.
    neighbours : ndarray of int, shape (n_pairs, 2)
        Pairs of corners that lie one square apart.

    Raises
    ------
    ValueError
        Fewer than 2 corners a side or a length that is not positive.

    Examples
    --------
    >>> from muybridge.calibration import Checkerboard
    >>> Checkerboard(9, 6, 25.0).points[1]
    array([25.,  0.,  0.])
    >>> Checkerboard(9, 7, 25.0).ambiguous
    True
    """

    corners_x: int
    corners_y: int
    square_length: float

    def __post_init__(self):
        _check_counts("Checkerboard", "corners", self.corners_x, self.corners_y)
        _check_length("square_length", self.square_length)

    @property
    def corner_grid(self) -> tuple[int, int]:
        """Inner corners along x and y."""
        return self.corners_x, self.corners_y

    @property
    def ambiguous(self) -> bool:
        """Whether the pattern is the same after half a turn."""
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
    ids : tuple of int
        Marker numbers.
    marker_length : float, world units
        Side of a marker; its unit becomes the world's.
    centers : tuple of (float, float), world units, optional
        (x, y) of each marker's centre on the plane. None: one marker at the origin.
    dictionary : str
        A predefined ArUco dictionary, such as "4X4_1000".
    inverted : bool
        White and black are exchanged in the print.

    Attributes
    ----------
    points : ndarray, shape (4 n_markers, 3), world units
        Marker corners, clockwise in the image from the marker's top left; the plane is z = 0.
    neighbours : ndarray of int, shape (n_pairs, 2)
        Pairs of corners that are ends of one side of a marker.

    Raises
    ------
    ValueError
        A repeated or unknown id, a count of centres that differs from the ids, a length that is not positive.

    Examples
    --------
    >>> from muybridge.calibration import MarkerBoard
    >>> board = MarkerBoard((3, 7), 20.0, centers=((0, 0), (100, 0)))
    >>> board.points[:2]
    array([[-10., -10.,   0.],
           [ 10., -10.,   0.]])
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
        available = len(opencv_dictionary(self.dictionary).bytesList)
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


def _check_counts(kind: str, what: str, nx: int, ny: int) -> None:
    """Raise ValueError for fewer than 2 whole squares or corners a side."""
    if int(nx) != nx or int(ny) != ny or nx < 2 or ny < 2:
        raise ValueError(f"{kind} of {nx}x{ny} {what}: at least 2x2 whole {what} are needed")


def _check_length(what: str, length: float) -> None:
    """Raise ValueError for a length that is not positive and finite."""
    if not np.isfinite(length) or length <= 0:
        raise ValueError(f"{what} must be a positive length in world units, got {length!r}")


def _grid_points(nx: int, ny: int, step: float) -> Array:
    """(nx ny, 3) points of a grid in the plane z = 0, row by row along x."""
    y, x = np.mgrid[:ny, :nx]
    return np.stack([x.ravel() * step, y.ravel() * step, np.zeros(nx * ny)], axis=-1)


def _grid_neighbours(nx: int, ny: int) -> NDArray[np.int64]:
    """(n_pairs, 2) neighbouring points of a grid of nx by ny."""
    index = np.arange(nx * ny).reshape(ny, nx)
    along_x = np.stack([index[:, :-1].ravel(), index[:, 1:].ravel()], axis=-1)
    along_y = np.stack([index[:-1].ravel(), index[1:].ravel()], axis=-1)
    return np.concatenate([along_x, along_y])
