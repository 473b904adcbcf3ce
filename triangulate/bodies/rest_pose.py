"""Where a body's markers and joints lie at rest, and the bones that their places propose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...cameras.rotations import rotation_matrix
from ...numerics.arrays import Array

if TYPE_CHECKING:
    from .kinematic_tree import Body


def rest_places(body: Body) -> Array:
    """(n_markers + n_segments, 3) markers and joints in the rest pose, with numpy alone."""
    plan, angles = body.plan, body.rest_angles[3:]
    local = plan.fixed + plan.direction * (np.append(body.lengths, 0.0)[plan.length])[:, None]
    turned = []
    for axis, before, angle in zip(plan.tree.axes, plan.tree.turn_before, angles, strict=True):
        turned.append((np.eye(3) if before < 0 else turned[before]) @ rotation_matrix(angle * np.array(axis)))
    R, x = [turned[last] for last in plan.tree.last_turn], np.zeros((len(plan.parents), 3))
    for s, parent in enumerate(plan.parents[1:], start=1):
        x[s] = x[parent] + R[parent] @ local[plan.n_markers + s]
    R, carrier = np.array(R), plan.carrier[: plan.n_markers]
    return np.concatenate([x[carrier] + np.einsum("kij,kj->ki", R[carrier], local[: plan.n_markers]), x])


def nearest_bones(body: Body) -> tuple[tuple[str, str], ...]:
    """From each marker to the nearest one, at rest, of those before it: on its segment nearer to the joint, or on the
    next segment towards the root that carries any."""
    plan, at = body.plan, rest_places(body)
    distance = np.linalg.norm(at[: plan.n_markers] - at[plan.n_markers + plan.carrier[: plan.n_markers]], axis=1)
    bones = []
    for k in range(plan.n_markers):
        segment = plan.carrier[k]
        own = np.flatnonzero(plan.carrier[: plan.n_markers] == segment)
        before = [j for j in own if (distance[j], j) < (distance[k], k)]
        while not before and plan.parents[segment] >= 0:
            segment = plan.parents[segment]
            before = [j for j in range(plan.n_markers) if plan.carrier[j] == segment]
        if before:
            nearest_one = min(before, key=lambda j: float(np.linalg.norm(at[j] - at[k])))
            bones.append((body.marker_names[nearest_one], body.marker_names[k]))
    return tuple(bones)


def rest_size(body: Body) -> float:
    """Largest extent of the rest pose, units of the body."""
    return float(np.linalg.norm(np.ptp(rest_places(body), axis=0)))
