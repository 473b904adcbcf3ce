"""Robust triangulation of one point after the other: all views, or else every pair of views, then refinement.

Every observation has an energy r² / 2σ², cut off at `cutoff`: the log-odds at which an outlier explains it better
(MSAC, Torr and Zisserman 2000, with the confidence as prior). A difference of energies is a log posterior ratio.
"""

import math

import numpy as np
from numba import njit

from ..calibration._kernels import project_point, project_with_jacobian
from ._kernels_dlt import BLOCK, undistort_block

_STEPS = 12  # of Gauss-Newton
_FAR = 1e6  # energy of a point that a view cannot see
_SURE = 12.0  # log-odds beyond which a weight is 0 or 1
_SETTLED = 1e-6  # last step of Gauss-Newton, squared and in standard deviations
_PRIOR = 0.02  # no view is more or less doubtful than this beforehand: detectors are sure of gross errors too
_LEAST = 2.0  # smallest cut-off, however doubtful a view is beforehand
_CHI2_Z = 3.1  # a sum of energies beyond this many standard deviations (0.999) is no agreement


@njit(cache=True, nogil=True, error_model="numpy")
def _midpoint(rays, i, j, centers, X):
    """The point halfway between two rays into X (3,); False if they are parallel or meet behind a camera."""
    wx, wy, wz = centers[j, 0] - centers[i, 0], centers[j, 1] - centers[i, 1], centers[j, 2] - centers[i, 2]
    aa = rays[i, 0] * rays[i, 0] + rays[i, 1] * rays[i, 1] + rays[i, 2] * rays[i, 2]
    bb = rays[j, 0] * rays[j, 0] + rays[j, 1] * rays[j, 1] + rays[j, 2] * rays[j, 2]
    ab = rays[i, 0] * rays[j, 0] + rays[i, 1] * rays[j, 1] + rays[i, 2] * rays[j, 2]
    aw = rays[i, 0] * wx + rays[i, 1] * wy + rays[i, 2] * wz
    bw = rays[j, 0] * wx + rays[j, 1] * wy + rays[j, 2] * wz
    determinant = aa * bb - ab * ab
    if not determinant > 1e-8 * aa * bb:
        return False
    s = (aw * bb - bw * ab) / determinant
    u = (aw * ab - bw * aa) / determinant
    if not (s > 0.0 and u > 0.0):
        return False
    for axis in range(3):
        X[axis] = 0.5 * (centers[i, axis] + s * rays[i, axis] + centers[j, axis] + u * rays[j, axis])
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _energies(K, d, fisheye, limit, R, t, X, seen, uv, precision, cutoff, bound, energy):
    """Sum of the cut-off energies at X, stopped once above `bound`; the energies into `energy` (n_cameras,)."""
    total = 0.0
    for c in range(K.shape[0]):
        if not seen[c]:
            continue
        u, v = project_point(K[c], d[c], fisheye[c], limit[c], R[c], t[c], X)
        e = 0.5 * precision[c] * ((u - uv[c, 0]) ** 2 + (v - uv[c, 1]) ** 2)
        energy[c] = e if e == e else _FAR
        total += min(energy[c], cutoff[c])
        if total > bound:
            return total
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _weight(excess):
    """Posterior probability of an inlier whose energy exceeds its cut-off by `excess`: the redescending weight."""
    if excess < -_SURE:
        return 1.0
    if excess > _SURE:
        return 0.0
    return 1.0 / (1.0 + math.exp(excess))


@njit(cache=True, nogil=True, error_model="numpy")
def _refine(K, d, fisheye, limit, R, t, seen, uv, precision, cutoff, redescend, X, h):
    """Gauss-Newton from X, in place, on the exact projections; the information (xx, xy, xz, yy, yz, zz) into h.

    False if the system is singular or the point leaves every view.
    """
    for _ in range(_STEPS):
        h[:] = 0.0
        g0, g1, g2 = 0.0, 0.0, 0.0
        for c in range(K.shape[0]):
            if not seen[c]:
                continue
            u, v, a0, a1, a2, b0, b1, b2 = project_with_jacobian(K[c], d[c], fisheye[c], limit[c], R[c], t[c], X)
            if u != u:
                continue
            ru, rv = uv[c, 0] - u, uv[c, 1] - v
            w = precision[c]
            if redescend:
                w *= _weight(0.5 * precision[c] * (ru * ru + rv * rv) - cutoff[c])
            h[0] += w * (a0 * a0 + b0 * b0)
            h[1] += w * (a0 * a1 + b0 * b1)
            h[2] += w * (a0 * a2 + b0 * b2)
            h[3] += w * (a1 * a1 + b1 * b1)
            h[4] += w * (a1 * a2 + b1 * b2)
            h[5] += w * (a2 * a2 + b2 * b2)
            g0 += w * (a0 * ru + b0 * rv)
            g1 += w * (a1 * ru + b1 * rv)
            g2 += w * (a2 * ru + b2 * rv)
        c00, c01, c02 = h[3] * h[5] - h[4] * h[4], h[2] * h[4] - h[1] * h[5], h[1] * h[4] - h[2] * h[3]
        c11, c12, c22 = h[0] * h[5] - h[2] * h[2], h[1] * h[2] - h[0] * h[4], h[0] * h[3] - h[1] * h[1]
        determinant = h[0] * c00 + h[1] * c01 + h[2] * c02
        scale = (h[0] + h[3] + h[5]) / 3.0
        if not determinant > 1e-12 * scale * scale * scale:
            return False
        s0 = (c00 * g0 + c01 * g1 + c02 * g2) / determinant
        s1 = (c01 * g0 + c11 * g1 + c12 * g2) / determinant
        s2 = (c02 * g0 + c12 * g1 + c22 * g2) / determinant
        X[0] += s0
        X[1] += s1
        X[2] += s2
        if s0 * g0 + s1 * g1 + s2 * g2 < _SETTLED:
            return True
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _all_views(R, t, K, x, y, seen, X):
    """Linear solution of every view of a point, scaled to pixels by the depth at the world's origin, into X (3,)."""
    h00, h01, h02, h11, h12, h22, g0, g1, g2 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for c in range(K.shape[0]):
        if not seen[c]:
            continue
        w = K[c, 1, 1] * K[c, 1, 1] / (t[c, 0] ** 2 + t[c, 1] ** 2 + t[c, 2] ** 2)
        for row in range(2):
            u = x[c] if row == 0 else y[c]
            a0, a1, a2 = u * R[c, 2, 0] - R[c, row, 0], u * R[c, 2, 1] - R[c, row, 1], u * R[c, 2, 2] - R[c, row, 2]
            b = t[c, row] - u * t[c, 2]
            h00 += w * a0 * a0
            h01 += w * a0 * a1
            h02 += w * a0 * a2
            h11 += w * a1 * a1
            h12 += w * a1 * a2
            h22 += w * a2 * a2
            g0 += w * a0 * b
            g1 += w * a1 * b
            g2 += w * a2 * b
    c00, c01, c02 = h11 * h22 - h12 * h12, h02 * h12 - h01 * h22, h01 * h12 - h02 * h11
    c11, c12, c22 = h00 * h22 - h02 * h02, h01 * h02 - h00 * h12, h00 * h11 - h01 * h01
    determinant = h00 * c00 + h01 * c01 + h02 * c02
    scale = (h00 + h11 + h22) / 3.0
    if not determinant > 1e-12 * scale * scale * scale:
        return False
    X[0] = (c00 * g0 + c01 * g1 + c02 * g2) / determinant
    X[1] = (c01 * g0 + c11 * g1 + c12 * g2) / determinant
    X[2] = (c02 * g0 + c12 * g1 + c22 * g2) / determinant
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _agree(seen, energy, cutoff, n_seen):
    """Whether every view is an inlier and the energies together are no more than noise explains (Wilson-Hilferty)."""
    total = 0.0
    for c in range(seen.shape[0]):
        if seen[c]:
            if energy[c] >= cutoff[c]:
                return False
            total += energy[c]
    freedom = 2.0 * n_seen - 3.0
    spread = 2.0 / (9.0 * freedom)
    return 2.0 * total < freedom * (1.0 - spread + _CHI2_Z * math.sqrt(spread)) ** 3


@njit(cache=True, nogil=True, error_model="numpy")
def _mask(seen, energy, cutoff):
    """The inliers as bits."""
    mask = 0
    for c in range(seen.shape[0]):
        if seen[c] and energy[c] < cutoff[c]:
            mask |= 1 << (c % 62)
    return mask


@njit(cache=True, nogil=True, error_model="numpy")
def _best_pair(K, d, fisheye, limit, R, t, centers, pairs, seen, uv, rays, precision, cutoff, best, energy, trial):
    """Try the mid-points of the pairs: the best into `best` (3,); returns (its energy, that of the best rival).

    A rival is a solution that counts on a view which the best one rejects. A clear majority of views ends the search.
    """
    n_kept, n_seen = 0, 0
    for c in range(seen.shape[0]):
        n_seen += seen[c]
    kept_total, kept_mask = np.empty(pairs.shape[0]), np.empty(pairs.shape[0], np.int64)
    lowest, at = math.inf, -1
    for p in range(pairs.shape[0]):
        i, j = pairs[p, 0], pairs[p, 1]
        if not (seen[i] and seen[j]) or not _midpoint(rays, i, j, centers, trial):
            continue
        bound = lowest + 2.0 * _SURE
        total = _energies(K, d, fisheye, limit, R, t, trial, seen, uv, precision, cutoff, bound, energy)
        if total > bound:
            continue
        kept_total[n_kept], kept_mask[n_kept] = total, _mask(seen, energy, cutoff)
        if total < lowest:
            lowest, at = total, n_kept
            best[:] = trial
            n_in = 0
            for c in range(seen.shape[0]):
                n_in += seen[c] and energy[c] < cutoff[c]
            if 2 * n_in > n_seen + 2:
                break
        n_kept += 1
    rival = math.inf
    for p in range(n_kept):
        if kept_mask[p] & ~kept_mask[at]:
            rival = min(rival, kept_total[p])
    return lowest, rival


@njit(cache=True, nogil=True, error_model="numpy")
def _solve_point(K, d, fisheye, limit, R, t, centers, pairs, seen, n_seen, x, y, uv, rays, precision, cutoff, X, h,
                 energy, trial):  # fmt: skip
    """One point into X, its information into h; returns (found, energy of the best rival)."""
    if _all_views(R, t, K, x, y, seen, X) and _refine(
        K, d, fisheye, limit, R, t, seen, uv, precision, cutoff, False, X, h
    ):
        _energies(K, d, fisheye, limit, R, t, X, seen, uv, precision, cutoff, math.inf, energy)
        if _agree(seen, energy, cutoff, n_seen):
            return True, math.inf
    if n_seen < 3:
        return False, math.inf
    for c in range(K.shape[0]):
        for k in range(3):
            rays[c, k] = x[c] * R[c, 0, k] + y[c] * R[c, 1, k] + R[c, 2, k]
    lowest, rival = _best_pair(
        K, d, fisheye, limit, R, t, centers, pairs, seen, uv, rays, precision, cutoff, X, energy, trial
    )
    if lowest == math.inf:
        return False, math.inf
    return _refine(K, d, fisheye, limit, R, t, seen, uv, precision, cutoff, True, X, h), rival


@njit(cache=True, nogil=True, error_model="numpy")
def _support(seen, energy, cutoff, base, rival):
    """(log-odds of the solution against its rival and against chance, number of inliers).

    Agreement by chance: each of the point's three unknowns uses up one coordinate, worth half a cut-off.
    """
    total, gain, n_in = 0.0, 0.0, 0
    for c in range(seen.shape[0]):
        if seen[c]:
            total += min(energy[c], cutoff[c])
            if energy[c] < cutoff[c]:
                gain += cutoff[c] - energy[c]
                n_in += 1
    return min(gain - 1.5 * base, rival - total), n_in


@njit(cache=True, nogil=True, error_model="numpy")
def _squarest(seen, energy, cutoff, centers, X):
    """Smallest |cosine| between the rays of two inliers."""
    smallest = 1.0
    for i in range(seen.shape[0]):
        if not (seen[i] and energy[i] < cutoff[i]):
            continue
        for j in range(i):
            if seen[j] and energy[j] < cutoff[j]:
                ij, ii, jj = 0.0, 0.0, 0.0
                for k in range(3):
                    a, b = X[k] - centers[i, k], X[k] - centers[j, k]
                    ij, ii, jj = ij + a * b, ii + a * a, jj + b * b
                smallest = min(smallest, abs(ij) / math.sqrt(ii * jj))
    return smallest


@njit(cache=True, nogil=True, error_model="numpy")
def _invert(h, covariance):
    """Inverse of the symmetric (xx, xy, xz, yy, yz, zz) into covariance (3, 3)."""
    c00, c01, c02 = h[3] * h[5] - h[4] * h[4], h[2] * h[4] - h[1] * h[5], h[1] * h[4] - h[2] * h[3]
    c11, c12, c22 = h[0] * h[5] - h[2] * h[2], h[1] * h[2] - h[0] * h[4], h[0] * h[3] - h[1] * h[1]
    inverse = 1.0 / (h[0] * c00 + h[1] * c01 + h[2] * c02)
    covariance[0, 0], covariance[1, 1], covariance[2, 2] = c00 * inverse, c11 * inverse, c22 * inverse
    covariance[0, 1] = covariance[1, 0] = c01 * inverse
    covariance[0, 2] = covariance[2, 0] = c02 * inverse
    covariance[1, 2] = covariance[2, 1] = c12 * inverse


@njit(cache=True, nogil=True, error_model="numpy")
def triangulate_robust(
    K, d, fisheye, limit, R, t, centers, pairs, points_2d, confidence, precision, cutoff, least_support,
    start, stop, points_3d, covariances_3d, residuals, inliers, support, cosine,
):  # fmt: skip
    """Fill [start:stop] of points_3d (n, 3), covariances_3d (n, 3, 3), residuals and inliers (n_cameras, n), support
    and cosine (n,).

    points_2d (n_cameras, n, 2); confidence (n_cameras, n; or 0 columns: even odds); `cutoff` (n_cameras,) the energy at
    which even odds stay even; precision (n_cameras,) is 1/σ²; pairs (n_pairs, 2). A point with less than
    `least_support` (see `_support`) is NaN. `cosine` is the smallest |cosine| between two inliers' rays.
    """
    n_cameras = K.shape[0]
    xd, yd, step = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    x, y = np.empty((n_cameras, BLOCK)), np.empty((n_cameras, BLOCK))
    seen, uv, rays = np.zeros(n_cameras, np.bool_), np.empty((n_cameras, 2)), np.empty((n_cameras, 3))
    cut, energy = np.empty(n_cameras), np.empty(n_cameras)
    X, trial, h, base = np.empty(3), np.empty(3), np.empty(6), np.mean(cutoff)
    for at in range(start, stop):
        i = (at - start) % BLOCK
        if i == 0:
            n = min(BLOCK, stop - at)
            for c in range(n_cameras):
                undistort_block(K[c], d[c], fisheye[c], limit[c], points_2d[c], at, n, xd, yd, step, x[c], y[c])
        n_seen = 0
        for c in range(n_cameras):
            seen[c], cut[c] = x[c, i] == x[c, i], cutoff[c]
            if confidence.shape[1] > 0:
                p = min(max(confidence[c, at], _PRIOR), 1.0 - _PRIOR)
                seen[c] = seen[c] and confidence[c, at] > 0.0
                cut[c] = max(cutoff[c] + math.log(p / (1.0 - p)), _LEAST)
            n_seen += seen[c]
            uv[c, 0], uv[c, 1] = points_2d[c, at, 0], points_2d[c, at, 1]
            residuals[c, at], inliers[c, at] = math.nan, False
        points_3d[at], covariances_3d[at], support[at], cosine[at] = math.nan, math.nan, -math.inf, math.nan
        if n_seen < 2:
            continue
        found, rival = _solve_point(
            K, d, fisheye, limit, R, t, centers, pairs, seen, n_seen, x[:, i], y[:, i], uv, rays, precision, cut, X, h,
            energy, trial,
        )  # fmt: skip
        if not found:
            continue
        _energies(K, d, fisheye, limit, R, t, X, seen, uv, precision, cut, math.inf, energy)
        odds, n_in = _support(seen, energy, cut, base, rival)
        if n_in < 2 or not odds >= least_support:
            continue
        points_3d[at], support[at], cosine[at] = X, odds, _squarest(seen, energy, cut, centers, X)
        _invert(h, covariances_3d[at])
        for c in range(n_cameras):
            if seen[c] and energy[c] < _FAR:
                residuals[c, at], inliers[c, at] = math.sqrt(2.0 * energy[c] / precision[c]), energy[c] < cut[c]
