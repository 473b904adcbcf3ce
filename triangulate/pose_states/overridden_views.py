"""Keypoints that most views place wrongly in the same way: views are overridden where the poses exclude the place.

Geometry and bone lengths do not detect such errors, as the views agree with each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, uniform_filter1d

from ...cameras._kernels_lenses import project_points
from ...numerics.arrays import Array
from ..smoothing.joint_mode import find_mode
from ..smoothing.observations import Observations
from ..smoothing.overlapping_windows import Window
from .window_states import BoneEvidence, PoseModel

_ROUNDS = 4  # keypoints further out on a limb are examined after those nearer to the root
_REACH = 0.6  # seconds on either side of an improbable bone that are examined as well
_OFTEN = 0.3  # share of frames in which two views see the keypoint elsewhere
_RUNNING = 0.21  # seconds over which a bone's log density is averaged
_IMPROBABLE = -1.0  # mean log density, over that of any direction, below which a bone is examined
_SWITCH = 20.0  # log odds that it takes to begin or end a stretch: a second place anywhere on a bone's length
_MOST, _MOST_PER_SECOND = 8.0, 960.0  # log odds of the pose in a frame, in a second: a prior is never complete
# log density of the place where a second set of views agrees, given where it was a frame before
_LOG_SECOND_PLACE = -3.0
_AGREES = 5.0  # standard deviations of the pixel noise


def override_views(
    window: Window, points_3d: Array, pose_model: PoseModel
) -> tuple[Observations, Array, NDArray[np.bool_]]:
    """Observations without the views that are overridden, points to start from, and (n_frames, n_known) overridden.

    Keypoints whose bone has an improbable direction given the other bones are solved again without the views that agree
    on their place. Both places are then compared over the whole stretch: the directions' density, and the pixels, of
    which those that miss the point may agree on the other place at no further cost.
    """
    observations = window.observations
    overridden = np.zeros(points_3d.shape[:2], bool)
    tried = np.zeros_like(overridden)
    reach = round(_REACH * window.fps)
    for _ in range(_ROUNDS):
        evidence = pose_model.bone_evidence(points_3d)
        candidates = implausible_ends(evidence, pose_model, observations, points_3d, tried)
        if not candidates.any():
            break
        tried |= candidates
        frames = _around(candidates, overlap=reach)
        part, here, prior = observations.at(frames), points_3d[frames], window.prior.at(frames)
        without = _without_agreeing(part, here, candidates[frames])
        start, width = _moved(here, evidence.at(frames), pose_model, candidates[frames])
        there = find_mode(without, start, width, prior, window.bones, pose_model.direction_model(start)).points_3d
        accepted = np.zeros_like(candidates)
        accepted[frames] = _compare(part, pose_model, here, there, candidates[frames])
        observations = _without_agreeing(observations, points_3d, accepted)
        points_3d = points_3d.copy()
        points_3d[frames] = np.where(accepted[frames][..., None], there, here)
        overridden |= accepted
    return observations, points_3d, overridden


def _around(candidates: NDArray[np.bool_], overlap: int) -> slice:
    """The frames from the first candidate to the last, and some on either side."""
    frames = np.flatnonzero(candidates.any(axis=1))
    return slice(max(0, int(frames[0]) - overlap), int(frames[-1]) + overlap + 1)


def implausible_ends(
    evidence: BoneEvidence,
    pose_model: PoseModel,
    observations: Observations,
    points_3d: Array,
    tried: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """(n_frames, n_known) keypoints at the end of a bone of improbable direction, where another place could be right.

    That is where often two views see it elsewhere, or where its direction is less likely than that all views are
    wrong. Not those further out than another such keypoint, nor those that were tried before.
    """
    excess = evidence.log_density + np.log(4 * np.pi)  # over a direction that points anywhere
    concentration = pose_model.model.probabilities @ pose_model.model.concentrations
    likely = np.log(np.maximum(2 * concentration, 1.0))
    children = pose_model.pairs[:, 0]
    size = max(1, round(_RUNNING * pose_model.fps))
    mean = partial(uniform_filter1d, size=size, axis=0, mode="nearest")
    seen = np.isfinite(observations.points_2d[..., 0])
    elsewhere = ((_deviations(observations, points_3d) >= _AGREES) & seen).sum(axis=0) >= 2
    seen_elsewhere = mean(elsewhere[:, children].astype(float)) > _OFTEN
    improbable = mean(likely - excess) > -_LOG_SECOND_PLACE + len(seen) * np.log(2)
    deviates = (mean(excess) < _IMPROBABLE) & (seen_elsewhere | improbable)
    flagged = np.zeros(points_3d.shape[:2], bool)
    flagged[:, children] = binary_dilation(deviates, np.ones((2 * round(_REACH * pose_model.fps) + 1, 1), bool))
    flagged &= ~tried
    above = np.zeros_like(flagged)
    parent_of = dict(pose_model.pairs.tolist())
    for k in parent_of:
        node = parent_of[k]
        while node in parent_of:
            above[:, k] |= flagged[:, node]
            node = parent_of[node]
    return flagged & ~above


def _moved(
    points_3d: Array, evidence: BoneEvidence, pose_model: PoseModel, candidates: NDArray[np.bool_]
) -> tuple[Array, Array]:
    """Points with the candidates, and all that hangs on them, turned to where they are expected; and their spread."""
    moved, width = points_3d.copy(), np.zeros((*points_3d.shape, 3))
    for b in _from_root(pose_model.pairs):
        child, parent = pose_model.pairs[b]
        bone = points_3d[:, child] - points_3d[:, parent]
        length = np.linalg.norm(bone, axis=1, keepdims=True)
        expected = evidence.expected[:, b]
        sure = np.linalg.norm(expected, axis=1, keepdims=True)
        turned = length * expected / np.maximum(sure, 1e-9)
        moved[:, child] = moved[:, parent] + np.where(candidates[:, [child]], turned, bone)
        scale = (length[:, 0] ** 2 * np.maximum(1 - sure[:, 0], 0.02))[:, None, None] * np.eye(3)
        width[:, child] = width[:, parent] + np.where(candidates[:, child, None, None], scale, 0.0)
    return moved, width


def _from_root(pairs: NDArray[np.int64]) -> Iterator[int]:
    """Bones in an order in which parents come before their children."""
    waiting = list(range(len(pairs)))
    ends = {int(child) for child, _ in pairs}
    while waiting:
        ready = [b for b in waiting if int(pairs[b, 1]) not in ends]
        for b in ready:
            yield b
        for b in ready:
            waiting.remove(b)
            ends.discard(int(pairs[b, 0]))


def _without_agreeing(observations: Observations, points_3d: Array, which: NDArray[np.bool_]) -> Observations:
    """The observations without those pixels of some points (n_frames, n_keypoints) that agree with where they are."""
    distance = _deviations(observations, points_3d)
    drop = which & (distance < _AGREES)
    return replace(observations, points_2d=np.where(drop[..., None], np.nan, observations.points_2d))


def _deviations(observations: Observations, points_3d: Array) -> Array:
    """(n_cameras, n_frames, n_keypoints) pixel residuals in standard deviations; infinite where missing."""
    projected = project_points(*observations.arrays, np.ascontiguousarray(points_3d.reshape(-1, 3)))
    residual = np.linalg.norm(projected.reshape(observations.points_2d.shape) - observations.points_2d, axis=-1)
    return np.where(np.isfinite(residual), residual / (observations.sigma[:, None, :] * observations.scale), np.inf)


def _compare(
    observations: Observations, pose_model: PoseModel, here: Array, there: Array, candidates: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Candidates in stretches that are better explained there than here."""
    most = min(_MOST, _MOST_PER_SECOND / pose_model.fps)
    gain = np.clip(pose_model.log_evidence(there) - pose_model.log_evidence(here), -most, most)
    seen = np.isfinite(observations.points_2d[..., 0])
    log_peak = -np.log(2 * np.pi * (observations.sigma[:, None, :] * observations.scale) ** 2)
    out = np.log(1 - observations.prior) + observations.log_outlier[:, None, None]
    prior = np.log(observations.prior)
    at_here = prior + log_peak - 0.5 * np.minimum(_deviations(observations, here), 1e3) ** 2
    at_there = prior + log_peak - 0.5 * np.minimum(_deviations(observations, there), 1e3) ** 2

    def total(*ways: Array) -> Array:
        return np.where(seen, np.logaddexp.reduce([out, *ways]), 0.0).sum(axis=0)

    both = _LOG_SECOND_PLACE + total(at_here - np.log(2), at_there - np.log(2))
    score = np.maximum(total(at_there), both) - np.maximum(total(at_here), both) + gain[:, None]
    score = np.where(candidates, score, -1e6)
    enter, leave = _jump(here, there), _jump(there, here)
    stretches = [_best_stretches(score[:, k], enter[:, k], leave[:, k]) for k in range(score.shape[1])]
    return np.stack(stretches, axis=1)


def _jump(before: Array, after: Array) -> Array:
    """(n_frames, n_keypoints) log odds against going from one path to the other at a frame, by an unusual step."""
    if len(before) < 2:
        return np.full(before.shape[:2], _SWITCH)
    steps = np.diff(before, axis=0)
    usual = np.maximum((steps**2).mean(axis=(0, 2)), 1e-12)
    step = after[1:] - before[:-1]
    return _SWITCH + np.pad((step**2).sum(axis=-1) / (2 * usual), ((1, 0), (0, 0)))


def _best_stretches(score: Array, enter: Array, leave: Array) -> NDArray[np.bool_]:
    """Frames whose scores sum to the most, at a cost of entering and leaving a stretch (Viterbi with two states)."""
    n_frames = len(score)
    came_from = np.zeros((n_frames, 2), np.int64)
    best = np.array([0.0, -enter[0]])
    for t in range(n_frames):
        stay, begin = best[1], best[0] - enter[t]
        quiet, end = best[0], best[1] - leave[t]
        came_from[t] = int(end > quiet), int(stay >= begin)
        best = np.array([max(quiet, end), max(stay, begin) + score[t]])
    chosen = np.zeros(n_frames, bool)
    state = int(best[1] > best[0])
    for t in range(n_frames - 1, -1, -1):
        chosen[t] = state == 1
        state = int(came_from[t, state])
    return chosen
