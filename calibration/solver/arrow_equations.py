"""Residuals of the boards' views and their normal equations: a block arrow whose frames are eliminated one by one.

The normal equations of a board seen by several cameras form a block arrow (Triggs et al. 2000, "Bundle adjustment - a
modern synthesis", section 6): the frames' 6x6 blocks are eliminated, what remains is as large as the cameras' unknowns.
Cost is linear in the frames. Jacobians are analytic (`_kernels_bundle.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from ...cameras.rotations import left_jacobian, motion_matrix, rotation_matrix
from ...numerics.arrays import Array
from . import _kernels_bundle as kernels
from .bundle_unknowns import N_LENS, BundleSpec, BundleState, Views

_FRAMES_AT_ONCE = 96  # whose equations are held at the same time: bounds the memory


def view_poses(state: BundleState, views: Views) -> tuple[Array, Array]:
    """Board to camera, (n_views, 3, 3) and (n_views, 3)."""
    R, t = _before_motion(state, views)
    if not views.motion.any():
        return R, t
    motion = _board_motion(state, views)[0]
    return R @ rotation_matrix(motion[:, :3]), np.einsum("vij,vj->vi", R, motion[:, 3:]) + t


def _before_motion(state: BundleState, views: Views) -> tuple[Array, Array]:
    """Board to camera at the frames' own times."""
    R, t = state.R[views.camera], state.t[views.camera]
    return R @ state.frame_R[views.frame], np.einsum("vij,vj->vi", R, state.frame_t[views.frame]) + t


def _board_motion(state: BundleState, views: Views) -> tuple[Array, Array]:
    """(n_views, 6) the board's motion up to each exposure, and its rate."""
    delay = (views.delay - state.delay[views.camera])[:, None]
    motion, rate = np.zeros((2, len(delay), 6))
    for degree in range(views.motion.shape[1], 0, -1):  # Horner's scheme
        rate = rate * delay + degree * views.motion[:, degree - 1]
        motion = (motion + views.motion[:, degree - 1]) * delay
    return motion, rate


def _delay_motion(state: BundleState, views: Views) -> Array:
    """(n_views, 6) small motion of the board in the camera's frame for each second of delay."""
    motion, rate = _board_motion(state, views)
    turn = np.einsum("vij,vj->vi", left_jacobian(motion[:, :3]), rate[:, :3])
    twist = np.concatenate([turn, rate[:, 3:] - np.cross(turn, motion[:, 3:])], axis=1)
    return -np.einsum("vij,vj->vi", motion_matrix(*_before_motion(state, views)), twist)


def _lenses(state: BundleState, spec: BundleSpec) -> kernels.Lenses:
    """The lenses of a state as the kernels take them."""
    tilted = (state.lens[:, 16:18] != 0).any(axis=1) | spec.free[:, 16:18].any(axis=1)
    return kernels.Lenses(state.lens, spec.fisheye, tilted)


def residuals_of(state: BundleState, spec: BundleSpec, views: Views) -> Array:
    """(n_obs, 2) observed minus projected, pixels; NaN behind a camera."""
    R, t = view_poses(state, views)
    posed = kernels.PosedViews(R, t, spec.lens_of[views.camera], views.starts, views.corner)
    return views.pixels - kernels.project_views(_lenses(state, spec), posed, state.points)


@dataclass(frozen=True, eq=False)
class Arrow:
    """Normal equations of block-arrow form: U (G, G), V (n_frames, 6, 6), W (n_frames, 6, G), and right sides."""

    U: Array
    V: Array
    W: Array
    u: Array
    v: Array


def normal_equations(state: BundleState, spec: BundleSpec, views: Views, weights: Array, residuals: Array) -> Arrow:
    """The weighted normal equations at `state`, frame blocks and all."""
    n_frames, G = len(state.frame_R), spec.n_global
    shapes = ((G, G), (n_frames, 6, 6), (n_frames, 6, G), (G,), (n_frames, 6))
    arrow = Arrow(*(np.zeros(shape) for shape in shapes))
    union = np.flatnonzero(spec.free.any(axis=0))
    R, t = view_poses(state, views)
    timed = spec.free_delay.any() or spec.exposure is not None
    delay_motion = _delay_motion(state, views) if timed else np.zeros((len(R), 6))
    lenses, shape = _lenses(state, spec), spec.shape_sigma is not None
    residuals = np.where(np.isfinite(residuals), residuals, 0.0)
    bounds = np.searchsorted(views.frame, np.arange(0, n_frames + _FRAMES_AT_ONCE, _FRAMES_AT_ONCE))
    for first, last in pairwise(bounds):
        if first == last:
            continue
        part, seen = slice(first, last), slice(views.starts[first], views.starts[last])
        starts = views.starts[first : last + 1] - views.starts[first]
        posed = kernels.PosedViews(R[part], t[part], spec.lens_of[views.camera[part]], starts, views.corner[seen])
        local = kernels.view_equations(lenses, posed, state.points, union, weights[seen], residuals[seen], shape)
        _add_local(arrow, state, spec, union, views.camera[part], views.frame[part], local, delay_motion[part])
    if spec.prior is not None:
        _add_prior(arrow, state, spec)
    if spec.shape_sigma is not None:
        columns = slice(spec.shape_start, G)
        arrow.U[columns, columns] += np.eye(spec.nominal.size) / spec.shape_sigma**2
        arrow.u[columns] -= (state.points - spec.nominal).ravel() / spec.shape_sigma**2
    return arrow


def _add_prior(arrow: Arrow, state: BundleState, spec: BundleSpec) -> None:
    """Add the equations of the lenses' prior."""
    assert spec.prior is not None
    normal, right = spec.prior.equations(state.lens, spec.fisheye, spec.free)
    lens, first, second = spec.lens_pairs
    place = np.cumsum(spec.free).reshape(spec.free.shape) - 1
    arrow.U[place[lens, first], place[lens, second]] += spec.variance * normal[lens, first, second]
    arrow.u[: spec.n_lens_free] += spec.variance * right[spec.free]


def _add_local(arrow: Arrow, state: BundleState, spec: BundleSpec, union, camera, frame, local, delay) -> None:
    """Carry the views' local equations over to the unknowns of lenses, cameras, frames and shape."""
    A, b, B, C, c = local
    motion = slice(len(union), len(union) + 6)
    if spec.exposure is not None:
        A, b, B = _without_exposure(A, b, B, motion, delay, spec.exposure)
    if spec.free_delay.any():
        A, b, B = _with_delay(A, b, B, motion, delay)
    places = np.concatenate([union, N_LENS + np.arange(A.shape[1] - len(union))])
    n_shape = spec.nominal.size if spec.shape_sigma is not None else 0
    parts = A, b, B[:, :, :n_shape], motion_matrix(state.R, state.t), spec.columns[:, places], camera, frame
    found = kernels.CarriedViews(*map(np.ascontiguousarray, parts))  # a layout each: compiled once
    kernels.add_views(found, len(union), spec.shape_start, arrow.U, arrow.V, arrow.W, arrow.u, arrow.v)
    for k in range(n_shape // 3):
        at = spec.shape_start + 3 * k
        arrow.U[at : at + 3, at : at + 3] += C[k]
        arrow.u[at : at + 3] += c[k]


def _without_exposure(A: Array, b: Array, B: Array, motion: slice, delay: Array, precision: float):
    """The local equations with each view's own time eliminated, which moves the board in view n by `delay` (n, 6)."""
    cross = (A[:, :, motion] @ delay[..., None])[..., 0]
    share = cross / ((cross[:, motion] * delay).sum(axis=1) + precision)[:, None]
    along = [np.einsum("ni,ni...->n...", delay, part[:, motion]) for part in (b, B)]
    b, B = b - share * along[0][:, None], B - share[..., None] * along[1][:, None]
    return A - share[..., None] * cross[:, None], b, B


def _with_delay(A: Array, b: Array, B: Array, motion: slice, delay: Array) -> tuple[Array, Array, Array]:
    """The local equations with one unknown more, the delay: it moves the board in view n by `delay` (n, 6) a second."""
    carry = np.zeros((*A.shape[:2], A.shape[1] + 1))
    carry[:, :, :-1] = np.eye(A.shape[1])
    carry[:, motion, -1] = delay
    carried = carry.swapaxes(1, 2)
    return carried @ A @ carry, (carried @ b[..., None])[..., 0], carried @ B


def solvable(V: Array, damping: float = 1e-12) -> Array:
    """The frames' blocks with their diagonals raised in proportion; a frame without weight stays where it is."""
    V = V.copy()
    diagonal = np.arange(6)
    V[:, diagonal, diagonal] *= 1 + damping
    V[:, diagonal, diagonal] += V[:, diagonal, diagonal] <= 0
    return V


def eliminate(arrow: Arrow, damping: float = 1e-12) -> tuple[Array, Array, NDArray]:
    """The global unknowns' own equations, (G, G) and (G,), the frames eliminated (Schur complement).

    Also the inverse Cholesky factors of the frames' blocks (n_frames, 6, 6). A part of the frames at a time: what lies
    between would be as large as the frames' whole share of the equations.
    """
    reduced, right = arrow.U + np.diag(damping * np.diag(arrow.U)), arrow.u.copy()
    inverse = np.linalg.inv(np.linalg.cholesky(solvable(arrow.V, damping)))
    for first in range(0, len(inverse), _FRAMES_AT_ONCE):
        part = slice(first, first + _FRAMES_AT_ONCE)
        both = np.concatenate([arrow.W[part], arrow.v[part, :, None]], axis=2)
        Y = (inverse[part] @ both).reshape(-1, both.shape[2])
        reduced -= Y[:, :-1].T @ Y[:, :-1]
        right -= Y[:, :-1].T @ Y[:, -1]
    return reduced, right, inverse


def solve_arrow(arrow: Arrow, damping: float) -> tuple[Array, Array]:
    """Step of the global unknowns (G,) and of the frames (n_frames, 6), by eliminating the frames.

    Raises
    ------
    numpy.linalg.LinAlgError : the damped equations are singular
    """
    reduced, right, inverse = eliminate(arrow, damping)
    step = np.zeros(0)
    if len(right):
        scale = 1 / np.sqrt(np.maximum((1 + damping) * np.diag(arrow.U), 1e-300))
        factor = cho_factor(reduced * scale[:, None] * scale, overwrite_a=True, check_finite=False)
        step = scale * cho_solve(factor, scale * right, check_finite=False)
    rest = (arrow.v - arrow.W @ step)[..., None]
    return step, (np.swapaxes(inverse, 1, 2) @ (inverse @ rest))[..., 0]
