"""Cameras that are delayed by frames, and whether undoing that makes them agree better."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...cameras.epipolar import camera_pair_indices, epipolar_distances
from ...numerics.arrays import Array
from ..noise.evidence import is_evident
from ..rig_refinement.frame_offset_search import FrameOffsets, frame_offsets
from ..rig_refinement.frame_shift import shift_frames
from .changes import Mistake
from .view_pairs import AGREES

_SEARCHED = 40_000  # points of a stretch of consecutive frames, over all keypoints: offsets are then known to 0.01
_LEAST_OFFSET = 5  # frames that are tried at least
_RANGE_SECONDS = 0.5  # that are tried: cameras started one after the other by hand are further off
_CLEAR_GAIN = 1.5  # of whole offsets, beyond which they count although fractions are not determined
_WHOLE_STD = 0.15  # frames, of an offset that is known to the whole frame
_FOLLOWED = 1.0  # frames, by which the offset that the slope of the errors leads to may be another
_BETTER = 1.1  # times by which the epipolar error of a delayed camera shrinks, at least


def find_delays(points_2d: Array, rig: CameraRig, fps: float | None) -> tuple[FrameOffsets | None, list[Mistake]]:
    """The cameras' frame offsets where they matter, and a sentence on each delayed camera.

    points_2d : (n_cameras, n_frames, n_keypoints, 2), pixels, NaN where missing
    """
    n_frames = max(200, _SEARCHED // max(1, points_2d.shape[2]))
    start = max(0, (points_2d.shape[1] - n_frames) // 2)
    stretch = np.ascontiguousarray(points_2d[:, start : start + n_frames])
    found = frame_offsets(stretch, rig, max_offset=offset_reach(stretch, fps))
    roughly = bool(np.isnan(found.offsets).all()) and found.gain > _CLEAR_GAIN
    found = _whole_offsets(stretch, rig, found) if roughly else found
    found = _against_most(found)
    delayed = found.significant()
    if not delayed.any():
        return None, []
    before, after = _errors(stretch, rig), _errors(shift_frames(stretch, found), rig)
    # an offset that leaves the camera disagreeing is an artefact of what is wrong with it
    limit = AGREES * np.array([camera.size[0] for camera in rig])
    limit = limit if roughly else np.maximum(2 * np.nanmedian(after), limit)
    better = delayed & (after * _BETTER < before) & (after <= limit)
    better &= _followed(stretch, rig, found) | _evident(stretch, rig, found, np.flatnonzero(better), fps)
    if not better.any():
        return None, []
    offsets = np.where(better, found.offsets, 0.0)
    kept = FrameOffsets(found.names, offsets, np.where(better, found.std, 0.0), found.gain)
    return kept, [_mistake(kept, c, before[c], after[c]) for c in np.flatnonzero(better).tolist()]


def offset_reach(points_2d: Array, fps: float | None) -> int:
    """The largest delay that is tried, frames."""
    return min(max(_LEAST_OFFSET, round(_RANGE_SECONDS * (fps or 0.0))), points_2d.shape[1] // 4)


def _against_most(found: FrameOffsets) -> FrameOffsets:
    """The offsets against that camera which leaves fewest of the others delayed."""

    def against(camera: int) -> FrameOffsets:
        spread = np.hypot(found.std, found.std[camera])
        return replace(found, offsets=found.offsets - found.offsets[camera], std=spread)

    known = np.flatnonzero(np.isfinite(found.offsets)).tolist()
    if not known:
        return found
    n_late = [int(np.delete(against(camera).significant(), camera).sum()) for camera in known]
    return found if found.significant().sum() <= min(n_late) else against(known[int(np.argmin(n_late))])


def _followed(points_2d: Array, rig: CameraRig, found: FrameOffsets) -> NDArray[np.bool_]:
    """(n_cameras,) whether the slope of the errors leads there from none, not over other places where they are small.

    An animal whose movement repeats agrees with itself some periods apart.
    """
    near = frame_offsets(points_2d, rig, max_offset=0).offsets
    reference = int(np.nanargmin(np.abs(found.offsets)))
    return np.abs(near - near[reference] - found.offsets + found.offsets[reference]) < _FOLLOWED


def _evident(
    points_2d: Array, rig: CameraRig, found: FrameOffsets, cameras: NDArray[np.int64], fps: float | None
) -> NDArray[np.bool_]:
    """(n_cameras,) whether the errors of those cameras show that they are delayed."""
    before, after = signed_errors(points_2d, rig), signed_errors(shift_frames(points_2d, found), rig)
    pairs, evident = camera_pair_indices(len(rig)), np.zeros(len(rig), dtype=bool)
    n_tried = (2 * offset_reach(points_2d, fps) + 1) * (len(rig) - 1)
    for c in cameras:
        own = (pairs == c).any(axis=1)
        evident[c] = is_evident(before[own], after[own], n_tried)
    return evident


def _whole_offsets(points_2d: Array, rig: CameraRig, unknown: FrameOffsets) -> FrameOffsets:
    """The whole number of frames of the one camera whose shift makes the cameras agree best."""
    reach = max(_LEAST_OFFSET, points_2d.shape[1] // 4)
    trials = [(c, k) for c in range(1, len(rig)) for k in range(-reach, reach + 1)]
    shifts = np.zeros((len(trials), len(rig)))
    for shift, (c, k) in zip(shifts, trials, strict=True):
        shift[c] = k
    errors = np.array([_errors(shift_frames(points_2d, shift), rig) for shift in shifts])
    errors = np.where(np.isfinite(errors).all(axis=1), errors.sum(axis=1), np.inf)
    best = shifts[int(np.argmin(errors))]
    return FrameOffsets(unknown.names, best, np.full(len(rig), _WHOLE_STD), unknown.gain)


def _mistake(found: FrameOffsets, camera: int, before: float, after: float) -> Mistake:
    offset, name = float(found.offsets[camera]), found.names[camera]
    shift = float(found.to_apply()[camera])
    return Mistake(
        "delayed",
        (name,),
        f"Camera '{name}' is {'delayed' if offset > 0 else 'ahead'} by {abs(offset):.2f} ± {found.std[camera]:.2f}"
        " frames",
        f"state delay = {shift:.4g} in its table of the session file (or frame_offsets = true under [reconstruct])",
        before,
        after,
    )


def signed_errors(points_2d: Array, rig: CameraRig) -> Array:
    """(n_pairs, n_frames, n_keypoints) epipolar distances of all pairs of cameras with their sign, pixels."""
    return epipolar_distances(rig.undistort(points_2d), rig, camera_pair_indices(len(rig)))


def _errors(points_2d: Array, rig: CameraRig) -> Array:
    """(n_cameras,) root mean square epipolar error of each camera's pairs without the largest tenth, pixels."""
    pairs = camera_pair_indices(len(rig))
    size = np.abs(signed_errors(points_2d, rig)).reshape(len(pairs), -1)
    errors = np.full(len(rig), np.nan)
    for c in range(len(rig)):
        own = size[(pairs == c).any(axis=1)]
        own = own[np.isfinite(own)]
        if len(own):
            errors[c] = np.sqrt(np.mean(np.minimum(own, np.quantile(own, 0.9)) ** 2))
    return errors
