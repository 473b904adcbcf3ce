"""A lens with the cameras that share most views with it, as a rig of its own: what others add is mostly cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..solver.robust_solution import Problem, Solution, Start, frames_of, resolved

ENOUGH = 8  # cameras beside which more say little about one lens: they see the boards that these see, too


def part_around(solution: Solution, lens: int) -> tuple[Problem, Start]:
    """The problem of at most `ENOUGH` cameras around a lens, which becomes the first, and its start at the solution.

    Its frames are those that the lens shows; what the others see of further ones says next to nothing about it.
    """
    problem, start = solution.problem, resolved(solution)
    members = np.flatnonzero(problem.lens_of == lens)
    seen = np.asarray(np.isfinite(problem.corners[..., 0][:, start.frames]).any(axis=2))
    shown = np.asarray(seen[members].any(axis=0))
    shared = np.count_nonzero(seen & shown, axis=1)
    shared[members] = shared.max() + 1
    cameras = np.argsort(-shared, kind="stable")[: max(ENOUGH, len(members))]
    cameras = cameras[shared[cameras] > 0]
    lenses, lens_of = np.unique(problem.lens_of[cameras], return_inverse=True)
    first = np.flatnonzero(lenses == lens)
    order = np.concatenate([first, np.delete(np.arange(len(lenses)), first)])
    part = replace(
        problem,
        names=tuple(problem.names[c] for c in cameras),
        sizes=tuple(problem.sizes[c] for c in cameras),
        corners=problem.corners[cameras],
        lens_of=np.argsort(order)[lens_of],
        fixed=problem.fixed[lenses[order]],
        flipped=problem.flipped[cameras],
        auto=problem.auto[lenses[order]],
        delay=None if problem.delay is None else problem.delay[cameras],
    )
    start = replace(
        start,
        lens=start.lens[lenses[order]],
        kinds=tuple(start.kinds[index] for index in lenses[order]),
        R=start.R[cameras],
        t=start.t[cameras],
        delay=None if start.delay is None else start.delay[cameras],
    )
    return part, frames_of(start, shown)
