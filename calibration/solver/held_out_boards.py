"""Errors of boards that a calibration did not see, the cameras frozen."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...numerics.arrays import Array
from .bundle_adjustment import BundleFit, minimise
from .bundle_unknowns import BundleState, Loss, Views, squares
from .robust_solution import (
    GROSS,
    LOSS_SCALE,
    TOLERANCE,
    Problem,
    Solution,
    Start,
    frames_of,
    problem_views,
    resolved,
    sigma_per_observation,
    solve,
)

N_FOLDS = 5  # of frames held out in turn: each solution keeps four fifths of the boards


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Reprojection of held-out boards with frozen cameras.

    residuals (n_obs, 2) pixels, camera, frame (n_obs,); length_errors (n,) of the distance between neighbouring
    corners, each triangulated by itself, relative to the board's own distance.
    """

    residuals: Array
    camera: NDArray[np.int64]
    frame: NDArray[np.int64]
    length_errors: Array

    @property
    def distances(self) -> Array:
        """(n_obs,) pixels."""
        return np.sqrt(squares(self.residuals))


def held_out(
    solution: Solution, *, shape_sigma: float | None = None, n_folds: int = N_FOLDS, tolerance: float = TOLERANCE
) -> HeldOut:
    """Error on boards that the calibration did not see.

    Fold k holds out `frames[k::n_folds]` of the frames that at least two cameras see; the rig is solved from all
    others, frozen, and each held-out board fitted as a rigid body. `tolerance`: relative gain at which a solution ends.
    """
    problem, start, views = solution.problem, resolved(solution), solution.views
    n_views = np.bincount(views.frame, minlength=len(solution.frames))
    shared = np.flatnonzero(n_views >= min(2, problem.n_cameras))
    parts = []
    for k in range(n_folds):
        test = np.zeros(len(solution.frames), bool)
        test[shared[k::n_folds]] = True
        if not test.any() or test.all():
            continue
        parts.append(_fold(problem, frames_of(start, ~test), frames_of(start, test), shape_sigma, tolerance))
    if not parts:
        return HeldOut(np.zeros((0, 2)), np.zeros(0, int), np.zeros(0, int), np.zeros(0))
    return HeldOut(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _fold(problem: Problem, train: Start, test: Start, shape_sigma, tolerance) -> tuple[Array, NDArray, NDArray, Array]:
    """The parts of `HeldOut` of boards fitted with frozen cameras; gross outliers left out of the fit only."""
    trained = solve(problem, train, shape_sigma=shape_sigma, warm=True, tolerance=tolerance)
    fit, views = fit_frozen(trained, test)
    lengths = _length_errors(trained, fit.state, test.frames) if trained.problem.motion is None else np.zeros(0)
    return fit.residuals, views.camera[views.view_of], test.frames[views.frame[views.view_of]], lengths


def _length_errors(trained: Solution, state: BundleState, frames: NDArray[np.int64]) -> Array:
    """Relative errors of neighbouring corners' distances, the corners triangulated from at least two cameras."""
    problem, points = trained.problem, state.points
    cameras = [
        replace(problem.camera(c, state.lens, trained.kinds), R=state.R[c], t=state.t[c])
        for c in range(problem.n_cameras)
    ]
    corners = problem.corners[:, frames]
    X = points @ state.frame_R.swapaxes(1, 2) + state.frame_t[:, None]
    for _ in range(3):
        X = closer(CameraRig(tuple(cameras)), corners, X)
    first, second = problem.board.neighbours.T
    lengths = np.linalg.norm(X[:, first] - X[:, second], axis=-1)
    errors = lengths / np.linalg.norm(points[first] - points[second], axis=-1) - 1
    return errors[np.isfinite(errors)]


def closer(rig: CameraRig, corners: Array, X: Array) -> Array:
    """One Gauss-Newton step of triangulation: points X (n_frames, n_corners, 3), NaN with fewer than two cameras."""
    J, r = rig.project_jacobian(X), corners - rig.project(X)
    seen = np.asarray(np.isfinite(r).all(axis=-1))
    J, r = np.where(seen[..., None, None], J, 0.0), np.where(seen[..., None], r, 0.0)
    normal = np.einsum("cfpij,cfpik->fpjk", J, J)
    enough = seen.sum(axis=0) >= 2
    normal[~enough] = np.eye(3)
    step = np.linalg.solve(normal, np.einsum("cfpij,cfpi->fpj", J, r)[..., None])[..., 0]
    return np.where(enough[..., None], X + step, np.nan)


def fit_frozen(trained: Solution, test: Start) -> tuple[BundleFit, Views]:
    """Poses of the frames of `test` with the cameras of `trained`."""
    problem, rig = trained.problem, trained.state
    views = problem_views(problem, test.frames)
    state = BundleState(rig.lens, rig.R, rig.t, test.frame_R, test.frame_t, rig.points, rig.delay)
    still = np.zeros(problem.n_cameras, bool)
    nothing = np.zeros_like(trained.spec.free)
    spec = replace(trained.spec, free=nothing, free_pose=still, free_delay=still, shape_sigma=None, prior=None)
    keep = np.ones(len(views.corner), bool)
    first = minimise(state, spec, views, Loss(LOSS_SCALE * trained.sigma, keep), max_iterations=30)
    distances = np.sqrt(squares(first.residuals))
    keep = distances < GROSS * sigma_per_observation(distances, views, trained.sigma)
    return minimise(first.state, spec, views, Loss(1e6, keep), max_iterations=30), views
