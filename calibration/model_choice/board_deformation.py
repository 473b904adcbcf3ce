"""Whether the board is as it was meant to be printed, or bent."""

from __future__ import annotations

import numpy as np

from ..solver.robust_solution import Solution, resolved, solve
from .lens_selection import compared_frames, shape_sigma_of
from .model_evidence import log_evidence, make_yardstick

_WORTH = 0.04  # evidence, natural logarithm, for each corner, that a bent board must gain: 2 % of the noise


def is_bent(solution: Solution) -> bool:
    """Whether the corners are much more probable if the board's shape is estimated, too."""
    problem, start = solution.problem, compared_frames(solution.problem, resolved(solution))
    flat = solve(problem, start, warm=True)
    bent = solve(problem, start, shape_sigma=shape_sigma_of(problem.board), warm=True)
    measure = make_yardstick(min(flat, bent, key=lambda fit: fit.sigma))
    gain = log_evidence(bent, measure) - log_evidence(flat, measure)
    return gain > _WORTH * len(flat.views.corner)


def shape_sentence(solution: Solution) -> tuple[str, ...]:
    """How far the estimated corners of the board lie from where they were meant to be printed."""
    moved = solution.state.points - solution.problem.points
    across, along = (np.sqrt((part**2).sum(axis=1).mean()) for part in (moved[:, 2:], moved[:, :2]))
    return (
        f"the board's shape was estimated: its corners lie {across:.2g} off its plane and {along:.2g} off their place"
        " in it (RMS, in units of the board's lengths)",
    )
