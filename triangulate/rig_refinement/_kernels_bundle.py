"""Normal equations of cameras and free points as plain loops over float64 arrays; shapes were checked by the caller."""

import math

import numpy as np

from ...cameras._kernels_lenses import distort, in_camera, inside
from ...numerics._kernels_matrices import invert_symmetric_3x3
from ...numerics._kernels_options import helper, kernel


@helper
def _observation(K, d, fisheye, limit, R, t, X, focal, J_camera, J_point):
    """(u, v) of a point; Jacobians (2, P) by the camera's small motion (and its focal length's logarithm), (2, 3) by X.

    The motion acts in the camera's own frame: x -> x + rotation x x + translation.
    """
    x, y, z = in_camera(R, t, X)
    if not z > 0.0 or not inside(x / z, y / z, fisheye, limit):
        return math.nan, math.nan
    a, b = x / z, y / z
    xd, yd, xx, xy, yx, yy = distort(a, b, d, fisheye)
    for row in range(2):
        if row == 0:
            gx, gy = (K[0, 0] * xx + K[0, 1] * yx) / z, (K[0, 0] * xy + K[0, 1] * yy) / z
        else:
            gx, gy = K[1, 1] * yx / z, K[1, 1] * yy / z
        gz = -(gx * a + gy * b)
        J_camera[row, 0], J_camera[row, 1], J_camera[row, 2] = gz * y - gy * z, gx * z - gz * x, gy * x - gx * y
        J_camera[row, 3], J_camera[row, 4], J_camera[row, 5] = gx, gy, gz
        for k in range(3):
            J_point[row, k] = gx * R[0, k] + gy * R[1, k] + gz * R[2, k]
    if focal:
        J_camera[0, 6], J_camera[1, 6] = K[0, 0] * xd + K[0, 1] * yd, K[1, 1] * yd
    return K[0, 0] * xd + K[0, 1] * yd + K[0, 2], K[1, 1] * yd + K[1, 2]


@helper
def _eliminate(seen, n_seen, P, W, V, v, WV, S, s):
    """Subtract one point's share W V Wᵀ and W V v from the cameras' equations."""
    for p in range(n_seen):
        c = seen[p] * P
        for k in range(P):
            for m in range(3):
                WV[k, m] = W[c + k, 0] * V[0, m] + W[c + k, 1] * V[1, m] + W[c + k, 2] * V[2, m]
            s[c + k] -= WV[k, 0] * v[0] + WV[k, 1] * v[1] + WV[k, 2] * v[2]
        for q in range(n_seen):
            e = seen[q] * P
            for k in range(P):
                for m in range(P):
                    S[c + k, e + m] -= WV[k, 0] * W[e + m, 0] + WV[k, 1] * W[e + m, 1] + WV[k, 2] * W[e + m, 2]


@kernel
def reduced_equations(K, d, fisheye, limit, R, t, points_3d, points_2d, weights, damping, focal):
    """The cameras' equations after every point was eliminated (Schur complement; Triggs et al. 2000, section 6.1).

    points_2d (n_cameras, n, 2); weights (n_cameras, n) multiply squared residuals, 0 leaves an observation out; the
    points' blocks are damped by `damping` times their diagonal.

    Returns S (C P, C P), s (C P,), U (C P,) the cameras' own diagonal, and for the way back V (n, 3, 3) the inverse
    point blocks, v (n, 3), W (n, C P, 3).
    """
    n_cameras, n_points, P = K.shape[0], points_3d.shape[0], 7 if focal else 6
    size = n_cameras * P
    S, s, U = np.zeros((size, size)), np.zeros(size), np.zeros(size)
    V, v, W = np.zeros((n_points, 3, 3)), np.zeros((n_points, 3)), np.zeros((n_points, size, 3))
    J_camera, J_point = np.zeros((2, P)), np.zeros((2, 3))
    seen, WV = np.empty(n_cameras, dtype=np.int64), np.empty((P, 3))
    for i in range(n_points):
        H, n_seen = np.zeros((3, 3)), 0
        for c in range(n_cameras):
            w = weights[c, i]
            if not w > 0.0:
                continue
            a, b = _observation(K[c], d[c], fisheye[c], limit[c], R[c], t[c], points_3d[i], focal, J_camera, J_point)
            if a != a:
                continue
            seen[n_seen] = c
            n_seen += 1
            for row in range(2):
                r = points_2d[c, i, row] - (a if row == 0 else b)
                for k in range(P):
                    g = w * J_camera[row, k]
                    s[c * P + k] += g * r
                    U[c * P + k] += g * J_camera[row, k]
                    for m in range(P):
                        S[c * P + k, c * P + m] += g * J_camera[row, m]
                    for m in range(3):
                        W[i, c * P + k, m] += g * J_point[row, m]
                for k in range(3):
                    v[i, k] += w * J_point[row, k] * r
                    for m in range(3):
                        H[k, m] += w * J_point[row, k] * J_point[row, m]
        if n_seen < 2:
            continue
        for k in range(3):
            H[k, k] += damping * H[k, k] + 1e-12 * (H[0, 0] + H[1, 1] + H[2, 2])
        h = V[i]
        h[0, 0], h[0, 1], h[0, 2], h[1, 1], h[1, 2], h[2, 2] = invert_symmetric_3x3(
            H[0, 0], H[0, 1], H[0, 2], H[1, 1], H[1, 2], H[2, 2]
        )
        h[1, 0], h[2, 0], h[2, 1] = h[0, 1], h[0, 2], h[1, 2]
        _eliminate(seen, n_seen, P, W[i], V[i], v[i], WV, S, s)
    return S, s, U, V, v, W
