"""Choose the lens model: the simplest that predicts held-out boards as well as the best."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .initial_lenses import LensKind, initial_lens, lens_camera
from .initial_poses import spread_frames
from .robust_solution import HeldOut, Problem, Solution, Start, frames_of, held_out, resolved, solve

CANDIDATES: tuple[LensKind, ...] = (1, 2, 4, 5, 8)  # tried first, from the simplest
RICHER: tuple[LensKind, ...] = (12, 14)  # tried where 8 coefficients are the best of the first
_WORTH, _AS_GOOD = 0.98, 1.01  # ratio of held-out errors that a coefficient must earn, and that counts as equal
_MAX_VIEWS = 60  # frames with a board that models are compared on, those seen most differently
_WIDE = np.radians(40)  # from the axis: nearer to it, a pinhole with radial terms is as good as a fisheye


def heldout_score(errors: HeldOut, cameras: NDArray[np.int64] | None = None) -> float:
    """Geometric mean of the held-out distances' median and root mean square, gross outliers capped at 50 medians.

    `cameras`: count only these.
    """
    distances = errors.distances if cameras is None else errors.distances[np.isin(errors.camera, cameras)]
    distances = np.where(np.isfinite(distances), distances, np.inf)
    if not len(distances):
        return np.inf
    median = np.median(distances)
    return float(np.sqrt(median * np.sqrt((np.minimum(distances, 50 * median) ** 2).mean())))


def choose_lenses(problem: Problem, start: Start) -> Solution:
    """The solution whose lens models earn their coefficients: each step must lower the held-out error by 2 %.

    All pinholes whose model is open get the same number of coefficients; then each wide one is compared with a fisheye
    (which has fewer than a pinhole of 8), and each one that began as a fisheye with a pinhole of 8.
    """
    part = _thinned(problem, start)
    best, errors = _choose_coefficients(problem, part)
    best = _choose_fisheyes(problem, best, errors)
    if len(part.frames) == len(start.frames):
        return best
    rig = best.state
    return solve(problem, replace(start, kinds=best.kinds, lens=rig.lens, R=rig.R, t=rig.t))


def _choose_coefficients(problem: Problem, part: Start) -> tuple[Solution, HeldOut]:
    """The solution with the number of pinhole coefficients that is worth it, and its held-out errors."""
    best, best_errors, best_score = None, None, np.inf
    pinholes = problem.auto & np.array([kind != "fisheye" for kind in part.kinds])
    for n in (*CANDIDATES, *RICHER):
        if n in RICHER and best is not None and not _chosen(best, pinholes) & {CANDIDATES[-1], *RICHER}:
            break
        kinds = tuple(n if free else kind for kind, free in zip(part.kinds, pinholes, strict=True))
        solution = solve(problem, replace(part if best is None else resolved(best), kinds=kinds), warm=best is not None)
        errors = held_out(solution)
        score = heldout_score(errors)
        if best is None or score < _WORTH * best_score:
            best, best_errors, best_score = solution, errors, score
        if not pinholes.any():
            break
    assert best is not None
    assert best_errors is not None
    return best, best_errors


def _chosen(best: Solution, free: NDArray[np.bool_]) -> set:
    """Kinds of the lenses whose kind was open."""
    return {kind for kind, is_free in zip(best.kinds, free, strict=True) if is_free}


def _choose_fisheyes(problem: Problem, best: Solution, errors: HeldOut) -> Solution:
    """The solution with the other kind of lens for each camera that it suits better."""
    others = {int(lens): _other_kind(best, int(lens)) for lens in np.flatnonzero(problem.auto)}
    others = {lens: kind for lens, kind in others.items() if kind is not None}
    if not others:
        return best
    tried = _with_kinds(problem, best, others)
    tried_errors = held_out(tried)
    better = {}
    for lens, kind in others.items():
        cameras = np.flatnonzero(problem.lens_of == lens)
        simpler = kind == "fisheye" and best.kinds[lens] in (8, *RICHER)
        enough = (_AS_GOOD if simpler else _WORTH) * heldout_score(errors, cameras)
        if heldout_score(tried_errors, cameras) < enough:
            better[lens] = kind
    if len(better) in (0, len(others)):
        return tried if better else best
    mixed = _with_kinds(problem, best, better)
    return mixed if heldout_score(held_out(mixed)) < _AS_GOOD * heldout_score(errors) else best


def _other_kind(solution: Solution, lens: int) -> LensKind | None:
    """The kind of lens to compare with: a pinhole of 8 for a fisheye, a fisheye for a wide pinhole, else None."""
    problem = solution.problem
    if solution.kinds[lens] == "fisheye":
        return CANDIDATES[-1]
    camera = lens_camera(solution.state.lens[lens], problem.lens_size(lens), solution.kinds[lens])
    corners = problem.corners[problem.lens_of == lens].reshape(-1, 2)
    ideal = camera.undistort(corners[np.isfinite(corners[:, 0])]) - camera.K[:2, 2]
    angles = np.arctan(np.linalg.norm(ideal / camera.K[[0, 1], [0, 1]], axis=-1))
    return "fisheye" if np.nanpercentile(angles, 98) > _WIDE else None


def _with_kinds(problem: Problem, solution: Solution, kinds: dict[int, LensKind]) -> Solution:
    """The rig solved with other kinds of some lenses, from each one's own first fit."""
    start = resolved(solution)
    lens, names = start.lens.copy(), list(start.kinds)
    for index, kind in kinds.items():
        corners = np.concatenate(problem.corners[problem.lens_of == index])
        lens[index] = initial_lens(corners, problem.points, problem.lens_size(index), kind)[0]
        names[index] = kind
    return solve(problem, replace(start, lens=lens, kinds=tuple(names)))


def _thinned(problem: Problem, start: Start) -> Start:
    """At most `_MAX_VIEWS` frames, those that cameras see most differently."""
    if len(start.frames) <= _MAX_VIEWS:
        return start
    chosen: set[int] = set()
    each = max(_MAX_VIEWS // problem.n_cameras, 8)
    for c in range(problem.n_cameras):
        chosen |= set(spread_frames(problem.corners[c], each).tolist())
    return frames_of(start, np.isin(start.frames, sorted(chosen)))
