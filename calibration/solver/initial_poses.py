"""Initial estimates: board poses from single views, camera poses from pairs of cameras that share views."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ...cameras import Camera
from ...cameras.rotations import mean_rotation
from ...numerics.arrays import Array
from ..boards.board_set import BoardSet
from ..boards.patterns import Board

MIN_PAIR_VIEWS = 4  # of the board shared by two cameras: one proposes a relative pose, the others' median judges it
_MAX_PAIR_VIEWS = 60  # shared views that judge a relative pose: enough for a median, and the cost grows with them
_MAX_PROPOSALS = 24  # views that propose relative poses: if half of the views are bad, all of these are once in 2^24
_PROPOSALS_AT_ONCE = 48  # proposals whose errors are held at the same time: one or two megabytes
_OTHER_TRACE = 1 + 2 * np.cos(np.radians(20))  # of the relative rotation from which a pose counts as another one


def spread_frames(corners: Array, n: int) -> NDArray[np.int64]:
    """At most `n` frames of (n_frames, n_corners, 2) whose views of the board differ most, by farthest points."""
    frames = np.flatnonzero(np.isfinite(corners[..., 0]).sum(axis=-1) >= 6)
    if len(frames) <= n:
        return frames
    part = corners[frames]
    count = np.isfinite(part[..., 0]).sum(axis=-1)
    features = np.concatenate([np.nanmean(part, axis=1), np.nanstd(part, axis=1)], axis=-1)
    chosen = [int(np.argmax(count))]
    distance = np.linalg.norm(features - features[chosen[0]], axis=-1)
    while len(chosen) < n:
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(features - features[chosen[-1]], axis=-1))
    return np.sort(frames[chosen])


def plane_poses(corners: Array, points: Array, camera: Camera) -> tuple[Array, Array, Array]:
    """Both poses that a single view of the plane allows, board to camera (Collins and Bartoli 2014, IPPE).

    Parameters
    ----------
    corners : (n_frames, n_corners, 2), pixels, NaN where unseen

    Returns
    -------
    R (n_frames, 2, 3, 3), t (n_frames, 2, 3), error (n_frames, 2): RMS in pixels; the better one first; NaN where
    there is none
    """
    n = len(corners)
    R, t, error = np.full((n, 2, 3, 3), np.nan), np.full((n, 2, 3), np.nan), np.full((n, 2), np.nan)
    ideal = camera.undistort(corners)
    x = (ideal[..., 0] - camera.K[0, 2]) / camera.K[0, 0]
    y = (ideal[..., 1] - camera.K[1, 2]) / camera.K[1, 1]
    flat, focal = np.stack([x, y], axis=-1), abs(camera.K[1, 1])
    for i in range(n):
        seen = np.isfinite(flat[i, :, 0])
        if seen.sum() < 4 or _collinear(points[seen]):
            continue
        found, turns, shifts, errors = cv2.solvePnPGeneric(
            points[seen], flat[i, seen], np.eye(3), None, flags=cv2.SOLVEPNP_IPPE
        )
        for k in range(min(found, 2)):
            R[i, k], t[i, k] = cv2.Rodrigues(turns[k])[0], shifts[k].ravel()
            error[i, k] = focal * float(np.ravel(errors[k])[0])
    behind = t[..., 2] <= 0
    R[behind], t[behind], error[behind] = np.nan, np.nan, np.nan
    return R, t, error


def _collinear(points: Array) -> bool:
    """Whether points of the plane z = 0 are a thousand times longer spread one way than the other."""
    x, y, _ = (points - points.mean(axis=0)).T
    middle, product = 0.5 * (x @ x + y @ y), (x @ x) * (y @ y) - (x @ y) ** 2
    root = np.sqrt(max(middle**2 - product, 0.0))
    return bool(middle - root < 1e-6 * (middle + root))


@dataclass(frozen=True, eq=False)
class PairFit:
    """Relative pose of camera b to camera a, x_a = R x_b + t: its shared frames and its median error (of the depth).

    rival: the least error of a pose turned by more than 20 degrees from it.
    """

    R: Array
    t: Array
    n_shared: int
    error: float
    rival: float = np.inf


class Proposals(NamedTuple):
    """Relative poses R (n, 3, 3), t (n, 3) and the median over the views of their errors (n,)."""

    R: Array
    t: Array
    errors: Array


def relative_pose(a: tuple[Array, Array], b: tuple[Array, Array], outline: Array) -> PairFit | None:
    """The relative pose on which most shared views agree.

    Parameters
    ----------
    a, b : candidates R (n_frames, n, 3, 3) and t (n_frames, n, 3), as of `plane_poses`, the same frames
    outline : (n, 3) points of the board with which poses are compared
    """
    shared = np.flatnonzero(np.isfinite(a[1][:, 0, 0]) & np.isfinite(b[1][:, 0, 0]))
    if len(shared) == 0:
        return None
    both = shared[np.unique(np.linspace(0, len(shared) - 1, _MAX_PAIR_VIEWS).astype(int))]
    a, b = (a[0][both], a[1][both]), (b[0][both], b[1][both])
    R, t, errors = proposed_poses(a, b, outline)
    if not len(R):
        return None
    best = int(np.argmin(errors))
    fit = _average(PairFit(R[best], t[best], len(shared), float(errors[best])), a, b, outline)
    others = errors[np.einsum("nij,ij->n", R, fit.R) < _OTHER_TRACE]
    return replace(fit, rival=float(others.min(initial=np.inf)))


def proposed_poses(a: tuple[Array, Array], b: tuple[Array, Array], outline: Array) -> Proposals:
    """The relative poses that some views propose, each combination of their candidates; a, b as of `relative_pose`."""
    views = np.unique(np.linspace(0, len(a[0]) - 1, _MAX_PROPOSALS).astype(int))
    f, i, j = (
        part.ravel() for part in np.meshgrid(views, *map(np.arange, (a[0].shape[1], b[0].shape[1])), indexing="ij")
    )
    R, t = _between(a, b, f, i, j)
    possible = np.isfinite(t[:, 0])
    R, t = R[possible], t[possible]
    parts = [slice(i, i + _PROPOSALS_AT_ONCE) for i in range(0, len(R), _PROPOSALS_AT_ONCE)]
    errors = [np.median(pose_disagreement(R[i], t[i], a, b, outline).min(axis=(2, 3)), axis=1) for i in parts]
    return Proposals(R, t, np.concatenate([np.zeros(0), *errors]))


def _between(a, b, f, i, j) -> tuple[Array, Array]:
    """Relative poses of candidates i of camera a and j of camera b in views f."""
    R = a[0][f, i] @ b[0][f, j].swapaxes(1, 2)
    return R, a[1][f, i] - np.einsum("nij,nj->ni", R, b[1][f, j])


def _average(best: PairFit, a, b, outline: Array) -> PairFit:
    """Mean over the views that agree with the best proposal; the proposal itself where averaging does not help."""
    table = pose_disagreement(best.R[None], best.t[None], a, b, outline)[0]
    choice = table.reshape(len(table), -1).argmin(axis=1)
    near = np.flatnonzero(table.min(axis=(1, 2)) <= 2 * best.error + 1e-12)
    i, j = np.divmod(choice[near], table.shape[2])
    R = mean_rotation(_between(a, b, near, i, j)[0])
    t = np.median(a[1][near, i] - b[1][near, j] @ R.T, axis=0)
    error = float(np.median(pose_disagreement(R[None], t[None], a, b, outline).min(axis=(2, 3))))
    return replace(best, R=R, t=t, error=error) if error < best.error else best


def pose_disagreement(R: Array, t: Array, a: tuple[Array, Array], b: tuple[Array, Array], outline: Array) -> Array:
    """(n, n_views, n_a, n_b) RMS distance of the board's outline after relative poses R (n, 3, 3), t (n, 3).

    In units of the outline's depth, for each combination of candidates; infinite where one is missing.
    """
    X_a, X_b = (np.einsum("fkij,pj->fkpi", turn, outline) + shift[:, :, None] for turn, shift in (a, b))
    n_views, n_b, n_points = X_b.shape[:3]
    carried = (X_b.reshape(-1, 3) @ R.swapaxes(1, 2) + t[:, None]).reshape(len(R), n_views, 1, n_b, n_points, 3)
    gap = carried - X_a[None, :, :, None]
    square = np.einsum("nfabpi,nfabpi->nfab", gap, gap) / n_points
    error = np.sqrt(square) / np.abs(X_a[..., 2]).mean(axis=-1)[:, :, None]
    return np.where(np.isfinite(error), error, np.inf)


def chain(pairs: dict[tuple[int, int], PairFit], n_cameras: int, root: int) -> dict[int, tuple[Array, Array]]:
    """Poses x_camera = R x_root + t along the strongest pairs (a maximum spanning tree); cameras out of reach lack.

    A pair is strong that shares many frames and agrees on them.
    """
    poses = {root: (np.eye(3), np.zeros(3))}
    while len(poses) < n_cameras:
        edges = [
            (pair.n_shared / (pair.error + 1e-3), known, new, known == a, pair)
            for (a, b), pair in pairs.items()
            for known, new in ((a, b), (b, a))
            if known in poses and new not in poses
        ]
        if not edges:
            break
        _, known, new, forward, pair = max(edges, key=lambda edge: (edge[0], -edge[1], -edge[2]))
        R, t = (pair.R.T, -pair.R.T @ pair.t) if forward else (pair.R, pair.t)
        poses[new] = (R @ poses[known][0], R @ poses[known][1] + t)
    return poses


def pair_fits(
    poses: list[tuple[Array, Array]], board: Board | BoardSet, least: int = 3
) -> dict[tuple[int, int], PairFit]:
    """The relative poses of all pairs of cameras that share at least `least` frames."""
    outline = board_outline(board)
    fits = {(a, b): relative_pose(poses[a], poses[b], outline) for a, b in combinations(range(len(poses)), 2)}
    return {pair: fit for pair, fit in fits.items() if fit is not None and fit.n_shared >= least}


def poses_of(reached: dict[int, tuple[Array, Array]], n_cameras: int) -> tuple[Array, Array]:
    """The poses of `chain` as arrays R (n_cameras, 3, 3), t (n_cameras, 3); cameras out of reach at the root."""
    R, t = (np.stack([reached.get(c, (np.eye(3), np.zeros(3)))[i] for c in range(n_cameras)]) for i in range(2))
    return R, t


def frame_poses(R: Array, t: Array, candidates: list[tuple[Array, Array]], outline: Array) -> tuple[Array, Array]:
    """The board's pose in each frame, board to world, on which the views agree best; NaN without a view.

    Parameters
    ----------
    R, t : (n_cameras, 3, 3), (n_cameras, 3) of the rig
    candidates : for each camera the R (n_frames, 2, 3, 3) and t (n_frames, 2, 3) of `plane_poses`
    """
    in_R = np.stack([R[c].T @ candidates[c][0] for c in range(len(R))])
    in_t = np.stack([np.einsum("ji,fkj->fki", R[c], candidates[c][1] - t[c]) for c in range(len(R))])
    X = np.einsum("cfkij,pj->cfkpi", in_R, outline) + in_t[..., None, :]
    n_frames = X.shape[1]
    best_R, best_t = np.full((n_frames, 3, 3), np.nan), np.full((n_frames, 3), np.nan)
    for f in range(n_frames):
        cams, picks = np.nonzero(np.isfinite(X[:, f, :, 0, 0]))
        if len(cams) == 0:
            continue
        gaps = np.linalg.norm(X[cams, f, picks][:, None, None] - X[None, :, f], axis=-1).mean(axis=-1)
        depth = np.linalg.norm([t[f, 0] for _, t in candidates], axis=-1)
        gaps = np.where(np.isfinite(gaps), gaps, np.inf).min(axis=-1) / np.where(np.isfinite(depth), depth, 1)
        total = np.where(np.isfinite(gaps), np.minimum(gaps, 0.2), 0).sum(axis=1)
        winner = int(np.argmin(total))
        best_R[f], best_t[f] = in_R[cams[winner], f, picks[winner]], in_t[cams[winner], f, picks[winner]]
    return best_R, best_t


def board_outline(board: Board | BoardSet) -> Array:
    """(4, 3) the outermost corners of the board."""
    low, high = board.points.min(axis=0), board.points.max(axis=0)
    return np.array([[low[0], low[1], 0], [high[0], low[1], 0], [high[0], high[1], 0], [low[0], high[1], 0]])
