"""Log-odds that keypoints are of one animal: by the limbs that a detector sees between candidates, and by lengths."""

import math

from ...numerics._kernels_options import helper

_WORST_LENGTH = 8.0  # nats: no limb's length speaks more against a proposal, of which the other end may be wrong


@helper
def linked(body, k, own, others):
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
def length_misfit(body, k, X, others):
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
def length_odds(X, Y, length, std, room):
    """Log-odds of a limb's length against points anywhere in the room, a cube of that side."""
    if not length > 0:
        return 0.0
    d = math.sqrt((X[0] - Y[0]) ** 2 + (X[1] - Y[1]) ** 2 + (X[2] - Y[2]) ** 2)
    density = math.log(4 * math.pi * length * length * std * math.sqrt(2 * math.pi))
    return 3 * math.log(room) - density - 0.5 * ((d - length) / std) ** 2
