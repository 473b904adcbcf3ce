"""Left and right exchanged in most views for some frames: found by how markers move, before the fit begins.

Where most views show the other side, they agree on the wrong place, and a descent from there never leaves it. Here each
pair of markers is followed through the frames, either way round; single views that show the other side are left to the
pixels' posterior (`Pixels.put_back`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from ...numerics.hidden_markov import most_probable_path
from ...numerics.robust_scale import present_median
from ..bodies.kinematic_tree import Body
from .body_prior import body_size

_CHANGE = 10.0  # log odds against an exchange that begins or ends at some frame
_EXCHANGED = 0.3  # and against one in each frame
_MOST = 50.0  # of the log odds that a jump can give
_SPREAD = 0.02  # of the body's size: by so much a marker moves from frame to frame at least


def exchanged_sides(body: Body, points_3d: Array) -> NDArray[np.bool_]:
    """(n_frames, n_markers) where a marker and its partner, points_3d (n_frames, n_markers, 3) with NaN where there is
    none, have changed places: alike for both."""
    mirror = body.skeleton.mirror
    left = np.flatnonzero(mirror > np.arange(len(mirror)))
    exchanged = np.zeros(points_3d.shape[:2], bool)
    if not len(left):
        return exchanged
    pairs = np.stack([left, mirror[left]], axis=1)
    own = points_3d[:, pairs]
    known = np.asarray(np.isfinite(own).all(axis=(-1, -2)))
    middle = np.where(known[..., None], own.mean(axis=2), np.nan)  # the same either way round
    carried = np.zeros((len(own), 3))
    carried[1:] = np.nan_to_num(present_median(np.diff(middle, axis=0), axis=1))
    own = own - np.cumsum(carried, axis=0)[:, None, None]
    found = _most_likely(_the_same_way(own, known, body_size(body))) & known
    exchanged[:, pairs[:, 0]] = exchanged[:, pairs[:, 1]] = found
    return exchanged


def _the_same_way(own: Array, known: NDArray[np.bool_], size: float) -> Array:
    """(n_frames, n_pairs) log odds of the same way round as in the frame before that shows the pair, against the other
    way, from own (n_frames, n_pairs, 2, 3)."""
    odds = np.zeros(known.shape)
    for j in range(known.shape[1]):
        frames = np.flatnonzero(known[:, j])
        before, now = own[frames[:-1], j], own[frames[1:], j]
        same, crossed = (((now - other) ** 2).sum(axis=(1, 2)) for other in (before, before[:, ::-1]))
        if len(frames) > 1:
            variance = max(float(np.median(np.minimum(same, crossed))), (_SPREAD * size) ** 2) * np.diff(frames)
            same, crossed = (np.minimum(squares / variance, _MOST) for squares in (same, crossed))
            odds[frames[1:], j] = crossed - same
    return odds


def _most_likely(same: Array) -> NDArray[np.bool_]:
    """(n_frames, n_pairs) whether exchanged, from the log odds of the same way round."""
    gain = np.zeros((*same.shape, 2))
    gain[1:, :, 1] = -_EXCHANGED
    changes = np.where(np.eye(2, dtype=bool), same[..., None, None], -_CHANGE)
    return most_probable_path(gain, np.zeros(2), changes)[0] > 0
