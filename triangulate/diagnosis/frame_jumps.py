"""Cameras whose frame numbers jump within a recording: frames dropped or repeated midway.

Two views of one instant fulfil the epipolar constraint. After a jump by n frames a camera fulfils it with the others'
frames n later, and before it with none shifted: the best shift is found on both sides of every frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...cameras import CameraRig, _kernels_epipolar
from ...cameras.epipolar import fundamental_matrix
from ...numerics.arrays import Array, evenly_spread
from ...numerics.robust_scale import present_mean, present_median
from ..rig_refinement.frame_shift import shift_frames
from .changes import Mistake
from .view_pairs import AGREES

_POINTS = 12_000  # of a camera that are compared at each shift: the mean error of a stretch is known to some 5 %
_SHORTEST = 10  # frames compared on each side of a jump
_CLEAR = 3.5  # standard deviations by which the one shift fits better before the jump, and the other one after it
_BLOCKS = 8  # of each stretch, whose means vary as far as errors that last let them
_UNEVEN = 1.25  # ratio of a camera's largest median error of a tenth of the recording to the smallest, below: no jump
_MOST = 12  # jumps that are looked for


@dataclass(frozen=True)
class Jump:
    """From `frame` on, what the others show at frame i, camera number `camera` shows at frame i + `offset`."""

    camera: int
    frame: int
    offset: int

    def words(self, names: Sequence[str]) -> str:
        """What happened, with the names of all cameras."""
        n, lost = abs(self.offset), self.offset < 0
        words = f"Camera '{names[self.camera]}' "
        words += f"lost {n} frame{'s' * (n > 1)}" if lost else f"has {n} frame{'s' * (n > 1)} too many"
        if len(names) == 2:
            words += f" (or camera '{names[1 - self.camera]}' {'has as many too many' if lost else 'lost as many'})"
        return f"{words} at about frame {self.frame}"


def find_jumps(points_2d: Array, rig: CameraRig, reach: int) -> tuple[list[Jump], list[Mistake]]:
    """The jumps by up to `reach` frames, in the order of the frames, and a sentence on each.

    points_2d : (n_cameras, n_frames, n_keypoints, 2), pixels, NaN where missing
    """
    ideal, jumps = rig.undistort(points_2d), list[Jump]()
    for _ in range(_MOST):
        mended = _undone(ideal, jumps)
        uneven = [c for c in range(len(rig)) if _is_uneven(mended, rig, c)]
        found = [own for own in (_clearest(mended, rig, c, reach) for c in uneven) if own is not None]
        if not found:
            break
        jumps.append(max(found, key=lambda own: (round(own[0], 6), -own[1].offset))[1])
    jumps.sort(key=lambda jump: (jump.frame, jump.camera))
    return jumps, [_mistake(jump, rig) for jump in jumps]


def jump_offsets(jumps: Sequence[Jump], n_cameras: int, n_frames: int) -> Array:
    """(n_cameras, n_frames) frames by which each camera is delayed, as `shift_frames` removes them."""
    offsets = np.zeros((n_cameras, n_frames))
    for jump in jumps:
        offsets[jump.camera, jump.frame :] += jump.offset
    return offsets


def _undone(points_2d: Array, jumps: Sequence[Jump]) -> Array:
    offsets = jump_offsets(jumps, len(points_2d), points_2d.shape[1])
    return shift_frames(points_2d, offsets) if jumps else points_2d


def _distances(ideal: Array, rig: CameraRig, camera: int, frames: NDArray[np.int64], k: int) -> Array:
    """(n_cameras - 1, n_frames, n_keypoints) epipolar distances of the camera's frames + k from the others' frames."""
    shifted = frames + k
    inside = (shifted >= 0) & (shifted < ideal.shape[1])
    own = ideal[camera, np.where(inside, shifted, 0)]
    own[~inside] = np.nan
    flat = np.ascontiguousarray(own).reshape(-1, 2)
    found = []
    for b in range(len(rig)):
        if b != camera:
            other = np.ascontiguousarray(ideal[b, frames]).reshape(-1, 2)
            F = fundamental_matrix(rig, camera, b)
            found.append(np.abs(_kernels_epipolar.sampson_distances(F, flat, other)).reshape(own.shape[:2]))
    return np.stack(found)


def _compared(ideal: Array) -> NDArray[np.int64]:
    return evenly_spread(ideal.shape[1], max(4 * _SHORTEST, _POINTS // ideal.shape[2]))


def _is_uneven(ideal: Array, rig: CameraRig, camera: int) -> bool:
    """Whether the camera agrees with the others clearly better in some part of the recording than in another."""
    distances = _distances(ideal, rig, camera, _compared(ideal), 0)
    medians = np.array([present_median(part, axis=None) for part in np.array_split(distances, 10, axis=1)])
    known = medians[np.isfinite(medians)]
    return len(known) > 1 and bool(known.max() > _UNEVEN * known.min())


def _clearest(ideal: Array, rig: CameraRig, camera: int, reach: int) -> tuple[float, Jump] | None:
    """(by how much the camera's cost falls, the jump) of the jump that explains the camera's errors best."""
    frames, limit = _compared(ideal), AGREES * rig[camera].size[0]
    distances = {k: _distances(ideal, rig, camera, frames, k) for k in range(-reach, reach + 1)}
    agreeing = distances[0][np.isfinite(distances[0])]
    if not len(agreeing):
        return None
    scale = float(np.clip(np.quantile(agreeing, 0.1), 1e-3 * limit, limit))
    costs = np.array([_costs(own, scale) for own in distances.values()])
    present = np.isfinite(costs).any(axis=0)
    costs = np.where(np.isnan(costs), present_mean(costs, 0), costs)
    costs, frames = costs[:, present], frames[present]
    if len(frames) < 2 * _SHORTEST:
        return None
    before = np.cumsum(costs, axis=1)[:, :-1]  # of the frames up to each
    after = costs.sum(axis=1, keepdims=True) - before
    totals = before.min(axis=0) + after.min(axis=0)
    at = _SHORTEST - 1 + int(np.argmin(totals[_SHORTEST - 1 : 1 - _SHORTEST or None]))
    one, other = int(np.argmin(before[:, at])), int(np.argmin(after[:, at]))
    difference, gain = costs[one] - costs[other], float(costs.sum(axis=1).min() - totals[at])
    n_tried = costs.size * len(costs) * len(rig)  # the best of so many gains their logarithm by chance
    if (
        gain < np.log(n_tried)
        or min(_significance(-difference[: at + 1]), _significance(difference[at + 1 :])) < _CLEAR
    ):
        return None
    sides = [distances[one - reach][:, present][:, : at + 1], distances[other - reach][:, present][:, at + 1 :]]
    if any(not float(present_median(side, axis=None)) <= limit for side in sides):
        return None
    return gain, Jump(camera, int(frames[at + 1]), other - one)


def _costs(distances: Array, scale: float) -> Array:
    """(n_frames,) mean log cost of the points of each frame, NaN of a frame without any."""
    return present_mean(np.log1p((distances / scale) ** 2), (0, 2))


def _significance(gain: Array) -> float:
    """Mean of a stretch's gain per frame in standard deviations, which the means of its blocks give."""
    means = np.array([block.mean() for block in np.array_split(gain, _BLOCKS)])
    return float(means.mean() / max(means.std(ddof=1) / np.sqrt(_BLOCKS), 1e-9))


def _mistake(jump: Jump, rig: CameraRig) -> Mistake:
    return Mistake(
        "delayed",
        (rig.names[jump.camera],),
        jump.words(rig.names),
        "set frame_offsets = true under [reconstruct], or state the file with the time of each frame as timestamps in"
        " its table of the session file",
    )
