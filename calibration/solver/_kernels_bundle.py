"""Normal equations of board views as plain loops over float64 arrays whose shapes the caller has checked.

A view is one camera's sight of the board in one frame. Its local unknowns are the lens (fx, fy, cx, cy and 14
coefficients, of which `free` are estimated) and a small motion of the board in the camera's own frame,
x -> x + rotation x x + translation; how that motion follows from the camera's and the board's pose is the caller's.
The lens models are those of `cameras/_kernels_lenses.py`.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from ...cameras._kernels_lenses import distort_with_derivatives

N_LENS = 18


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


@njit(cache=True)
def project_views(lenses, views, points):
    """Pixels (n_observations, 2) of the board's corners, at `points` (n_corners, 3) on it; NaN behind the camera."""
    lens, fisheye, tilted = lenses
    R, t, lens_of, starts, corner = views
    pixels = np.empty((corner.shape[0], 2))
    D = np.empty((2, 16))
    for view in range(starts.shape[0] - 1):
        c = lens_of[view]
        for i in range(starts[view], starts[view + 1]):
            p = points[corner[i]]
            X = R[view, 0, 0] * p[0] + R[view, 0, 1] * p[1] + R[view, 0, 2] * p[2] + t[view, 0]
            Y = R[view, 1, 0] * p[0] + R[view, 1, 1] * p[1] + R[view, 1, 2] * p[2] + t[view, 1]
            Z = R[view, 2, 0] * p[0] + R[view, 2, 1] * p[1] + R[view, 2, 2] * p[2] + t[view, 2]
            if not Z > 0.0:
                pixels[i] = math.nan
                continue
            u, v = distort_with_derivatives(X / Z, Y / Z, lens[c, 4:], fisheye[c], tilted[c], D)
            pixels[i, 0] = lens[c, 0] * u + lens[c, 2]
            pixels[i, 1] = lens[c, 1] * v + lens[c, 3]
    return pixels


@njit(cache=True)
def view_equations(lenses, views, points, free, weights, residuals, shape):
    """Normal equations of every view: A (n_views, P, P), P = n_free + 6, and b (n_views, P), both weighted.

    `points` (n_corners, 3) on the board; `free` (n_free,) the lens unknowns; `residuals` (n_observations, 2) observed
    minus projected, pixels; `weights` (n_observations,) multiply their squares; a weight of 0 leaves an observation
    out. With `shape`, also the products with the corners' own positions: B (n_views, P, 3 n_corners),
    C (n_corners, 3, 3), c (n_corners, 3).
    """
    lens, fisheye, tilted = lenses
    R, t, lens_of, starts, corner = views
    n_views, n_free = starts.shape[0] - 1, free.shape[0]
    P = n_free + 6
    A, b = np.zeros((n_views, P, P)), np.zeros((n_views, P))
    n_shape = points.shape[0] if shape else 0
    B, C, c_ = np.zeros((n_views, P, 3 * n_shape)), np.zeros((n_shape, 3, 3)), np.zeros((n_shape, 3))
    D, J, S = np.empty((2, 16)), np.zeros((2, P)), np.zeros((2, 3))
    for view in range(n_views):
        c = lens_of[view]
        fx, fy = lens[c, 0], lens[c, 1]
        for i in range(starts[view], starts[view + 1]):
            w = weights[i]
            if not w > 0.0:
                continue
            p = points[corner[i]]
            x = R[view, 0, 0] * p[0] + R[view, 0, 1] * p[1] + R[view, 0, 2] * p[2]
            y = R[view, 1, 0] * p[0] + R[view, 1, 1] * p[1] + R[view, 1, 2] * p[2]
            z = R[view, 2, 0] * p[0] + R[view, 2, 1] * p[1] + R[view, 2, 2] * p[2]
            X, Y, Z = x + t[view, 0], y + t[view, 1], z + t[view, 2]
            a, e = X / Z, Y / Z
            u, v = distort_with_derivatives(a, e, lens[c, 4:], fisheye[c], tilted[c], D)
            for k in range(n_free):
                f = free[k]
                J[0, k] = u if f == 0 else (1.0 if f == 2 else (fx * D[0, f - 2] if f >= 4 else 0.0))
                J[1, k] = v if f == 1 else (1.0 if f == 3 else (fy * D[1, f - 2] if f >= 4 else 0.0))
            for row in range(2):
                scale = fx if row == 0 else fy
                gx, gy = scale * D[row, 0] / Z, scale * D[row, 1] / Z
                gz = -(gx * a + gy * e)
                J[row, n_free], J[row, n_free + 1], J[row, n_free + 2] = (
                    gz * Y - gy * Z,
                    gx * Z - gz * X,
                    gy * X - gx * Y,
                )
                J[row, n_free + 3], J[row, n_free + 4], J[row, n_free + 5] = gx, gy, gz
                if shape:
                    for k in range(3):
                        S[row, k] = gx * R[view, 0, k] + gy * R[view, 1, k] + gz * R[view, 2, k]
            for row in range(2):
                r = residuals[i, row]
                for k in range(P):
                    g = w * J[row, k]
                    b[view, k] += g * r
                    for m in range(k, P):
                        A[view, k, m] += g * J[row, m]
                    if shape:
                        for m in range(3):
                            B[view, k, 3 * corner[i] + m] += g * S[row, m]
                if shape:
                    for k in range(3):
                        c_[corner[i], k] += w * S[row, k] * r
                        for m in range(3):
                            C[corner[i], k, m] += w * S[row, k] * S[row, m]
        for k in range(P):
            for m in range(k):
                A[view, k, m] = A[view, m, k]
    return A, b, B, C, c_


@njit(cache=True)
def projection_derivatives(lens, fisheye, X):
    """(n, 2, 24) derivatives of the pixels of camera-frame points X (n, 3) by the lens and a small motion."""
    J, D = np.zeros((X.shape[0], 2, N_LENS + 6)), np.empty((2, 16))
    for i in range(X.shape[0]):
        x, y, z = X[i]
        a, e = x / z, y / z
        u, v = distort_with_derivatives(a, e, lens[4:], fisheye, True, D)
        J[i, 0, 0], J[i, 1, 1], J[i, 0, 2], J[i, 1, 3] = u, v, 1.0, 1.0
        for row in range(2):
            scale = lens[row]
            for k in range(14):
                J[i, row, 4 + k] = scale * D[row, 2 + k]
            gx, gy = scale * D[row, 0] / z, scale * D[row, 1] / z
            gz = -(gx * a + gy * e)
            J[i, row, 18], J[i, row, 19], J[i, row, 20] = gz * y - gy * z, gx * z - gz * x, gy * x - gx * y
            J[i, row, 21], J[i, row, 22], J[i, row, 23] = gx, gy, gz
    return J
