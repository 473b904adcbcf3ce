"""Compute the numbers of the report from a solution and its held-out errors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...numerics.arrays import Array
from ..boards.board_set import parts_of
from ..solver.held_out_boards import HeldOut
from ..solver.robust_solution import Solution
from .checks import coverage, seen_corners, shared_frames
from .report import CalibrationReport


def make_report(
    solution: Solution, errors: HeldOut, rig: CameraRig, warnings: tuple[str, ...], notes: tuple[str, ...]
) -> CalibrationReport:
    """Errors per camera and over all, facts, and what the plots need."""
    problem, rows = solution.problem, {}
    for c, name in enumerate(problem.names):
        rows[name] = _row(solution, errors, c)
    rows["all"] = _row(solution, errors, None)
    camera_of = solution.camera_of
    return CalibrationReport(
        cameras=rows,
        facts=_facts(solution, errors),
        warnings=warnings,
        notes=notes,
        shared_frames=shared_frames(problem.corners),
        positions=rig.centers,
        directions=np.stack([camera.R[2] for camera in rig]),
        corners=tuple(seen_corners(solution, c) for c in range(problem.n_cameras)),
        residuals=tuple(solution.fit.residuals[(camera_of == c) & solution.keep] for c in range(problem.n_cameras)),
        sizes=problem.sizes,
    )


def _row(solution: Solution, errors: HeldOut, c: int | None) -> dict[str, float]:
    """The row of camera `c` in the report's table, of all cameras together where it is None."""
    mine = np.ones(len(solution.keep), bool) if c is None else solution.camera_of == c
    held = errors.distances if c is None else errors.distances[errors.camera == c]
    rejected = 100 * float(np.mean(~solution.keep[mine])) if mine.any() else 0.0
    covered = np.nan if c is None else coverage(solution, c)
    return error_row(solution.distances[mine], solution.frame_of[mine], held, covered, rejected)


def error_row(distances: Array, frames: NDArray[np.int64], held: Array, covered: float, rejected: float) -> dict:
    """A row of the report's table.

    Parameters
    ----------
    distances, frames : (n,) pixels, NaN where unknown, and the frame of each
    held : (m,) pixels, of what was held out
    covered, rejected : percent of the image, and of what was seen
    """
    finite = distances[np.isfinite(distances)]
    return {
        **_quantiles(finite),
        "worst_frame_px": _worst_frame(distances, frames)[1],
        "heldout_median_px": float(np.median(held)) if len(held) else np.nan,
        "heldout_rms_px": float(np.sqrt(np.nanmean(held**2))) if len(held) else np.nan,
        "n_frames": len(np.unique(frames)),
        "n_corners": len(finite),
        "coverage_percent": covered,
        "rejected_percent": rejected,
    }


def _quantiles(distances: Array) -> dict[str, float]:
    """Median, RMS and high percentiles of distances (n,), pixels."""
    if not len(distances):
        return dict.fromkeys(("median_px", "rms_px", "p95_px", "p99_px"), np.nan)
    median, p95, p99 = np.percentile(distances, [50, 95, 99])
    rms = np.sqrt(np.mean(distances**2))
    return {"median_px": float(median), "rms_px": float(rms), "p95_px": float(p95), "p99_px": float(p99)}


def _worst_frame(distances: Array, frames) -> tuple[int, float]:
    """Frame with the largest RMS, and that RMS."""
    numbers, index = np.unique(frames, return_inverse=True)
    if not len(numbers):
        return -1, np.nan
    squares = np.where(np.isfinite(distances), distances, 0.0) ** 2
    rms = np.sqrt(np.bincount(index, squares) / np.bincount(index))
    return int(numbers[np.argmax(rms)]), float(rms.max())


def _lengths(errors: Array) -> dict[str, float | str]:
    """Held-out error of the distance between neighbouring corners, percent of it."""
    if not len(errors):
        return {}
    median, rms = np.median(np.abs(errors)), np.sqrt(np.mean(errors**2))
    return {
        "held-out length error, median (%)": 100 * float(median),
        "held-out length error, RMS (%)": 100 * float(rms),
    }


def _frame_name(solution: Solution, frame: int) -> str:
    """The frame's number, with its recording where there are several."""
    timeline = solution.problem.timeline
    return timeline.describe(frame) if timeline.names else str(frame)


def _stated_lengths(solution: Solution) -> str:
    """The lengths that were measured on the boards."""
    lengths = dict.fromkeys(f"{board.square_length:g}" for board, _ in parts_of(solution.problem.board))
    return ", ".join(lengths)


def _lens_model(kinds) -> str:
    """The kinds of lenses in words."""
    numbers = ", ".join(str(n) for n in sorted({kind for kind in kinds if kind != "fisheye"}))
    words = [f"{numbers} coefficients"] if numbers else []
    return ", ".join(words + ["fisheye"] * ("fisheye" in kinds))


def _facts(solution: Solution, errors: HeldOut) -> dict[str, float | str]:
    """The report's named single values."""
    worst, rms = _worst_frame(solution.distances, solution.frame_of)
    return {
        "lens model": _lens_model(solution.kinds),
        "noise of a corner (px)": solution.sigma,
        "worst frame": f"{_frame_name(solution, worst)} ({rms:.2g} px RMS)",
        "scale": f"from the board's stated length {_stated_lengths(solution)}",
        **_lengths(errors.length_errors),
        "converged": "yes" if solution.fit.converged else "no",
    }
