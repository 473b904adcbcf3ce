"""Loops of the exact sampler and its diagnostics over float64 arrays whose shapes the caller has checked."""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from ...cameras._kernels_lenses import project_point
from ...numerics._kernels_options import OPTIONS, helper, kernel

_SURE = 37.0  # log odds at which the other side is below round-off


class PixelOdds(NamedTuple):
    """What was seen of J keypoints in T frames by C cameras, and how sure an exact hit is no outlier."""

    points_2d: np.ndarray  # (C, T, J, 2)
    odds: np.ndarray  # (C, T, J) log odds of an inlier that is hit exactly, NaN where there is no pixel
    inverse: np.ndarray  # (C, T, J) 1 / px², of the noise
    power: np.ndarray  # (T, J) of the likelihood


class Quadratic(NamedTuple):
    """The proposal's Gaussian about its origin, without the differences in time."""

    origin: np.ndarray  # (T, J, 3)
    slope: np.ndarray  # (T, J, 3) of the time prior at the origin
    anchor: float  # precision about 0 of every coordinate
    information: np.ndarray  # (T, J, 3, 3) of the pixels
    pairs: np.ndarray  # (P, 2) keypoints
    pair_information: np.ndarray  # (T, P, 3, 3) of the pairs' differences


class BoneLengths(NamedTuple):
    """Bones whose length is Gaussian."""

    pairs: np.ndarray  # (B, 2) keypoints
    lengths: np.ndarray  # (B,) world units
    stds: np.ndarray  # (B,) world units


class Weights(NamedTuple):
    """Log of target over proposal at some positions of T frames, the directions in each of S states apart."""

    log_evidence: np.ndarray  # (T, S) of the directions
    log_weights: np.ndarray  # (T,) of pixels, bones and anchor
    log_steps: np.ndarray  # (T,) of the differences of a frame and the `reach` frames after it


class StateChain(NamedTuple):
    """The Markov chain of the states, and how much it counts."""

    transitions: np.ndarray  # (S, S)
    probabilities: np.ndarray  # (S,) of the first state
    share: float  # power with which the states' evidence counts


@kernel
def shortenings(origin, away, bones, lengths, shorter):
    """How much each bone must shorten along its direction u at the origin to keep its length, into shorter (T, B).

    l - (l² - r²)^½ where the ways `away` (T, J, 3) of its two ends differ by r across u; at most l. Bones (B, 2).
    """
    u, d = np.empty(3), np.empty(3)
    for f in range(origin.shape[0]):
        for b in range(len(bones)):
            i, j = bones[b, 0], bones[b, 1]
            size, along, squared = 0.0, 0.0, 0.0
            for a in range(3):
                u[a], d[a] = origin[f, j, a] - origin[f, i, a], away[f, j, a] - away[f, i, a]
                size += u[a] * u[a]
                along += u[a] * d[a]
            for a in range(3):
                squared += (d[a] - along * u[a] / max(size, 1e-300)) ** 2
            length = lengths[b]
            shorter[f, b] = length
            if squared < length * length:
                shorter[f, b] = squared / (length + math.sqrt(length * length - squared))


@kernel
def bend(origin, away, bones, shorter, points_3d):
    """Positions (T, J, 3) at straight ways `away` from the origin, each bone shortened by shorter (T, B).

    Bones (B, 2) of (parent, child), parents first; what hangs on a bone moves along. As a bone's shortening depends on
    its ends' difference across it alone, and acts along it, this is a shear: volumes stay as they are.
    """
    n_frames, n_keypoints = origin.shape[:2]
    shift = np.zeros((n_keypoints, 3))
    for f in range(n_frames):
        shift[:] = 0.0
        for b in range(len(bones)):
            i, j = bones[b, 0], bones[b, 1]
            size = 0.0
            for a in range(3):
                size += (origin[f, j, a] - origin[f, i, a]) ** 2
            for a in range(3):
                u = (origin[f, j, a] - origin[f, i, a]) / max(math.sqrt(size), 1e-300)
                shift[j, a] = shift[i, a] - shorter[f, b] * u
        for k in range(n_keypoints):
            for a in range(3):
                points_3d[f, k, a] = origin[f, k, a] + away[f, k, a] + shift[k, a]


@kernel
def local_log_weights(rig, pixels, quadratic, bone_lengths, points_3d, away, log_weights, inlier):
    """Log of target over proposal, frame by frame, without the time prior and the pose states.

    The mixture over a pixel's outlier density, and the bones' lengths; plus the quadratic of the proposal in `away`
    (T, J, 3), minus its slope times the way of points_3d (T, J, 3) from the origin. A point that a camera cannot show
    makes its pixel an outlier. rig is a RigArrays. Fills log_weights (T,) and inlier (C, T, J).
    """
    K, d, fisheye, limit, R, t = rig
    points_2d, odds, inverse, power = pixels
    origin, slope, anchor, information, pairs, pair_information = quadratic
    bones, lengths, stds = bone_lengths
    n_cameras, n_frames, n_keypoints = odds.shape
    for f in range(n_frames):
        total = 0.0
        for k in range(n_keypoints):
            X = points_3d[f, k]
            for c in range(n_cameras):
                if math.isnan(odds[c, f, k]):
                    continue
                u, v = project_point(K[c], d[c], fisheye[c], limit[c], R[c], t[c], X)
                inlier[c, f, k] = 0.0
                if math.isnan(u):
                    continue
                x, y = points_2d[c, f, k, 0] - u, points_2d[c, f, k, 1] - v
                at = odds[c, f, k] - 0.5 * inverse[c, f, k] * (x * x + y * y)
                if at > _SURE:
                    total += power[f, k] * at
                    inlier[c, f, k] = 1.0
                elif at > -_SURE:
                    total += power[f, k] * (max(at, 0.0) + math.log1p(math.exp(-abs(at))))
                    inlier[c, f, k] = 1.0 / (1.0 + math.exp(-at))
            for a in range(3):
                total += 0.5 * anchor * (away[f, k, a] ** 2 - X[a] ** 2) - slope[f, k, a] * (X[a] - origin[f, k, a])
                for b in range(3):
                    total += 0.5 * away[f, k, a] * information[f, k, a, b] * away[f, k, b]
        for p in range(pairs.shape[0]):
            i, j = pairs[p, 0], pairs[p, 1]
            for a in range(3):
                for b in range(3):
                    both = (away[f, i, a] - away[f, j, a]) * (away[f, i, b] - away[f, j, b])
                    total += 0.5 * pair_information[f, p, a, b] * both
        for b in range(bones.shape[0]):
            squared = 0.0
            for a in range(3):
                squared += (points_3d[f, bones[b, 0], a] - points_3d[f, bones[b, 1], a]) ** 2
            total -= 0.5 * ((math.sqrt(squared) - lengths[b]) / stds[b]) ** 2
        log_weights[f] = total


@njit(cache=True, fastmath={"reassoc", "contract"}, **OPTIONS)
def draw_band(factor, vector, noise):
    """Solve L y = vector and Lᵀ x = y + noise in place: x ~ N(H⁻¹ vector, H⁻¹) of H = L Lᵀ, given white noise (n,)."""
    n, width = factor.shape[0], factor.shape[1] - 1
    for j in range(n):
        value = vector[j] / factor[j, 0]
        vector[j] = value
        if value != 0.0:
            for a in range(1, min(width, n - 1 - j) + 1):
                vector[j + a] -= factor[j, a] * value
    for j in range(n - 1, -1, -1):
        value = vector[j] + noise[j]
        for a in range(1, min(width, n - 1 - j) + 1):
            value -= factor[j, a] * vector[j + a]
        vector[j] = value / factor[j, 0]


@helper
def _advance(message, log_evidence, transitions, step, room):
    """message (S,) times exp(log_evidence) in place, then one transition further if `step`; returns the log scale."""
    n_states = len(message)
    top, total = -math.inf, 0.0
    for s in range(n_states):
        top = max(top, log_evidence[s])
    for s in range(n_states):
        room[s] = message[s] * math.exp(log_evidence[s] - top)
        total += room[s]
    if not total > 0.0:
        return -math.inf
    for s in range(n_states):
        room[s] /= total
        message[s] = 0.0 if step else room[s]
    if step:
        for s in range(n_states):
            for r in range(n_states):
                message[r] += room[s] * transitions[s, r]
    return top + math.log(total)


@helper
def _behind(log_evidence, transitions, room, after):
    """Likelihood of all later frames given the state of a frame, up to a factor per frame, into after (T, S)."""
    n_frames, n_states = log_evidence.shape
    after[n_frames - 1] = 1.0
    for t in range(n_frames - 2, -1, -1):
        top, total = -math.inf, 0.0
        for s in range(n_states):
            top = max(top, log_evidence[t + 1, s])
        for s in range(n_states):
            room[s] = math.exp(log_evidence[t + 1, s] - top) * after[t + 1, s]
            total += room[s]
        for s in range(n_states):
            after[t, s] = 0.0
            for r in range(n_states):
                after[t, s] += transitions[s, r] * room[r] / total


@kernel
def accept_blocks(here, there, states, reach, blocks, log_uniform, accepted):
    """Metropolis decisions of blocks of frames (n_blocks, 2), one after the other, the states summed over.

    here and there are the Weights of the positions as they are and as proposed, states a StateChain. Blocks are at
    least `reach` frames apart. What lies before a block is as decided, what lies after it as it was. log_uniform
    (n_blocks,) of random numbers. Fills accepted (n_blocks,).
    """
    log_evidence, log_weights, log_steps = here
    proposed_evidence, proposed_weights, proposed_steps = there
    transitions, probabilities, share = states
    n_frames, n_states = log_evidence.shape
    after, room = np.empty((n_frames, n_states)), np.empty(n_states)
    _behind(log_evidence, transitions, room, after)
    message, other = probabilities.copy(), np.empty(n_states)
    t = 0
    for b in range(len(blocks)):
        start, stop = blocks[b, 0], blocks[b, 1]
        while t < start:
            _advance(message, log_evidence[t], transitions, True, room)
            t += 1
        gain, change, now, then = 0.0, 0.0, 0.0, 0.0
        for f in range(max(0, start - reach), stop):
            change += proposed_steps[f] - log_steps[f]
        for s in range(n_states):
            other[s] = message[s]
        for f in range(start, stop):
            change += proposed_weights[f] - log_weights[f]
            gain += _advance(other, proposed_evidence[f], transitions, f < stop - 1, room)
            gain -= _advance(message, log_evidence[f], transitions, f < stop - 1, room)
        for s in range(n_states):
            now += message[s] * after[stop - 1, s]
            then += other[s] * after[stop - 1, s]
        gain += math.log(then) - math.log(now)
        accepted[b] = log_uniform[b] < change + share * gain
        for s in range(n_states):
            room[s] = other[s] if accepted[b] else message[s]
            message[s] = 0.0
        for s in range(n_states):
            for r in range(n_states):
                message[r] += room[s] * transitions[s, r]
        t = stop


@kernel
def draw_states(log_evidence, transitions, probabilities, uniform, states):
    """States (T,) by forward filtering and backward sampling, from uniform numbers (T,)."""
    n_frames, n_states = log_evidence.shape
    filtered, room, likely = np.empty((n_frames, n_states)), np.empty(n_states), np.empty(n_states)
    message = probabilities.copy()
    for t in range(n_frames):
        _advance(message, log_evidence[t], transitions, True, room)
        for s in range(n_states):
            filtered[t, s] = room[s]
    for t in range(n_frames - 1, -1, -1):
        total = 0.0
        for s in range(n_states):
            likely[s] = filtered[t, s]
            if t < n_frames - 1:
                likely[s] *= transitions[s, states[t + 1]]
            total += likely[s]
        left = uniform[t] * total
        states[t] = n_states - 1
        for s in range(n_states):
            left -= likely[s]
            if left < 0.0:
                states[t] = s
                break
