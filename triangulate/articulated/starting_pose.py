"""A body laid into reconstructed points: its size, where it is and how it stands in every frame, without a start;
before that, left and right exchanged in most views are found by how markers move."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ...cameras.rotations import orthonormal
from ...numerics.arrays import Array
from ...numerics.hidden_markov import most_probable_path
from ...numerics.levenberg_marquardt import Linearised, minimise_with_damping
from ...numerics.robust_scale import present_median
from ..bodies.kinematic_tree import Body
from ..bodies.rest_pose import rest_places, rest_size
from .arrow_system import MarkerTerms, assemble
from .body_prior import probable_size, shape_precision
from .body_state import State, by_shape
from .movement.angle_prior import AnglePrior

_FREEDOM = 3.0  # of the t distribution of the points about the markers
_SPREAD = 0.02  # of the body's size: by so much points and markers differ, and markers move in a frame, at least
_ITERATIONS = 30  # of Levenberg-Marquardt from the rest pose, at most
_LEAST_SIGNAL = 0.1  # share of the squared lengths that is no noise, at least
_ROUNDS = 10  # of the robust fit of the root
_CHANGE = 10.0  # log odds against an exchange that begins or ends at some frame
_EXCHANGED = 0.3  # and against one in each frame
_LEAST_STEP = 0.1  # of the distance of a pair's markers: by so much they move from frame to frame, at least
_MOST = 50.0  # of the log odds that a jump can give


def fitted_size(body: Body, points_3d: Array, covariances_3d: Array) -> tuple[Body, float]:
    """The body enlarged to the size of points_3d (n_frames, n_markers, 3), from the squares of its bones' lengths less
    what the points' covariances add to them: noise makes short bones long. With it the standard deviation of the size,
    as a share: half of what the covariances take off, since points that err less than predicted need nothing off.

    Raises
    ------
    ValueError : no bone has both its ends in any frame
    """
    rest, (parents, children) = rest_places(body)[: body.plan.n_markers], body.skeleton.bone_indices.T
    own = ((rest[parents] - rest[children]) ** 2).sum(axis=1)
    variance = np.trace(covariances_3d, axis1=-2, axis2=-1)
    squares = ((points_3d[:, parents] - points_3d[:, children]) ** 2).sum(axis=-1)
    found = present_median(squares - variance[:, parents] - variance[:, children], axis=0)
    known = np.isfinite(found) & (own > 0)
    if not known.any():
        raise ValueError(
            f"no bone of body '{body.name}' is seen with both its ends: fewer than two of its markers are located"
        )
    plain = present_median(squares[:, known], axis=0).sum()
    size = np.sqrt(max(found[known].sum(), _LEAST_SIGNAL * plain) / own[known].sum())
    std = 0.5 * np.log(np.sqrt(plain / own[known].sum()) / size)
    return body.scaled(probable_size(body, float(size))), float(max(std, 0.0))


def angles_in_points(body: Body, points_3d: Array, fps: float) -> Array:
    """(n_frames, n_angles) of a body laid into accurate points (n_frames, n_markers, 3), NaN where missing."""
    accurate = np.zeros((*points_3d.shape, 3))
    own, _ = fitted_size(body, points_3d, accurate)
    return starting_state(own, points_3d, accurate, fps, root_angles(own, points_3d)).angles


def starting_state(
    body: Body, points_3d: Array, covariances_3d: Array, fps: float, root: Array, like: State | None = None
) -> State:
    """Angles of every frame from points (n_frames, n_markers, 3) with covariances, NaN where there is none.

    All angles and lengths are fitted, robustly and with a smooth course in time, from the rest pose at `root`
    (n_frames, 6) of `root_angles`; lengths and offsets stay those of `like` where it is given.
    """
    angles = np.tile(body.rest_angles, (len(points_3d), 1))
    angles[:, :6] = root
    prior = AnglePrior.of(body, fps, 2, angles[:, :3].mean(axis=0))
    state = State(angles, body.lengths, np.zeros((body.plan.n_points, 3)), np.zeros((0, 0, 2)))
    precision_of_shape = shape_precision(body)
    if like is not None:
        state = replace(state, lengths=like.lengths, offsets=like.offsets)
        precision_of_shape = np.zeros((0, 0))
    seen = np.asarray(np.isfinite(points_3d).all(axis=-1))
    floor = (_SPREAD * rest_size(body)) ** 2 * np.eye(3)
    covariances = np.where(seen[..., None, None], covariances_3d, 0.0) + floor
    precision = np.where(seen[..., None, None], np.linalg.inv(covariances), 0.0)
    points = np.where(seen[..., None], points_3d, 0.0)
    linearised = partial(_linearised, body, prior, (state.constants, precision_of_shape), points, precision)
    return minimise_with_damping(state, linearised, max_iterations=_ITERATIONS, tolerance=1e-3).state


def root_angles(body: Body, points_3d: Array, usual: Array | None = None) -> Array:
    """(n_frames, 6) place and orientation of the root such that the rest pose lies in the points: a robust rigid fit
    (Kabsch 1976), to which markers count the less, the more turns lie between them and the root. Where no frame has
    three points, the `usual` (6,).

    Raises
    ------
    ValueError : no frame has three points, and nothing is usual
    """
    plan = body.plan
    rest = rest_places(body)[: plan.n_markers]
    n_turns = np.array([_turns_above(body, k) for k in range(plan.n_markers)])
    base = np.isfinite(points_3d).all(axis=-1) / (1.0 + n_turns) ** 2
    points, weights = np.where(base[..., None] > 0, points_3d, 0.0), base.copy()
    scale = 0.1 * rest_size(body)
    for _ in range(_ROUNDS):
        total = np.maximum(weights.sum(axis=1), 1e-12)[:, None]
        centre, own = (weights[..., None] * points).sum(axis=1) / total, weights @ rest / total
        about, about_rest = points - centre[:, None], rest - own[:, None]
        R = orthonormal(np.einsum("tk,tki,tkj->tij", weights, about, about_rest))
        off = np.linalg.norm(about - np.einsum("tij,tkj->tki", R, about_rest), axis=-1)
        weights = base / (1 + (off / scale) ** 2)
    place = centre - np.einsum("tij,tj->ti", R, own)
    turns = np.stack([
        np.arctan2(R[:, 1, 0], R[:, 0, 0]), -np.arcsin(np.clip(R[:, 2, 0], -1, 1)), np.arctan2(R[:, 2, 1], R[:, 2, 2])
    ], axis=1)  # fmt: skip
    found = np.concatenate([place, turns], axis=1)
    return _bridged(found, (base > 0).sum(axis=1) >= 3, usual)


def _bridged(angles: Array, known: NDArray[np.bool_], usual: Array | None) -> Array:
    """Unwrapped, and straight lines across frames with too few points."""
    if not known.any() and usual is not None:
        return np.tile(usual, (len(angles), 1))
    if not known.any():
        raise ValueError("no frame has three located markers of the body; the animal cannot be placed")
    times = np.arange(len(angles))
    bridged = angles.copy()
    for i in range(angles.shape[1]):
        own = angles[known, i] if i < 3 else np.unwrap(angles[known, i])
        bridged[:, i] = np.interp(times, times[known], own)
    return bridged


def _turns_above(body: Body, marker: int) -> int:
    tree, n = body.plan.tree, 0
    turn = tree.last_turn[tree.carrier[marker]]
    while turn > 2:
        turn, n = tree.turn_before[turn], n + 1
    return n


def _linearised(
    body: Body, prior: AnglePrior, shape: tuple[Array, Array], points: Array, precision: Array, state: State
) -> Linearised[State]:
    """The points as observations of the markers, with the weights of a t distribution; `shape` is the mean of lengths
    and offsets and their precision, empty where they are known."""
    found = state.kinematics(body)
    mean, precision_of_shape = shape

    def squares_of(markers: Array) -> Array:
        apart = points - markers
        return (apart * (precision @ apart[..., None])[..., 0]).sum(axis=-1)

    weights = (_FREEDOM + 3) / (_FREEDOM + squares_of(found.markers))
    n_frames, n_markers, _ = points.shape
    information = np.zeros((n_frames, prior.reach + 1, n_markers, 3, 3))
    information[:, 0] = precision * weights[..., None, None]
    gradient = (information[:, 0] @ (points - found.markers)[..., None])[..., 0]
    nothing = np.zeros(0)
    terms = MarkerTerms(information, gradient, np.zeros((n_frames, n_markers, 3, 0)), nothing, nothing)
    own = by_shape(body, found) if len(precision_of_shape) else []
    system = assemble(found.by_angles, own, len(precision_of_shape), terms)
    prior.add_to(system.blocks, system.angle_gradient, state.angles)
    system.corner[:] += precision_of_shape
    system.constant_gradient[:] -= precision_of_shape @ (state.constants - mean)[: len(precision_of_shape)]

    def cost(there: State, markers: Array) -> float:
        off = (there.constants - mean)[: len(precision_of_shape)]
        likelihood = 0.5 * (_FREEDOM + 3) * float(np.log1p(squares_of(markers) / _FREEDOM).sum())
        return likelihood + prior.cost(there.angles) + 0.5 * float(off @ precision_of_shape @ off)

    def step(damping: float) -> tuple[State, float]:
        there = state.moved(*system.step(damping))
        return there, cost(there, there.markers(body))

    return Linearised(cost(state, found.markers), step)


def exchanged_sides(body: Body, points_3d: Array) -> NDArray[np.bool_]:
    """(n_frames, n_markers) where a marker and its partner, points_3d (n_frames, n_markers, 3) with NaN where there is
    none, have changed places: alike for both.

    Where most views show the other side, they agree on the wrong place, and a descent from there never leaves it. Here
    each pair of markers is followed through the frames, either way round; single views that show the other side are
    left to the pixels' posterior (`Pixels.put_back`).
    """
    mirror = body.skeleton.mirror
    left = np.flatnonzero(mirror > np.arange(len(mirror)))
    exchanged = np.zeros(points_3d.shape[:2], bool)
    if not len(left):
        return exchanged
    pairs = np.stack([left, mirror[left]], axis=1)
    own = points_3d[:, pairs]
    known = np.asarray(np.isfinite(own).all(axis=(-1, -2)))
    middle = np.where(known[..., None], own.mean(axis=2), np.nan)  # the same either way round
    carried = np.zeros((len(own), 3))
    carried[1:] = np.nan_to_num(present_median(np.diff(middle, axis=0), axis=1))
    own = own - np.cumsum(carried, axis=0)[:, None, None]
    found = _most_likely(_the_same_way(own, known)) & known
    exchanged[:, pairs[:, 0]] = exchanged[:, pairs[:, 1]] = found
    return exchanged


def _the_same_way(own: Array, known: NDArray[np.bool_]) -> Array:
    """(n_frames, n_pairs) log odds of the same way round as in the frame before that shows the pair, against the other
    way, from own (n_frames, n_pairs, 2, 3)."""
    odds = np.zeros(known.shape)
    for j in range(known.shape[1]):
        frames = np.flatnonzero(known[:, j])
        before, now = own[frames[:-1], j], own[frames[1:], j]
        same, crossed = (((now - other) ** 2).sum(axis=(1, 2)) for other in (before, before[:, ::-1]))
        if len(frames) > 1:
            apart = np.median(((now[:, 0] - now[:, 1]) ** 2).sum(axis=1))
            variance = max(np.median(np.minimum(same, crossed)), _LEAST_STEP**2 * apart, 1e-300) * np.diff(frames)
            same, crossed = (np.minimum(squares / variance, _MOST) for squares in (same, crossed))
            odds[frames[1:], j] = crossed - same
    return odds


def _most_likely(same: Array) -> NDArray[np.bool_]:
    """(n_frames, n_pairs) whether exchanged, from the log odds of the same way round."""
    gain = np.zeros((*same.shape, 2))
    gain[1:, :, 1] = -_EXCHANGED
    changes = np.where(np.eye(2, dtype=bool), same[..., None, None], -_CHANGE)
    return most_probable_path(gain, np.zeros(2), changes)[0] > 0
