"""Delays of cameras in whole frames, from the motion of the board; needs no calibrated rig."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ...cameras import Camera, CameraRig
from ...cameras.frame_offset_search import best_offsets, cost_ratio
from ...numerics.arrays import Array
from ..boards.detection import BoardDetections
from ..solver.initial_lenses import start_camera
from ..solver.initial_poses import MIN_PAIR_VIEWS, board_outline, plane_poses, proposed_poses

_MAX_VIEWS = 120  # shared views compared at each offset: enough for a median, and the cost grows with them


@dataclass(frozen=True, eq=False)
class BoardOffsets:
    """Delays of cameras in whole frames.

    Parameters
    ----------
    names : tuple of str
        The cameras.
    offsets : ndarray of int, shape (n_cameras,), frames
        What the others show in frame i, this camera shows in frame i + offset (positive: the camera is delayed); the
        most common offset is 0.
    subframe : ndarray, shape (n_cameras,), frames
        The same with fractions, about the same zero; NaN where the board's motion does not determine it.
    gain : ndarray, shape (n_cameras,)
        Ratio, at least 1, by which the rig's disagreement shrinks when the camera is moved from 0 to its offset; near 1
        where the board hardly moved and nothing follows.
    costs : ndarray, shape (n_pairs, 2 max_offset + 1)
        Disagreement of each pair, in units of the board's distance, at each relative offset of its first camera; NaN
        where they share too few frames.
    pairs : ndarray of int, shape (n_pairs, 2)
        Positions of the cameras of each pair.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.calibration import BoardOffsets
    >>> costs, pairs = np.array([[0.4, 0.1, 0.4]]), np.array([[0, 1]])
    >>> found = BoardOffsets(("left", "right"), np.array([0, 2]), np.array([0, 2.1]), np.array([1, 4.0]), costs, pairs)
    >>> print(found.sentences()[0])
    camera 'right' is delayed by 2 frames: what the others show in frame i, it shows in frame i + 2; shift its recording
    """

    names: tuple[str, ...]
    offsets: NDArray[np.int64]
    subframe: Array
    gain: Array
    costs: Array
    pairs: NDArray[np.int64]

    def sentences(self, least_gain: float = 1.5) -> tuple[str, ...]:
        """Describe the cameras that are certainly delayed or ahead.

        Parameters
        ----------
        least_gain : float
            Cameras whose gain is smaller are left out.

        Returns
        -------
        tuple of str
            One sentence per camera.
        """
        delayed = [
            (n, int(k)) for n, k, g in zip(self.names, self.offsets, self.gain, strict=True) if k and g > least_gain
        ]
        return tuple(
            f"camera '{name}' is {'delayed' if k > 0 else 'ahead'} by {abs(k)} frame{'s' if abs(k) > 1 else ''}: what"
            f" the others show in frame i, it shows in frame i {'+' if k > 0 else '-'} {abs(k)}; shift its recording"
            for name, k in delayed
        )


def board_offsets(
    detections: Mapping[str, BoardDetections],
    *,
    intrinsics: CameraRig | Mapping[str, Camera] | None = None,
    max_offset: int = 5,
) -> BoardOffsets:
    """Find the constant number of frames by which cameras are delayed, from a board that moves.

    The pose of camera b seen from camera a, computed through the board, is the same in all frames only when the frames
    match: it is found for every pair and every relative offset, and the offsets on which the pairs agree are taken.

    Parameters
    ----------
    detections : dict of str to BoardDetections
        Detections of each camera, frames matched by position.
    intrinsics : CameraRig or dict of str to Camera, optional
        Cameras whose lenses are known. None: estimated from each camera alone.
    max_offset : int, frames
        Largest offset tried.

    Returns
    -------
    BoardOffsets
        Offsets with the evidence for them.

    Raises
    ------
    ValueError
        There are fewer than two cameras.

    Examples
    --------
    >>> from dataclasses import replace
    >>> import numpy as np
    >>> from muybridge.calibration import board_offsets, simulate_board_motion, simulate_detections
    >>> detections = simulate_detections(motion=simulate_board_motion(20))
    >>> right = detections["right"]
    >>> delayed = np.concatenate([np.full_like(right.corners[:1], np.nan), right.corners[:-1]])
    >>> found = board_offsets({**detections, "right": replace(right, corners=delayed)}, max_offset=2)
    >>> int(found.offsets[1] - found.offsets[0])
    1
    """
    names = tuple(detections)
    if len(names) < 2:
        raise ValueError(f"offsets need at least two cameras, got {list(names)}")
    poses = [_poses(name, detections[name], intrinsics) for name in names]
    outline = board_outline(next(iter(detections.values())).board)
    recording_of = np.zeros(max(len(t) for _, t in poses), np.int64)
    return offsets_of_poses(names, poses, outline, recording_of, max_offset)


def offsets_of_poses(
    names: tuple[str, ...], poses: list[tuple[Array, Array]], outline: Array, recording_of: NDArray[np.int64],
    max_offset: int = 5,
) -> BoardOffsets:  # fmt: skip
    """`board_offsets` from the cameras' own board poses; only frames of one recording (n_frames,) are matched."""
    pairs = np.array(list(combinations(range(len(names)), 2)))
    costs = np.array([_pair_costs(poses[a], poses[b], outline, recording_of, max_offset) for a, b in pairs])
    offsets = best_offsets(costs, pairs, len(names))
    gain = np.array([_gain(costs, pairs, offsets, camera) for camera in range(len(names))])
    return BoardOffsets(names, offsets, _subframe(costs, pairs, offsets, max_offset), gain, costs, pairs)


def _poses(name: str, found: BoardDetections, intrinsics) -> tuple[Array, Array]:
    """R (n_frames, 2, 3, 3) and t (n_frames, 2, 3) of `plane_poses`, by the known lens or one estimated here."""
    cameras = intrinsics.cameras if isinstance(intrinsics, CameraRig) else (intrinsics or {}).values()
    known = {camera.name: camera for camera in cameras}
    corners = np.where(found.seen[..., None], found.corners, np.nan)
    camera = known.get(name)
    if camera is None:
        camera = start_camera(corners, found.board.points, found.size, name)
    R, t, _ = plane_poses(corners, found.board.points, camera)
    return R, t


def _pair_costs(
    a: tuple[Array, Array], b: tuple[Array, Array], outline: Array, recording_of: NDArray[np.int64], max_offset: int
) -> Array:
    """(2 max_offset + 1,) disagreement when frame i + k of `a` is matched with frame i of `b`."""
    costs = np.full(2 * max_offset + 1, np.nan)
    for j, k in enumerate(range(-max_offset, max_offset + 1)):
        start, stop = max(0, -k), min(len(b[0]), len(a[0]) - k)
        if stop <= start:
            continue
        both = (
            np.flatnonzero(np.isfinite(a[1][start + k : stop + k, 0, 0]) & np.isfinite(b[1][start:stop, 0, 0])) + start
        )
        both = both[recording_of[both] == recording_of[both + k]]
        if len(both) >= MIN_PAIR_VIEWS:
            both = both[np.unique(np.linspace(0, len(both) - 1, _MAX_VIEWS).astype(int))]
            shown = (a[0][both + k], a[1][both + k]), (b[0][both], b[1][both])
            costs[j] = proposed_poses(*shown, outline).errors.min()
    return costs


def _gain(costs: Array, pairs: NDArray[np.int64], offsets: NDArray[np.int64], camera: int) -> float:
    """How many times smaller the costs of a camera's pairs are with its offset than without."""
    own, still = (pairs == camera).any(axis=1), offsets.copy()
    still[camera] = 0
    return cost_ratio(costs[own], pairs[own], still, offsets)


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
    known = np.abs(equations).sum(axis=0) > 0
    subframe[known] = solution[known] - np.median((solution - offsets)[known])
    return subframe
