"""A camera whose frames run early or late, found from the board's motion: needs no calibrated rig."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ...cameras.camera import Camera, CameraRig
from ...numerics.arrays import Array
from ..boards.detection import BoardDetections
from .initial_lenses import start_camera
from .initial_poses import board_outline, plane_poses

MIN_FRAMES = 4
_MAX_FRAMES, _MAX_PROPOSALS = 120, 24
_SWEEPS = 20


@dataclass(frozen=True, eq=False)
class BoardOffsets:
    """How many frames each camera runs late.

    offsets : (n_cameras,) what the others show in frame i, this camera shows in frame i + offset; the most common is 0
    subframe : (n_cameras,) the same with fractions of a frame, about the same zero; NaN where the board does not tell
    gain : (n_cameras,) by how much the rig's disagreement shrinks (a ratio >= 1) when the camera is moved from 0 to its
        offset; near 1 where the board hardly moved and nothing can be said
    costs : (n_pairs, 2 max_offset + 1) disagreement of each pair, in units of the board's distance, at each relative
        offset of its first camera; NaN where they share too few frames
    pairs : (n_pairs, 2) positions of the cameras
    """

    names: tuple[str, ...]
    offsets: NDArray[np.int64]
    subframe: Array
    gain: Array
    costs: Array
    pairs: NDArray[np.int64]

    def sentences(self, least_gain: float = 1.5) -> tuple[str, ...]:
        """One sentence per camera that is out of step for sure."""
        late = [
            (n, int(k)) for n, k, g in zip(self.names, self.offsets, self.gain, strict=True) if k and g > least_gain
        ]
        return tuple(
            f"camera '{name}' runs {abs(k)} frame{'s' if abs(k) > 1 else ''} {'late' if k > 0 else 'early'}: what the"
            f" others show in frame i, it shows in frame i {'+' if k > 0 else '-'} {abs(k)}; shift its recording"
            for name, k in late
        )


def board_offsets(
    detections: Mapping[str, BoardDetections],
    *,
    intrinsics: CameraRig | Mapping[str, Camera] | None = None,
    max_offset: int = 5,
) -> BoardOffsets:
    """Find the constant number of frames by which cameras run early or late, from a board that moves.

    The pose of camera b seen from camera a, computed through the board, is the same in all frames only when the frames
    match: it is found for every pair and every relative offset, and the offsets on which the pairs agree are taken.

    Parameters
    ----------
    detections : {camera: BoardDetections}, frames matched by position
    intrinsics : cameras whose lenses are known; None: estimated from each camera alone
    max_offset : largest offset tried, frames

    Raises
    ------
    ValueError : fewer than two cameras
    """
    names = tuple(detections)
    if len(names) < 2:
        raise ValueError(f"offsets need at least two cameras, got {list(names)}")
    board = next(iter(detections.values())).board
    poses = [_poses(name, detections[name], intrinsics) for name in names]
    outline = board_outline(board)
    pairs = np.array(list(combinations(range(len(names)), 2)))
    costs = np.array([_pair_costs(poses[a], poses[b], outline, max_offset) for a, b in pairs])
    offsets = agree(costs, pairs, len(names), max_offset)
    gain = np.array([_gain(costs, pairs, offsets, camera, max_offset) for camera in range(len(names))])
    return BoardOffsets(names, offsets, _subframe(costs, pairs, offsets, max_offset), gain, costs, pairs)


def _poses(name: str, found: BoardDetections, intrinsics) -> tuple[Array, Array]:
    cameras = intrinsics.cameras if isinstance(intrinsics, CameraRig) else (intrinsics or {}).values()
    known = {camera.name: camera for camera in cameras}
    corners = np.where(found.seen[..., None], found.corners, np.nan)
    camera = known.get(name)
    if camera is None:
        camera = start_camera(corners, found.board.points, found.size, name)
    R, t, _ = plane_poses(corners, found.board.points, camera)
    return R, t


def _pair_costs(a: tuple[Array, Array], b: tuple[Array, Array], outline: Array, max_offset: int) -> Array:
    """(2 max_offset + 1,) disagreement when frame i + k of `a` is matched with frame i of `b`."""
    costs = np.full(2 * max_offset + 1, np.nan)
    for j, k in enumerate(range(-max_offset, max_offset + 1)):
        start, stop = max(0, -k), min(len(b[0]), len(a[0]) - k)
        if stop <= start:
            continue
        both = (
            np.flatnonzero(np.isfinite(a[1][start + k : stop + k, 0, 0]) & np.isfinite(b[1][start:stop, 0, 0])) + start
        )
        if len(both) >= MIN_FRAMES:
            both = both[np.unique(np.linspace(0, len(both) - 1, _MAX_FRAMES).astype(int))]
            costs[j] = _disagreement((a[0][both + k], a[1][both + k]), (b[0][both], b[1][both]), outline)
    return costs


def _disagreement(a: tuple[Array, Array], b: tuple[Array, Array], outline: Array) -> float:
    """Median over frames of how far the board's outline is from where the best constant relative pose puts it.

    Each frame proposes a relative pose for each combination of the two poses that a view of a plane allows
    (R (n_frames, 2, 3, 3), t (n_frames, 2, 3)); distances are RMS over the outline, in units of its distance.
    """
    X_a, X_b = (np.einsum("fkij,pj->fkpi", R, outline) + t[:, :, None] for R, t in (a, b))
    proposals = np.unique(np.linspace(0, len(a[0]) - 1, _MAX_PROPOSALS).astype(int))
    i, j, f = (part.ravel() for part in np.meshgrid([0, 1], [0, 1], proposals, indexing="ij"))
    R = a[0][f, i] @ b[0][f, j].swapaxes(1, 2)
    t = a[1][f, i] - np.einsum("nij,nj->ni", R, b[1][f, j])
    possible = np.isfinite(t[:, 0])
    moved = np.einsum("nij,fkpj->nfkpi", R[possible], X_b, optimize=True) + t[possible, None, None, None]
    gap = ((X_a[None, :, :, None] - moved[:, :, None]) ** 2).sum(axis=-1).mean(axis=-1)
    error = np.sqrt(gap) / np.abs(X_a[..., 2]).mean(axis=-1)[None, :, :, None]
    error = np.where(np.isfinite(error), error, np.inf).min(axis=(2, 3))
    return float(np.median(error, axis=1).min())


def _total(costs: Array, pairs: NDArray[np.int64], offsets: NDArray[np.int64], max_offset: int) -> float:
    """Mean log disagreement of the pairs; a pair that cannot be judged at an offset counts as at its worst."""
    relative = np.clip(offsets[pairs[:, 0]] - offsets[pairs[:, 1]] + max_offset, 0, 2 * max_offset)
    outside = np.abs(offsets[pairs[:, 0]] - offsets[pairs[:, 1]]) > max_offset
    usable = np.isfinite(costs).any(axis=1)
    if not usable.any():
        return 0.0
    logs = np.log(np.maximum(costs[usable], 1e-9))
    worst = np.nanmax(logs, axis=1)
    picked = logs[np.arange(len(logs)), relative[usable]]
    picked = np.where(np.isnan(picked) | outside[usable], worst, picked)
    return float(picked.mean())


def agree(costs: Array, pairs: NDArray[np.int64], n_cameras: int, max_offset: int) -> NDArray[np.int64]:
    """The offsets with the least total disagreement: coordinate descent from 0 and from pairwise guesses."""
    starts = [np.zeros(n_cameras, dtype=np.int64)]
    for root in range(n_cameras):
        start = np.zeros(n_cameras, dtype=np.int64)
        for (a, b), row in zip(pairs, costs, strict=True):
            if root in (a, b) and np.isfinite(row).any():
                best = int(np.nanargmin(row)) - max_offset
                start[b if a == root else a] = -best if a == root else best
        starts.append(start)
    ends = [_descend(costs, pairs, start, max_offset) for start in starts]
    best = min(ends, key=lambda offsets: (round(_total(costs, pairs, offsets, max_offset), 9), np.abs(offsets).sum()))
    values, counts = np.unique(best, return_counts=True)
    common = values[counts == counts.max()]
    return best - common[np.argmin(np.abs(common))]


def _descend(costs: Array, pairs, offsets: NDArray[np.int64], max_offset: int) -> NDArray[np.int64]:
    offsets = offsets.copy()
    for _ in range(_SWEEPS):
        before = offsets.copy()
        for camera in range(len(offsets)):
            trials = np.repeat(offsets[None], 4 * max_offset + 1, axis=0)
            trials[:, camera] = np.arange(-2 * max_offset, 2 * max_offset + 1)
            totals = [_total(costs, pairs, trial, max_offset) for trial in trials]
            least = min(totals)
            near = [trial for trial, total in zip(trials, totals, strict=True) if total < least + 1e-9]
            offsets = min(near, key=lambda trial: abs(int(trial[camera])))
        if np.array_equal(offsets, before):
            break
    return offsets


def _gain(costs: Array, pairs, offsets: NDArray[np.int64], camera: int, max_offset: int) -> float:
    own = (pairs == camera).any(axis=1)
    still = offsets.copy()
    still[camera] = 0
    moved = _total(costs[own], pairs[own], offsets, max_offset)
    return float(np.exp(_total(costs[own], pairs[own], still, max_offset) - moved))


def _subframe(costs: Array, pairs, offsets: NDArray[np.int64], max_offset: int) -> Array:
    """Offsets with fractions: the squared disagreement of a pair is a parabola around its best offset."""
    rows, sides, weights = [], [], []
    for (a, b), row in zip(pairs, costs, strict=True):
        at = int(offsets[a] - offsets[b]) + max_offset
        if not 0 < at < len(row) - 1 or not np.isfinite(row[at - 1 : at + 2]).all():
            continue
        left, middle, right = row[at - 1 : at + 2] ** 2
        bend = left - 2 * middle + right
        if bend <= 0 or middle > min(left, right):
            continue
        rows.append(np.eye(len(offsets))[a] - np.eye(len(offsets))[b])
        sides.append(at - max_offset + 0.5 * (left - right) / bend)
        weights.append(bend / (middle + 1e-12))
    subframe = np.full(len(offsets), np.nan)
    if not rows:
        return subframe
    equations, weights = np.array(rows), np.sqrt(np.array(weights))
    solution = np.linalg.lstsq(equations * weights[:, None], np.array(sides) * weights, rcond=None)[0]
    told = np.abs(equations).sum(axis=0) > 0
    subframe[told] = solution[told] - np.median((solution - offsets)[told])
    return subframe
