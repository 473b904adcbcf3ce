"""Exposures that are not evenly spaced: the deviation of each view's time, from the board's own motion.

A webcam exposes some milliseconds early or late, frame by frame. That moves the whole board of a view along its path,
which passes for errors of lenses and poses. The deviations are Gaussian unknowns; their spread is estimated, too.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...numerics.arrays import Array
from ..solver.arrow_equations import residuals_of
from ..solver.bundle_unknowns import Loss
from ..solver.robust_solution import LOSS_SCALE, Solution

_STEP = 1e-3  # frames: of the derivative by a view's time
_OVER = 1.5  # of the deviations' own steps: poses and lenses follow only afterwards
FIRST_SPREAD = 0.1  # frames


def exposure_steps(solution: Solution, deviations: Array, spread: float) -> tuple[Array, float]:
    """Steps of the deviations (n_cameras, n_frames) of the exposures from their even times, and their spread.

    deviations, spread: so far, frames; the spread is that of expectation and maximisation.
    """
    views, residuals = solution.views, solution.fit.residuals
    later = residuals_of(solution.state, solution.spec, replace(views, delay=views.delay + _STEP))
    slope = np.nan_to_num((residuals - later) / _STEP)
    weights = Loss(LOSS_SCALE * solution.sigma, solution.keep).weights(residuals)
    by_view = [
        np.bincount(views.view_of, weights * (slope * other).sum(axis=1), len(views.camera))
        for other in (slope, np.nan_to_num(residuals))
    ]
    at = views.camera, solution.frames[views.frame]
    prior = (solution.sigma / spread) ** 2
    steps, information = np.zeros_like(deviations), by_view[0] + prior
    steps[at] = _OVER * (by_view[1] - prior * deviations[at]) / information
    square = (deviations[at] + steps[at]) ** 2 + solution.sigma**2 / information
    return steps, float(np.sqrt(square.mean()))
