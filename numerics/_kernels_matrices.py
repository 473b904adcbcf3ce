"""Inverse and solution of 3x3 systems by cofactors, for the inner loops of other kernels.

A symmetric matrix is its upper triangle (xx, xy, xz, yy, yz, zz) as numbers. The functions are inlined where they are
called, so that loops over many systems still run several at a time (SIMD); `error_model="numpy"` keeps the check for
division by zero out of them.
"""

import math

from ._kernels_options import inlined_kernel, kernel

# smallest determinant of a matrix that is solved, relative to the cube of its mean eigenvalue: below, round-off decides
SINGULAR = 1e-12


@inlined_kernel
def invert_symmetric_3x3(xx, xy, xz, yy, yz, zz):
    """Upper triangle of the inverse of a symmetric matrix that is positive definite."""
    c00, c01, c02 = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    scale = 1.0 / (xx * c00 + xy * c01 + xz * c02)
    return (
        c00 * scale, c01 * scale, c02 * scale,
        (xx * zz - xz * xz) * scale, (xy * xz - xx * yz) * scale, (xx * yy - xy * xy) * scale,
    )  # fmt: skip


@inlined_kernel
def solve_symmetric_3x3(xx, xy, xz, yy, yz, zz, bx, by, bz):
    """Solution (3 numbers) of a symmetric system; NaN where the matrix is not positive definite or nearly singular."""
    c00, c01, c02 = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    c11, c12, c22 = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    determinant = xx * c00 + xy * c01 + xz * c02
    mean = (xx + yy + zz) / 3.0
    scale = 1.0 / determinant if determinant > SINGULAR * mean * mean * mean else math.nan
    x = (c00 * bx + c01 * by + c02 * bz) * scale
    y = (c01 * bx + c11 * by + c12 * bz) * scale
    z = (c02 * bx + c12 * by + c22 * bz) * scale
    return x, y, z


@kernel
def solve_3x3(A, bx, by, bz):
    """Solution (3 numbers) of A x = b, A (3, 3) any matrix that is not singular."""
    c00 = A[1, 1] * A[2, 2] - A[1, 2] * A[2, 1]
    c01 = A[1, 2] * A[2, 0] - A[1, 0] * A[2, 2]
    c02 = A[1, 0] * A[2, 1] - A[1, 1] * A[2, 0]
    scale = 1.0 / (A[0, 0] * c00 + A[0, 1] * c01 + A[0, 2] * c02)
    x = c00 * bx + (A[0, 2] * A[2, 1] - A[0, 1] * A[2, 2]) * by + (A[0, 1] * A[1, 2] - A[0, 2] * A[1, 1]) * bz
    y = c01 * bx + (A[0, 0] * A[2, 2] - A[0, 2] * A[2, 0]) * by + (A[0, 2] * A[1, 0] - A[0, 0] * A[1, 2]) * bz
    z = c02 * bx + (A[0, 1] * A[2, 0] - A[0, 0] * A[2, 1]) * by + (A[0, 0] * A[1, 1] - A[0, 1] * A[1, 0]) * bz
    return x * scale, y * scale, z * scale
