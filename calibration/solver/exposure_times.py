"""Cameras that expose at different times: the board's motion between the exposures enters its projection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...cameras.rotations import rotation_vector
from ...numerics.arrays import Array
from ..boards.detection import BoardDetections
from ..boards.recordings import for_each_recording
from ..errors import CalibrationError
from .covariance import focal_deviation
from .exposure_jitter import FIRST_SPREAD, exposure_steps
from .frame_offsets import offsets_of_poses, write_shifted
from .initial_lenses import initial_lens
from .initial_poses import board_outline, chain, chain_links, pair_fits, poses_of
from .robust_solution import Problem, Solution, held_out, resolved, solve, start_frames
from .single_camera import camera_poses

_DELAYS_WORTH = 0.95  # of the held-out error: constant delays beside given times must lower it by 5 %
_EVEN_WORTH = 0.8  # of the held-out error: without times, whose evenness is a guess, delays must lower it by a fifth
_LARGEST_DELAY = 2  # frames: a parabola through neighbouring frames says nothing about the motion further away
_MOST_DEVIATIONS, _STABLE = 16, 0.995  # rounds of deviations and rig; share of the noise that another must leave
_ROUNDS = 4  # of motion and poses in turn: each changes the other less


def times_table(
    times: Mapping[str, Sequence[float]],
    detections: Mapping[str, BoardDetections],
    offsets: Mapping[str, int] | None = None,
) -> Array:
    """(n_cameras, n_frames) seconds, NaN beyond a recording's end; `offsets` as in `calibrate`.

    Raises
    ------
    CalibrationError : a camera lacks times, has another number of them than frames, or they do not increase
    """
    table = np.full((len(detections), max(found.n_frames for found in detections.values())), np.nan)
    for c, (name, found) in enumerate(detections.items()):
        if name not in times:
            raise CalibrationError(f"camera '{name}' has no times; give seconds for every camera or for none")
        seconds = np.asarray(times[name], dtype=float)
        if seconds.shape != (found.n_frames,):
            raise CalibrationError(
                f"camera '{name}' has {seconds.size} times for {found.n_frames} frames; give one per frame"
            )
        backwards = np.flatnonzero(~(np.diff(seconds) > 0))
        if len(backwards):
            raise CalibrationError(
                f"camera '{name}': time does not increase at frame {backwards[0] + 1}"
                f" ({seconds[backwards[0]]:.4f} s, then {seconds[backwards[0] + 1]:.4f} s)"
            )
        write_shifted(seconds, (offsets or {}).get(name, 0), table[c])
    return table


def clock_and_delays(
    times, offsets, found: Mapping[str, Mapping[str, BoardDetections]]
) -> tuple[Array | None, list[Mapping[str, int] | None]]:
    """(n_cameras, n_frames) seconds of the exposures, None where they are not known, and each recording's delays."""
    cameras = list(dict.fromkeys(camera for recording in found.values() for camera in recording))
    times = for_each_recording(times, found, "times", Mapping)
    offsets = for_each_recording(offsets, found, "offsets", Mapping)
    for what, given in (("times", times), ("offsets", offsets)):
        unknown = [camera for part in given.values() for camera in part or {} if camera not in cameras]
        if unknown:
            raise CalibrationError(f"{what} name the camera '{unknown[0]}'; the sources' cameras are {cameras}")
    delays = list(offsets.values())
    if not any(part is not None for part in times.values()):
        return None, delays
    tables = []
    for name, recording in found.items():
        whole = np.full((len(cameras), max(part.n_frames for part in recording.values())), np.nan)
        if times[name] is not None:  # without times, a recording's cameras expose together
            table = times_table(times[name], recording, offsets[name])
            whole[[cameras.index(camera) for camera in recording]] = table
        tables.append(whole)
    return np.concatenate(tables, axis=1), delays


def board_motion(
    frames: NDArray[np.int64], R: Array, t: Array, times: Array, recording_of: NDArray[np.int64] | None = None
) -> tuple[Array, Array]:
    """How the board moved around each frame's mean time, and when each camera exposed.

    The motion, seen from the board itself, is a parabola through the frame and its neighbours in time (a line where
    there is one neighbour, none where there is no other frame).

    Parameters
    ----------
    frames, R, t : (n_poses,), (n_poses, 3, 3), (n_poses, 3) board to world
    times : (n_cameras, n_frames), seconds, NaN where a camera has no frame
    recording_of : (n_frames,) recording of each frame, whose frames alone are neighbours; None: one recording

    Returns
    -------
    motion (n_frames, 2, 6): rotation vector and translation per second and per second squared, 0 in frames without a
    pose; delay (n_cameras, n_frames): seconds of each exposure after the frame's mean time
    """
    motion, delay = np.zeros((times.shape[1], 2, 6)), np.zeros(times.shape)
    if len(frames) < 2:
        return motion, delay
    known = np.isfinite(times[:, frames])
    clock = np.where(known, times[:, frames], 0.0).sum(axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan)
    before, after = _relative(R, t, -1), _relative(R, t, 1)
    gap_before, gap_after = np.full(len(frames), np.nan), np.full(len(frames), np.nan)
    gaps = np.diff(clock)
    if recording_of is not None:
        gaps[np.diff(recording_of[frames]) != 0] = np.nan
    gap_before[1:], gap_after[:-1] = -gaps, gaps
    first, second = _parabola(before, after, gap_before[:, None], gap_after[:, None])
    motion[frames] = np.nan_to_num(np.stack([first, second], axis=1))  # a frame without neighbours stands still
    delay[:, frames] = np.nan_to_num(times[:, frames] - clock)
    return motion, delay


def _relative(R: Array, t: Array, step: int) -> Array:
    """(n, 6) rotation vector and translation of the neighbour `step` away, seen from each board; NaN at ends."""
    motion = np.full((len(R), 6), np.nan)
    here = slice(1, None) if step < 0 else slice(None, -1)
    there = slice(None, -1) if step < 0 else slice(1, None)
    back = R[here].swapaxes(1, 2)
    motion[here, :3] = rotation_vector(back @ R[there])
    motion[here, 3:] = np.einsum("nij,nj->ni", back, t[there] - t[here])
    return motion


def _parabola(before: Array, after: Array, gap_before: Array, gap_after: Array) -> tuple[Array, Array]:
    """Coefficients of time and time squared through 0 now, `before` and `after` at their gaps; a line at the ends."""
    slope_before, slope_after = before / gap_before, after / gap_after
    second = (slope_after - slope_before) / (gap_after - gap_before)
    first = slope_before - second * gap_before
    one_sided = ~np.isfinite(first)
    line = np.where(np.isfinite(slope_before), slope_before, slope_after)
    return np.where(one_sided, line, first), np.where(one_sided, 0.0, second)


def solve_with_times(
    solution: Solution, times: Array, *, delays: bool = True, first: Array | None = None, rounds: int = _ROUNDS
) -> Solution:
    """The rig again, each board pose moved to each camera's exposure; repeated until the motion no longer changes.

    `delays`: estimate the seconds by which each camera is delayed relative to the first one (negative: it is ahead);
    `first` (n_cameras,) where that begins.
    """
    for number in range(rounds):
        state, recording_of = solution.state, solution.problem.timeline.recording_of
        motion, delay = board_motion(solution.frames, state.frame_R, state.frame_t, times, recording_of)
        problem: Problem = replace(solution.problem, motion=motion, delay=delay, free_delay=delays)
        start = resolved(solution) if number or first is None else replace(resolved(solution), delay=first)
        solution = solve(problem, start, warm=number > 0 or first is None)
    return solution


def use_times(solution: Solution, times: Array) -> tuple[Solution, tuple[str, ...]]:
    """The solution with exposure times where they help, and sentences that say what they gained.

    Tried are the times as given, and the times plus a constant delay of each camera (read-out, buffering). The delays
    are kept only where they lower the held-out error by 5 %.
    """
    plain, delayed = solve_with_times(solution, times, delays=False), solve_with_times(solution, times)
    before, after, best = _heldout_median(solution), _heldout_median(plain), _heldout_median(delayed)
    note = f"exposure times: held-out median {before:.3g} px without, {after:.3g} px with them"
    if not best < _DELAYS_WORTH * after:
        return plain, (note,)
    delays = ", ".join(f"{name} {1e3 * delay:+.1f} ms" for name, delay in _named_delays(delayed))
    return delayed, (
        note,
        f"constant delays relative to the first camera (positive: late): {delays}; held-out median {best:.3g} px",
    )


def try_delays(solution: Solution) -> tuple[Solution, tuple[str, ...]]:
    """The solution with a constant delay of each camera, in frames, where that lowers the held-out error by a fifth.

    Delays of more than half a frame are another minimum than those of less, and lenses that a wrong delay has bent may
    hold the poses: several starts are tried (`_starts`), with each exposure's own deviation from the best one's even
    times. Without times the frames are taken as evenly spaced, so this helps recordings of a smoothly moving board
    only. The sentences are empty where the solution stays as it was.
    """
    before, answers = _heldout_median(solution), []
    for start, shifts, fractions in _starts(solution):
        n_cameras, n_frames = start.problem.corners.shape[:2]
        times = np.broadcast_to(np.arange(n_frames, dtype=float), (n_cameras, n_frames))
        delayed = solve_with_times(start, times, first=fractions)
        if np.abs(delayed.state.delay).max() <= _LARGEST_DELAY:
            answers.append((_heldout_median(delayed), len(answers), delayed, shifts))
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
        f" is late); held-out median {before:.3g} px without, {best:.3g} px with them. Pass times if the frames are not"
        " evenly spaced",
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
    after = _heldout_median(moved)
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


def _heldout_median(solution: Solution) -> float:
    """Median distance, pixels, of corners of held-out boards."""
    return float(np.median(held_out(solution).distances))


def _named_delays(solution: Solution) -> list[tuple[str, float]]:
    """(camera, delay) of each camera."""
    return list(zip(solution.problem.names, solution.state.delay.tolist(), strict=True))
