"""Find frames whose board pose is the wrong one of the two that a view of a plane allows, and solve again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from .held_out_boards import fit_frozen
from .robust_solution import Solution, Start, frames_of, resolved, solve
from .single_camera import frame_errors, own_poses

_FAR = 3.5  # times the median view's error: the median of a view's many corners spreads far less
_MAX_SHARE = 0.35  # of the frames: more than this are no exceptions, and the rig itself is wrong
_CLEARLY = 0.6  # share of a frame's error that another pose may leave to be taken
_ROUNDS = 2  # the better rig of the first shows further frames


def repaired(solution: Solution) -> Solution:
    """The rig solved again with better poses of the frames that fit badly; as it was where there are none."""
    for _ in range(_ROUNDS):
        start = _better_start(solution)
        if start is None:
            break
        solution = solve(solution.problem, start)
    return solution


def _better_start(solution: Solution) -> Start | None:
    """Start values with the best poses of badly fitting frames in the fixed rig; None where none is better."""
    errors = frame_errors(solution)
    worst = np.nanmax(errors, axis=0)
    bad = worst > _FAR * np.nanmedian(errors)
    if not bad.any() or bad.mean() > _MAX_SHARE:
        return None
    start = resolved(solution)
    stuck = frames_of(start, bad)
    tried = [stuck, *(_from_view(solution, stuck, c, k) for c in range(solution.problem.n_cameras) for k in (0, 1))]
    fits = [fit_frozen(solution, start) for start in tried]
    costs = np.array([_frame_costs(fit.residuals, views, len(stuck.frames), solution.sigma) for fit, views in fits])
    best = costs.argmin(axis=0)
    helped = costs.min(axis=0) < _CLEARLY * costs[0]
    if not helped.any():
        return None
    frame_R, frame_t = start.frame_R.copy(), start.frame_t.copy()
    for at, row in zip(np.flatnonzero(bad)[helped], np.flatnonzero(helped), strict=True):
        state = fits[best[row]][0].state
        frame_R[at], frame_t[at] = state.frame_R[row], state.frame_t[row]
    return replace(start, frame_R=frame_R, frame_t=frame_t)


def _from_view(solution: Solution, stuck: Start, c: int, k: int) -> Start:
    """The frames' poses as the camera `c` alone has them, the k-th candidate; as they are where it sees none."""
    R, t, _ = own_poses(solution, solution.state.lens, c, stuck.frames)
    camera_R, camera_t = solution.state.R[c], solution.state.t[c]
    seen = np.isfinite(t[:, k, 0])
    frame_R = np.where(seen[:, None, None], camera_R.T @ R[:, k], stuck.frame_R)
    frame_t = np.where(seen[:, None], (t[:, k] - camera_t) @ camera_R, stuck.frame_t)
    return replace(stuck, frame_R=frame_R, frame_t=frame_t)


def _frame_costs(residuals: Array, views, n_frames: int, sigma: float) -> NDArray:
    """(n_frames,) Cauchy cost of each frame's corners."""
    square = (residuals**2).sum(axis=1) / (3 * sigma) ** 2
    square = np.where(np.isfinite(square), square, 1e12)
    return np.bincount(views.frame[views.view_of], np.log1p(square), n_frames)
