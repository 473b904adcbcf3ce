"""Robust triangulation of one point after the other: all views, or else every pair of views, then refinement.

Every observation costs its energy r² / 2σ² if that is below its `gate`, else the `price` of an outlier: the log-odds at
which an outlier explains it better (MSAC, Torr and Zisserman 2000, with the confidence as prior). A difference of costs
is a log posterior ratio. The gate is the price, but never beyond the threshold, however high the confidence.
"""

import math
from typing import NamedTuple

import numpy as np

from ...cameras._kernels_lenses import distort, project_with_jacobian
from ...numerics._kernels_matrices import invert_symmetric_3x3, solve_symmetric_3x3
from ...numerics._kernels_options import helper, kernel
from ._kernels_dlt import BLOCK, solve_block, undistort_block
from ._kernels_gauss_newton import FAR, refine_block

_STEPS = 12  # of Gauss-Newton: three or four are usual, a point that needs more is not determined
_CERTAIN = 12.0  # log-odds beyond which a weight is 0 or 1
_SETTLED = 1e-4  # last step of Gauss-Newton, squared and in standard deviations: the next would be its square
TYPICAL = math.log(0.8 / 0.2)  # log-odds of a view whose price is the threshold, and of views without confidence
PRIOR_RANGE = (0.02, 0.98)  # prior probabilities are clipped: detectors give gross errors high confidence, too
LEAST = 2.0  # smallest price, however low the confidence of a view
_CHI2_Z = 3.1  # a sum of energies beyond this many standard deviations (0.999) is no agreement


class Views(NamedTuple):
    """Observations of one point by all cameras, and their energies (n_cameras,) at its present position."""

    seen: np.ndarray  # (n_cameras,) bool
    uv: np.ndarray  # (n_cameras, 2) pixels
    ideal: np.ndarray  # (n_cameras, 2) normalised coordinates without distortion
    precision: np.ndarray  # (n_cameras,) 1 / sigma^2
    price: np.ndarray  # (n_cameras,)
    gate: np.ndarray  # (n_cameras,)
    energy: np.ndarray  # (n_cameras,)


@helper
def midpoint(a, b, center_a, center_b, X):
    """The point halfway between two rays (3,) from two centres (3,) into X (3,); False if they are parallel or meet
    behind a camera."""
    wx, wy, wz = center_b[0] - center_a[0], center_b[1] - center_a[1], center_b[2] - center_a[2]
    aa = a[0] * a[0] + a[1] * a[1] + a[2] * a[2]
    bb = b[0] * b[0] + b[1] * b[1] + b[2] * b[2]
    ab = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
    aw = a[0] * wx + a[1] * wy + a[2] * wz
    bw = b[0] * wx + b[1] * wy + b[2] * wz
    determinant = aa * bb - ab * ab
    if not determinant > 1e-8 * aa * bb:
        return False
    s = (aw * bb - bw * ab) / determinant
    u = (aw * ab - bw * aa) / determinant
    if not (s > 0.0 and u > 0.0):
        return False
    for axis in range(3):
        X[axis] = 0.5 * (center_a[axis] + s * a[axis] + center_b[axis] + u * b[axis])
    return True


@helper
def linear_lens(K, d, fisheye, ideal, lens):
    """Derivatives (4,) of a pixel by its ideal coordinates (2,), into `lens`."""
    _, _, xx, xy, yx, yy = distort(ideal[0], ideal[1], d, fisheye)
    lens[0], lens[1] = K[0, 0] * xx + K[0, 1] * yx, K[0, 0] * xy + K[0, 1] * yy
    lens[2], lens[3] = K[1, 1] * yx, K[1, 1] * yy


@helper
def linear_energy(R, t, precision, ideal, lens, X):
    """Energy of an observation at X.

    In ideal coordinates, with the lens linear about the observation: exact where it matters and three times faster.
    """
    z = R[2, 0] * X[0] + R[2, 1] * X[1] + R[2, 2] * X[2] + t[2]
    if not z > 0.0:
        return FAR
    du = (R[0, 0] * X[0] + R[0, 1] * X[1] + R[0, 2] * X[2] + t[0]) / z - ideal[0]
    dv = (R[1, 0] * X[0] + R[1, 1] * X[1] + R[1, 2] * X[2] + t[1]) / z - ideal[1]
    a, b = lens[0] * du + lens[1] * dv, lens[2] * du + lens[3] * dv
    return 0.5 * precision * (a * a + b * b)


@helper
def _energies(rig, views, lens, X, bound):
    """Sum of the costs at X, stopped once above `bound`; the energies into `views.energy`."""
    energy, total = views.energy, 0.0
    for c in range(rig.R.shape[0]):
        if not views.seen[c]:
            continue
        energy[c] = linear_energy(rig.R[c], rig.t[c], views.precision[c], views.ideal[c], lens[c], X)
        total += energy[c] if energy[c] < views.gate[c] else views.price[c]
        if total > bound:
            return total
    return total


@helper
def _weight(excess):
    """Posterior probability of an inlier whose energy exceeds its gate by `excess`: the redescending weight."""
    if excess < -_CERTAIN:
        return 1.0
    if excess > _CERTAIN:
        return 0.0
    return 1.0 / (1.0 + math.exp(excess))


@helper
def _refine(rig, views, X, h):
    """Gauss-Newton from X, in place, on the exact projections; information (xx, xy, xz, yy, yz, zz) and energies there.

    False if the system is singular or does not settle.
    """
    uv, energy = views.uv, views.energy
    for _ in range(_STEPS):
        h[:] = 0.0
        g0, g1, g2 = 0.0, 0.0, 0.0
        for c in range(rig.K.shape[0]):
            if not views.seen[c]:
                continue
            u, v, a0, a1, a2, b0, b1, b2 = project_with_jacobian(
                rig.K[c], rig.distortion[c], rig.fisheye[c], rig.limit[c], rig.R[c], rig.t[c], X
            )
            energy[c] = FAR
            if u != u:
                continue
            ru, rv, w = uv[c, 0] - u, uv[c, 1] - v, views.precision[c]
            energy[c] = 0.5 * w * (ru * ru + rv * rv)
            w *= _weight(energy[c] - views.gate[c])
            h[0] += w * (a0 * a0 + b0 * b0)
            h[1] += w * (a0 * a1 + b0 * b1)
            h[2] += w * (a0 * a2 + b0 * b2)
            h[3] += w * (a1 * a1 + b1 * b1)
            h[4] += w * (a1 * a2 + b1 * b2)
            h[5] += w * (a2 * a2 + b2 * b2)
            g0 += w * (a0 * ru + b0 * rv)
            g1 += w * (a1 * ru + b1 * rv)
            g2 += w * (a2 * ru + b2 * rv)
        s0, s1, s2 = solve_symmetric_3x3(h[0], h[1], h[2], h[3], h[4], h[5], g0, g1, g2)
        if s0 != s0:
            return False
        X[0] += s0
        X[1] += s1
        X[2] += s2
        if s0 * g0 + s1 * g1 + s2 * g2 < _SETTLED:
            return True
    return False


@helper
def _agree(views, n_seen):
    """Whether every view is an inlier and the energies together are no more than noise explains (Wilson-Hilferty)."""
    total = 0.0
    for c in range(views.seen.shape[0]):
        if views.seen[c]:
            if views.energy[c] >= views.gate[c]:
                return False
            total += views.energy[c]
    freedom = 2.0 * n_seen - 3.0
    spread = 2.0 / (9.0 * freedom)
    return 2.0 * total < freedom * (1.0 - spread + _CHI2_Z * math.sqrt(spread)) ** 3


@helper
def _inliers(views):
    """(the inliers as bits, their number)."""
    mask, n_in = 0, 0
    for c in range(views.seen.shape[0]):
        if views.seen[c] and views.energy[c] < views.gate[c]:
            mask |= 1 << (c % 62)
            n_in += 1
    return mask, n_in


@helper
def _best_pair(rig, views, lens, centers, pairs, n_seen, best):
    """Try the mid-points of the pairs: the best into `best` (3,); returns (its cost, that of the best rival).

    A rival is a solution that counts on a view which the best one rejects. A clear majority of views ends the search.
    """
    R, seen, ideal = rig.R, views.seen, views.ideal
    rays, trial = np.empty((seen.shape[0], 3)), np.empty(3)
    for c in range(seen.shape[0]):
        for k in range(3):
            rays[c, k] = ideal[c, 0] * R[c, 0, k] + ideal[c, 1] * R[c, 1, k] + R[c, 2, k]
    n_kept, lowest, at = 0, math.inf, -1
    kept_total, kept_mask = np.empty(pairs.shape[0]), np.empty(pairs.shape[0], np.int64)
    for p in range(pairs.shape[0]):
        i, j = pairs[p, 0], pairs[p, 1]
        if not (seen[i] and seen[j]) or not midpoint(rays[i], rays[j], centers[i], centers[j], trial):
            continue
        bound = lowest + 2.0 * _CERTAIN
        total = _energies(rig, views, lens, trial, bound)
        if total > bound:
            continue
        mask, n_in = _inliers(views)
        kept_total[n_kept], kept_mask[n_kept] = total, mask
        if total < lowest:
            lowest, at = total, n_kept
            for k in range(3):
                best[k] = trial[k]
            if 2 * n_in > n_seen + 2:
                break
        n_kept += 1
    rival = math.inf
    for p in range(n_kept):
        if kept_mask[p] & ~kept_mask[at]:
            rival = min(rival, kept_total[p])
    return lowest, rival


@helper
def _consensus(rig, views, centers, pairs, n_seen, X, h):
    """One point into X from scratch, its information into h; (found, cost of the best rival)."""
    if n_seen == 2:
        found = X[0] == X[0] and _refine(rig, views, X, h)
        return found and _agree(views, n_seen), math.inf
    lens = np.empty((rig.K.shape[0], 4))
    for c in range(rig.K.shape[0]):
        if views.seen[c]:
            linear_lens(rig.K[c], rig.distortion[c], rig.fisheye[c], views.ideal[c], lens[c])
    lowest, rival = _best_pair(rig, views, lens, centers, pairs, n_seen, X)
    if lowest == math.inf:
        return False, math.inf
    return _refine(rig, views, X, h), rival


@helper
def _support(views, base, rival):
    """(log-odds of the solution against its rival and against chance, number of inliers).

    Agreement by chance: each of the point's three unknowns uses up one coordinate, worth half of `base`, the price that
    an outlier costs at even odds.
    """
    total, gain, n_in = 0.0, 0.0, 0
    for c in range(views.seen.shape[0]):
        if views.seen[c]:
            if views.energy[c] < views.gate[c]:
                total += views.energy[c]
                gain += views.price[c] - views.energy[c]
                n_in += 1
            else:
                total += views.price[c]
    return min(gain - 1.5 * base, rival - total), n_in


@helper
def _squarest(inliers, at, centers, X, rays):
    """Smallest |cosine| between the rays of two inliers of point `at`."""
    n = 0
    for c in range(inliers.shape[0]):
        if inliers[c, at]:
            a, b, e = X[0] - centers[c, 0], X[1] - centers[c, 1], X[2] - centers[c, 2]
            length = math.sqrt(a * a + b * b + e * e)
            rays[n, 0], rays[n, 1], rays[n, 2] = a / length, b / length, e / length
            n += 1
    smallest = 1.0
    for i in range(n):
        for j in range(i):
            cosine = rays[i, 0] * rays[j, 0] + rays[i, 1] * rays[j, 1] + rays[i, 2] * rays[j, 2]
            smallest = min(smallest, abs(cosine))
    return smallest


@helper
def _gather(views, ideal_x, ideal_y, points_2d, weight, confident, cutoff, at, i):
    """Fill `views` for point `at`, the i-th of its block; returns how many views saw it."""
    n_seen = 0
    for c in range(cutoff.shape[0]):
        views.seen[c] = weight[c, i] > 0.0
        n_seen += views.seen[c]
        views.uv[c, 0], views.uv[c, 1] = points_2d[c, at, 0], points_2d[c, at, 1]
        views.ideal[c, 0], views.ideal[c, 1] = ideal_x[c, i], ideal_y[c, i]
        if confident:
            p = min(max(weight[c, i], PRIOR_RANGE[0]), PRIOR_RANGE[1])
            views.price[c] = max(cutoff[c] + math.log(p / (1.0 - p)) - TYPICAL, LEAST)
            views.gate[c] = min(views.price[c], cutoff[c])
    return n_seen


@helper
def _report(views, h, X, odds, centers, rays, at, found):
    """Write a point that was found, with its residuals, inliers and covariance, into `found`."""
    for c in range(views.seen.shape[0]):
        if views.seen[c] and views.energy[c] < FAR:
            found.residuals[c, at] = math.sqrt(2.0 * views.energy[c] / views.precision[c])
            found.inliers[c, at] = views.energy[c] < views.gate[c]
    for k in range(3):
        found.points_3d[at, k] = X[k]
    found.support[at] = odds
    found.cosine[at] = _squarest(found.inliers, at, centers, X, rays)
    s = found.covariances_3d[at]
    s[0, 0], s[0, 1], s[0, 2], s[1, 1], s[1, 2], s[2, 2] = invert_symmetric_3x3(h[0], h[1], h[2], h[3], h[4], h[5])
    s[1, 0], s[2, 0], s[2, 1] = s[0, 1], s[0, 2], s[1, 2]


@kernel
def triangulate_robust(
    rig, centers, pairs, points_2d, confidence, precision, cutoff, least_support, start, stop, found
):
    """Write what is found in [start:stop] into `found`: points_3d (n, 3), covariances_3d (n, 3, 3), residuals and
    inliers (n_cameras, n), support and cosine (n,).

    rig is a RigArrays; pairs (n_pairs, 2); points_2d (n_cameras, n, 2); confidence (n_cameras, n; or 0 columns:
    typical); precision (n_cameras,) is 1/σ², `cutoff` (n_cameras,) the energy of the threshold. A point with less than
    `least_support` (see `_support`) is left as it is. `cosine` is the smallest |cosine| between two inliers' rays.
    """
    n_cameras, confident = rig.K.shape[0], confidence.shape[1] > 0
    xd, yd, change = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    x, y, weight = np.empty((n_cameras, BLOCK)), np.empty((n_cameras, BLOCK)), np.empty((n_cameras, BLOCK))
    block_X, block_h, block_energy = np.empty((3, BLOCK)), np.empty((9, BLOCK)), np.empty((n_cameras, BLOCK))
    rows, g, rays = np.empty((8, BLOCK)), np.empty((3, BLOCK)), np.empty((n_cameras, 3))
    views = Views(
        np.empty(n_cameras, np.bool_), np.empty((n_cameras, 2)), np.empty((n_cameras, 2)), precision,
        np.empty(n_cameras), np.empty(n_cameras), np.empty(n_cameras),
    )  # fmt: skip
    X, h, total = np.empty(3), np.empty(6), 0.0
    for c in range(n_cameras):
        total += cutoff[c]
        views.price[c], views.gate[c] = cutoff[c], cutoff[c]
    base = total / n_cameras - TYPICAL
    for at in range(start, stop):
        i = (at - start) % BLOCK
        if i == 0:
            n = min(BLOCK, stop - at)
            for c in range(n_cameras):
                undistort_block(rig.K[c], rig.distortion[c], rig.fisheye[c], rig.limit[c], points_2d[c], at, n, xd, yd,
                                change, x[c], y[c])  # fmt: skip
                for j in range(n):
                    weight[c, j] = confidence[c, at + j] if confident else 1.0
                    weight[c, j] = weight[c, j] if x[c, j] == x[c, j] else 0.0
            solve_block(rig.K, rig.R, rig.t, x, y, weight, n, block_h, block_X)
            refine_block(rig, points_2d, at, n, weight, precision, block_X, block_h[:6], g, rows, block_energy, change)
        n_seen = _gather(views, x, y, points_2d, weight, confident, cutoff, at, i)
        if n_seen < 2:
            continue
        for k in range(3):
            X[k] = block_X[k, i]
        for k in range(6):
            h[k] = block_h[k, i]
        for c in range(n_cameras):
            views.energy[c] = block_energy[c, i]
        rival = math.inf
        agreed = change[i] < _SETTLED and _agree(views, n_seen)
        if not agreed:
            agreed, rival = _consensus(rig, views, centers, pairs, n_seen, X, h)
        if agreed:
            odds, n_in = _support(views, base, rival)
            if n_in >= 2 and odds >= least_support:
                _report(views, h, X, odds, centers, rays, at, found)


@kernel
def describe_residuals(rig, points_2d, points_3d, covariances_3d, precision, start, stop, residuals, leverages, sizes):
    """Of the points [start:stop] in every camera: residuals (n_cameras, n, 2); how much of its own residual each
    observation takes away, trace(J C Jᵀ) / 2σ², leverages (n_cameras, n); and the squared pixels that a displacement by
    a world unit makes, trace(J Jᵀ) / 2, sizes (n_cameras, n).

    precision (n_keypoints, n_cameras) is 1/σ² of each keypoint, which take turns.
    """
    for c in range(rig.K.shape[0]):
        K, d, R, t = rig.K[c], rig.distortion[c], rig.R[c], rig.t[c]
        for i in range(start, stop):
            u, v, a0, a1, a2, b0, b1, b2 = project_with_jacobian(K, d, rig.fisheye[c], rig.limit[c], R, t, points_3d[i])
            residuals[c, i, 0], residuals[c, i, 1] = points_2d[c, i, 0] - u, points_2d[c, i, 1] - v
            xx, yy, zz = a0 * a0 + b0 * b0, a1 * a1 + b1 * b1, a2 * a2 + b2 * b2
            s = covariances_3d[i]
            own = s[0, 0] * xx + s[1, 1] * yy + s[2, 2] * zz
            cross = s[0, 1] * (a0 * a1 + b0 * b1) + s[0, 2] * (a0 * a2 + b0 * b2) + s[1, 2] * (a1 * a2 + b1 * b2)
            leverages[c, i] = 0.5 * precision[i % precision.shape[0], c] * (own + 2.0 * cross)
            sizes[c, i] = 0.5 * (xx + yy + zz)
