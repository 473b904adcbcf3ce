"""Board poses and errors of each camera alone, and the errors of each view in a solved rig."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from .initial_poses import plane_poses, spread_frames
from .robust_solution import Solution

_MAX_VIEWS = 80  # of the board, for a median error: enough for it, and each costs a pose
Poses = list[tuple[Array, Array]]


def camera_poses(solution: Solution, lenses: Array) -> Poses:
    """Each camera's own board poses, both candidates."""
    return [own_poses(solution, lenses, c)[:2] for c in range(solution.problem.n_cameras)]


def errors_alone(solution: Solution, lenses: Array) -> Array:
    """(n_cameras,) each camera's median error alone, pixels, over some of its frames."""
    alone = np.full(solution.problem.n_cameras, np.nan)
    for c in range(len(alone)):
        error = own_poses(solution, lenses, c, spread_frames(solution.problem.corners[c], _MAX_VIEWS))[2][:, 0]
        alone[c] = np.nanmedian(error) if np.isfinite(error).any() else np.nan
    return alone


def own_poses(solution: Solution, lenses: Array, c: int, frames: NDArray[np.int64] | slice = slice(None)):
    """`plane_poses` of one camera with its lens out of `lenses` (n_lenses, 18), in some frames."""
    problem = solution.problem
    return plane_poses(problem.corners[c][frames], problem.points, problem.camera(c, lenses, solution.kinds))


def frame_errors(solution: Solution) -> Array:
    """(n_cameras, n_poses) median distance of each view, pixels, NaN where there is none."""
    views, distances = solution.views, solution.distances
    distances = np.where(np.isfinite(distances), distances, 1e3)
    distances = distances[np.lexsort((distances, views.view_of))]
    first, last = views.starts[:-1], views.starts[1:] - 1
    middle = 0.5 * (distances[(first + last) // 2] + distances[(first + last + 1) // 2])
    table = np.full((solution.problem.n_cameras, len(solution.frames)), np.nan)
    table[views.camera, views.frame] = middle
    return table
