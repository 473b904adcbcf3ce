"""Loops of the smoothers over float64 arrays whose shapes the caller has checked.

A banded symmetric matrix of `n` rows is stored as `band (n, width + 1)` with `band[j, i - j] = matrix[i, j]`, i >= j:
LAPACK's lower storage when its transpose is read column by column.
"""

import math
from typing import NamedTuple

import numpy as np

from ...cameras._kernels_lenses import project_with_jacobian
from ...numerics._kernels_matrices import solve_3x3
from ...numerics._kernels_options import helper, kernel


class Pixels(NamedTuple):
    """What was seen of J keypoints in T frames by C cameras: pixels, each an inlier or an outlier."""

    points_2d: np.ndarray  # (C, T, J, 2), NaN where missing
    prior: np.ndarray  # (C, T, J) probability of being an inlier
    sigma: np.ndarray  # (C, J) px, the noise of a coordinate where scale is 1
    scale: np.ndarray  # (C, T, J)
    log_outlier: np.ndarray  # (C, J) log density of an outlier
    power: np.ndarray  # (T, J) of a frame's likelihood: independent errors per frame


class Terms(NamedTuple):
    """Gauss-Newton terms of the inliers at some points, and how much of an inlier each pixel is."""

    information: np.ndarray  # (T, J, 3, 3)
    vector: np.ndarray  # (T, J, 3) sum of w Jᵀ(residual + J x)
    weights: np.ndarray  # (C, T, J) posterior probability of being an inlier
    squared: np.ndarray  # (C, T, J) squared residual plus the trace of the projected spread, over the squared scale
    cost: np.ndarray  # (T,) minus the log of the mixture


@kernel
def linearise(rig, pixels, points_3d, spread, inflate, start, stop, terms):
    """Mixture responsibilities, and the Gauss-Newton terms of the inliers at `points_3d`, of the frames start to stop.

    rig is a RigArrays, pixels are Pixels; points_3d (T, J, 3), spread (T, J, 3, 3) whose projection times `inflate`
    widens the inlier density. Adds to the zeros of `terms`; its `squared` stays untouched where the spread exceeds the
    noise. NaN points or pixels weigh 0 and leave all as it was.
    """
    K, d, fisheye, limit, R, t = rig
    points_2d, prior, sigma, scale, log_outlier, power = pixels
    information, vector, weights, squared, cost = terms
    n_cameras, n_keypoints = prior.shape[0], prior.shape[2]
    for f in range(start, stop):
        for k in range(n_keypoints):
            X = points_3d[f, k]
            S = spread[f, k]
            I = information[f, k]
            V = vector[f, k]
            if math.isnan(X[0]):
                continue
            for c in range(n_cameras):
                x, y = points_2d[c, f, k, 0], points_2d[c, f, k, 1]
                if math.isnan(x) or math.isnan(y):
                    continue
                u, v, a0, a1, a2, b0, b1, b2 = project_with_jacobian(K[c], d[c], fisheye[c], limit[c], R[c], t[c], X)
                if math.isnan(u):
                    continue
                scale2 = scale[c, f, k] * scale[c, f, k]
                s2 = sigma[c, k] * sigma[c, k] * scale2
                ex, ey = x - u, y - v
                g0 = S[0, 0] * a0 + S[0, 1] * a1 + S[0, 2] * a2
                g1 = S[1, 0] * a0 + S[1, 1] * a1 + S[1, 2] * a2
                g2 = S[2, 0] * a0 + S[2, 1] * a1 + S[2, 2] * a2
                pxx = a0 * g0 + a1 * g1 + a2 * g2
                pxy = b0 * g0 + b1 * g1 + b2 * g2
                pyy = (
                    b0 * (S[0, 0] * b0 + S[0, 1] * b1 + S[0, 2] * b2)
                    + b1 * (S[1, 0] * b0 + S[1, 1] * b1 + S[1, 2] * b2)
                    + b2 * (S[2, 0] * b0 + S[2, 1] * b1 + S[2, 2] * b2)
                )
                sxx, sxy, syy = s2 + inflate * pxx, inflate * pxy, s2 + inflate * pyy
                det = sxx * syy - sxy * sxy
                p = prior[c, f, k]
                odds = (
                    math.log(p / ((1.0 - p) * math.sqrt(det)))
                    - 0.5 * (syy * ex * ex - 2.0 * sxy * ex * ey + sxx * ey * ey) / det
                    - 1.8378770664093453
                    - log_outlier[c, k]
                )
                out = math.log(1.0 - p) + log_outlier[c, k]
                small = math.exp(-abs(odds))
                r = 1.0 / (1.0 + small) if odds > 0.0 else small / (1.0 + small)
                cost[f] -= power[f, k] * (out + max(odds, 0.0) + math.log(1.0 + small))
                weights[c, f, k] = r
                if pxx + pyy < 2.0 * s2:
                    squared[c, f, k] = (ex * ex + ey * ey + pxx + pyy) / scale2
                w = power[f, k] * r / s2
                ex += a0 * X[0] + a1 * X[1] + a2 * X[2]
                ey += b0 * X[0] + b1 * X[1] + b2 * X[2]
                I[0, 0] += w * (a0 * a0 + b0 * b0)
                I[1, 0] += w * (a0 * a1 + b0 * b1)
                I[2, 0] += w * (a0 * a2 + b0 * b2)
                I[1, 1] += w * (a1 * a1 + b1 * b1)
                I[2, 1] += w * (a1 * a2 + b1 * b2)
                I[2, 2] += w * (a2 * a2 + b2 * b2)
                V[0] += w * (a0 * ex + b0 * ey)
                V[1] += w * (a1 * ex + b1 * ey)
                V[2] += w * (a2 * ex + b2 * ey)
            I[0, 1], I[0, 2], I[1, 2] = I[1, 0], I[2, 0], I[2, 1]


@kernel
def cholesky_band(band):
    """In-place Cholesky factor of a banded matrix; returns the log determinant, NaN if it is not positive definite."""
    n, width = band.shape[0], band.shape[1] - 1
    log_det = 0.0
    for j in range(n):
        if not band[j, 0] > 0.0:
            return math.nan
        pivot = math.sqrt(band[j, 0])
        log_det += 2.0 * math.log(pivot)
        last = min(width, n - 1 - j)
        band[j, 0] = pivot
        for a in range(1, last + 1):
            band[j, a] /= pivot
        for a in range(1, last + 1):
            value = band[j, a]
            if value != 0.0:
                for b in range(a, last + 1):
                    band[j + a, b - a] -= value * band[j, b]
    return log_det


@kernel
def weighted_gram(stencil, rows):
    """The band (T, m + 1) of Dᵀ diag(rows) D, of which D has the stencil (m + 1) in every row; the last m rows are
    none."""
    n_frames, width = len(rows), len(stencil)
    gram = np.zeros((n_frames, width))
    for f in range(n_frames - width + 1):
        for i in range(width):
            for j in range(width - i):
                gram[f + i, j] += rows[f] * stencil[i] * stencil[i + j]
    return gram


@kernel
def track_band(information, gram, anchor):
    """Banded posterior precision of one keypoint: information (T, 3, 3) + gram (T, m + 1) + anchor."""
    n_frames, order = gram.shape[0], gram.shape[1] - 1
    band = np.zeros((3 * n_frames, 3 * order + 1))
    for f in range(n_frames):
        for a in range(3):
            for b in range(a, 3):
                band[3 * f + a, b - a] += information[f, b, a]
            band[3 * f + a, 0] += anchor + gram[f, 0]
            for j in range(1, order + 1):
                band[3 * f + a, 3 * j] += gram[f, j]
    return band


@helper
def forward(band, vector):
    """Solve L z = vector in place, given the factor of `cholesky_band`; returns the squared length of z."""
    n, width = band.shape[0], band.shape[1] - 1
    squared = 0.0
    for j in range(n):
        vector[j] /= band[j, 0]
        squared += vector[j] * vector[j]
        for a in range(1, min(width, n - 1 - j) + 1):
            vector[j + a] -= band[j, a] * vector[j]
    return squared


@kernel
def substitute(band, vector):
    """Solve L Lᵀ x = vector in place, given the factor of `cholesky_band`."""
    n, width = band.shape[0], band.shape[1] - 1
    forward(band, vector)
    for j in range(n - 1, -1, -1):
        value = vector[j]
        for a in range(1, min(width, n - 1 - j) + 1):
            value -= band[j, a] * vector[j + a]
        vector[j] = value / band[j, 0]


@helper
def flat_copy(vector):
    """The numbers of vector (T, 3), one frame after the other (3 T,)."""
    flat = np.empty(3 * vector.shape[0])
    for f in range(vector.shape[0]):
        for a in range(3):
            flat[3 * f + a] = vector[f, a]
    return flat


@kernel
def log_determinant(gram, anchor):
    """Log determinant of a coordinate's prior precision: the band `gram` (T, m + 1), plus anchor."""
    prior = gram.copy()
    for f in range(prior.shape[0]):
        prior[f, 0] += anchor
    return cholesky_band(prior)


@kernel
def track_evidence(information, vector, gram, anchor):
    """Log evidence of one keypoint's track up to a constant of its data; see `smooth_track` for the model."""
    band = track_band(information, gram, anchor)
    log_posterior = cholesky_band(band)
    squared = forward(band, flat_copy(vector))
    return 0.5 * (3.0 * log_determinant(gram, anchor) - log_posterior + squared)


@kernel
def lasting_evidence(information, vector, gram, anchor, lasting, white, keep):
    """As `track_evidence` where a share `lasting` of an error's variance is first-order autoregressive with this
    correlation from frame to frame, and a share `white` new in every frame.

    The unknowns of a frame are its position and the lasting error u (3), in units in which a frame's errors are
    independent: with information L Lᵀ, Lᵀ (observed - position) = √lasting u + white noise.
    """
    n_frames, order = gram.shape[0], gram.shape[1] - 1
    width = 6 * order
    band = np.zeros((6 * n_frames, width + 1))
    z = np.zeros(6 * n_frames)
    share, w = math.sqrt(lasting), 1.0 / white
    L = np.zeros((3, 3))
    for f in range(n_frames):
        I, row = information[f], 6 * f
        least = 1e-9 * (I[0, 0] + I[1, 1] + I[2, 2])
        for a in range(3):
            for b in range(a + 1):
                value = I[a, b]
                for i in range(b):
                    value -= L[a, i] * L[b, i]
                if a == b:
                    L[a, a] = math.sqrt(value) if value > least else 0.0
                else:
                    L[a, b] = value / L[b, b] if L[b, b] > 0.0 else 0.0
        for a in range(3):
            seen = vector[f, a]
            for i in range(a):
                seen -= L[a, i] * z[row + 3 + i]
            z[row + a] = w * vector[f, a]
            z[row + 3 + a] = seen / L[a, a] if L[a, a] > 0.0 else 0.0
            for b in range(a, 3):
                band[row + a, b - a] += w * I[b, a]
            for b in range(3):
                band[row + a, 3 + b - a] += w * share * L[a, b]
            band[row + a, 0] += anchor + gram[f, 0]
            for j in range(1, order + 1):
                band[row + a, 6 * j] += gram[f, j]
            inner = 0 < f < n_frames - 1
            band[row + 3 + a, 0] += (1.0 + (keep * keep if inner else 0.0)) / (1.0 - keep * keep)
            if L[a, a] > 0.0:  # else nothing is observed along this axis
                band[row + 3 + a, 0] += w * lasting
            if f < n_frames - 1:
                band[row + 3 + a, 6] -= keep / (1.0 - keep * keep)
        for a in range(3):
            z[row + 3 + a] *= w * share
    log_posterior = cholesky_band(band)
    return 0.5 * (3.0 * log_determinant(gram, anchor) - log_posterior + forward(band, z))


@kernel
def smooth_track(information, vector, gram, anchor, stencil, mean, covariances, differences):
    """Posterior mean (T, 3) and covariances (T, 3, 3, 3) with frames t, t + 1, t + 2 of one keypoint, and of its
    differences (weights `stencil`) the square of the mean and the variance of a coordinate (T, 2), into zeros.

    Gaussian observations of information (T, 3, 3) and information times position `vector` (T, 3); prior precision
    DᵀPD + anchor, P that of each difference, where gram[t, j] = (DᵀPD)[t, t + j]. Covariances by Takahashi's recursion
    (Erisman and Tinney 1975).
    """
    n_frames = information.shape[0]
    band = track_band(information, gram, anchor)
    cholesky_band(band)
    flat = flat_copy(vector)
    substitute(band, flat)
    n, width = band.shape[0], band.shape[1] - 1
    reach = max(width, 8)
    inverse = np.zeros((n + reach, 2 * reach + 1))  # [j, reach + i - j] both above and below the diagonal
    column = np.empty(reach + 1)
    for j in range(n - 1, -1, -1):
        column[:] = 0.0
        for a in range(1, min(width, n - 1 - j) + 1):
            value = band[j, a]
            row = inverse[j + a, reach - a :]
            for i in range(1, reach + 1):
                column[i] -= value * row[i]
        pivot = band[j, 0]
        value = 1.0 / pivot
        for i in range(1, reach + 1):
            column[i] /= pivot
            inverse[j, reach + i] = column[i]
            inverse[j + i, reach - i] = column[i]
        for a in range(1, min(width, n - 1 - j) + 1):
            value -= band[j, a] * column[a]
        inverse[j, reach] = value / pivot
    for f in range(n_frames):
        for a in range(3):
            mean[f, a] = flat[3 * f + a]
            for lag in range(min(3, n_frames - f)):
                for b in range(3):
                    covariances[f, lag, a, b] = inverse[3 * f + a, reach + 3 * lag + b - a]
    for f in range(n_frames - len(stencil) + 1):
        for a in range(3):
            total = 0.0
            for i in range(len(stencil)):
                total += stencil[i] * flat[3 * (f + i) + a]
                for j in range(len(stencil)):
                    differences[f, 1] += stencil[i] * stencil[j] * inverse[3 * (f + i) + a, reach + 3 * (j - i)] / 3.0
            differences[f, 0] += total * total


@kernel
def joint_band(information, gram, anchor, bones, bone_information, start, stop, band):
    """Banded posterior precision of all keypoints in the order (frame, keypoint, xyz), into band (3 J T, width +
    1), frames start to stop.

    information (T, J, 3, 3), gram (T, J, m + 1) with the tracks' precisions, anchor a number, bones (B, 2) keypoints
    (a, b) and bone_information (T, B, 3, 3): the precision of x_a - x_b.
    """
    n_keypoints = information.shape[1]
    order = gram.shape[2] - 1
    block = 3 * n_keypoints
    band[block * start : block * stop] = 0.0
    for f in range(start, stop):
        for k in range(n_keypoints):
            row = block * f + 3 * k
            for a in range(3):
                for b in range(a, 3):
                    band[row + a, b - a] += information[f, k, b, a]
                band[row + a, 0] += anchor + gram[f, k, 0]
                for j in range(1, order + 1):
                    band[row + a, block * j] = gram[f, k, j]
        for b in range(bones.shape[0]):
            low, high = min(bones[b, 0], bones[b, 1]), max(bones[b, 0], bones[b, 1])
            for i in range(3):
                column = block * f + 3 * low + i
                for j in range(3):
                    value = bone_information[f, b, i, j]
                    band[column, 3 * (high - low) + j - i] -= value
                    if j >= i:
                        band[column, j - i] += value
                        band[block * f + 3 * high + i, j - i] += value


@kernel
def innovation_chi2(information, vector, points_3d, spread, start, stop, chi2):
    """Chi-square of each pseudo-observation under the rest of its track, frames start to stop, into chi2 (T, J).

    0 where there is none.

    The rest is the posterior divided by the observation, of precision C⁻¹ - I. With the gradient g = b - I x, the
    chi-square of the innovation is g'I⁻¹g + g'(C⁻¹ - I)⁻¹g, and (C⁻¹ - I)⁻¹ = (1 - C I)⁻¹ C.
    """
    own, rest, g = np.empty((3, 3)), np.empty((3, 3)), np.empty(3)
    for f in range(start, stop):
        for k in range(points_3d.shape[1]):
            I, C, X = information[f, k], spread[f, k], points_3d[f, k]
            trace = I[0, 0] + I[1, 1] + I[2, 2]
            chi2[f, k] = 0.0
            if not trace > 0.0 or math.isnan(X[0]):
                continue
            for i in range(3):
                g[i] = vector[f, k, i] - (I[i, 0] * X[0] + I[i, 1] * X[1] + I[i, 2] * X[2])
                for j in range(3):
                    own[i, j] = I[i, j]
                    rest[i, j] = -(C[i, 0] * I[0, j] + C[i, 1] * I[1, j] + C[i, 2] * I[2, j])
                own[i, i] += 1e-12 * trace
                rest[i, i] += 1.0 + 1e-9
            a0, a1, a2 = solve_3x3(own, g[0], g[1], g[2])
            c0 = C[0, 0] * g[0] + C[0, 1] * g[1] + C[0, 2] * g[2]
            c1 = C[1, 0] * g[0] + C[1, 1] * g[1] + C[1, 2] * g[2]
            c2 = C[2, 0] * g[0] + C[2, 1] * g[1] + C[2, 2] * g[2]
            b0, b1, b2 = solve_3x3(rest, c0, c1, c2)
            chi2[f, k] = g[0] * (a0 + b0) + g[1] * (a1 + b1) + g[2] * (a2 + b2)
