"""Epipolar distances of matched points as plain loops over float64 arrays whose shapes the caller has checked."""

import math

import numpy as np

from ..numerics._kernels_options import kernel


@kernel
def sampson_distances(F, one, other):
    """(n,) signed first-order distance, pixels, of matched points (n, 2) from the epipolar constraint other' F one = 0.

    Sampson (1982); Hartley and Zisserman 2003, eq. 11.9. NaN where a point is missing.
    """
    distances = np.empty(one.shape[0])
    for i in range(one.shape[0]):
        x, y, u, v = one[i, 0], one[i, 1], other[i, 0], other[i, 1]
        a = F[0, 0] * x + F[0, 1] * y + F[0, 2]
        b = F[1, 0] * x + F[1, 1] * y + F[1, 2]
        c = F[2, 0] * x + F[2, 1] * y + F[2, 2]
        e = F[0, 0] * u + F[1, 0] * v + F[2, 0]
        f = F[0, 1] * u + F[1, 1] * v + F[2, 1]
        distances[i] = (u * a + v * b + c) / math.sqrt(a * a + b * b + e * e + f * f)
    return distances
