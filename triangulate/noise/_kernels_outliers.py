"""What undetected outliers add to the covariance of points, one point after the other: see `undetected_outliers`.

All in units in which the covariance of a point's inliers is the identity. A symmetric matrix (6,) is its upper triangle
(xx, xy, xz, yy, yz, zz).
"""

import math

import numpy as np

from ...cameras._kernels_lenses import project_with_jacobian
from ...numerics._kernels_matrices import invert_symmetric_3x3
from ...numerics._kernels_options import helper, kernel

# views that a point rests on, up to which two may err together or be exchanged for rejected ones: more rarely agree;
# and as many change together, at most: two outliers, and the inlier that they have outvoted
FEW_VIEWS = 3
_LEAST = 1e-3  # probability of an outlier below which the 95 % interval changes by less than 0.5 %
_HALVINGS = 12  # of the interval of a share: 0.0015
# share of the excess that a Gaussian may need: 1.8 where all parts lie on one axis, three times as much on three
_LARGEST = 6.0
_RADIUS = 1.959964 / math.sqrt(2.0)  # of the 95 % interval, as the error function counts
_LEAST_LEFT = 0.1  # of the inliers' variance, along every axis: a rejected view that may be right narrows a region


@helper
def _factor(H, L):
    """Cholesky factor L (3, 3) of H (6,), its upper part untouched; False where H is not positive definite."""
    if not H[0] > 0.0:
        return False
    L[0, 0] = math.sqrt(H[0])
    L[1, 0], L[2, 0] = H[1] / L[0, 0], H[2] / L[0, 0]
    middle = H[3] - L[1, 0] ** 2
    if not middle > 0.0:
        return False
    L[1, 1] = math.sqrt(middle)
    L[2, 1] = (H[4] - L[1, 0] * L[2, 0]) / L[1, 1]
    last = H[5] - L[2, 0] ** 2 - L[2, 1] ** 2
    if not last > 0.0:
        return False
    L[2, 2] = math.sqrt(last)
    return True


@helper
def _whitened(L, x, y, z):
    """Solution of L w = (x, y, z)."""
    u = x / L[0, 0]
    v = (y - L[1, 0] * u) / L[1, 1]
    return u, v, (z - L[2, 0] * u - L[2, 1] * v) / L[2, 2]


@helper
def _gather(rig, pixels, X, inliers, at, precision, seen, L):
    """The views of point `at` into the rows of `seen` (n_cameras, 9): residual and its derivatives, in units in which
    the information of the inliers, of this precision (n_cameras,), is the identity; and the camera.

    Returns their number; 0 where the inliers do not determine the point. L (3, 3): factor of their information.
    """
    n, H = 0, np.zeros(6)
    for c in range(pixels.shape[0]):
        row = seen[n]
        u, v, row[2], row[3], row[4], row[5], row[6], row[7] = project_with_jacobian(
            rig.K[c], rig.distortion[c], rig.fisheye[c], rig.limit[c], rig.R[c], rig.t[c], X
        )
        row[0], row[1], row[8] = pixels[c, at, 0] - u, pixels[c, at, 1] - v, c
        if row[0] != row[0] or row[1] != row[1]:
            continue
        n += 1
        for first in (2, 5):
            x, y, z, w = row[first], row[first + 1], row[first + 2], precision[c] if inliers[c, at] else 0.0
            H[0] += w * x * x
            H[1] += w * x * y
            H[2] += w * x * z
            H[3] += w * y * y
            H[4] += w * y * z
            H[5] += w * z * z
    if not _factor(H, L):
        return 0
    for i in range(n):
        for first in (2, 5):
            row = seen[i, first:]
            row[0], row[1], row[2] = _whitened(L, row[0], row[1], row[2])
    return n


@helper
def _normal_equations(seen, used, own, far, odds, row):
    """Information (6), gradient (3) and squared residual of a view of unit precision, its precision as it is taken for
    and as it is otherwise, and the log odds of the latter, into row (13,)."""
    ru, rv, a0, a1, a2, b0, b1, b2 = seen[0], seen[1], seen[2], seen[3], seen[4], seen[5], seen[6], seen[7]
    row[0], row[1], row[2] = a0 * a0 + b0 * b0, a0 * a1 + b0 * b1, a0 * a2 + b0 * b2
    row[3], row[4], row[5] = a1 * a1 + b1 * b1, a1 * a2 + b1 * b2, a2 * a2 + b2 * b2
    row[6], row[7], row[8] = a0 * ru + b0 * rv, a1 * ru + b1 * rv, a2 * ru + b2 * rv
    row[9] = ru * ru + rv * rv
    row[10], row[11] = (own, far) if used else (0.0, own)
    row[12] = odds if used else math.log(2.0) - odds  # a rejected view lies anywhere on a disc of that variance


@helper
def _sum(rows, n, i, j, k, t):
    """Sum of the normal equations of n views into t (10,), where i, j and k (-1: none) are other than they are taken
    for; returns the log odds of that. Summed anew: what is left of the information may be a 10^12th of it."""
    odds = 0.0
    t[:] = 0.0
    for v in range(n):
        changed = v in (i, j, k)
        odds += rows[v, 12] if changed else 0.0
        precision = rows[v, 11] if changed else rows[v, 10]
        for a in range(10):
            t[a] += precision * rows[v, a]
    return odds


@helper
def _evidence(t, odds, part):
    """Log evidence of normal equations t (10,) of these log odds; the second moment about the point that they lead to,
    less the covariance of the inliers, into part (6,)."""
    determinant = t[0] * (t[3] * t[5] - t[4] * t[4]) - t[1] * (t[1] * t[5] - t[2] * t[4])
    determinant += t[2] * (t[1] * t[4] - t[2] * t[3])
    if not determinant > 0.0:
        return -math.inf
    xx, xy, xz, yy, yz, zz = invert_symmetric_3x3(t[0], t[1], t[2], t[3], t[4], t[5])
    x, y, z = xx * t[6] + xy * t[7] + xz * t[8], xy * t[6] + yy * t[7] + yz * t[8], xz * t[6] + yz * t[7] + zz * t[8]
    part[0], part[1], part[2] = xx + x * x - 1.0, xy + x * y, xz + x * z
    part[3], part[4], part[5] = yy + y * y - 1.0, yz + y * z, zz + z * z - 1.0
    left = max(t[9] - x * t[6] - y * t[7] - z * t[8], 0.0)  # of the squared residual; below 0 by round-off only
    return odds - 0.5 * (math.log(determinant) + left)


@helper
def _mixture(rows, is_inlier, n, weights, parts):
    """The parts of the mixture that count, their probabilities into `weights`; returns their number.

    Views that may be other than they are taken for: each inlier by itself, and of few inliers any others with it.
    """
    n_in, t = 0, np.empty(10)
    for i in range(n):
        n_in += is_inlier[i]
    few = n_in <= FEW_VIEWS
    usual = _evidence(t, _sum(rows, n, -1, -1, -1, t), parts[0])
    n_parts, total = 0, 1.0
    for i in range(n):
        for j in range(-1, n if few else 0):
            for k in range(-1, n if few and j >= 0 else 0):
                if 0 <= j <= i or 0 <= k <= j:
                    continue
                if not (is_inlier[i] or (j >= 0 and is_inlier[j]) or (k >= 0 and is_inlier[k])):
                    continue
                log_weight = _evidence(t, _sum(rows, n, i, j, k, t), parts[n_parts]) - usual
                weight = math.exp(min(log_weight, 100.0))
                total += weight
                if weight > _LEAST * (1.0 + weight):
                    weights[n_parts] = weight
                    n_parts += 1
    for p in range(n_parts):
        weights[p] /= total
    return n_parts


@helper
def _share_needed(weights, parts, n_parts, excess, axes):
    """Share of the excess (6,) with which the 95 % interval of a Gaussian holds 95 % of the mixture.

    Along one axis, that on which a part lies: every part is a Gaussian about the point there. axes (2, n_parts) takes
    the variance of each part along its axis, and what the excess adds to the region there.
    """
    inliers, widest = 1.0, excess[0] + excess[3] + excess[5]
    for p in range(n_parts):
        part = parts[p]
        inliers -= weights[p]
        own = max(part[0] + part[3] + part[5], 1e-9)
        along = part[0] * excess[0] + part[3] * excess[3] + part[5] * excess[5]
        along += 2.0 * (part[1] * excess[1] + part[2] * excess[2] + part[4] * excess[4])
        axes[0, p], axes[1, p] = own, max(along / own, 0.0)
    low, high = 0.0, _LARGEST
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        held = inliers * math.erf(_RADIUS * math.sqrt(1.0 + middle * widest))
        for p in range(n_parts):
            held += weights[p] * math.erf(_RADIUS * math.sqrt((1.0 + middle * axes[1, p]) / (1.0 + axes[0, p])))
        if held > 0.95:
            high = middle
        else:
            low = middle
    return high


@helper
def _share_allowed(share, excess, widened, L):
    """The share, halved until what it leaves of the unit covariance is positive definite; widened (6,) and L (3, 3) are
    overwritten."""
    for _ in range(_HALVINGS):
        for a in range(6):
            widened[a] = share * excess[a] + (1.0 - _LEAST_LEFT if a in (0, 3, 5) else 0.0)
        if _factor(widened, L):
            return share
        share *= 0.5
    return 0.0


@helper
def _add(L, m, share, covariance):
    """Add the share of m (6,), in world units, to the covariance (3, 3)."""
    half = np.zeros((3, 3))  # the inverse of L
    half[0, 0], half[1, 0], half[2, 0] = _whitened(L, 1.0, 0.0, 0.0)
    half[1, 1], half[2, 1] = 1.0 / L[1, 1], -L[2, 1] / (L[1, 1] * L[2, 2])
    half[2, 2] = 1.0 / L[2, 2]
    for i in range(3):
        for j in range(3):
            a, b = half[:, i], half[:, j]
            own = m[0] * a[0] * b[0] + m[3] * a[1] * b[1] + m[5] * a[2] * b[2]
            cross = m[1] * (a[0] * b[1] + a[1] * b[0]) + m[2] * (a[0] * b[2] + a[2] * b[0])
            covariance[i, j] += share * (own + cross + m[4] * (a[1] * b[2] + a[2] * b[1]))


@kernel
def add_outlier_covariances(
    rig, points_2d, points_3d, inliers, precision, far, odds, most_parts, start, stop, covariances_3d
):
    """Add what outliers make to covariances_3d (n, 3, 3), in [start:stop].

    rig is a RigArrays; points_2d (n_cameras, n, 2); points_3d (n, 3); inliers (n_cameras, n); of each keypoint, which
    take turns, precision of inliers, `far` of outliers, and log `odds` that an inlier is an outlier (n_keypoints,
    n_cameras).
    """
    n_keypoints, n_cameras = odds.shape
    seen, rows, is_inlier = np.empty((n_cameras, 9)), np.empty((n_cameras, 13)), np.empty(n_cameras, np.bool_)
    weights, parts, axes = np.empty(most_parts), np.empty((most_parts + 1, 6)), np.empty((2, most_parts))
    L, scratch, excess, widened = np.empty((3, 3)), np.empty((3, 3)), np.empty(6), np.empty(6)
    for at in range(start, stop):
        if points_3d[at, 0] != points_3d[at, 0]:
            continue
        k = at % n_keypoints
        n = _gather(rig, points_2d, points_3d[at], inliers, at, precision[k], seen, L)
        for i in range(n):
            c = int(seen[i, 8])
            is_inlier[i] = inliers[c, at]
            _normal_equations(seen[i], is_inlier[i], precision[k, c], far[k, c], odds[k, c], rows[i])
        n_parts = _mixture(rows, is_inlier, n, weights, parts)
        if n_parts == 0:
            continue
        excess[:] = 0.0
        for p in range(n_parts):
            excess += weights[p] * parts[p]
        share = _share_allowed(_share_needed(weights, parts, n_parts, excess, axes), excess, widened, scratch)
        _add(L, excess, share, covariances_3d[at])
