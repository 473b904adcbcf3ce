"""Cameras that expose at different times: the board's motion between the exposures enters its projection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...cameras.rotations import rotation_vector
from ...numerics.arrays import Array
from ..boards.detection import BoardDetections
from ..boards.recordings import for_each_recording, write_shifted
from ..errors import CalibrationError
from ..solver.held_out_boards import held_out
from ..solver.robust_solution import Problem, Solution, resolved, solve

_DELAYS_WORTH = 0.95  # of the held-out error: constant delays beside given times must lower it by 5 %
_ROUNDS = 4  # of motion and poses in turn: each changes the other less
_REACH = 2  # neighbours on each side that tell of the motion
_COARSE = 1e-4  # relative gain at which rigs without some boards end: a median, compared to 5 %, needs no more
_LONGEST_GAP = 1.5  # of the frames' usual gap, for each frame of distance: beyond it a second neighbour tells nothing


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

    The motion, seen from the board itself, is the polynomial through the frame and two neighbours in time on each side,
    of lower degree where some are missing; a parabola through three is off by tenths of a pixel where a hand turns.

    Parameters
    ----------
    frames, R, t : (n_poses,), (n_poses, 3, 3), (n_poses, 3) board to world
    times : (n_cameras, n_frames), seconds, NaN where a camera has no frame
    recording_of : (n_frames,) recording of each frame, whose frames alone are neighbours; None: one recording

    Returns
    -------
    motion (n_frames, 4, 6): rotation vector and translation per second, second squared and so on, 0 in frames without a
    pose; delay (n_cameras, n_frames): seconds of each exposure after the frame's mean time
    """
    motion, delay = np.zeros((times.shape[1], 2 * _REACH, 6)), np.zeros(times.shape)
    if len(frames) < 2:
        return motion, delay
    known = np.isfinite(times[:, frames])
    clock = np.where(known, times[:, frames], 0.0).sum(axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan)
    recording = np.zeros(len(frames), np.int64) if recording_of is None else recording_of[frames]
    steps = [step for step in range(-_REACH, _REACH + 1) if step]
    gaps, places = (
        np.stack(part, axis=1)
        for part in zip(*(_neighbour(R, t, clock, recording, step) for step in steps), strict=True)
    )
    far = np.abs(gaps) > _LONGEST_GAP * np.abs(steps) * np.nanmedian(np.diff(clock))
    gaps[far & (np.abs(steps) > 1)] = np.nan
    motion[frames] = _polynomials(gaps, places)
    delay[:, frames] = np.nan_to_num(times[:, frames] - clock)
    return motion, delay


def _neighbour(R: Array, t: Array, clock: Array, recording: NDArray[np.int64], step: int) -> tuple[Array, Array]:
    """Seconds (n,) to the neighbour `step` frames away, and its rotation vector and translation seen from each board.

    NaN at the ends of recordings, (n, 6).
    """
    gap, place = np.full(len(R), np.nan), np.full((len(R), 6), np.nan)
    here = slice(-step, None) if step < 0 else slice(None, -step)
    there = slice(None, step) if step < 0 else slice(step, None)
    back = R[here].swapaxes(1, 2)
    place[here, :3] = rotation_vector(back @ R[there])
    place[here, 3:] = np.einsum("nij,nj->ni", back, t[there] - t[here])
    gap[here] = np.where(recording[here] == recording[there], clock[there] - clock[here], np.nan)
    return gap, place


def _polynomials(gaps: Array, places: Array) -> Array:
    """(n, degree, 6) coefficients of the polynomials through 0 now and `places` (n, degree, 6) after gaps (n, degree).

    Where gaps are NaN the degree is lower; a frame without neighbours stands still.
    """
    degree = gaps.shape[1]
    known = np.isfinite(gaps)
    order = np.argsort(~known, axis=1, kind="stable")
    gaps, places = np.take_along_axis(gaps, order, axis=1), np.take_along_axis(places, order[..., None], axis=1)
    used = np.arange(degree) < known.sum(axis=1, keepdims=True)
    powers = np.where(used, gaps, 1.0)[..., None] ** np.arange(1, degree + 1)
    # an unknown neighbour's equation says that the highest coefficients are 0
    equations = np.where(used[:, :, None], powers * used[:, None], np.eye(degree))
    return np.linalg.solve(equations, np.where(used[..., None], places, 0.0))


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
    before, after, best = heldout_median(solution), heldout_median(plain), heldout_median(delayed)
    note = f"exposure times: held-out median {before:.3g} px without, {after:.3g} px with them"
    if not best < _DELAYS_WORTH * after:
        return plain, (note,)
    delays = ", ".join(f"{name} {1e3 * delay:+.1f} ms" for name, delay in _named_delays(delayed))
    return delayed, (
        note,
        f"constant delays relative to the first camera (positive: delayed): {delays}; held-out median {best:.3g} px",
    )


def heldout_median(solution: Solution) -> float:
    """Median distance, pixels, of corners of held-out boards."""
    return float(np.median(held_out(solution, tolerance=_COARSE).distances))


def _named_delays(solution: Solution) -> list[tuple[str, float]]:
    """(camera, delay) of each camera."""
    return list(zip(solution.problem.names, solution.state.delay.tolist(), strict=True))
