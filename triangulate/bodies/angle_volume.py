"""How the angles' uncertainty pulls on the shape: what the most likely angles and shape together leave out.

Lengths and offsets that are most likely together with the angles are wrong: bones come out too long, by the square of
the noise over the length, however many frames there are (Neyman and Scott 1948), and along with places that pixels
hardly determine, without end. Lengths and offsets are to be the most likely ones of all angles that fit; Laplace's
approximation adds the log volume of these angles, minus half the log determinant of their precision.
"""

from __future__ import annotations

import numpy as np

from ...numerics.arrays import Array
from .forward_kinematics import Kinematics
from .kinematic_tree import Body
from .tree_arrays import Tree


def volume_gradient(
    body: Body, found: Kinematics, information: Array, lagged: Array, follows: Array, shares: Array | None = None
) -> Array:
    """(n_shape,) gradient of the log volume by lengths and offsets, which the angles follow.

    The angles themselves stay the most likely ones: the volume's pull on a turn that is hardly determined is linear
    only near by, and leads far away. What it does to lengths and offsets is bounded: such a turn hardly follows them.

    Parameters
    ----------
    information : (n_frames, reach + 1, n_markers, 3, 3) of a marker with itself 0, 1, ... frames later
    lagged, follows : of `Posterior`
    shares : (n_angles,) in which the angles count, those of one segment alike: their volumes belong together
    """
    by_angles, by_shape = partial_gradients(body, found, information, lagged, shares)
    return by_shape - np.einsum("tas,ta->s", follows[..., : len(by_shape)], by_angles)


def partial_gradients(
    body: Body, found: Kinematics, information: Array, lagged: Array, shares: Array | None = None
) -> tuple[Array, Array]:
    """(n_frames, n_angles) and (n_shape,) gradient of the log volume, by angles and by lengths and offsets.

    The precision changes with the lever arms. That pixels which are off would be so by less, were the markers' ways
    straight, is left out: with it sprints lie 2 % farther off, the other benchmarks as far. Arguments as of
    `volume_gradient`.
    """
    by_angles = found.by_angles
    felt = np.zeros_like(by_angles)
    for lag in range(information.shape[1]):
        n = len(felt) - lag
        now, covariance = information[:n, lag], lagged[:n, lag][:, None]
        felt[:n] += (now @ by_angles[lag:]) @ covariance.swapaxes(-1, -2)
        if lag:
            felt[lag:] += (now.swapaxes(-1, -2) @ by_angles[:n]) @ covariance
    felt = felt if shares is None else felt * shares
    turns = felt[..., 3:].transpose(0, 3, 1, 2)  # (n_frames, n_turns, n_markers, 3)
    angles = np.zeros((len(felt), by_angles.shape[-1]))
    angles[:, 3:] = _by_turns(body.plan.tree, found, turns)
    return -angles, -_by_shape(body, found, turns)


def _moves(tree: Tree) -> Array:
    """(n_turns, n_turns) 1 where the second turn moves the axis of the first."""
    return np.tril(np.array(tree.above_turns())[tree.segment_of_turns()], -1)


def _by_turns(tree: Tree, found: Kinematics, felt: Array) -> Array:
    """(n_frames, n_turns) derivative of the markers' derivatives by the turns, summed with felt (n_frames, n_turns,
    n_markers, 3)."""
    levers, moves = found.by_angles[..., 3:].transpose(0, 3, 1, 2), _moves(tree)
    turned = (moves + np.eye(len(moves))).T @ np.cross(levers, felt).sum(axis=2)
    later = np.einsum("ad,tdki->taki", moves, np.cross(felt, found.axes[:, :, None]), optimize=True)
    return (found.axes * turned).sum(axis=-1) + (levers * later).sum(axis=(-1, -2))


def _by_shape(body: Body, found: Kinematics, felt: Array) -> Array:
    """(n_shape,) likewise by lengths and offsets."""
    plan = body.plan
    above = np.array(plan.tree.above_turns())[np.maximum(plan.carrier, 0)]
    moved = plan.moves.T @ felt  # (n_frames, n_turns, n_points, 3)
    across = np.einsum("tdpi,pd->tpi", np.cross(moved, found.axes[:, :, None]), above)
    by_offsets = np.einsum("tpij,tpi->pj", found.carriers, across)
    by_lengths, ends = np.zeros(plan.n_lengths), plan.direction.any(axis=1)
    np.add.at(by_lengths, plan.length[ends], (by_offsets * plan.direction).sum(axis=1)[ends])
    return np.concatenate([by_lengths, by_offsets.ravel()])
