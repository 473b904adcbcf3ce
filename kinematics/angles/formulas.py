"""Angles of joints from points, exact on straight and folded limbs.

Every angle is an arctangent of a sine and a cosine, never an arccosine: `arccos` loses half the digits near 0 and π and
is NaN where rounding pushes its argument beyond 1.

=============  =====================================  ==========================================================
angle          zero                                   sign
=============  =====================================  ==========================================================
three points   folded (a on top of c); straight is π  none, 0 to π
hinge          straight                               positive: the distal bone turned right-handed about the axis
dihedral       a and d on the same side of b-c (cis)  positive: clockwise from a to d, looking from b to c (IUPAC)
=============  =====================================  ==========================================================
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...datasets import Array
from ...numerics.threads import over_rows
from ._kernels_angles import ABOUT_PAIR, UNSIGNED, angle_rows, std_rows


class AnglePlan(NamedTuple):
    """Which points make which angles, as the kernels take them: u = ends 0 − 1, v = ends 2 − 3, axis = ends 4 − 5."""

    kinds: NDArray[np.int64]  # (n_joints,)
    ends: NDArray[np.int64]  # (n_joints, 6)
    axes: Array  # (n_joints, 1 or n_frames, 3)


class PairTable(NamedTuple):
    """Covariances between keypoints: `values` (n_frames, n_pairs, 3, 3) of the keypoints `indices` (n_pairs, 2)."""

    values: Array
    indices: NDArray[np.int64]


def three_point_angle(a: Array, b: Array, c: Array) -> Array:
    """Unsigned angle at b between the directions to a and to c.

    Parameters
    ----------
    a : ndarray, shape (..., 3), any unit
        First point; NaN where missing.
    b : ndarray, shape (..., 3), same unit
        Vertex of the angle.
    c : ndarray, shape (..., 3), same unit
        Last point.

    Returns
    -------
    ndarray, shape (...), radians
        From 0 (folded) to π (straight).

    See Also
    --------
    hinge_angle : Signed, and without bias near straight.
    corrected_three_point_angle : Reduces the bias.

    Notes
    -----
    NaN where a point is missing or coincides with b. Noise bends a straight limb and never straightens it: within a few
    standard deviations σ of π (or 0) the angle is biased towards the middle, by σ √(π/2) at π itself.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.kinematics import three_point_angle
    >>> np.degrees(three_point_angle([1.0, 0, 0], [0.0, 0, 0], [0.0, 2, 0])).round(6)
    np.float64(90.0)
    """
    return _from_points((a, b, c), UNSIGNED, (0, 1, 2, 1, 0, 0))


def hinge_angle(a: Array, b: Array, c: Array, axis: Array) -> Array:
    """Signed angle at b from the bone a-b to the bone b-c about an axis.

    Parameters
    ----------
    a : ndarray, shape (..., 3), any unit
        First point; NaN where missing.
    b : ndarray, shape (..., 3), same unit
        The hinge.
    c : ndarray, shape (..., 3), same unit
        Last point.
    axis : ndarray, shape (..., 3), any length
        Direction of the hinge's axis.

    Returns
    -------
    ndarray, shape (...), radians
        In (−π, π]; 0 where straight, positive where b-c is turned right-handed about the axis.

    Notes
    -----
    NaN where a point is missing, or a bone has no length across the axis.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.kinematics import hinge_angle
    >>> np.degrees(hinge_angle([-1.0, 0, 0], [0.0, 0, 0], [0.0, 1, 0], axis=[0.0, 0, 1])).round(6)
    np.float64(90.0)
    """
    points = np.broadcast_arrays(a, b, c, axis, np.zeros(3))
    return _from_points(points, ABOUT_PAIR, (1, 0, 2, 1, 3, 4))


def dihedral_angle(a: Array, b: Array, c: Array, d: Array) -> Array:
    """Torsion of d against a about the line from b to c.

    Parameters
    ----------
    a : ndarray, shape (..., 3), any unit
        First point; NaN where missing.
    b : ndarray, shape (..., 3), same unit
        Start of the line.
    c : ndarray, shape (..., 3), same unit
        End of the line.
    d : ndarray, shape (..., 3), same unit
        Last point.

    Returns
    -------
    ndarray, shape (...), radians
        In (−π, π]; 0 where a and d lie on the same side (cis), positive clockwise seen from b to c.

    Notes
    -----
    NaN where a point is missing, or a or d lies on the line.

    References
    ----------
    IUPAC-IUB 1970, Biochemistry 9, 3471, rule 2.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.kinematics import dihedral_angle
    >>> np.degrees(dihedral_angle([0.0, 1, 0], [0.0, 0, 0], [1.0, 0, 0], [1.0, 0, 1])).round(6)
    np.float64(90.0)
    """
    return _from_points((a, b, c, d), ABOUT_PAIR, (0, 1, 3, 2, 2, 1))


def corrected_three_point_angle(angles: Array, std: Array) -> Array:
    """Three-point angles with the bias of noise near straight and folded removed.

    Parameters
    ----------
    angles : ndarray, shape (...), radians
        As of `three_point_angle`.
    std : ndarray, shape (...), radians
        Their standard deviations.

    Returns
    -------
    ndarray, shape (...), radians
        In [0, π].

    Notes
    -----
    NaN where the angle or its standard deviation is. The measured distance from straight, r, has a Rice distribution
    about the true one, ν, with the angle's standard deviation σ; ν is estimated so that r equals the distribution's
    mean (0 where r is below σ √(π/2)). What remains is a bias of 0.5 σ at exactly straight, where an estimate that
    cannot be negative must be above zero.

    References
    ----------
    Rice 1945, Bell Syst. Tech. J. 24, 46, eq. 3.10-12.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.kinematics import corrected_three_point_angle
    >>> np.degrees(corrected_three_point_angle(np.radians([90.0, 178.0]), np.radians([2.0, 2.0]))).round(2)
    array([ 90.02, 180.  ])
    """
    angles, std = np.asarray(angles, float), np.asarray(std, float)
    folded = angles < np.pi / 2
    away = np.where(folded, angles, np.pi - angles)
    known = np.isfinite(angles) & (std > 0)
    ratio = np.divide(away, std, out=np.zeros_like(away), where=known)
    far = np.sqrt(np.maximum(ratio**2 - 1, 0))
    ratio = np.where(ratio > _RICE_END, far, np.interp(ratio, *_rice_table()))
    true = np.where(std == 0, away, np.where(known, ratio * std, np.nan))
    return np.where(folded, true, np.pi - true)


_RICE_END = 8.0  # standard deviations from straight, beyond which ν is √(mean² − 1) to 5e-4


def _rice_table() -> tuple[Array, Array]:
    """Mean of a Rice distribution of unit scale, and its ν (Rice 1945, eq. 3.10-12)."""
    from scipy.special import ive

    nu = np.linspace(0, 10, 400)
    x = nu**2 / 4
    mean = np.sqrt(np.pi / 2) * ((1 + 2 * x) * ive(0, x) + 2 * x * ive(1, x))
    return np.append(0.0, mean), np.append(0.0, nu)


def plan_angles(points_3d: Array, plan: AnglePlan) -> Array:
    """(n_frames, n_joints) radians of all the plan's angles; `points_3d` (n_frames, n_keypoints, 3)."""
    out = np.empty((len(points_3d), len(plan.kinds)))
    over_rows(angle_rows, len(points_3d), points_3d, *plan, out)
    return out


def plan_angles_with_std(
    points_3d: Array, covariances_3d: Array, plan: AnglePlan, cross: PairTable | None = None
) -> tuple[Array, Array]:
    """Angles and their standard deviations by first-order propagation: σ² = J Σ Jᵀ, J analytic.

    Parameters
    ----------
    points_3d, covariances_3d : (n_frames, n_keypoints, 3), (n_frames, n_keypoints, 3, 3)
    cross : covariances between keypoints; those not given count as independent

    Returns
    -------
    angles, std : (n_frames, n_joints), radians; NaN where a point (std: or its covariance) is missing
    """
    members, shares = _members(plan)
    values = np.empty((len(points_3d), 0, 3, 3)) if cross is None else np.ascontiguousarray(cross.values, float)
    pairs = _pair_rows(members, None if cross is None else cross.indices)
    std = np.empty((len(points_3d), len(plan.kinds)))
    covariances_3d = np.ascontiguousarray(covariances_3d, float)
    over_rows(std_rows, len(points_3d), points_3d, *plan, members, shares, covariances_3d, values, pairs, std)
    return plan_angles(points_3d, plan), std


def _from_points(points: tuple, kind: int, ends: tuple) -> Array:
    together = np.stack(np.broadcast_arrays(*[np.asarray(p, float) for p in points]), axis=-2)
    plan = AnglePlan(np.array([kind]), np.array([ends]), np.zeros((1, 1, 3)))
    flat = np.ascontiguousarray(together.reshape(-1, *together.shape[-2:]))
    return plan_angles(flat, plan)[:, 0].reshape(together.shape[:-2])


def _members(plan: AnglePlan) -> tuple[NDArray[np.int64], Array]:
    """The distinct keypoints of each joint, (n_joints, 5), and how often each enters u, v and k, (n_joints, 5, 3)."""
    members = np.full((len(plan.kinds), 5), -1)
    shares = np.zeros((len(plan.kinds), 5, 3))
    for j, (kind, ends) in enumerate(zip(plan.kinds, plan.ends, strict=True)):
        used = [int(e) for e in (ends if kind == ABOUT_PAIR else ends[:4])]
        distinct = list(dict.fromkeys(used))
        members[j, : len(distinct)] = distinct
        for place, e in enumerate(used):
            shares[j, distinct.index(e), place // 2] += -1.0 if place % 2 else 1.0
    return members, shares


def _pair_rows(members: NDArray[np.int64], indices: NDArray[np.int64] | None) -> NDArray[np.int64]:
    rows = np.zeros((len(members), 5, 5), dtype=np.int64)
    if indices is None:
        return rows
    known = {(int(a), int(b)): row + 1 for row, (a, b) in enumerate(indices)}
    for j, joint in enumerate(members):
        for i in range(5):
            for h in range(i):
                a, b = int(joint[h]), int(joint[i])
                rows[j, h, i] = known.get((a, b), -known.get((b, a), 0))
    return rows
