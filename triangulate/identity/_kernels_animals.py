"""Animals followed through the proposals of all frames, as plain loops over checked arrays.

An animal at an instant is at most one proposal per keypoint, and no candidate belongs to two animals.
"""

import math

import numpy as np

from ...numerics._kernels_options import helper, kernel
from ._kernels_assignment import clear, give_proposals
from ._kernels_beginnings import begin
from ._kernels_limbs import linked
from ._kernels_proposals import energy_of
from .animal_records import Body, Proposals, Tracks

_FIRST_STEP = 0.25  # radii of the body: standard deviation of a keypoint's step where it is not known yet
_SPEED_MEMORY = 0.5  # weight of the latest step in a speed
_FEWEST = 0.4  # share of the keypoints with which an animal begins
_SUPPORT = 0.2  # share of the keypoints below which an animal was not seen in a frame


@helper
def _n_placed(points):
    """How many points have a place."""
    n = 0
    for k in range(len(points)):
        n += math.isfinite(points[k, 0])
    return n


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
                score = single[v] - math.log(variance) - energy + linked(body, k, chosen[k], chosen)
                if score > highest:
                    highest, nearest = score, c
            chosen[k, v] = nearest


@helper
def _move(placed, expected, unseen, positions, speeds):
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
def hold_rows(chosen, fewest, used):
    """Mark as used all candidates (n_keypoints, n_views, n_candidates) of the rows that an animal holds: in each view
    that of most of its keypoints, if it has so many there."""
    rows = np.full(chosen.shape[1], -1, np.int64)
    _rows(chosen, rows)
    for v in range(len(rows)):
        n = 0
        for k in range(len(chosen)):
            n += rows[v] >= 0 and chosen[k, v] == rows[v]
        for k in range(len(chosen)):
            if n >= fewest:
                used[k, v, rows[v]] = True


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
def follow(views, candidates, proposals, body, whole_rows, continuity, patience, n_labels, tracks, found):
    """Fill in the animals of all frames; returns how many labels there are now.

    candidates : as of `propose`; whole_rows : whether the candidates of one row are of one animal, so that none begins
    with a row that another holds; continuity : log-odds that an animal keeps its rows; patience : frames without an
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
        give_proposals(here, linked, continuity, tracks, expected, step, own, at)
        _forget(used)
        for a in range(n_animals):
            _mark(used, own[a])
        for a in range(n_animals):
            if not alive[a]:
                continue
            _single_views(views, candidates[frame], linked, expected[a], step[a], used, own[a], at[a])
            _mark(used, own[a])
            _move(at[a], expected[a], unseen[a], positions[a], speeds[a])
            _rows(own[a], slots[a])
            seen = _n_placed(at[a])
            missed[a] = 0 if seen >= support else missed[a] + 1
            radius[a] = max(radius[a], _radius(at[a])) if seen >= fewest else radius[a]
            if missed[a] > patience:
                alive[a] = False
        for a in range(n_animals if whole_rows else 0):
            if alive[a]:
                hold_rows(own[a], support, used)
        left = True
        for a in range(n_animals):
            if alive[a]:
                labels[a] = label[a]
                continue
            labels[a] = -1
            left = left and begin(here, linked, used, own[a], at[a]) > 0
            left = left and _n_placed(at[a]) >= fewest
            if not left:
                clear(own[a], at[a])
                continue
            _mark(used, own[a])
            if whole_rows:
                hold_rows(own[a], support, used)
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
