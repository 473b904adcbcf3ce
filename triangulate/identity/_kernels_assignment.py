"""The proposals of a frame given to the animals that are followed.

The proposals of a keypoint are given to the animals by the assignment of the highest log-odds, found exactly: agreement
of the views, distance from where the motion leads (Student's t), and limbs.
"""

import math

import numpy as np

from ...numerics._kernels_options import helper, kernel
from ._kernels_limbs import length_misfit, linked

_FREEDOM = 4.0  # of Student's t for a step between frames: animals start and stop suddenly
_OPTIONS = 4  # proposals per animal and keypoint that are tried with those of all other animals


@helper
def _continued(own, slots, continuity):
    """Evidence of tracks: whether candidates are those of the rows that the animal had in the views before."""
    total = 0.0
    for v in range(len(own)):
        if own[v] >= 0 and slots[v] >= 0:
            total += continuity if own[v] == slots[v] else -continuity
    return total


@helper
def _conflict(members, p, q):
    shared = False
    for v in range(members.shape[1]):
        shared = shared or (members[p, v] >= 0 and members[p, v] == members[q, v])
    return shared


@helper
def _best_options(scores, options):
    """Of each animal the proposals with the highest positive scores, -1 where there are fewer."""
    for a in range(len(scores)):
        for o in range(_OPTIONS):
            best, highest = -1, 0.0
            for p in range(scores.shape[1]):
                fresh = scores[a, p] > highest
                for earlier in range(o):
                    fresh = fresh and options[a, earlier] != p
                if fresh:
                    best, highest = p, scores[a, p]
            options[a, o] = best


@helper
def assign(scores, members, options, turn, taken):
    """The proposal of each animal, -1 for none, with the highest sum of scores (n_animals, n_proposals).

    No two proposals share a candidate, (n_proposals, n_views). Depth first, with the best that is left as a bound.
    """
    n = len(scores)
    _best_options(scores, options)
    best, total, a = -1.0, 0.0, 0
    trial = np.empty(n, np.int64)
    for other in range(n):
        taken[other] = trial[other] = -1
    turn[0] = 0
    while a >= 0:
        if a == n:
            if total > best:
                best = total
                for other in range(n):
                    taken[other] = trial[other]
            a -= 1
            if a >= 0 and trial[a] >= 0:
                total -= scores[a, trial[a]]
                trial[a] = -1
            continue
        bound = total
        for other in range(a, n):
            if options[other, 0] >= 0:
                bound += scores[other, options[other, 0]]
        moved = False
        while turn[a] <= _OPTIONS and bound > best:
            o = turn[a]
            turn[a] += 1
            p = options[a, o] if o < _OPTIONS else -1
            if o < _OPTIONS and p < 0:
                continue
            free = True
            for other in range(a):
                if p >= 0 and trial[other] >= 0 and _conflict(members, p, trial[other]):
                    free = False
            if free:
                trial[a] = p
                total += scores[a, p] if p >= 0 else 0.0
                a += 1
                if a < n:
                    turn[a] = 0
                moved = True
                break
        if not moved:
            turn[a] = 0
            a -= 1
            if a >= 0 and trial[a] >= 0:
                total -= scores[a, trial[a]]
                trial[a] = -1
    return best


@helper
def _score(X, odds, spread, expected, step):
    """Log-odds of a proposal for an animal that is expected at a place, with the standard deviation of its step."""
    if odds <= 0:
        return 0.0
    variance = step * step + spread * spread
    d2 = (X[0] - expected[0]) ** 2 + (X[1] - expected[1]) ** 2 + (X[2] - expected[2]) ** 2
    surprise = 0.5 * (_FREEDOM + 3) * math.log(1 + d2 / (_FREEDOM * variance))
    return odds + 1.5 * math.log(spread * spread / variance) - surprise


@kernel
def newcomers_odds(members, odds, spread, room, alternatives):
    """What each proposal (n_proposals, n_views) takes from an animal not followed so far, nats: fills `alternatives`.

    Such an animal may be anywhere in the room; it loses the best of the proposals that share a candidate with this one.
    Without it, an animal would leave its own keypoints for those that more views show of an animal which has just come.
    """
    occam = math.log(math.sqrt(2 * math.pi) / room)
    for p in range(len(odds)):
        alternatives[p] = 0.0
        for q in range(len(odds)):
            if odds[p] > 0 and odds[q] > 0 and (p == q or _conflict(members, p, q)):
                alternatives[p] = max(alternatives[p], odds[q] + 3 * (occam + math.log(spread[q])))


@helper
def clear(chosen, placed):
    """No candidate, no place."""
    for k in range(len(chosen)):
        for v in range(chosen.shape[1]):
            chosen[k, v] = -1
        for axis in range(3):
            placed[k, axis] = np.nan


@helper
def put(chosen, placed, members, point):
    """Candidates and place of one keypoint."""
    for v in range(len(chosen)):
        chosen[v] = members[v]
    for axis in range(3):
        placed[axis] = point[axis]


@helper
def give_proposals(proposals, body, continuity, tracks, expected, step, chosen, placed):
    """Give a frame's proposals of all keypoints to the animals that are followed, twice: then all limbs count."""
    points, members, odds, spread = proposals
    n_animals, n_keypoints = expected.shape[:2]
    n_most = odds.shape[1]
    scores = np.empty((n_animals, n_most))
    options, turn = np.empty((n_animals, _OPTIONS), np.int64), np.empty(n_animals + 1, np.int64)
    taken, alternatives = np.empty(n_animals, np.int64), np.empty(n_most)
    for a in range(n_animals):
        clear(chosen[a], placed[a])
    for _ in range(2):
        for k in range(n_keypoints):
            newcomers_odds(members[k], odds[k], spread[k], body.room, alternatives)
            for a in range(n_animals):
                for p in range(n_most):
                    scores[a, p] = 0.0
                    if not tracks.alive[a] or odds[k, p] <= 0:
                        continue
                    scores[a, p] = _score(points[k, p], odds[k, p], spread[k, p], expected[a, k], step[a, k])
                    scores[a, p] += linked(body, k, members[k, p], chosen[a])
                    scores[a, p] -= length_misfit(body, k, points[k, p], placed[a])
                    scores[a, p] += _continued(members[k, p], tracks.slots[a], continuity) - alternatives[p]
            assign(scores, members[k], options, turn, taken)
            for a in range(n_animals):
                if taken[a] >= 0:
                    put(chosen[a, k], placed[a, k], members[k, taken[a]], points[k, taken[a]])
                else:
                    clear(chosen[a, k : k + 1], placed[a, k : k + 1])
