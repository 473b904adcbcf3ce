"""Several boards as one: their corners in one list, so that recordings of different boards make one problem."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from .patterns import Board


@dataclass(frozen=True)
class BoardSet:
    """Boards of which each frame shows one; each frame's corners are those of its board, the others are NaN.

    boards: at least two that differ. points (n_corners, 3) and neighbours (n_pairs, 2) as those of one board, all
    boards' corners one after another, each board in a plane z = 0 of its own.
    """

    boards: tuple[Board, ...]

    @cached_property
    def points(self) -> Array:
        """(n_corners, 3) corners of all boards, world units."""
        return np.concatenate([board.points for board in self.boards])

    @cached_property
    def neighbours(self) -> NDArray[np.int64]:
        """(n_pairs, 2) pairs of neighbouring corners of one board."""
        return np.concatenate([board.neighbours + part.start for board, part in self.parts])

    @cached_property
    def parts(self) -> tuple[tuple[Board, slice], ...]:
        """Each board with its place in the list of corners."""
        ends = np.cumsum([len(board.points) for board in self.boards]).tolist()
        return tuple((board, slice(end - len(board.points), end)) for board, end in zip(self.boards, ends, strict=True))

    @property
    def square_length(self) -> float:
        """The least of the boards' stated lengths."""
        return min(board.square_length for board in self.boards)

    def __str__(self) -> str:
        return " or ".join(str(board) for board in self.boards)


def join_boards(boards: list[Board]) -> Board | BoardSet:
    """The board itself where all are equal, else the set of those that differ."""
    different = tuple(dict.fromkeys(boards))
    return different[0] if len(different) == 1 else BoardSet(different)


def parts_of(board: Board | BoardSet) -> tuple[tuple[Board, slice], ...]:
    """Each board with its place in the list of corners; one part where there is one board."""
    return board.parts if isinstance(board, BoardSet) else ((board, slice(0, len(board.points))),)
