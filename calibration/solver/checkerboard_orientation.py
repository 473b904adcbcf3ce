"""Resolve turned symmetric checkerboards and flipped videos of checkerboards by the consistency of the rig.

A pattern of two even or two odd counts is the same after half a turn (a square one after a quarter), so each view
may name its corners from another end. And the mirror image of a checkerboard is a checkerboard: a flipped video shows
nothing unusual, except that no rigid rig explains it together with the other cameras.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ...cameras import Camera
from ...cameras.frame_offset_search import best_offsets
from ...numerics.arrays import Array
from ..boards.patterns import Checkerboard
from ..errors import CalibrationError
from .initial_poses import MIN_PAIR_VIEWS, PairFit, board_outline, chain, plane_poses, poses_of, relative_pose
from .mirrored_patterns import flip_corners

_SUSPICIOUS = 0.02  # of the depth: cameras that disagree by less see the same world
_LEAST_ERROR = 1e-3  # of the depth, added to every disagreement: differences of less are noise of the corners
_CLEARLY = 0.5  # share of the disagreement that another choice may leave to be taken
_RIVAL, _RIVAL_MARGIN = 1.5, 0.003  # a pose counts as unique if any other's error exceeds so many times its own
Poses = tuple[Array, Array]


def turned_orders(board: Checkerboard) -> NDArray[np.int64]:
    """(n, n_corners) orders of the corners that one view cannot distinguish, the plain one first."""
    nx, ny = board.corner_grid
    grid = np.arange(nx * ny).reshape(ny, nx)
    turns = [grid]
    if nx == ny:
        turns += [np.rot90(grid, k) for k in (1, 2, 3)]
    elif board.ambiguous:
        turns += [grid[::-1, ::-1]]
    return np.stack([turn.ravel() for turn in turns])


def unflipped_order(board: Checkerboard) -> NDArray[np.int64]:
    """(n_corners,) the corners of a flipped view in the order that they have once it is flipped back.

    Rows or columns are reversed, whichever keeps the squares' colours where they belong.
    """
    nx, ny = board.corner_grid
    grid = np.arange(nx * ny).reshape(ny, nx)
    return (grid[:, ::-1] if nx % 2 == 0 else grid[::-1]).ravel()


def settle_checkerboards(
    board: Checkerboard, cameras: list[Camera], corners: Array
) -> tuple[Array, NDArray[np.bool_], tuple[str, ...]]:
    """The corners in one order over all cameras, which cameras' videos are flipped, and sentences that say so.

    Parameters
    ----------
    cameras : their first lenses; where these are guessed, the principal points lie in the middle
    corners : (n_cameras, n_frames, n_corners, 2), pixels, NaN where unseen

    Returns
    -------
    corners in one order over all cameras (a flipped camera's pixels not yet flipped back), flipped (n_cameras,), notes

    Raises
    ------
    CalibrationError : the board's turn does not follow from its motion, or half of the cameras mirror the other half
    """
    flipped = np.zeros(len(cameras), bool)
    if len(cameras) < 2:
        return corners, flipped, ()
    plain = [_all_poses(board, camera, own) for camera, own in zip(cameras, corners, strict=True)]
    pairs = _pairs(board, plain, plain)
    notes: tuple[str, ...] = ()
    if _disagree(pairs, len(cameras)):
        flipped, plain, pairs, notes = _find_flips(board, cameras, corners, plain, pairs)
    if len(turned_orders(board)) == 1:
        return _reordered(board, corners, flipped), flipped, notes
    turns = _turns(board, plain, _clear_pairs(board, cameras, pairs))
    orders = turned_orders(board)
    corners = _reordered(board, corners, flipped)
    turned = np.take_along_axis(corners, orders[turns][..., None], axis=2)
    if turns.any():
        n = int((turns > 0).sum())
        notes += (f"the {board} is the same after a turn: {n} views were turned to agree with the other cameras",)
    return turned, flipped, notes


def _reordered(board: Checkerboard, corners: Array, flipped: NDArray[np.bool_]) -> Array:
    """Corners (n_cameras, n_frames, n_corners, 2), those of flipped cameras in the order of the unflipped board."""
    corners = corners.copy()
    corners[flipped] = corners[flipped][:, :, unflipped_order(board)]
    return corners


def _all_poses(board: Checkerboard, camera: Camera, corners: Array) -> Poses:
    """Candidates R (n_frames, 2 n_turns, 3, 3) and t of all turns."""
    found = [plane_poses(corners[:, order], board.points, camera)[:2] for order in turned_orders(board)]
    return np.concatenate([R for R, _ in found], axis=1), np.concatenate([t for _, t in found], axis=1)


def _pairs(board: Checkerboard, first: list[Poses], second: list[Poses]) -> dict[tuple[int, int], PairFit]:
    """Relative poses of all pairs; the first camera's views as they are, the second's in all turns."""
    pairs, outline = {}, board_outline(board)
    for a, b in combinations(range(len(first)), 2):
        fit = relative_pose((first[a][0][:, :2], first[a][1][:, :2]), second[b], outline)
        if fit is not None and fit.n_shared >= MIN_PAIR_VIEWS:
            pairs[a, b] = fit
    return pairs


def _disagree(pairs: dict[tuple[int, int], PairFit], n_cameras: int) -> bool:
    """Whether the pairs that see the same world leave out a camera that all pairs together reach."""
    good = {pair: fit for pair, fit in pairs.items() if fit.error < _SUSPICIOUS}
    return len(chain(good, n_cameras, 0)) < len(chain(pairs, n_cameras, 0))


def _find_flips(board, cameras, corners, plain, pairs):
    """Flipped cameras, the poses and pairs with them flipped back, and notes; all as it was where that helps none."""
    order, names = unflipped_order(board), [camera.name for camera in cameras]
    mirrored = [
        _all_poses(board, camera, flip_corners(own[:, order], camera.size[0]))
        for camera, own in zip(cameras, corners, strict=True)
    ]
    across = _pairs(board, plain, mirrored)
    both = {pair: fit for pair, fit in pairs.items() if pair in across}
    if not both:
        return np.zeros(len(cameras), bool), plain, pairs, ()
    signs = _agreeing_signs(both, across, len(cameras))
    chosen = {pair: (across if signs[pair[0]] != signs[pair[1]] else both)[pair] for pair in both}
    before, after = (np.median([fit.error for fit in table.values()]) for table in (both, chosen))
    if not signs.any() or not (after < _CLEARLY * before or not _disagree(chosen, len(cameras))):
        return np.zeros(len(cameras), bool), plain, pairs, ()
    if 2 * signs.sum() == len(signs):
        groups = " and ".join(
            str([n for n, s in zip(names, signs, strict=True) if s == side]) for side in (False, True)
        )
        raise CalibrationError(
            f"the cameras {groups} see mirror images of one another, and the {board} does not show which videos are"
            " flipped; flip one group's videos back, or use a ChArUco board"
        )
    poses = [m if sign else p for p, m, sign in zip(plain, mirrored, signs, strict=True)]
    notes = tuple(
        f"camera '{name}' shows the board mirrored: by the other cameras, its video is flipped (K[0, 0] < 0)"
        for name, sign in zip(names, signs, strict=True)
        if sign
    )
    return signs, poses, _pairs(board, poses, poses), notes


def _agreeing_signs(pairs, across, n_cameras: int) -> NDArray[np.bool_]:
    """Which cameras to flip so that the pairs agree best; the smaller group is the flipped one.

    Flipped is one step beside plain, on either side: the search is that of whole frames.
    """
    costs = _LEAST_ERROR + np.array([[across[pair].error, pairs[pair].error, across[pair].error] for pair in pairs])
    return best_offsets(costs, np.array(list(pairs)), n_cameras) != 0


def _clear_pairs(board: Checkerboard, cameras: list[Camera], pairs: dict[tuple[int, int], PairFit]):
    """The pairs of which no other turn explains the views as well; raises where they no longer hold the rig."""
    clear = {p: fit for p, fit in pairs.items() if fit.rival > _RIVAL * fit.error + _RIVAL_MARGIN}
    lost = sorted(set(chain(pairs, len(cameras), 0)) - set(chain(clear, len(cameras), 0)))
    if lost:
        raise CalibrationError(
            f"camera '{cameras[lost[0]].name}': the {board} is the same after a turn, and it moved too little before"
            " this camera and others to find which turn each one sees; use a board with one odd and one even count of"
            " inner corners (or ChArUco), or move and tilt it more"
        )
    return clear


def _turns(board: Checkerboard, poses: list[Poses], pairs: dict[tuple[int, int], PairFit]) -> NDArray[np.int64]:
    """(n_cameras, n_frames) the turn in which each view agrees with the frame's first one."""
    n_cameras, n_frames = len(poses), len(poses[0][0])
    reached = chain(pairs, n_cameras, 0)
    R, t = poses_of(reached, n_cameras)
    outline, turns = board_outline(board), np.zeros((n_cameras, n_frames), np.int64)
    reference = np.full((n_frames, 2, 4, 3), np.nan)
    for c in reached:
        in_R, in_t = R[c].T @ poses[c][0], np.einsum("ji,fkj->fki", R[c], poses[c][1] - t[c])
        X = np.einsum("fkij,pj->fkpi", in_R, outline) + in_t[:, :, None]
        gap = np.linalg.norm(reference[:, :, None] - X[:, None], axis=-1).mean(axis=-1)
        gap = np.where(np.isfinite(gap), gap, np.inf).reshape(n_frames, -1)
        known, best = np.isfinite(gap).any(axis=1), gap.argmin(axis=1)
        turns[c, known] = best[known] % X.shape[1] // 2
        rows = np.flatnonzero(known)
        reference[rows] = reference[rows, best[rows] // X.shape[1]][:, None]
        new = ~np.isfinite(reference[:, 0, 0, 0])
        reference[new] = X[new, :2]
    return turns
