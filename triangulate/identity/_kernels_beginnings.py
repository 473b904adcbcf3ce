"""An animal that was not followed so far, put together from the proposals of one frame."""

import math

import numpy as np

from ...numerics._kernels_options import helper
from ._kernels_assignment import clear, put
from ._kernels_limbs import length_odds, linked


@helper
def begin(proposals, body, used, chosen, placed):
    """One more animal of a frame's proposals whose candidates are free: its keypoints are filled in; its log-odds.

    The limb with the highest log-odds is its beginning; then one keypoint after the other joins at the best limb.
    used : (n_keypoints, n_views, n_candidates) candidates of other animals
    """
    points, members, odds, spread = proposals
    limbs, limb_odds, lengths, _, room = body
    n_keypoints, n_most, n_views = len(odds), odds.shape[1], members.shape[2]
    own = np.zeros((n_keypoints, n_most))
    occam = math.log(math.sqrt(2 * math.pi) / room)
    for k in range(n_keypoints):
        for p in range(n_most):
            free = odds[k, p] > 0
            for v in range(n_views):
                free = free and (members[k, p, v] < 0 or not used[k, v, members[k, p, v]])
            own[k, p] = odds[k, p] + 3 * (occam + math.log(spread[k, p])) if free else -np.inf
    best, first, at, to = 0.0, -1, -1, -1
    for row in range(len(limbs)):
        a, b = limbs[row, 0], limbs[row, 1]
        for p in range(n_most):
            for q in range(n_most):
                score = own[a, p] + own[b, q]
                if score == -np.inf:
                    continue
                score += length_odds(points[a, p], points[b, q], lengths[row, 0], lengths[row, 1], room)
                for v in range(n_views):
                    if members[a, p, v] >= 0 and members[b, q, v] >= 0:
                        score += limb_odds[row, v % limb_odds.shape[1], members[a, p, v], members[b, q, v]]
                if score > best:
                    best, first, at, to = score, row, p, q
    clear(chosen, placed)
    if first < 0:
        return 0.0
    a, b = limbs[first, 0], limbs[first, 1]
    put(chosen[a], placed[a], members[a, at], points[a, at])
    put(chosen[b], placed[b], members[b, to], points[b, to])
    total = best
    while True:
        best, joint, at = 0.0, -1, -1
        for row in range(len(limbs)):
            for end in range(2):
                k, other = limbs[row, end], limbs[row, 1 - end]
                if math.isfinite(placed[k, 0]) or not math.isfinite(placed[other, 0]):
                    continue
                for p in range(n_most):
                    if own[k, p] == -np.inf:
                        continue
                    score = own[k, p] + linked(body, k, members[k, p], chosen)
                    score += length_odds(points[k, p], placed[other], lengths[row, 0], lengths[row, 1], room)
                    if score > best:
                        best, joint, at = score, k, p
        if joint < 0:
            return total
        total += best
        put(chosen[joint], placed[joint], members[joint, at], points[joint, at])
