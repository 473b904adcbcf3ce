"""Search for constant delays of cameras without times: several starts, judged by boards that were held out.

A webcam moreover exposes some milliseconds early or late, frame by frame, which passes for errors of lenses and poses:
each view's deviation is a Gaussian unknown, seen in the board's own motion.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from ..boards.recordings import write_shifted
from ..solver.arrow_equations import residuals_of
from ..solver.covariance import focal_deviation
from ..solver.initial_lenses import initial_lens
from ..solver.initial_poses import board_outline, chain, chain_links, pair_fits, poses_of
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

    Delays of more than half a frame are another minimum than those of less, and lenses that a wrong delay has bent may
    hold the poses: several starts are tried (`_starts`), with each exposure's own deviation from the best one's even
    times. Without times the frames are taken as evenly spaced, so this helps recordings of a smoothly moving board
    only. The sentences are empty where the solution stays as it was.
    """
    before, answers = heldout_median(present), []
    for start, shifts, fractions in _starts(solution):
        n_cameras, n_frames = start.problem.corners.shape[:2]
        times = np.broadcast_to(np.arange(n_frames, dtype=float), (n_cameras, n_frames))
        delayed = solve_with_times(start, times, first=fractions)
        if np.abs(delayed.state.delay).max() <= _LARGEST_DELAY:
            answers.append((heldout_median(delayed), len(answers), delayed, shifts))
    best, _, even, shifts = min(answers, default=(np.inf, 0, solution, None))
    if shifts is None or not best < before:
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
        *_other_answers(delayed, [(other, error) for error, _, other, _ in answers if other is not even]),
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


def _other_answers(best: Solution, answers: list[tuple[Solution, float]]) -> list[str]:
    """A sentence where another start gave a focal length that differs by more than its standard deviation.

    answers: solutions with their held-out errors.
    """
    focal, sentences = best.state.lens[:, 0], []
    deviation = np.maximum(focal * focal_deviation(best), 1e-9)
    for other, error in answers:
        off = np.abs(other.state.lens[:, 0] - focal) / deviation
        lens = int(np.argmax(off))
        if off[lens] > 1:
            name = best.problem.names[int(np.flatnonzero(best.problem.lens_of == lens)[0])]
            sentences.append(
                f"from another start (delays, lenses, chain of cameras) the focal length of camera '{name}' comes out"
                f" as {other.state.lens[lens, 0]:.0f} instead of {focal[lens]:.0f} px ({off[lens]:.1f} standard"
                f" deviations), with a held-out median of {error:.3g} px: the better one was taken"
            )
    return list(dict.fromkeys(sentences))


def _starts(solution: Solution) -> Iterator[tuple[Solution, NDArray[np.int64], Array | None]]:
    """Rigs to start from, the whole frames by which they are shifted, and the first delays beyond those, (n_cameras,).

    The rig as it is; shifted by the delays on which the board's poses in the single cameras agree best; and those poses
    themselves, with each camera's own lens, along other pairs of cameras than the first.
    """
    problem = solution.problem
    yield solution, np.zeros(problem.n_cameras, int), None
    poses = camera_poses(solution, solution.state.lens)
    found = offsets_of_poses(problem.names, poses, board_outline(problem.board), problem.timeline.recording_of)
    fractions = np.nan_to_num(found.subframe - found.offsets)
    fractions -= fractions[0]
    shifted = _shifted(solution, found.offsets) if found.offsets.any() else solution
    yield shifted, found.offsets, fractions
    chained = _chained(shifted)
    if chained is not None:
        yield chained, found.offsets, fractions


def _chained(solution: Solution) -> Solution | None:
    """The rig again, from the cameras' own lenses and other pairs of them; None where no other pairs connect them."""
    problem, n = solution.problem, solution.problem.n_cameras
    lenses = _own_lenses(solution)
    poses = camera_poses(solution, lenses)
    pairs = pair_fits(poses, problem.board)
    used = {pair for pair, fit in pairs.items() if any(fit is link[2] for link in chain_links(pairs, n, 0))}
    reached = chain(pairs, n, 0, avoid=used)
    if len(reached) < n or len(used) == len(pairs):
        return None
    return solve(problem, start_frames(problem, lenses, solution.kinds, *poses_of(reached, n), poses))


def _own_lenses(solution: Solution) -> Array:
    """(n_lenses, 18) each lens from its own cameras' views alone; known lenses as they are."""
    problem, lenses = solution.problem, solution.state.lens.copy()
    for lens in np.flatnonzero(~problem.fixed):
        corners, kind = np.concatenate(problem.corners[problem.lens_of == lens]), solution.kinds[lens]
        lenses[lens] = initial_lens(corners, problem.points, problem.lens_size(int(lens)), kind)[0]
    return lenses


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
