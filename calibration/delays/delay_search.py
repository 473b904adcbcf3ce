"""Search for constant delays of cameras without times, judged by boards that were held out.

A webcam moreover exposes some milliseconds early or late, frame by frame, which passes for errors of lenses and poses:
each view's deviation is a Gaussian unknown, seen in the board's own motion.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from ..boards.recordings import write_shifted
from ..solver.arrow_equations import residuals_of
from ..solver.initial_poses import board_outline
from ..solver.robust_solution import Solution, solve, start_frames
from ..solver.single_camera import camera_poses
from .exposure_times import heldout_median, solve_with_times
from .frame_offsets import offsets_of_poses

_STEP = 1e-3  # frames: of the derivative by a view's time
_OVER = 1.5  # of the deviations' own steps: poses and lenses follow only afterwards
FIRST_SPREAD = 0.1  # frames

_EVEN_WORTH = 0.8  # of the held-out error: without times, whose evenness is a guess, delays must lower it by a fifth
_LARGEST_DELAY = 2  # frames: a parabola through neighbouring frames says nothing about the motion further away
_MOST_DEVIATIONS, _STABLE = 16, 0.995  # rounds of deviations and rig; share of the noise that another must leave


def try_delays(solution: Solution, present: Solution) -> tuple[Solution, tuple[str, ...]]:
    """The solution with a constant delay of each camera, in frames, where that lowers the held-out error by a fifth.

    Lower than that of `present`, which is the solution itself, or one with the times that were given.

    Delays of more than half a frame are another minimum than those of less: the search starts from those on which the
    single cameras' poses agree (`_in_step`). Each exposure's own deviation from even times follows. Without times the
    frames are taken as evenly spaced, so this helps recordings of a smoothly moving board only. The sentences are empty
    where the solution stays as it was.
    """
    before, (start, shifts, fractions) = heldout_median(present), _in_step(solution)
    n_cameras, n_frames = start.problem.corners.shape[:2]
    times = np.broadcast_to(np.arange(n_frames, dtype=float), (n_cameras, n_frames))
    even = solve_with_times(start, times, first=fractions)
    best = heldout_median(even)
    if np.abs(even.state.delay).max() > _LARGEST_DELAY or not best < before:
        return solution, ()
    delayed, best, uneven = _with_deviations(even, best)
    if not best < _EVEN_WORTH * before:
        return solution, ()
    total = shifts - shifts[0] + delayed.state.delay
    delays = ", ".join(f"{name} {delay:+.2f}" for name, delay in zip(solution.problem.names, total, strict=True))
    return delayed, (
        f"the cameras do not expose together: constant delays were estimated, in frames: {delays} (positive: the camera"
        f" is delayed); held-out median {before:.3g} px without, {best:.3g} px with them. "
        + (
            "Pass times if the frames are not evenly spaced" if present is solution else "The times given were left out"
        ),
        *uneven,
    )


def _with_deviations(solution: Solution, before: float) -> tuple[Solution, float, tuple[str, ...]]:
    """The solution with each exposure's own deviation from even times, where that lowers the held-out error by a fifth.

    Also its held-out error, and a sentence. Deviations and rig in turn, until the noise no longer falls.
    """
    n_cameras, n_frames = solution.problem.corners.shape[:2]
    even, deviations = np.arange(n_frames, dtype=float), np.zeros((n_cameras, n_frames))
    spread, moved = FIRST_SPREAD, solution
    for _ in range(_MOST_DEVIATIONS):
        steps, spread = exposure_steps(moved, deviations, spread)
        deviations += steps
        last, moved = moved.sigma, solve_with_times(moved, even + deviations, rounds=1)
        if moved.sigma > _STABLE * last:
            break
    after = heldout_median(moved)
    if not after < _EVEN_WORTH * before:
        return solution, before, ()
    problem = replace(moved.problem, exposure_spread=spread)
    said = (
        f"single exposures are not evenly spaced: their own times were estimated, too, which deviate by {spread:.2f} of"
        f" a frame (standard deviation); held-out median {after:.3g} px instead of {before:.3g} px"
    )
    return replace(moved, problem=problem), after, (said,)


def _in_step(solution: Solution) -> tuple[Solution, NDArray[np.int64], Array]:
    """The rig shifted by the whole frames on which the board's poses in the single cameras agree best, those frames,
    and the fractions beyond them, (n_cameras,), on which these poses agree."""
    problem = solution.problem
    poses = camera_poses(solution, solution.state.lens)
    found = offsets_of_poses(problem.names, poses, board_outline(problem.board), problem.timeline.recording_of)
    fractions = np.nan_to_num(found.subframe - found.offsets)
    shifted = _shifted(solution, found.offsets) if found.offsets.any() else solution
    return shifted, found.offsets, fractions - fractions[0]


def _shifted(solution: Solution, shifts: NDArray[np.int64]) -> Solution:
    """The rig again, camera c's frame i + shifts[c] of each recording taken as frame i."""
    problem, state = solution.problem, solution.state
    corners = np.full_like(problem.corners, np.nan)
    for c, shift in enumerate(shifts):
        for part in problem.timeline.parts:
            write_shifted(problem.corners[c, part], int(shift), corners[c, part])
    again = replace(problem, corners=corners)
    poses = camera_poses(replace(solution, problem=again), state.lens)
    return solve(again, start_frames(again, state.lens, solution.kinds, state.R, state.t, poses))


def exposure_steps(solution: Solution, deviations: Array, spread: float) -> tuple[Array, float]:
    """Steps of the deviations (n_cameras, n_frames) of the exposures from their even times, and their spread.

    deviations, spread: so far, frames; the spread is that of expectation and maximisation.
    """
    views, residuals = solution.views, solution.fit.residuals
    later = residuals_of(solution.state, solution.spec, replace(views, delay=views.delay + _STEP))
    slope = np.nan_to_num((residuals - later) / _STEP)
    weights = solution.loss.weights(residuals)
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
