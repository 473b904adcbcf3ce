"""3D points that candidates of several views agree on, as plain loops over float64 arrays checked by the caller.

Pixels are free of lens distortion, so that a camera is its projection matrix (3, 4).
"""

import math

import numpy as np

from ...numerics._kernels_matrices import invert_symmetric_3x3, solve_symmetric_3x3
from ...numerics._kernels_options import helper, kernel

_N_STEPS = 3  # reweightings of the linear solution: its rows are pixels once divided by the depth


@helper
def place(P, pixels, members, precision, X):
    """Least squares of the members' pixels from the point X (3,), which is overwritten; its mean standard deviation.

    P : (n_views, 3, 4); pixels : (n_views, n_candidates, 2); members : (n_views,), -1 where none
    precision : (n_views,). Infinite where the point lies behind a camera or is not determined.
    """
    n_views = len(P)
    variance = np.inf
    for step in range(_N_STEPS):
        xx, xy, xz, yy, yz, zz = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        gx, gy, gz = 0.0, 0.0, 0.0
        for v in range(n_views):
            if members[v] < 0:
                continue
            weight = precision[v]
            if step:
                depth = P[v, 2, 0] * X[0] + P[v, 2, 1] * X[1] + P[v, 2, 2] * X[2] + P[v, 2, 3]
                if depth <= 0:
                    return np.inf
                weight /= depth * depth
            for row in range(2):
                u = pixels[v, members[v], row]
                a = P[v, row, 0] - u * P[v, 2, 0]
                b = P[v, row, 1] - u * P[v, 2, 1]
                c = P[v, row, 2] - u * P[v, 2, 2]
                d = u * P[v, 2, 3] - P[v, row, 3]
                xx += weight * a * a
                xy += weight * a * b
                xz += weight * a * c
                yy += weight * b * b
                yz += weight * b * c
                zz += weight * c * c
                gx += weight * a * d
                gy += weight * b * d
                gz += weight * c * d
        X[0], X[1], X[2] = solve_symmetric_3x3(xx, xy, xz, yy, yz, zz, gx, gy, gz)
        if not math.isfinite(X[0] + X[1] + X[2]):
            return np.inf
        if step:
            inverse = invert_symmetric_3x3(xx, xy, xz, yy, yz, zz)
            variance = (inverse[0] + inverse[3] + inverse[5]) / 3
    return math.sqrt(variance) if variance > 0 else np.inf


@helper
def energy_of(P, X, u, v, precision):
    """Half the squared distance of a pixel from the image of X, in standard deviations; infinite behind the camera."""
    depth = P[2, 0] * X[0] + P[2, 1] * X[1] + P[2, 2] * X[2] + P[2, 3]
    if depth <= 0:
        return np.inf
    x = (P[0, 0] * X[0] + P[0, 1] * X[1] + P[0, 2] * X[2] + P[0, 3]) / depth - u
    y = (P[1, 0] * X[0] + P[1, 1] * X[1] + P[1, 2] * X[2] + P[1, 3]) / depth - v
    return 0.5 * precision * (x * x + y * y)


@helper
def _agreeing(P, pixels, precision, gain, X, members):
    """The candidate of each view nearest to the image of X, -1 where clutter explains it better; their log-odds."""
    odds = 0.0
    for v in range(len(P)):
        members[v] = -1
        least = gain[v]
        for c in range(pixels.shape[1]):
            if math.isfinite(pixels[v, c, 0]):
                energy = energy_of(P[v], X, pixels[v, c, 0], pixels[v, c, 1], precision[v])
                if energy < least:
                    least, members[v] = energy, c
        odds += gain[v] - least
    return odds


@helper
def _epipolar_energy(F, a, b, variance_a, variance_b):
    """Half the squared Sampson distance in standard deviations (Hartley and Zisserman 2003, eq. 11.9)."""
    la = F[0, 0] * a[0] + F[0, 1] * a[1] + F[0, 2]
    lb = F[1, 0] * a[0] + F[1, 1] * a[1] + F[1, 2]
    lc = F[2, 0] * a[0] + F[2, 1] * a[1] + F[2, 2]
    ma = F[0, 0] * b[0] + F[1, 0] * b[1] + F[2, 0]
    mb = F[0, 1] * b[0] + F[1, 1] * b[1] + F[2, 1]
    off = b[0] * la + b[1] * lb + lc
    return 0.5 * off * off / (variance_b * (la * la + lb * lb) + variance_a * (ma * ma + mb * mb))


@helper
def _is_known(members, n, a, i, b, j):
    """Whether a proposal so far holds both candidates."""
    known = False
    for p in range(n):
        known = known or (members[p, a] == i and members[p, b] == j)
    return known


@helper
def _n_members(members):
    n = 0
    for v in range(len(members)):
        n += members[v] >= 0
    return n


@helper
def _holds(members, n, own):
    """Whether one of the n proposals so far has just these candidates."""
    for p in range(n):
        same = True
        for v in range(len(own)):
            same = same and members[p, v] == own[v]
        if same:
            return True
    return False


@helper
def _put(points, members, p, X, own):
    """Place and candidates of proposal p."""
    for axis in range(3):
        points[p, axis] = X[axis]
    for v in range(len(own)):
        members[p, v] = own[v]


@kernel
def propose(P, F, pairs, precision, gain, candidates, points, members, odds, spread, start, stop):
    """Fill in the proposals of the frames from start to stop, the best first, each with two views at least.

    P : (n_views, 3, 4); F : (n_pairs, 3, 3), of pairs (n_pairs, 2); precision, gain : (n_views,)
    candidates : (n_frames, n_keypoints, n_views, n_candidates, 2), pixels, NaN where there is none
    points : (n_frames, n_keypoints, n_most, 3); members : (..., n_most, n_views) candidates, -1 where none
    odds : (..., n_most) log-odds against clutter, 0 where there is no proposal; spread : (..., n_most) world units
    """
    n_views, n_most = len(P), odds.shape[2]
    X, own = np.empty(3), np.empty(n_views, np.int64)
    for frame in range(start, stop):
        for k in range(candidates.shape[1]):
            pixels, n = candidates[frame, k], 0
            at, of, score, size = points[frame, k], members[frame, k], odds[frame, k], spread[frame, k]
            for row in range(len(pairs)):
                a, b = pairs[row, 0], pairs[row, 1]
                for i in range(pixels.shape[1]):
                    if not math.isfinite(pixels[a, i, 0]):
                        continue
                    for j in range(pixels.shape[1]):
                        if not math.isfinite(pixels[b, j, 0]) or _is_known(of, n, a, i, b, j):
                            continue
                        apart = _epipolar_energy(F[row], pixels[a, i], pixels[b, j], 1 / precision[a], 1 / precision[b])
                        if apart > min(gain[a], gain[b]):
                            continue
                        for v in range(n_views):
                            own[v] = -1
                        own[a], own[b] = i, j
                        if not math.isfinite(place(P, pixels, own, precision, X)):
                            continue
                        found = _agreeing(P, pixels, precision, gain, X, own)
                        if own[a] != i or own[b] != j:
                            continue
                        std = place(P, pixels, own, precision, X)
                        found = _agreeing(P, pixels, precision, gain, X, own)
                        if not math.isfinite(std) or _n_members(own) < 2 or _holds(of, n, own):
                            continue
                        if n == n_most and found <= score[n - 1]:
                            continue
                        place_of = min(n, n_most - 1)
                        while place_of > 0 and score[place_of - 1] < found:
                            _put(at, of, place_of, at[place_of - 1], of[place_of - 1])
                            score[place_of], size[place_of] = score[place_of - 1], size[place_of - 1]
                            place_of -= 1
                        _put(at, of, place_of, X, own)
                        score[place_of], size[place_of] = found, std
                        n = min(n + 1, n_most)
