"""Keypoints that views place wrongly in the same way for a while: another place, which bones and poses expect.

The views agree with each other, so that geometry alone does not show such errors. Two modes of the posterior are
compared for a stretch of frames: the views that agree on the first place are right, or they are displaced together, as
one lasting event, and the keypoint is where the bones' lengths, the directions of the pose and the other views say.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...cameras._kernels_lenses import project_points
from ...numerics.arrays import Array
from ...numerics.hidden_markov import most_probable_path
from ..smoothing.bone_lengths import Bones, parents_first
from ..smoothing.long_recordings.overlapping_windows import Window
from ..smoothing.modes.mode_search import converge_near, find_mode
from ..smoothing.observations import Observations
from .window_states import OFF_POSE, BoneEvidence, PoseModel

_ROUNDS = 6  # of neighbouring keypoints the one with most evidence against its place is examined first
_REACH = 0.6  # seconds on either side of an improbable bone that are solved with it: a swing of a limb
_RUNNING = 0.21  # seconds over which the evidence against a place is averaged: a single frame proves nothing
_EXAMINED = 2.0  # mean log odds of a frame against a place, from its bones, from which on another is searched
# log odds against views that agree on a wrong place: in 2 % of stretches, and anywhere within 100 mm to within 4 mm
_LOG_EVENT = 13.0
_LOG_OFF_POSE = 10.0  # log odds against a bone that begins to leave the known poses: a prior is never complete
_LOG_VIEWS = 4.0  # log odds by which a stretch's event may vary: two views, each nine times as often right as wrong
_SEVERAL = 1.5  # views that contradict a place, in the mean over time: more than one, which may be in error alone
_AGREES = 5.0  # standard deviations of the pixel noise up to which a view agrees with a place: errors that last add up
_IMPOSSIBLE = -1e6  # log odds of frames that are no candidates, instead of minus infinity


def search_displaced(
    window: Window, points_3d: Array, pose_model: PoseModel
) -> tuple[Observations, Array, NDArray[np.bool_]]:
    """Observations without the views that are displaced, points to start from, and (n_frames, n_known) displaced.

    Keypoints whose bones are improbable at points_3d are solved again without the views that agree on their place;
    the more probable of both modes is kept, stretch by stretch.
    """
    observations = window.observations
    displaced = np.zeros(points_3d.shape[:2], bool)
    tried = np.zeros_like(displaced)
    for _ in range(_ROUNDS):
        evidence = pose_model.bone_evidence(points_3d)
        candidates = _improbable(evidence, pose_model, window, observations, points_3d, tried)
        if not candidates.any():
            break
        tried |= candidates
        frames = _around(candidates, overlap=round(_REACH * window.fps))
        part, here, prior = observations.at(frames), points_3d[frames], window.prior.at(frames)
        without = _without_agreeing(part, (here, window.points_3d[frames]), candidates[frames])
        start = _moved(here, evidence.expected[frames], pose_model, window.bones, candidates[frames])
        exact, poses = np.zeros((*start.shape, 3)), pose_model.followed_at(start)
        there = find_mode(without, start, exact, prior, window.bones, poses).points_3d
        accepted = np.zeros_like(candidates)
        accepted[frames] = _more_probable(part, pose_model, window, here, there, candidates[frames])
        if not accepted.any():
            continue
        observations = _without_agreeing(observations, (points_3d, window.points_3d), accepted)
        points_3d = points_3d.copy()
        points_3d[frames] = np.where(accepted[frames][..., None], there, here)
        directions = pose_model.followed_at(points_3d)
        moving = np.asarray(accepted.any(axis=1))
        points_3d = converge_near(observations, points_3d, moving, window.prior, window.bones, directions).points_3d
        displaced |= accepted
    return observations, points_3d, displaced


def _around(candidates: NDArray[np.bool_], overlap: int) -> slice:
    """The frames from the first candidate to the last, and some on either side."""
    frames = np.flatnonzero(candidates.any(axis=1))
    return slice(max(0, int(frames[0]) - overlap), int(frames[-1]) + overlap + 1)


def _bone_costs(window: Window, points_3d: Array) -> Array:
    """(n_frames, n_bones) minus the log density of a bone's length, over that at its mean, between places that errors
    of the detector that never change displace."""
    bones = window.bones
    a, b = bones.pairs.T
    d = points_3d[:, a] - points_3d[:, b]
    length = np.linalg.norm(d, axis=-1)
    direction = d / np.maximum(length, 1e-12)[..., None]
    displaced = np.einsum("tbi,bij,tbj->tb", direction, window.displacement[a] + window.displacement[b], direction)
    return 0.5 * (length - bones.lengths) ** 2 / (bones.stds**2 + displaced)


def _by_keypoint(values: Array, pairs: NDArray[np.int64], n_keypoints: int) -> Array:
    """(n_frames, n_keypoints) sum of the values (n_frames, n_pairs) of the pairs that a keypoint is an end of."""
    total = np.zeros((len(values), n_keypoints))
    for b, pair in enumerate(pairs):
        total[:, pair] += values[:, [b]]
    return total


def _improbable(
    evidence: BoneEvidence,
    pose_model: PoseModel,
    window: Window,
    observations: Observations,
    points_3d: Array,
    tried: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """(n_frames, n_known) keypoints where another place could be right: bones too long or short, or of a direction less
    likely than any, and wherever else several views contradict the same keypoint's place; of neighbours along bones
    the one whose views are most probably wrong, none that was tried."""
    against = _by_keypoint(_bone_costs(window, points_3d), window.bones.pairs, points_3d.shape[1])
    unlikely = np.clip(-(evidence.log_density + np.log(4 * np.pi)), 0.0, -np.log(OFF_POSE))
    against[:, pose_model.pairs[:, 0]] += unlikely
    against = np.where(tried, 0.0, _running_mean(against, _running_frames(window)))
    flagged = against > _EXAMINED
    if not flagged.any():
        return flagged
    deviations = _deviations(observations, points_3d)
    agree, contradict = deviations < _AGREES, np.isfinite(deviations) & (deviations > _AGREES)
    several = _running_mean(contradict.sum(axis=0).astype(float), _running_frames(window)) > _SEVERAL
    flagged = (flagged | (several & flagged.any(axis=0))) & ~tried
    views = np.where(agree, _log_odds_right(observations), 0.0).sum(axis=0).mean(axis=0)
    independent = np.where(flagged, against, 0.0).sum(axis=0) / window.bones.averaged.mean()
    neighbours = np.concatenate([window.bones.pairs, pose_model.pairs])
    return _one_of_neighbours(flagged, np.argsort(views - independent), neighbours)


def _one_of_neighbours(
    flagged: NDArray[np.bool_], order: NDArray[np.int64], pairs: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Flags (n_frames, n_known) without those of neighbours, along pairs (n_pairs, 2), that come later in the order."""
    kept = flagged.copy()
    for k in order:
        for a, b in pairs:
            if k in (a, b):
                kept[:, a + b - k] &= ~kept[:, k]
    return kept


def _moved(
    points_3d: Array, expected: Array, pose_model: PoseModel, bones: Bones, candidates: NDArray[np.bool_]
) -> Array:
    """Points with the candidates, and all that hangs on them, turned to the directions (n_frames, n_bones, 3) that are
    expected."""
    moved = points_3d.copy()
    lengths = {frozenset(pair): length for pair, length in zip(bones.pairs.tolist(), bones.lengths, strict=True)}
    for b in parents_first(pose_model.pairs[:, ::-1]):
        child, parent = pose_model.pairs[b]
        bone = points_3d[:, child] - points_3d[:, parent]
        length = lengths.get(frozenset((int(child), int(parent))), float(np.median(np.linalg.norm(bone, axis=1))))
        size = np.linalg.norm(expected[:, b], axis=1, keepdims=True)  # shorter than 1 where unsure
        turned = length * expected[:, b] / np.maximum(size, 1e-9)
        moved[:, child] = moved[:, parent] + np.where(candidates[:, [child]], turned, bone)
    return moved


def _without_agreeing(observations: Observations, places: tuple[Array, ...], which: NDArray[np.bool_]) -> Observations:
    """The observations without those pixels of some points (n_frames, n_keypoints) that agree with one of the places.

    Places (n_frames, n_keypoints, 3): where a keypoint is, and where its views alone put it, which differs where a
    stiff bone has already drawn it away from them.
    """
    agree = np.any([_deviations(observations, place) < _AGREES for place in places], axis=0)
    return replace(observations, points_2d=np.where((which & agree)[..., None], np.nan, observations.points_2d))


def _deviations(observations: Observations, points_3d: Array) -> Array:
    """(n_cameras, n_frames, n_keypoints) pixel residuals in standard deviations; infinite where missing."""
    projected = project_points(*observations.arrays, np.ascontiguousarray(points_3d.reshape(-1, 3)))
    residual = np.linalg.norm(projected.reshape(observations.points_2d.shape) - observations.points_2d, axis=-1)
    return np.where(np.isfinite(residual), residual / (observations.sigma[:, None, :] * observations.scale), np.inf)


def _more_probable(
    observations: Observations,
    pose_model: PoseModel,
    window: Window,
    here: Array,
    there: Array,
    candidates: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Candidates in stretches that are more probably there than here.

    Views that agree on one of the places are displaced together if the other is right: one event per stretch, the less
    probable the more views they are. So is a direction outside the known poses. Lengths count in every frame, as
    far as frames are independent.
    """
    from scipy.ndimage import binary_dilation

    size = _running_frames(window)
    lengths, directions = _gains(pose_model, window, here, there)
    event = _event_costs(observations, here, there, size)
    apart = ((_deviations(observations, here) < _AGREES) & (_deviations(observations, there) > _AGREES)).any(axis=0)
    chosen = np.zeros_like(candidates)
    for k in np.flatnonzero(candidates.any(axis=0)):
        stretch = _stretches_there(candidates[:, k], lengths[:, k], directions[:, k], event[:, k])
        # what is averaged over time begins late and ends early: the same views go on for some frames
        reach = np.asarray(binary_dilation(stretch, np.ones(2 * size + 1, bool)), dtype=bool)
        chosen[:, k] = stretch | (reach & candidates[:, k] & np.asarray(apart)[:, k])
    return chosen


def _gains(pose_model: PoseModel, window: Window, here: Array, there: Array) -> tuple[Array, Array]:
    """(n_frames, n_known) twice: log density of the lengths of a keypoint's bones there less than that here, and of the
    direction of the bone that ends in it, both as far as frames are independent."""
    shorter = (_bone_costs(window, here) - _bone_costs(window, there)) / window.bones.averaged
    lengths = _by_keypoint(shorter, window.bones.pairs, here.shape[1])
    directions = np.zeros_like(lengths)
    first, second = pose_model.bone_evidence(here).log_density, pose_model.bone_evidence(there).log_density
    directions[:, pose_model.pairs[:, 0]] = pose_model.frame_weight * (second - first)
    return lengths, directions


def _event_costs(observations: Observations, here: Array, there: Array, size: int) -> Array:
    """(n_frames, n_known) log odds that the views that agree with the place here are right rather than those there."""
    near_here, near_there = (_mostly_near(observations, place, size) for place in (here, there))
    odds = _log_odds_right(observations)
    return _running_mean(_joint_odds(near_here, odds) - _joint_odds(near_there & ~near_here, odds), size)


def _stretches_there(own: NDArray[np.bool_], lengths: Array, directions: Array, event: Array) -> NDArray[np.bool_]:
    """Frames of a keypoint, of those that are its `own` candidates, in stretches in which it is there; all (n_frames,).

    Directions gain no more than the log odds against a bone that begins to leave the known poses, all frames together:
    one that is outside them in frames that are left, too, has left them anyway. An event concerns certain views: frames
    in which more would have to be displaced are no part of it. Of several costs that frames of a stretch may have, the
    one of largest posterior is taken.
    """
    better = own & (lengths + directions > 0)
    limited = directions * min(1.0, _LOG_OFF_POSE / max(np.abs(directions[own]).sum(), 1e-12))
    best, most = np.zeros_like(own), 0.0
    for cost in np.unique(np.round(np.maximum(event[better], 0.0) / _LOG_VIEWS)) * _LOG_VIEWS:
        same = own & (event < cost + _LOG_VIEWS)
        chosen, gain = _best_stretches(np.where(same, lengths + limited, _IMPOSSIBLE), float(cost))
        if gain > most:
            best, most = chosen, gain
    return best


def _running_frames(window: Window) -> int:
    return max(1, round(_RUNNING * window.fps))


def _running_mean(values: Array, size: int, axis: int = 0) -> Array:
    """Mean over `size` frames about each frame."""
    from scipy.ndimage import uniform_filter1d

    return np.asarray(uniform_filter1d(values, size=size, axis=axis, mode="nearest"))


def _mostly_near(observations: Observations, points_3d: Array, size: int) -> NDArray[np.bool_]:
    """(n_cameras, n_frames, n_keypoints) views that agree with points in most of the frames, `size`, about a frame."""
    deviations = _deviations(observations, points_3d)
    near, seen = (
        _running_mean(which.astype(float), size, axis=1) for which in (deviations < _AGREES, np.isfinite(deviations))
    )
    return np.asarray(near > 0.5 * np.maximum(seen, 1e-9))


def _log_odds_right(observations: Observations) -> Array:
    """(n_cameras, n_frames, n_keypoints) log odds that a view is right, before looking at the geometry."""
    return np.log(observations.prior / (1 - observations.prior))


def _joint_odds(views: NDArray[np.bool_], odds: Array) -> Array:
    """(n_frames, n_keypoints) log odds that these views (n_cameras, n_frames, n_keypoints) are right: each by itself,
    and where two or more agree together."""
    return np.where(views, odds, 0.0).sum(axis=0) + _LOG_EVENT * (views.sum(axis=0) > 1)


def _best_stretches(score: Array, enter: float) -> tuple[NDArray[np.bool_], float]:
    """Frames whose scores sum to the most, at a cost of entering a stretch, and the sum."""
    per_state = np.stack([np.zeros_like(score), score], axis=-1)
    path, total = most_probable_path(per_state, np.array([0.0, -enter]), np.array([[0.0, -enter], [0.0, 0.0]]))
    return path == 1, float(total)
