"""Normal equations of board views as plain loops over float64 arrays whose shapes the caller has checked.

A view is one camera's sight of the board in one frame. Its local unknowns are the lens (fx, fy, cx, cy and 14
coefficients, of which `free` are estimated) and a small motion of the board in the camera's own frame,
x -> x + rotation x x + translation; how that motion follows from the camera's and the board's pose is the caller's.
The lens models are those of `cameras/_kernels_lenses.py`.
"""

import math
from typing import NamedTuple

import numpy as np

from ...cameras._kernels_lenses import distort_with_derivatives, in_camera
from ...numerics._kernels_options import helper, kernel

N_LENS = 18  # fx fy cx cy and 14 distortion coefficients


class Lenses(NamedTuple):
    """The lenses of the cameras, as far as projection asks."""

    lens: np.ndarray  # (n_lenses, 18) fx, fy, cx, cy and 14 coefficients
    fisheye: np.ndarray  # (n_lenses,) bool
    tilted: np.ndarray  # (n_lenses,) bool, whether tau_x and tau_y move or are not 0


class PosedViews(NamedTuple):
    """Views of the board, each with the board's pose in it and the corners it saw."""

    R: np.ndarray  # (n_views, 3, 3) board to camera
    t: np.ndarray  # (n_views, 3), world units
    lens_of: np.ndarray  # (n_views,) row of the view's camera in `Lenses`
    starts: np.ndarray  # (n_views + 1,) the observations of view v are starts[v] : starts[v + 1]
    corner: np.ndarray  # (n_observations,) row in the board's points


@kernel
def project_views(lenses, views, points):
    """Pixels (n_observations, 2) of the board's corners, at `points` (n_corners, 3) on it; NaN behind the camera."""
    lens, fisheye, tilted = lenses
    R, t, lens_of, starts, corner = views
    pixels = np.empty((corner.shape[0], 2))
    D = np.empty((2, 16))
    for view in range(starts.shape[0] - 1):
        c = lens_of[view]
        for i in range(starts[view], starts[view + 1]):
            X, Y, Z = in_camera(R[view], t[view], points[corner[i]])
            if not Z > 0.0:
                pixels[i] = math.nan
                continue
            u, v = distort_with_derivatives(X / Z, Y / Z, lens[c, 4:], fisheye[c], tilted[c], D)
            pixels[i, 0] = lens[c, 0] * u + lens[c, 2]
            pixels[i, 1] = lens[c, 1] * v + lens[c, 3]
    return pixels


@helper
def _derivatives(lens, fisheye, tilted, X, Y, Z, D, J):
    """J (2, 24) receives the derivatives of the pixel of a point in the camera's frame by the lens and a small motion.

    D (2, 16): room for those of the distortion.
    """
    x, y = X / Z, Y / Z
    u, v = distort_with_derivatives(x, y, lens[4:], fisheye, tilted, D)
    J[:, :4] = 0.0
    J[0, 0], J[1, 1], J[0, 2], J[1, 3] = u, v, 1.0, 1.0
    for row in range(2):
        scale = lens[row]
        for k in range(14):
            J[row, 4 + k] = scale * D[row, 2 + k]
        gx, gy = scale * D[row, 0] / Z, scale * D[row, 1] / Z
        gz = -(gx * x + gy * y)
        J[row, 18], J[row, 19], J[row, 20] = gz * Y - gy * Z, gx * Z - gz * X, gy * X - gx * Y
        J[row, 21], J[row, 22], J[row, 23] = gx, gy, gz


@helper
def _add_observation(J, residual, w, A, b):
    """Add an observation's weighted products to the upper triangle of A (P, P) and to b (P,); J (2, P)."""
    for k in range(b.shape[0]):
        gx, gy = w * J[0, k], w * J[1, k]
        b[k] += gx * residual[0] + gy * residual[1]
        for m in range(k, b.shape[0]):
            A[k, m] += gx * J[0, m] + gy * J[1, m]


@helper
def _add_corner(J, S, residual, w, B, C, c):
    """As `_add_observation` for the corner's position: B (P, 3), C (3, 3), c (3,); S (2, 3) derivatives by it."""
    for row in range(2):
        for m in range(3):
            g = w * S[row, m]
            c[m] += g * residual[row]
            for k in range(3):
                C[k, m] += g * S[row, k]
            for k in range(B.shape[0]):
                B[k, m] += g * J[row, k]


@kernel
def view_equations(lenses, views, points, free, weights, residuals, shape):
    """Normal equations of every view: A (n_views, P, P), P = n_free + 6, and b (n_views, P), both weighted.

    `points` (n_corners, 3) on the board; `free` (n_free,) the lens unknowns; `residuals` (n_observations, 2) observed
    minus projected, pixels; `weights` (n_observations,) multiply their squares; a weight of 0 leaves an observation
    out. With `shape`, also the products with the corners' own positions: B (n_views, P, 3 n_corners),
    C (n_corners, 3, 3), c (n_corners, 3).
    """
    lens, fisheye, tilted = lenses
    R, t, lens_of, starts, corner = views
    n_views, columns = starts.shape[0] - 1, np.concatenate((free, np.arange(N_LENS, N_LENS + 6)))
    P, n_shape = columns.shape[0], points.shape[0] if shape else 0
    A, b = np.zeros((n_views, P, P)), np.zeros((n_views, P))
    B, C, c = np.zeros((n_views, P, 3 * n_shape)), np.zeros((n_shape, 3, 3)), np.zeros((n_shape, 3))
    D, full, J, S = np.empty((2, 16)), np.empty((2, N_LENS + 6)), np.empty((2, P)), np.empty((2, 3))
    for view in range(n_views):
        own = lens_of[view]
        for i in range(starts[view], starts[view + 1]):
            w, at = weights[i], corner[i]
            if not w > 0.0:
                continue
            X, Y, Z = in_camera(R[view], t[view], points[at])
            _derivatives(lens[own], fisheye[own], tilted[own], X, Y, Z, D, full)
            for k in range(P):
                J[0, k], J[1, k] = full[0, columns[k]], full[1, columns[k]]
            _add_observation(J, residuals[i], w, A[view], b[view])
            if shape:
                for row in range(2):
                    gx, gy, gz = full[row, 21], full[row, 22], full[row, 23]
                    for k in range(3):
                        S[row, k] = gx * R[view, 0, k] + gy * R[view, 1, k] + gz * R[view, 2, k]
                _add_corner(J, S, residuals[i], w, B[view, :, 3 * at : 3 * at + 3], C[at], c[at])
        for k in range(P):
            for m in range(k):
                A[view, k, m] = A[view, m, k]
    return A, b, B, C, c


class CarriedViews(NamedTuple):
    """Views' own normal equations, and the unknowns of the whole problem that theirs are."""

    A: np.ndarray  # (n_views, P, P), of lens, motion (6) and what follows, as `view_equations` gives them
    b: np.ndarray  # (n_views, P)
    B: np.ndarray  # (n_views, P, n_shape) with the corners' positions
    motions: np.ndarray  # (n_cameras, 6, 6) the motion in the camera's frame by the motion of the board in the world
    columns: np.ndarray  # (n_cameras, P) int, the place of each unknown, -1 where it is fixed
    camera: np.ndarray  # (n_views,) int
    frame: np.ndarray  # (n_views,) int


@kernel
def add_views(views, n_lens, shape_start, U, V, W, u, v):
    """Add the equations of views to a block arrow: U (G, G), V (n_frames, 6, 6), W (n_frames, 6, G) and right sides.

    The first `n_lens` unknowns of a view are the lens's, the next six the motion; the corners' positions stand in the
    arrow from `shape_start` on.
    """
    A, b, B, motions, columns, camera, frame = views
    P, n_shape = A.shape[1], B.shape[2]
    row = np.empty(P)
    for view in range(A.shape[0]):
        M, at, f = motions[camera[view]], columns[camera[view]], frame[view]
        for k in range(P):
            if at[k] >= 0:
                u[at[k]] += b[view, k]
                for m in range(P):
                    if at[m] >= 0:
                        U[at[k], at[m]] += A[view, k, m]
                for m in range(n_shape):
                    U[at[k], shape_start + m] += B[view, k, m]
                    U[shape_start + m, at[k]] += B[view, k, m]
        for i in range(6):
            for k in range(P):
                row[k] = 0.0
                for j in range(6):
                    row[k] += M[j, i] * A[view, n_lens + j, k]
                if at[k] >= 0:
                    W[f, i, at[k]] += row[k]
            for j in range(6):
                v[f, i] += M[j, i] * b[view, n_lens + j]
                for k in range(6):
                    V[f, i, k] += row[n_lens + j] * M[j, k]
                for m in range(n_shape):
                    W[f, i, shape_start + m] += M[j, i] * B[view, n_lens + j, m]


@kernel
def projection_derivatives(lens, fisheye, X):
    """(n, 2, 24) derivatives of the pixels of camera-frame points X (n, 3) by the lens and a small motion."""
    J, D = np.zeros((X.shape[0], 2, N_LENS + 6)), np.empty((2, 16))
    for i in range(X.shape[0]):
        _derivatives(lens, fisheye, True, X[i, 0], X[i, 1], X[i, 2], D, J[i])
    return J
