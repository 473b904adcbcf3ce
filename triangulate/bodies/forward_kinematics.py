"""From joint angles to markers in jax: compiled once per tree, differentiable, in double precision.

jax computes in single precision unless a switch of the whole process is set. `double_precision` sets it for this
thread and inside its block only, so that a user's own float32 program is neither changed nor compiled again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...numerics.arrays import Array
from .kinematic_tree import Body
from .tree_arrays import Plan, Tree

_BATCH = 64  # frames compiled for: longer trajectories are computed batch by batch, so that nothing compiles twice


class Kinematics(NamedTuple):
    """Markers (n_frames, n_markers, 3) and their derivatives: by_angles (n_frames, n_markers, 3, n_angles), by_lengths
    (n_frames, n_markers, 3, n_lengths); by the offset of a point that moves a marker it is the point's carrier.

    carriers : (n_frames, n_points, 3, 3) orientation of the frame that each point is in
    axes : (n_frames, n_turns, 3) of the turns, in the world
    """

    markers: Array
    by_angles: Array
    by_lengths: Array
    carriers: Array
    axes: Array


def load_jax() -> Any:
    """jax, imported when first needed.

    Raises
    ------
    ModuleNotFoundError : it is not installed
    """
    try:
        import jax
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the articulated body needs jax, which is not installed: pip install 'muybridge[body]'", name="jax"
        ) from error
    return jax


@contextmanager
def double_precision() -> Iterator[None]:
    """Context in which jax computes in double precision in this thread; the user's setting holds outside."""
    jax = load_jax()
    if hasattr(jax, "enable_x64"):
        switch = jax.enable_x64(True)
    else:  # before jax 0.8
        from jax.experimental import enable_x64

        switch = enable_x64()
    with switch:
        yield


def marker_positions(body: Body, angles: Any, lengths: Any, offsets: Any) -> Any:
    """See `Body.markers`."""
    jax, plan = load_jax(), body.plan
    lengths = body.lengths if lengths is None else lengths
    offsets = np.zeros((plan.n_points, 3)) if offsets is None else offsets
    for name, values, shape in (("lengths", lengths, (plan.n_lengths,)), ("offsets", offsets, (plan.n_points, 3))):
        if np.shape(values) != shape:
            raise ValueError(f"{name} has shape {np.shape(values)}; body '{body.name}' needs {shape}")
    if np.shape(angles)[-1:] != (plan.n_angles,):
        raise ValueError(
            f"angles has shape {np.shape(angles)}; expected (..., {plan.n_angles}) with body '{body.name}'s angles last"
        )
    if any(isinstance(values, jax.Array) for values in (angles, lengths, offsets)):
        angles, local = jax.numpy.asarray(angles), _local(plan, jax.numpy.asarray(lengths), offsets)
        frames = jax.vmap(lambda frame: _of_frame(plan.tree, frame, local)[0])(angles.reshape(-1, plan.n_angles))
        return frames.reshape(*angles.shape[:-1], plan.n_markers, 3)
    angles = np.asarray(angles, dtype=float)
    local = _local(plan, np.asarray(lengths, float), np.asarray(offsets, float))
    (found,) = _in_batches(_compiled(plan.tree, False), angles.reshape(-1, plan.n_angles), local)
    return found.reshape(*angles.shape[:-1], plan.n_markers, 3)


def kinematics(body: Body, angles: Array, lengths: Array, offsets: Array) -> Kinematics:
    """Markers of the frames angles (n_frames, n_angles) and their derivatives by everything, numpy."""
    plan = body.plan
    local = _local(plan, lengths, offsets)
    markers, by_angles, R, axes = _in_batches(_compiled(plan.tree, True), angles, local)
    carriers = R[:, np.maximum(plan.carrier, 0)]
    along = np.einsum("tpij,pj->tpi", carriers, plan.direction)
    ends = np.zeros((plan.n_points, plan.n_lengths))
    if plan.n_lengths:
        ends[np.arange(plan.n_points), plan.length] = plan.direction.any(axis=1)
    by_lengths = np.einsum("kp,tpi,pl->tkil", plan.moves, along, ends, optimize=True)
    return Kinematics(markers, by_angles, by_lengths, carriers, axes)


def _local(plan: Plan, lengths: Any, offsets: Any) -> Any:
    """(n_points, 3) places of markers and joints in the frames that carry them."""
    fixed = plan.fixed + offsets
    return fixed + plan.direction * lengths[plan.length][:, None] if plan.n_lengths else fixed


def _in_batches(function: Any, frames: Array, local: Array) -> list[Array]:
    n_frames = len(frames)
    padded = np.zeros((-(-max(n_frames, 1) // _BATCH) * _BATCH, frames.shape[1]))
    padded[:n_frames] = frames
    with double_precision():
        parts = [function(padded[i : i + _BATCH], local) for i in range(0, len(padded), _BATCH)]
    return [np.concatenate([np.asarray(v) for v in values])[:n_frames] for values in zip(*parts, strict=True)]


@cache
def _compiled(tree: Tree, with_derivatives: bool) -> Any:
    """Markers of a batch of frames; or these, their derivatives by the angles, the segments' orientations and axes."""
    jax = load_jax()

    def one(angles, local):
        if not with_derivatives:
            return (_of_frame(tree, angles, local)[0],)
        markers, R, joints, axes = _of_frame(tree, angles, local)
        return markers, _by_angles(tree, markers, joints, axes), R, axes

    shapes = (_BATCH, tree.n_angles), (len(tree.carrier), 3)
    with double_precision(), _kept_on_disk(jax):
        arguments = [jax.ShapeDtypeStruct(shape, np.float64) for shape in shapes]
        return jax.jit(jax.vmap(one, in_axes=(0, None))).lower(*arguments).compile()


@contextmanager
def _kept_on_disk(jax: Any) -> Iterator[None]:
    """Context whose compiled programs are kept for the next process, in jax's own folder if the user has set one."""
    folder, least = "jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs"
    before = {name: getattr(jax.config, name) for name in (folder, least)}
    place = Path(os.path.expanduser("~")) / ".cache" / "muybridge" / "jax"  # as it stands where there is no home
    if before[folder] is not None or not place.is_absolute() or not _is_writable(place):
        yield
        return
    from jax.experimental.compilation_cache import compilation_cache

    jax.config.update(folder, str(place))
    jax.config.update(least, 0.0)
    compilation_cache.reset_cache()  # it opens its folder once, at the first compilation
    try:
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()


def _of_frame(tree: Tree, angles: Any, local: Any) -> tuple[Any, Any, Any, Any]:
    """Of one frame: markers (n_markers, 3), the segments' orientations (n_segments, 3, 3) and joints (n_segments, 3),
    and the turns' axes (n_turns, 3) in the world.

    A loop that turns the frames one after the other: unrolled, the same takes four times as long to compile.
    """
    jax = load_jax()
    np_, parents, axes = jax.numpy, np.asarray(tree.parents), np.asarray(tree.axes)
    turned = _rotations(np_, axes, angles[3:])
    before = np.asarray(tree.turn_before) + 1
    at = np_.asarray(before)

    def turn(i, frames):
        # a sum that fuses: calls of a matrix product cost more than these nine numbers
        return frames.at[i + 1].set((frames[at[i]][:, :, None] * turned[i][None]).sum(axis=1))

    start = np_.zeros((len(axes) + 1, 3, 3), turned.dtype).at[0].set(np_.eye(3))
    frames = jax.lax.fori_loop(0, len(axes), turn, start)
    R = frames[np.asarray(tree.last_turn) + 1]
    n_markers = len(tree.carrier) - len(parents)
    steps = (R[np.maximum(parents, 0)] * local[n_markers:, None, :]).sum(axis=-1) * (parents >= 0)[:, None]
    joints = angles[:3] + np.asarray(tree.above) @ steps
    carrier = np.asarray(tree.carrier[:n_markers])
    markers = joints[carrier] + (R[carrier] * local[:n_markers, None, :]).sum(axis=-1)
    return markers, R, joints, (frames[before] * axes[:, None, :]).sum(axis=-1)


def _by_angles(tree: Tree, markers: Any, joints: Any, axes: Any) -> Any:
    """(n_markers, 3, n_angles): a turn moves what hangs on it by its axis times the arm from its joint.

    The same by automatic differentiation of `_of_frame` takes ten times as long.
    """
    np_ = load_jax().numpy
    n_markers = len(markers)
    turns = np.array(tree.above_turns())[np.asarray(tree.carrier[:n_markers])]
    arms = markers[:, None] - joints[np.asarray(tree.segment_of_turns())]
    by_turns = np_.cross(axes[None], arms) * turns[..., None]
    by_place = np_.broadcast_to(np_.eye(3), (n_markers, 3, 3))
    return np_.concatenate([by_place, by_turns.transpose(0, 2, 1)], axis=-1)


def _rotations(np_: Any, axes: Array, angles: Any) -> Any:
    """(n, 3, 3) rotations about constant unit axes (n, 3) by angles (n,)."""
    cross = np.zeros((len(axes), 3, 3))
    cross[:, [2, 0, 1], [1, 2, 0]], cross[:, [1, 2, 0], [2, 0, 1]] = axes, -axes
    sin, cos = np_.sin(angles)[:, None, None], np_.cos(angles)[:, None, None]
    return np.eye(3) + sin * cross + (1 - cos) * (cross @ cross)


def _is_writable(folder: Path) -> bool:
    """Whether a folder, made if it is missing, may be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)
