"""Refuse a part of a larger checkerboard, which is found in varying places, since nothing tells its squares apart."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from ...cameras.rotations import rotation_matrix
from ...numerics.arrays import Array
from ..boards.patterns import Checkerboard
from ..errors import CalibrationError
from ..solver.initial_poses import board_outline, relative_pose
from ..solver.robust_solution import Problem
from ..solver.single_camera import Poses

_EXPLAINS = 0.2  # of a square, that shifted views disagree by at most: chance leaves 0.4, the poses' noise 0.1
_CLEARLY = 0.5  # of the disagreement without shifts that shifts leave at most: they halve it
_LEAST_VIEWS = 6  # shared by a pair, so that their shifts do not fit by chance


def refuse_part_of_a_board(problem: Problem, poses: Poses) -> None:
    """Refuse a checkerboard where views of two cameras agree once counted from the square beside the first one.

    Each view may be shifted by a row and a column and turned by half; a delay or a motion of a camera moves the board
    by other distances than whole squares.

    Raises
    ------
    CalibrationError : such shifts, and no relative pose alone, make two cameras agree
    """
    board = problem.board
    if not isinstance(board, Checkerboard):
        return
    outline, found = board_outline(board), []
    for a, b in combinations(range(problem.n_cameras), 2):
        plain = relative_pose(poses[a], poses[b], outline)
        if plain is None or plain.n_shared < _LEAST_VIEWS:
            continue
        square = board.square_length / _shared_depth(poses[a], poses[b])
        if plain.error < _EXPLAINS * square:
            continue
        shifted = relative_pose(poses[a], shifted_poses(poses[b], board), outline)
        if shifted is not None and shifted.error < min(_EXPLAINS * square, _CLEARLY * plain.error):
            found.append((shifted.error / square, a, b))
    if found:
        _, a, b = min(found)
        raise CalibrationError(
            f"cameras '{problem.names[a]}' and '{problem.names[b]}' agree about the {board} only where the corners of"
            " single views are counted from a row or column beside the first one: it seems to be a part of a larger"
            " board, found in varying places. State the counts of inner corners of the whole board"
        )


def _shared_depth(a, b) -> float:
    """Median depth of the board in the views that two cameras share."""
    both = np.isfinite(a[1][:, 0, 0]) & np.isfinite(b[1][:, 0, 0])
    return float(np.nanmedian(np.abs(np.concatenate([a[1][both, 0, 2], b[1][both, 0, 2]]))))


def shifted_poses(poses: tuple[Array, Array], board: Checkerboard) -> tuple[Array, Array]:
    """Each view's candidates with the corners counted from each neighbour of the first one, and from the other end.

    poses : R (n_frames, k, 3, 3), t (n_frames, k, 3) as of `plane_poses`; the result has 18 k candidates, the plain
    ones first
    """
    R, t = poses
    steps = board.square_length * np.array([[x, y, 0.0] for x in (0, -1, 1) for y in (0, -1, 1)])
    half_turn, middle = rotation_matrix(np.array([0.0, 0.0, np.pi])), board.points.mean(axis=0)
    turned_R, turned_t = R @ half_turn, t + R @ (middle - half_turn @ middle)
    moved = [(r, s + r @ step) for step in steps for r, s in ((R, t), (turned_R, turned_t))]
    return np.concatenate([r for r, _ in moved], axis=1), np.concatenate([s for _, s in moved], axis=1)
