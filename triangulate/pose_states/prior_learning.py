"""Pose states, bone lengths and their spreads learned from poses, by expectation-maximisation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...datasets import Skeleton
from ...numerics.arrays import Array
from ...numerics.robust_scale import present_mean, robust_std
from .state_model import bone_directions, fit_states, upright


class Heading(NamedTuple):
    """The world's direction against gravity, and the two keypoints along whose line an animal heads."""

    up: Array
    forward: tuple[str, str] | None


def learned_states(
    points_3d: Array, skeleton: Skeleton, n_states: int, heading: Heading, contiguous: bool, seed: int
) -> tuple[Array, Array, Array, Array, Array, Array | None]:
    """Directions, concentrations, state probabilities, bone lengths, their spreads and transitions of a `PosePrior`."""
    points_3d = np.asarray(points_3d, dtype=float)
    if points_3d.ndim != 3 or points_3d.shape[1:] != (len(skeleton.keypoints), 3):
        raise ValueError(f"points_3d has shape {points_3d.shape}, expected (n_frames, {len(skeleton.keypoints)}, 3)")
    if n_states < 1:
        raise ValueError(f"n_states is {n_states}; at least one state is needed")
    parents = skeleton.parents
    children = np.flatnonzero(parents >= 0)
    local = points_3d @ upright(heading.up).T
    bones = bone_directions(local, np.column_stack([children, parents[children]]))
    reference = _reference(local, skeleton, heading.forward)
    model = fit_states(bones, reference, n_states, contiguous=contiguous, seed=seed)
    directions = np.zeros((model.n_states, len(parents), 3))
    directions[..., 2] = 1.0
    concentrations = np.zeros((model.n_states, len(parents)))
    directions[:, children], concentrations[:, children] = model.directions, model.concentrations
    transitions = model.transitions if contiguous else None
    return directions, concentrations, model.probabilities, *_lengths(points_3d, skeleton), transitions


def _reference(points_3d: Array, skeleton: Skeleton, forward: tuple[str, str] | None) -> Array:
    """(n_frames,) azimuth that the heading starts from: of the line between the `forward` keypoints."""
    if forward is not None:
        unknown = sorted(set(forward) - set(skeleton.keypoints))
        if unknown:
            raise ValueError(f"forward names keypoints that do not exist: {unknown}; known: {list(skeleton.keypoints)}")
        first, second = (skeleton.keypoints.index(name) for name in forward)
    else:
        first = skeleton.root_index
        flat = np.linalg.norm(points_3d[:, :, :2] - points_3d[:, [first], :2], axis=-1)
        second = int(np.argmax(np.nan_to_num(present_mean(flat, 0))))
    line = points_3d[:, second] - points_3d[:, first]
    return np.arctan2(line[:, 1], line[:, 0])


def _lengths(points_3d: Array, skeleton: Skeleton) -> tuple[Array, Array]:
    """Median length and robust spread of every bone, NaN where it was never seen."""
    a, b = skeleton.bone_indices.T
    length = np.linalg.norm(points_3d[:, a] - points_3d[:, b], axis=-1)
    lengths, stds = np.full(len(a), np.nan), np.full(len(a), np.nan)
    for bone in range(len(a)):
        seen = length[np.isfinite(length[:, bone]), bone]
        if len(seen):
            lengths[bone] = np.median(seen)
            stds[bone] = max(robust_std(seen), 1e-3 * lengths[bone])
    return lengths, stds
