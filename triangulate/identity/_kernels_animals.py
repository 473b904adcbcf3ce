"""Proposals of every frame put together to animals and followed through time, as plain loops over checked arrays.

An animal at an instant is at most one proposal per keypoint, and no candidate belongs to two animals. The proposals of
a keypoint are given to the animals by the assignment of the highest log-odds, found exactly: agreement of the views,
distance from where the motion leads (Student's t), and limbs.
"""

import math
from typing import NamedTuple

import numpy as np

from ...numerics._kernels_options import helper, kernel
from ._kernels_proposals import energy_of

_FREEDOM = 4.0  # of Student's t for a step between frames: animals start and stop suddenly
_OPTIONS = 4  # proposals per animal and keypoint that are tried with those of all other animals
_FIRST_STEP = 0.25  # radii of the body: standard deviation of a keypoint's step where it is not known yet
_SPEED_MEMORY = 0.5  # weight of the latest step in a speed
_WORST_LENGTH = 8.0  # nats: no limb's length speaks more against a proposal, of which the other end may be wrong
_FEWEST = 0.4  # share of the keypoints with which an animal begins
_SUPPORT = 0.2  # share of the keypoints below which an animal was not seen in a frame


class Views(NamedTuple):
    """P : (n_views, 3, 4); precision : (n_views,) 1/pixel², of a coordinate; single : (n_views,) log-odds of a lone
    candidate against clutter before its variance and distance."""

    P: np.ndarray
    precision: np.ndarray
    single: np.ndarray


class Proposals(NamedTuple):
    """3D points of all frames, or of one, as `propose` fills them in."""

    points: np.ndarray
    members: np.ndarray
    odds: np.ndarray
    spread: np.ndarray


class Body(NamedTuple):
    """What is known of the animals' bodies.

    limbs : (n_limbs, 2) keypoints; odds : (n_frames or 1, n_limbs, n_views or 1, n_candidates, n_candidates), log-odds
    that two candidates of a view are of one animal; of one frame without the first axis
    lengths : (n_limbs, 2) mean and standard deviation, NaN where unknown; wander : (n_keypoints,) standard deviation of
    a step beyond constant speed, NaN where unknown; room : side of the cube in which an animal may be, world units
    """

    limbs: np.ndarray
    odds: np.ndarray
    lengths: np.ndarray
    wander: np.ndarray
    room: float


class Tracks(NamedTuple):
    """What is known of the animals after a frame; the first axis is the animal's, see `no_tracks`.

    unseen : frames since a keypoint was seen; missed : frames since the animal was; slots : its row in each view, -1
    where unknown; radius : of the body, world units; label : number of the track
    """

    positions: np.ndarray
    speeds: np.ndarray
    unseen: np.ndarray
    missed: np.ndarray
    slots: np.ndarray
    radius: np.ndarray
    alive: np.ndarray
    label: np.ndarray


class Found(NamedTuple):
    """Candidates (n_frames, n_animals, n_keypoints, n_views), -1 where none; places (..., n_keypoints, 3); labels of
    the animals (n_frames, n_animals), -1 where there is none."""

    chosen: np.ndarray
    placed: np.ndarray
    labels: np.ndarray


@helper
def _linked(body, k, own, others):
    """Sum over views of the mean log-odds that candidates of keypoint k belong to those of its limbs' other ends."""
    limbs, limb_odds = body.limbs, body.odds
    total = 0.0
    for v in range(len(own)):
        if own[v] < 0:
            continue
        n, odds = 0, 0.0
        view = v % limb_odds.shape[1]
        for row in range(len(limbs)):
            if limbs[row, 0] == k and others[limbs[row, 1], v] >= 0:
                odds += limb_odds[row, view, own[v], others[limbs[row, 1], v]]
                n += 1
            elif limbs[row, 1] == k and others[limbs[row, 0], v] >= 0:
                odds += limb_odds[row, view, others[limbs[row, 0], v], own[v]]
                n += 1
        total += odds / max(n, 1)
    return total


@helper
def _length_misfit(body, k, X, others):
    """How unlike the lengths of the limbs from X, a place of keypoint k, to the other ends are, nats."""
    limbs, lengths = body.limbs, body.lengths
    total = 0.0
    for row in range(len(limbs)):
        if limbs[row, 0] != k and limbs[row, 1] != k:
            continue
        Y = others[limbs[row, 1] if limbs[row, 0] == k else limbs[row, 0]]
        if math.isfinite(Y[0]) and lengths[row, 0] > 0:
            d = math.sqrt((X[0] - Y[0]) ** 2 + (X[1] - Y[1]) ** 2 + (X[2] - Y[2]) ** 2)
            total += min(0.5 * ((d - lengths[row, 0]) / lengths[row, 1]) ** 2, _WORST_LENGTH)
    return total


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
def _radius(points):
    """Root mean square distance of the points (n, 3) from their mean."""
    n, square = _n_placed(points), 0.0
    for axis in range(3):
        mean = 0.0
        for k in range(len(points)):
            mean += points[k, axis] / n if math.isfinite(points[k, axis]) else 0.0
        for k in range(len(points)):
            square += (points[k, axis] - mean) ** 2 if math.isfinite(points[k, axis]) else 0.0
    return math.sqrt(square / max(n, 1))


@helper
def _n_placed(points):
    """How many points have a place."""
    n = 0
    for k in range(len(points)):
        n += math.isfinite(points[k, 0])
    return n


@helper
def _clear(chosen, placed):
    """No candidate, no place."""
    for k in range(len(chosen)):
        for v in range(chosen.shape[1]):
            chosen[k, v] = -1
        for axis in range(3):
            placed[k, axis] = np.nan


@helper
def _put(chosen, placed, members, point):
    """Candidates and place of one keypoint."""
    for v in range(len(chosen)):
        chosen[v] = members[v]
    for axis in range(3):
        placed[axis] = point[axis]


@helper
def _length_odds(X, Y, length, std, room):
    """Log-odds of a limb's length against points anywhere in the room, a cube of that side."""
    if not length > 0:
        return 0.0
    d = math.sqrt((X[0] - Y[0]) ** 2 + (X[1] - Y[1]) ** 2 + (X[2] - Y[2]) ** 2)
    density = math.log(4 * math.pi * length * length * std * math.sqrt(2 * math.pi))
    return 3 * math.log(room) - density - 0.5 * ((d - length) / std) ** 2


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
                score += _length_odds(points[a, p], points[b, q], lengths[row, 0], lengths[row, 1], room)
                for v in range(n_views):
                    if members[a, p, v] >= 0 and members[b, q, v] >= 0:
                        score += limb_odds[row, v % limb_odds.shape[1], members[a, p, v], members[b, q, v]]
                if score > best:
                    best, first, at, to = score, row, p, q
    _clear(chosen, placed)
    if first < 0:
        return 0.0
    a, b = limbs[first, 0], limbs[first, 1]
    _put(chosen[a], placed[a], members[a, at], points[a, at])
    _put(chosen[b], placed[b], members[b, to], points[b, to])
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
                    score = own[k, p] + _linked(body, k, members[k, p], chosen)
                    score += _length_odds(points[k, p], placed[other], lengths[row, 0], lengths[row, 1], room)
                    if score > best:
                        best, joint, at = score, k, p
        if joint < 0:
            return total
        total += best
        _put(chosen[joint], placed[joint], members[joint, at], points[joint, at])


@helper
def _forget(used):
    """No candidate is used."""
    for k in range(used.shape[0]):
        for v in range(used.shape[1]):
            for c in range(used.shape[2]):
                used[k, v, c] = False


@helper
def _mark(used, chosen):
    for k in range(len(chosen)):
        for v in range(chosen.shape[1]):
            if chosen[k, v] >= 0:
                used[k, v, chosen[k, v]] = True


@helper
def _choose(proposals, body, continuity, tracks, expected, step, chosen, placed):
    """Give a frame's proposals of all keypoints to the animals that are followed, twice: then all limbs count."""
    points, members, odds, spread = proposals
    n_animals, n_keypoints = expected.shape[:2]
    n_most = odds.shape[1]
    scores = np.empty((n_animals, n_most))
    options, turn = np.empty((n_animals, _OPTIONS), np.int64), np.empty(n_animals + 1, np.int64)
    taken, alternatives = np.empty(n_animals, np.int64), np.empty(n_most)
    for a in range(n_animals):
        _clear(chosen[a], placed[a])
    for _ in range(2):
        for k in range(n_keypoints):
            newcomers_odds(members[k], odds[k], spread[k], body.room, alternatives)
            for a in range(n_animals):
                for p in range(n_most):
                    scores[a, p] = 0.0
                    if not tracks.alive[a] or odds[k, p] <= 0:
                        continue
                    scores[a, p] = _score(points[k, p], odds[k, p], spread[k, p], expected[a, k], step[a, k])
                    scores[a, p] += _linked(body, k, members[k, p], chosen[a])
                    scores[a, p] -= _length_misfit(body, k, points[k, p], placed[a])
                    scores[a, p] += _continued(members[k, p], tracks.slots[a], continuity) - alternatives[p]
            assign(scores, members[k], options, turn, taken)
            for a in range(n_animals):
                if taken[a] >= 0:
                    _put(chosen[a, k], placed[a, k], members[k, taken[a]], points[k, taken[a]])
                else:
                    _clear(chosen[a, k : k + 1], placed[a, k : k + 1])


@helper
def _single_views(views, pixels, body, expected, step, used, chosen, placed):
    """A keypoint without a place takes, in each view, the free candidate nearest to where it is expected."""
    P, precision, single = views
    n_keypoints, n_views = chosen.shape
    for k in range(n_keypoints):
        if math.isfinite(placed[k, 0]) or not math.isfinite(expected[k, 0]):
            continue
        for v in range(n_views):
            depth = P[v, 2, 0] * expected[k, 0] + P[v, 2, 1] * expected[k, 1]
            depth += P[v, 2, 2] * expected[k, 2] + P[v, 2, 3]
            if depth <= 0:
                continue
            focal = math.sqrt(P[v, 0, 0] ** 2 + P[v, 0, 1] ** 2 + P[v, 0, 2] ** 2)
            variance = 1 / precision[v] + (step[k] * focal / depth) ** 2
            highest, nearest = 0.0, -1
            for c in range(pixels.shape[2]):
                if used[k, v, c] or not math.isfinite(pixels[k, v, c, 0]):
                    continue
                energy = energy_of(P[v], expected[k], pixels[k, v, c, 0], pixels[k, v, c, 1], 1 / variance)
                chosen[k, v] = c
                score = single[v] - math.log(variance) - energy + _linked(body, k, chosen[k], chosen)
                if score > highest:
                    highest, nearest = score, c
            chosen[k, v] = nearest


@helper
def _move(placed, expected, step, unseen, positions, speeds):
    """Positions and speeds (n_keypoints, 3) after a frame; a keypoint without a place goes with the animal's others."""
    n, x, y, z = 0, 0.0, 0.0, 0.0
    for k in range(len(placed)):
        if math.isfinite(placed[k, 0]) and math.isfinite(positions[k, 0]) and unseen[k] == 0:
            x += placed[k, 0] - positions[k, 0]
            y += placed[k, 1] - positions[k, 1]
            z += placed[k, 2] - positions[k, 2]
            n += 1
    shift = x / max(n, 1), y / max(n, 1), z / max(n, 1)
    for k in range(len(placed)):
        is_placed, was_placed = math.isfinite(placed[k, 0]), math.isfinite(positions[k, 0])
        for axis in range(3):
            if is_placed:
                if was_placed and unseen[k] == 0:
                    beyond = placed[k, axis] - positions[k, axis] - speeds[k, axis]
                    speeds[k, axis] += _SPEED_MEMORY * beyond
                positions[k, axis] = placed[k, axis]
            elif was_placed:
                positions[k, axis] = positions[k, axis] + shift[axis] if n else expected[k, axis]
                speeds[k, axis] *= 0.8
        if is_placed:
            unseen[k] = 0
        elif was_placed:
            unseen[k] += 1


@helper
def _expect(positions, speeds, unseen, wander, radius, expected, step):
    """Where each keypoint is expected, and how far from there it may be; a keypoint never seen so far: nowhere."""
    n, x, y, z = 0, 0.0, 0.0, 0.0
    for k in range(len(positions)):
        if math.isfinite(positions[k, 0]):
            x += positions[k, 0]
            y += positions[k, 1]
            z += positions[k, 2]
            n += 1
    centre = x / max(n, 1), y / max(n, 1), z / max(n, 1)
    for k in range(len(positions)):
        own = wander[k] if wander[k] > 0 else _FIRST_STEP * radius
        is_known = math.isfinite(positions[k, 0])
        for axis in range(3):
            expected[k, axis] = positions[k, axis] + speeds[k, axis] if is_known else centre[axis]
        step[k] = min(own * (1 + unseen[k]), max(radius, own)) if is_known else radius


@helper
def _rows(chosen, slots):
    """The row of each view's candidates that most keypoints of an animal are of; as it was where none is seen."""
    n_keypoints, n_views = chosen.shape
    for v in range(n_views):
        most = 0
        for k in range(n_keypoints):
            if chosen[k, v] >= 0:
                n = 0
                for other in range(n_keypoints):
                    n += chosen[other, v] == chosen[k, v]
                if n > most:
                    most, slots[v] = n, chosen[k, v]


@helper
def no_tracks(n_animals, n_keypoints, n_views):
    """Tracks of no animal yet."""
    return Tracks(
        np.full((n_animals, n_keypoints, 3), np.nan), np.zeros((n_animals, n_keypoints, 3)),
        np.zeros((n_animals, n_keypoints), np.int64), np.zeros(n_animals, np.int64),
        np.full((n_animals, n_views), -1, np.int64), np.zeros(n_animals),
        np.zeros(n_animals, np.bool_), np.full(n_animals, -1, np.int64),
    )  # fmt: skip


@kernel
def follow(views, candidates, proposals, body, continuity, patience, n_labels, tracks, found):
    """Fill in the animals of all frames; returns how many labels there are now.

    candidates : as of `propose`; continuity : log-odds that an animal keeps its rows; patience : frames without an
    animal after which it has left; n_labels, tracks : labels so far, and what the frames before have left in the tracks
    """
    n_frames, n_animals, n_keypoints, n_views = found.chosen.shape
    positions, speeds, unseen, missed, slots, radius, alive, label = tracks
    points, members, odds, spread = proposals
    expected, step = np.empty((n_animals, n_keypoints, 3)), np.empty((n_animals, n_keypoints))
    used = np.empty((n_keypoints, n_views, candidates.shape[3]), np.bool_)
    support, fewest = max(1, int(_SUPPORT * n_keypoints)), max(2, math.ceil(_FEWEST * n_keypoints))
    for frame in range(n_frames):
        here = Proposals(points[frame], members[frame], odds[frame], spread[frame])
        linked = Body(body.limbs, body.odds[frame % len(body.odds)], body.lengths, body.wander, body.room)
        own, at, labels = found.chosen[frame], found.placed[frame], found.labels[frame]
        for a in range(n_animals):
            if alive[a]:
                _expect(positions[a], speeds[a], unseen[a], body.wander, radius[a], expected[a], step[a])
        _choose(here, linked, continuity, tracks, expected, step, own, at)
        _forget(used)
        for a in range(n_animals):
            _mark(used, own[a])
        for a in range(n_animals):
            if not alive[a]:
                continue
            _single_views(views, candidates[frame], linked, expected[a], step[a], used, own[a], at[a])
            _mark(used, own[a])
            _move(at[a], expected[a], step[a], unseen[a], positions[a], speeds[a])
            _rows(own[a], slots[a])
            seen = _n_placed(at[a])
            missed[a] = 0 if seen >= support else missed[a] + 1
            radius[a] = max(radius[a], _radius(at[a])) if seen >= fewest else radius[a]
            if missed[a] > patience:
                alive[a] = False
        left = True
        for a in range(n_animals):
            if alive[a]:
                labels[a] = label[a]
                continue
            labels[a] = -1
            left = left and begin(here, linked, used, own[a], at[a]) > 0
            left = left and _n_placed(at[a]) >= fewest
            if not left:
                _clear(own[a], at[a])
                continue
            _mark(used, own[a])
            alive[a], label[a], missed[a], radius[a] = True, n_labels, 0, _radius(at[a])
            n_labels += 1
            labels[a] = label[a]
            for k in range(n_keypoints):
                unseen[a, k] = 0
                for axis in range(3):
                    positions[a, k, axis], speeds[a, k, axis] = at[a, k, axis], 0.0
            for v in range(n_views):
                slots[a, v] = -1
            _rows(own[a], slots[a])
    return n_labels
