"""Lens models as rows of 18 unknowns, and a first estimate of a lens from one camera's views."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ...cameras import Camera
from ...numerics.arrays import Array
from ..lens_prior import make_lens_prior, unfolded
from .bundle_adjustment import BundleFit, minimise
from .bundle_unknowns import N_LENS, BundleSpec, BundleState, Loss, make_views, squares
from .initial_poses import plane_poses, spread_frames

LensKind = int | str
# numbers of distortion coefficients that can be asked for
LENS_KINDS: tuple[LensKind, ...] = (0, 1, 2, 4, 5, 8, 12, 14, "fisheye")
# OpenCV's order is k1 k2 p1 p2 k3 k4 k5 k6 s1-s4 tau_x tau_y; the first n of it are free for n coefficients
_MAX_LENS_VIEWS = 40  # of the board, those that differ most: a first lens needs no more
_FOCAL_GUESSES = (0.6, 1.0, 1.7, 3.0)  # of the image's width: 80 to 19 degrees of view, less than a factor 2 apart
_FISHEYE_GUESSES = (0.3, 0.45, 0.7, 1.2)  # of the image's width: fields of view of 190 to 48 degrees
_SIMPLE = (0, 1, 4, 5)  # fx, fy, k1, k2: what few views determine
# pixels that a pinhole must leave to be compared with a fisheye, and the share of them that this may leave to be taken
_POOR, _MUCH_BETTER = 0.3, 0.7


def free_lens(kind: LensKind) -> NDArray[np.bool_]:
    """(18,) the unknowns of a lens of this kind: focal lengths, principal point, and the coefficients."""
    free = np.zeros(N_LENS, bool)
    free[: 4 + (4 if kind == "fisheye" else int(kind))] = True
    return free


def lens_row(K: Array, distortion: Array) -> Array:
    """(18,) fx, fy, cx, cy and 14 coefficients."""
    row = np.zeros(N_LENS)
    row[:4] = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    row[4 : 4 + len(distortion)] = distortion
    return row


def lens_matrix(row: Array) -> Array:
    """(3, 3) K of a lens row."""
    return np.array([[row[0], 0, row[2]], [0, row[1], row[3]], [0, 0, 1.0]])


def lens_camera(row: Array, size: tuple[int, int], kind: LensKind, name: str = "lens") -> Camera:
    """A camera at the origin with this lens."""
    distortion, model = (row[4:8], "fisheye") if kind == "fisheye" else (row[4:], "pinhole")
    return Camera(name, size, lens_matrix(row), distortion, np.eye(3), np.zeros(3), model)


def focal_from_homographies(corners: Array, points: Array, size: tuple[int, int]) -> float | None:
    """Focal length, pixels, of square pixels and a central principal point (Zhang 2000, eq. 3-4); None if undefined."""
    center, equations = 0.5 * (np.array(size, float) - 1), []
    for view in corners:
        seen = np.isfinite(view[:, 0])
        H, _ = cv2.findHomography(points[seen, :2], (view[seen] - center) / size[0], 0)
        if H is None:
            continue
        H = H / np.linalg.norm(H[:, :2])
        (a, b), (c, d), (e, f) = H[0, :2], H[1, :2], H[2, :2]
        equations += [(a * b + c * d, e * f), (a * a + c * c - b * b - d * d, e * e - f * f)]
    if not equations:
        return None
    left, right = np.array(equations).T
    square = -(left * right).sum() / max((left * left).sum(), 1e-300)
    return float(size[0] / np.sqrt(square)) if square > 0 else None


def fit_lens(
    corners: Array, points: Array, size: tuple[int, int], kind: LensKind, *, lens: Array, free: NDArray[np.bool_]
) -> BundleFit | None:
    """One camera alone: lens and board poses from (n_frames, n_corners, 2); None where none can be found."""
    try:
        camera = lens_camera(lens, size, kind)
    except ValueError:
        return None
    R, t, _ = plane_poses(corners, points, camera)
    usable = np.flatnonzero(np.isfinite(t[:, 0, 0]))
    if len(usable) == 0:
        return None
    views = make_views(corners[None], usable)
    state = BundleState(
        lens[None].copy(), np.eye(3)[None], np.zeros((1, 3)), R[usable, 0], t[usable, 0], points, np.zeros(1)
    )
    loss = Loss(scale=0.004 * size[0], keep=np.ones(len(views.corner), bool))
    still, fisheye = np.array([False]), np.array([kind == "fisheye"])
    prior = make_lens_prior([size], [kind], lens[None, 0])
    state = replace(state, lens=unfolded(state.lens, fisheye, free[None], prior.border))
    spec = BundleSpec(np.zeros(1, int), fisheye, free[None], still, still, prior=prior, variance=(loss.scale / 3) ** 2)
    fit = minimise(state, spec, views, loss, max_iterations=30, tolerance=1e-5)
    return fit if np.isfinite(fit.state.lens).all() and (fit.state.lens[0, :2] > 0).all() else None


def initial_lens(corners: Array, points: Array, size: tuple[int, int], kind: LensKind) -> tuple[Array, float]:
    """Lens row with two radial coefficients, from one camera's corners, and the distance, pixels, of 75 % of them.

    Several focal lengths are tried as starts: the closed form is poor where the lens bends much.
    """
    chosen = corners[spread_frames(corners, _MAX_LENS_VIEWS)]
    closed = None if kind == "fisheye" else focal_from_homographies(chosen, points, size)
    factors = _FISHEYE_GUESSES if kind == "fisheye" else _FOCAL_GUESSES
    guesses = [factor * size[0] for factor in factors] + ([closed] if closed else [])
    free = np.zeros(N_LENS, bool)
    free[list(_SIMPLE)] = True
    best, best_cost, error = None, np.inf, np.inf
    for focal in reversed(guesses):
        lens = lens_row(np.diag([focal, focal, 1.0]), np.zeros(0))
        lens[2:4] = 0.5 * (np.array(size) - 1)
        fit = fit_lens(chosen, points, size, kind, lens=lens, free=free)
        if fit is None:
            continue
        cost = fit.cost / max(len(fit.residuals), 1)
        if cost < 0.98 * best_cost:
            best, best_cost = fit.state.lens[0], cost
            # a share of gross outliers moves no quantile, and no view of another board fits three corners of four
            error = float(np.nanpercentile(np.sqrt(squares(fit.residuals)), 75))
        if closed and focal == closed and cost < 0.5:
            break
    if best is None:
        best = lens_row(np.diag([size[0], size[0], 1.0]), np.zeros(0))
        best[2:4] = 0.5 * (np.array(size) - 1)
    return best, error


def start_lens(
    corners: Array, points: Array, size: tuple[int, int], kind: LensKind = "auto"
) -> tuple[Array, LensKind, float]:
    """The first lens (`initial_lens`), of the kind asked for; "auto": a pinhole of 2, or a fisheye if much better."""
    row, error = initial_lens(corners, points, size, kind)
    if kind == "auto" and not error < _POOR:
        wide, wide_error = initial_lens(corners, points, size, "fisheye")
        if wide_error < _MUCH_BETTER * error:
            return wide, "fisheye", wide_error
    return row, 2 if kind == "auto" else kind, error


def start_camera(corners: Array, points: Array, size: tuple[int, int], name: str) -> Camera:
    """The first lens as a camera at the origin."""
    row, kind, _ = start_lens(corners, points, size)
    return lens_camera(row, size, kind, name)
