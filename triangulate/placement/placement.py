"""The poses of cameras from keypoints: several starts, the best adjusted to all points, and its rivals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...calibration.errors import CalibrationError
from ...cameras import CameraRig
from ...cameras.rig_files import orthographic_sentence
from ...cameras.rotations import rotation_vector
from ...numerics.arrays import Array, evenly_spread
from ..points.consensus import robust_points
from ..rig_refinement.bundle_adjustment import adjust, design_effect
from . import epipolar_start as start
from .misfit import causes, check_cameras, focal_warnings

_STARTS = 3  # pairs that are started from: of the rat's three best pairs one leads to a local minimum
_START_POINTS = 3000  # points of the starts
_COMPARED = 1000  # points by which solutions are compared
_LEAST_PARALLAX = 5.0  # of `PairStart`: 2.5 where two cameras stand in one place
_BEND = 2.5  # standard deviations at which the loss bends by which solutions are compared, as that of `adjust`
_RIVAL = 1.05  # times the least loss: real errors are not so independent that less would decide
_SAME = np.radians(5.0)  # relative rotations that differ by less are one solution
_ABOVE = 0.05  # mean sine of the cameras' elevation (3 degrees): beyond it they look down, or up


@dataclass(frozen=True, eq=False)
class Placement:
    """Cameras in a world of arbitrary place and scale, and what they were fitted to.

    rows (n,) : the points that were used; points_3d (n, 3), points_2d (n_cameras, n, 2)
    sigma (n_cameras,) : px; inflation : views that are worth one independent one
    """

    rig: CameraRig
    rows: NDArray[np.int64]
    points_3d: Array
    points_2d: Array
    sigma: Array
    inflation: float
    converged: bool
    note: str
    warnings: tuple[str, ...]


def place(
    points_2d: Array,
    keypoint: NDArray[np.int64],
    rig: CameraRig,
    *,
    n_points: int,
    up: dict[int, Array],
    exchanged: Array | None = None,
) -> Placement:
    """Poses of all cameras from points that they share.

    Parameters
    ----------
    points_2d : (n_cameras, n, 2), pixels, NaN where missing
    keypoint : (n,) number of each point's keypoint
    rig : the lenses; its poses are not used
    n_points : points of the last bundle adjustment
    up : {camera: direction against gravity in its own frame}, where known
    exchanged : points_2d with left and right exchanged, to find a camera that names them the other way

    Raises
    ------
    CalibrationError : cameras are not connected, see the points from one place, or several solutions are as good
    """
    rows = shared_rows(points_2d, n_points)
    few = rows[evenly_spread(len(rows), _START_POINTS)]
    seen = np.ascontiguousarray(points_2d[:, few])
    best, note = _decided(_arrangements(seen, rig, None if exchanged is None else exchanged[:, few]), up)
    seen = np.ascontiguousarray(points_2d[:, rows])
    found = robust_points(seen, best, min_confidence=0.0)
    known = np.isfinite(found.points_3d[:, 0])
    seen, rows, points_3d = np.ascontiguousarray(seen[:, known]), rows[known], found.points_3d[known]
    # one noise for all: a camera with its own, free to fit badly, would be given ever less weight
    alike = np.full(len(rig), np.median(found.sigma))
    fit = adjust(seen, points_3d, best, focal=False, sigma=alike, spread=start.FREE)
    check_cameras(seen, fit.rig, None if exchanged is None else exchanged[:, rows])
    sigma = robust_points(seen, fit.rig, min_confidence=0.0).sigma
    inflation = design_effect(seen - fit.rig.project(fit.points_3d), keypoint[rows], fit.sigma)
    warnings = focal_warnings(seen, fit.points_3d, fit.rig, float(np.median(sigma)), inflation)
    return Placement(fit.rig, rows, fit.points_3d, seen, sigma, inflation, fit.converged, note, tuple(warnings))


def shared_rows(points_2d: Array, n_wanted: int) -> NDArray[np.int64]:
    """Some `n_wanted` points that two cameras see, evenly spread, with those of cameras that see few, and of three."""
    present = np.isfinite(points_2d[..., 0])
    n_views = present.sum(axis=0)
    kinds = [n_views >= 2, *(view & (n_views >= least) for view in present for least in (2, 3))]
    shares = [n_wanted // 2] + [n_wanted // (4 * len(present))] * (len(kinds) - 1)
    rows = [np.flatnonzero(kind) for kind in kinds]
    if len(rows[0]) <= n_wanted:
        return rows[0]
    return np.unique(np.concatenate([part[evenly_spread(len(part), n)] for part, n in zip(rows, shares, strict=True)]))


class Arrangement(NamedTuple):
    """A rig with all cameras, the points (n, 3) that it was adjusted with, and its mean loss per view."""

    rig: CameraRig
    points_3d: Array
    loss: float


def _arrangements(seen: Array, rig: CameraRig, exchanged: Array | None) -> list[Arrangement]:
    """The solutions of several starts and the best one's mirror image, those of least loss first, each only once."""
    tangents = start.viewing_tangents(seen, rig)
    pairs = start.pair_starts(tangents)
    _check_pairs(pairs, tangents, rig)
    rigs, most = [], {}
    for pair in pairs[:_STARTS]:
        poses = start.place_from(pair, seen, tangents, rig)
        most = max(most, poses, key=len)
        if len(poses) == len(rig):
            rigs.append(start.part_rig(rig, dict(sorted(poses.items()))))
        if len(rigs) == 2 and _turned(*rigs) < _SAME:
            break
    if not rigs:
        raise CalibrationError(_why_not_placed(most, seen, tangents, rig, exchanged))
    few = np.ascontiguousarray(seen[:, evenly_spread(seen.shape[1], _COMPARED)])
    sigma = float(np.median(robust_points(few, rigs[0]).sigma))
    solutions = [_arrangement(few, one, sigma) for one in rigs]
    best = min(solutions, key=lambda solution: solution.loss)
    solutions.append(_arrangement(few, _mirrored(best), sigma))
    return different_arrangements(solutions)


def different_arrangements(solutions: list[Arrangement]) -> list[Arrangement]:
    """Those of least loss first, without those whose cameras are turned as in one of less loss."""
    kept: list[Arrangement] = []
    for solution in sorted(solutions, key=lambda solution: solution.loss):
        if all(_turned(solution.rig, other.rig) > _SAME for other in kept):
            kept.append(solution)
    return kept


def _arrangement(seen: Array, rig: CameraRig, sigma: float) -> Arrangement:
    """The rig adjusted to the points on which its views agree; a view without a point costs as much as one far off."""
    points_3d = robust_points(seen, rig, min_confidence=0.0).points_3d
    known = np.isfinite(points_3d[:, 0])
    part = np.ascontiguousarray(seen[:, known])
    alike = np.full(len(rig), sigma)
    fit = adjust(part, points_3d[known], rig, focal=False, sigma=alike, spread=start.FREE)
    points_3d[known] = fit.points_3d
    square = ((seen - fit.rig.project(points_3d)) ** 2).sum(axis=-1)[np.isfinite(seen[..., 0])]
    square = np.where(np.isfinite(square), square / (_BEND * sigma) ** 2, 1e4)
    return Arrangement(fit.rig, fit.points_3d, float(np.log1p(square).mean()))


def _decided(solutions: list[Arrangement], up: dict[int, Array]) -> tuple[CameraRig, str]:
    """The solution that the points, or else gravity, decide for, and a note where it was gravity."""
    best = solutions[0]
    tied = [other for other in solutions if other.loss < _RIVAL * best.loss]
    if len(tied) == 1:
        return tied[0].rig, ""
    above = [_elevation(solution, up) for solution in tied]
    if sum(sine > _ABOVE for sine in above) == 1 and sum(sine < -_ABOVE for sine in above) == len(tied) - 1:
        note = (
            "The points are explained as well by the arrangement mirrored in depth, in which the cameras look up from"
            " below; that in which they look down on the points was taken"
        )
        return tied[int(np.argmax(above))].rig, note + ("" if up else ", with the top of the pictures for up") + "."
    degrees = np.degrees(_turned(tied[0].rig, tied[1].rig))
    raise CalibrationError(
        f"the points are explained as well by another arrangement of the cameras, whose angles differ by {degrees:.0f}"
        " degrees, and neither is the one that looks down on them; record points that spread in all directions, place"
        " the cameras nearer or use more of them, or calibrate with a board"
    )


def _elevation(solution: Arrangement, up: dict[int, Array]) -> float:
    """Mean sine of the angle at which the cameras stand above the points; 0 where the vertical is not known.

    Up is what is given, or else the mean of the cameras' own, as if nobody turned a camera upside down.
    """
    rig, image_up = solution.rig, np.array([0.0, -1.0, 0.0])
    directions = [camera.R.T @ up.get(c, image_up) for c, camera in enumerate(rig) if not up or c in up]
    vertical = np.mean(directions, axis=0)
    rays = rig.centers - np.median(solution.points_3d, axis=0)
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    length = np.linalg.norm(vertical)
    return float((rays @ vertical).mean() / length) if length > 0.1 else 0.0


def _check_pairs(pairs: list[start.PairStart], tangents: Array, rig: CameraRig) -> None:
    """Refuse cameras that share no points, or that see all points from one place."""
    groups = start.connected(tangents)
    if len(groups) > 1:
        named = " and ".join(str([rig.names[c] for c in group]) for group in groups)
        raise CalibrationError(
            f"the cameras {named} share fewer than {start.FEW_SHARED} points with each other; record keypoints that"
            " both see at the same time"
        )
    if not pairs or max(pair.parallax for pair in pairs) < _LEAST_PARALLAX:
        raise CalibrationError(
            "the cameras see the points from nearly one place: turns and noise alone make up how their views differ, so"
            " that no depth can be computed; place them farther apart, or calibrate with a board"
        )


def _why_not_placed(poses: start.Poses, seen: Array, tangents: Array, rig: CameraRig, exchanged: Array | None) -> str:
    """One sentence on a camera that the others' points do not place: a mirrored picture, other names, or unknown."""
    placed = list(poses)
    if not placed:
        return "no pair of cameras sees the same points; are the frames simultaneous and the keypoints named alike?"
    points_3d = robust_points(seen[placed], start.part_rig(rig, poses)).points_3d
    counts = np.isfinite(tangents[:, np.isfinite(points_3d[:, 0]), 0]).sum(axis=1)
    counts[placed] = -1
    new = int(np.argmax(counts))
    name = rig.names[new]
    if counts[new] < start.FEW_SHARED:
        return (
            f"camera '{name}' sees only {counts[new]} of the points that two of the cameras"
            f" {[rig.names[c] for c in placed]} see, so that its distance cannot be computed; record points that three"
            " cameras see at the same time"
        )
    flat = orthographic_sentence(name, rig[new].size, rig[new].K[0, 0])
    if flat:
        return f"{flat}: its place cannot be found by what it films; calibrate with a board or give its pose"
    other = None if exchanged is None else start.viewing_tangents(np.ascontiguousarray(exchanged), rig)[new]
    fitting = causes(tangents[new], other, points_3d)
    cause = max(fitting, key=lambda name: fitting[name])
    if cause:
        return f"camera '{name}' fits the others {cause}"
    return (
        f"camera '{name}' sees {counts[new]} points of the others, but no place explains half of its views; check its"
        " lens, the size of its picture, whether it is delayed, and whether it exchanges left and right"
    )


def _mirrored(solution: Arrangement) -> CameraRig:
    """The rig that pictures without perspective could not tell from this one (Necker's reversal)."""
    middle, flip = np.median(solution.points_3d, axis=0), np.diag([1.0, 1.0, -1.0])
    cameras = (replace(c, R=flip @ c.R @ flip, t=c.R @ middle + c.t) for c in solution.rig)
    return replace(solution.rig, cameras=tuple(cameras))


def _turned(rig: CameraRig, other: CameraRig) -> float:
    """Largest angle between the cameras' rotations relative to the first, radians."""
    pairs = [(a.R @ rig[0].R.T, b.R @ other[0].R.T) for a, b in zip(rig, other, strict=True)]
    return max(float(np.linalg.norm(rotation_vector(a @ b.T))) for a, b in pairs)
