"""Which lens model: the simplest that predicts held-out boards as well as the best."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .initial import spread_frames
from .solve import Problem, Solution, Start, frames_of, held_out, resolved, solve

CANDIDATES = (1, 2, 4, 5, 8)
_WORTH = 0.98
_MAX_FRAMES = 60


def heldout_score(solution: Solution) -> float:
    """Geometric mean of the held-out distances' median and root mean square, gross outliers capped at 50 medians."""
    distances = held_out(solution).distances
    distances = np.where(np.isfinite(distances), distances, np.inf)
    if not len(distances):
        return np.inf
    median = np.median(distances)
    return float(np.sqrt(median * np.sqrt((np.minimum(distances, 50 * median) ** 2).mean())))


def choose_lenses(problem: Problem, start: Start) -> Solution:
    """The solution whose lens model earns its coefficients: each step must lower the held-out error by 2 %."""
    part = _thinned(problem, start)
    best, best_score = None, np.inf
    for n in CANDIDATES:
        kinds = tuple(kind if fixed else n for kind, fixed in zip(start.kinds, problem.fixed, strict=True))
        begin = replace(part if best is None else resolved(best), kinds=kinds)
        solution = solve(problem, begin, warm=best is not None)
        score = heldout_score(solution)
        if score < _WORTH * best_score:
            best, best_score = solution, score
    assert best is not None
    if len(part.frames) == len(start.frames):
        return best
    rig = best.state
    return solve(problem, replace(start, kinds=best.kinds, lens=rig.lens, R=rig.R, t=rig.t))


def _thinned(problem: Problem, start: Start) -> Start:
    """At most `_MAX_FRAMES` frames, those that cameras see most differently."""
    if len(start.frames) <= _MAX_FRAMES:
        return start
    chosen: set[int] = set()
    each = max(_MAX_FRAMES // problem.n_cameras, 8)
    for c in range(problem.n_cameras):
        chosen |= set(spread_frames(problem.corners[c], each).tolist())
    return frames_of(start, np.isin(start.frames, sorted(chosen)))
