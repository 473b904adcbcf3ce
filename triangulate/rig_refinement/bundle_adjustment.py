"""Bundle adjustment over keypoints: camera poses (and focal lengths) and free points, in the frame of the old rig."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...cameras.rotations import moved, orthonormal, rotation_vector
from ...numerics.arrays import Array
from ...numerics.levenberg_marquardt import Linearised, minimise_with_damping
from ...numerics.robust_scale import RAYLEIGH_MEDIAN
from . import _kernels_bundle

ROTATION_SIGMA = 0.005  # radians, and share of the distance: beyond that a camera counts as moved
FOCAL_SIGMA = 0.005  # of the focal length: what temperature and focus change
_LOSS = 2.5  # standard deviations at which the Cauchy loss bends: 95 % as efficient as least squares on Gaussian noise
_SCALES_REST = 0.98  # scales that shrink by less than a fiftieth count as at rest
_TOLERANCE = 1e-6  # relative gain of the cost: a thousandth of a standard deviation for a thousand unknowns
_MIN_VIEWS = 30  # residuals of a camera: their median is then known to some 15 %
_UNKNOWNS = 6  # of a pose: rotation and translation


@dataclass(frozen=True, eq=False)
class BundleResult:
    """Cameras after the fit, their noise sigma (n_cameras,) px, and whether it converged."""

    rig: CameraRig
    points_3d: Array
    sigma: Array
    converged: bool


@dataclass
class _State:
    """Camera poses (n_cameras, 3, 3) and (n_cameras, 3), logarithms of focal lengths (n_cameras,), points (n, 3)."""

    R: Array
    t: Array
    log_focal: Array
    points_3d: Array


class _Problem(NamedTuple):
    """What the cost of a state depends on: observations (n_cameras, n, 2), the old rig, and how they are weighed."""

    points_2d: Array
    rig: CameraRig
    sigma: Array  # (n_cameras,) px
    distance: float  # of the points from the cameras, world units
    focal: bool  # whether focal lengths move
    inflation: float  # views that are worth one independent one
    spread: float  # of the prior on poses: radians, and share of the distance


def adjust(
    points_2d: Array,
    points_3d: Array,
    rig: CameraRig,
    *,
    focal: bool,
    sigma: Array | None = None,
    inflation: float = 1.0,
    spread: float = ROTATION_SIGMA,
    max_iterations: int = 60,
) -> BundleResult:
    """Levenberg-Marquardt on all cameras and points under a Cauchy loss whose scale is each camera's own.

    The scales start from the residuals of the old rig and only shrink: a camera that moved is fitted from its many
    coherent views, without pulling the others to it. What the points hardly determine stays near the old rig by a
    prior on each camera's change, a multivariate Cauchy, whose tails let a moved camera go far.

    Parameters
    ----------
    points_2d : (n_cameras, n, 2), pixels, NaN where missing
    points_3d : (n, 3), world units, where to start; a point seen by fewer than two cameras adds nothing
    focal : whether focal lengths move (fx and fy together)
    sigma : (n_cameras,) px, the noise if it is known; None: starts from the old rig's residuals
    inflation : how many views are worth one independent one (see `design_effect`)
    spread : radians, and share of the distance, by which cameras may differ from the old rig before they count as moved

    Returns
    -------
    BundleResult in a frame that still floats: see `cameras.alignment.align_images`
    """
    state = _State(
        np.stack([c.R for c in rig]), np.stack([c.t for c in rig]), np.zeros(len(rig)), np.array(points_3d, dtype=float)
    )
    distance = float(np.median(np.linalg.norm(points_3d[None] - rig.centers[:, None], axis=-1)))
    start = np.full(len(rig), np.inf) if sigma is None else np.asarray(sigma, float)

    def linearise(here: tuple[_State, Array]) -> Linearised:
        state, before = here
        residuals = _residuals(points_2d, state, rig)
        sigma = _scales(residuals, before)
        problem = _Problem(points_2d, rig, sigma, distance, focal, inflation, spread)
        trial = _damped_step(problem, state, cauchy_weights(residuals, sigma) / inflation)

        def step(damping: float) -> tuple[tuple[_State, Array], float]:
            moved_state = trial(damping)
            return (moved_state, sigma), _cost(problem, moved_state)

        return Linearised(_cost(problem, state), step, comparable=bool(np.all(sigma > _SCALES_REST * before)))

    first = state, _scales(_residuals(points_2d, state, rig), start)
    (state, sigma), converged, _ = minimise_with_damping(
        first, linearise, max_iterations=max_iterations, tolerance=_TOLERANCE
    )
    return BundleResult(_rig_of(state, rig), state.points_3d, sigma, converged)


def _rig_of(state: _State, rig: CameraRig) -> CameraRig:
    """The rig with the state's poses and focal lengths."""
    cameras = []
    for i, camera in enumerate(rig):
        K = np.array(camera.K)
        K[:2, :2] *= np.exp(state.log_focal[i])
        cameras.append(replace(camera, K=K, R=orthonormal(state.R[i].copy()), t=state.t[i]))
    return replace(rig, cameras=tuple(cameras))


def _residuals(points_2d: Array, state: _State, rig: CameraRig) -> Array:
    """Observed minus projected (n_cameras, n, 2), pixels."""
    return points_2d - _rig_of(state, rig).project(state.points_3d)


def _scales(residuals: Array, before: Array) -> Array:
    """(n_cameras,) robust standard deviation of a coordinate, never more than `before`.

    At least the median camera's: one camera's noise, estimated alone, would shrink until the points follow it alone.
    """
    size = np.linalg.norm(residuals, axis=-1)
    scales = before.copy()
    for c in range(len(size)):
        known = size[c][np.isfinite(size[c])]
        if len(known) >= _MIN_VIEWS:
            scales[c] = min(before[c], max(np.median(known) / RAYLEIGH_MEDIAN, 0.05))
    floor = np.median(scales[np.isfinite(scales)]) if np.isfinite(scales).any() else 1.0
    return np.minimum(np.where(np.isfinite(scales), np.maximum(scales, floor), floor), before)


def cauchy_weights(residuals: Array, sigma: Array) -> Array:
    """(n_cameras, n) Cauchy weights over sigma squared; 0 where there is no residual."""
    square = (residuals**2).sum(axis=-1) / (_LOSS * sigma[:, None]) ** 2
    return np.where(np.isfinite(square), 1 / (1 + np.where(np.isfinite(square), square, 0)), 0.0) / sigma[:, None] ** 2


def design_effect(residuals: Array, keypoint: NDArray[np.int64], sigma: Array) -> float:
    """How many views are worth one independent one, at least 1: keypoints are often off by the same amount for long.

    The variance of each keypoint's mean residual in each camera over what it were with independent errors (Kish 1965).

    Parameters
    ----------
    residuals : (n_cameras, n, 2), pixels; keypoint (n,); sigma (n_cameras,), pixels
    """
    scaled = residuals / sigma[:, None, None]
    known = np.isfinite(scaled[..., 0]) & (np.abs(scaled) < 5).all(axis=-1)
    scaled = np.where(known[..., None], scaled, 0.0)
    ratios, counts = [], []
    for k in np.unique(keypoint):
        own = keypoint == k
        n = known[:, own].sum(axis=1)
        enough = n >= 5
        ratios += list((scaled[:, own].sum(axis=1)[enough] ** 2).sum(axis=-1) / (2 * n[enough]))
        counts += list(n[enough])
    return max(1.0, float(np.average(ratios, weights=counts))) if counts else 1.0


def _cost(problem: _Problem, state: _State) -> float:
    """Minus the log of the posterior: the Cauchy loss of the residuals and the prior on the cameras' change."""
    points_2d, rig, sigma, distance, _, inflation, spread = problem
    square = (_residuals(points_2d, state, rig) ** 2).sum(axis=-1) / (_LOSS * sigma[:, None]) ** 2
    gone = np.isfinite(points_2d[..., 0]) & ~np.isfinite(square)
    data = np.log1p(np.where(np.isfinite(square), square, 0)).sum() + gone.sum() * np.log1p(1e4)
    change = _change(state, rig, distance, spread)
    prior = 0.5 * (1 + _UNKNOWNS) * float(np.log1p((change**2).sum(axis=1)).sum())
    return 0.5 * _LOSS**2 * float(data) / inflation + prior


def _change(state: _State, rig: CameraRig, distance: float, spread: float) -> Array:
    """(n_cameras, 7) how far each camera went from the old rig, in standard deviations of the prior."""
    R0, t0 = np.stack([c.R for c in rig]), np.stack([c.t for c in rig])
    turn = state.R @ R0.swapaxes(1, 2)
    shift = state.t - np.einsum("cij,cj->ci", turn, t0)
    return np.column_stack([
        rotation_vector(turn) / spread, shift / (spread * distance), state.log_focal / FOCAL_SIGMA
    ])  # fmt: skip


def _damped_step(problem: _Problem, state: _State, weights: Array) -> Callable[[float], _State]:
    """The function that makes the state after a step of a given damping; weights (n_cameras, n) of the residuals."""
    points_2d, rig, _, distance, focal, _, spread = problem
    arrays, P = _rig_of(state, rig).arrays, 7 if focal else 6
    change = _change(state, rig, distance, spread)
    pull = (1 + _UNKNOWNS) / (1 + (change**2).sum(axis=1, keepdims=True))
    prior_sigma = np.array([spread] * 3 + [spread * distance] * 3 + [FOCAL_SIGMA])
    stiffness = (pull / prior_sigma**2)[:, :P].ravel()
    towards = -(pull * change / prior_sigma)[:, :P].ravel()

    def step(damping: float) -> _State:
        S, s, U, V, v, W = _kernels_bundle.reduced_equations(
            *arrays, state.points_3d, points_2d, weights, damping, focal
        )
        S[np.diag_indices(len(S))] += stiffness + damping * np.maximum(U, 0)
        cameras = np.linalg.solve(S, s + towards)
        points = np.einsum("nij,nj->ni", V, v - np.einsum("npk,p->nk", W, cameras))
        motion = cameras.reshape(len(rig), P)
        R, t = moved(state.R, state.t, motion[:, :6])
        log_focal = state.log_focal + (motion[:, 6] if focal else 0)
        return _State(R, t, log_focal, state.points_3d + points)

    return step
