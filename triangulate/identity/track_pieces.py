"""Pieces of track joined to individuals: by the distance across a gap, the lengths of limbs, and the appearance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ...numerics.arrays import Array
from ...numerics.robust_scale import present_median

_SHORTEST = 0.1  # seconds: a shorter piece is no animal of its own
_NEW_ANIMAL = 12.0  # nats that a join may cost before another animal is likelier, where their number is unknown
_LENGTHS_KNOWN = 0.03  # of a length: how well a piece tells it, beside its own spread, which detectors' biases share
_FREEDOM = 4.0  # of Student's t for the distance across a gap


class Pieces(NamedTuple):
    """animals : (n_labels,) individual of each piece, -1 for none; left_over : frames of pieces that found no
    individual, one after the other of each such chain of pieces."""

    animals: NDArray[np.int64]
    n_pieces: int
    left_over: NDArray[np.int64]


class _Piece(NamedTuple):
    label: int
    first: int
    last: int
    start: Array
    end: Array
    lengths: Array


def joined_pieces(
    placed: Array,
    labels: NDArray[np.int64],
    limbs: NDArray[np.int64],
    known: Array,
    fps: float,
    n: int | None,
    alike: Array | None = None,
) -> Pieces:
    """The individual of every label, numbered as they appear.

    placed : (n_frames, n_animals, n_keypoints, 3) of labels (n_frames, n_animals); known : (n_limbs, 2) mean and spread
    n : number of individuals, None where unknown
    alike : (n_labels, n_labels) log-odds, by appearance, that two pieces are of one animal
    """
    n_labels = int(labels.max(initial=-1)) + 1
    animals, pieces = np.full(n_labels, -1), []
    for label in range(n_labels):
        frames, rows = np.nonzero(labels == label)
        if len(frames) >= max(3, _SHORTEST * fps):
            pieces.append(_piece(label, frames, placed[frames, rows], limbs))
    own = [piece.label for piece in pieces]
    looks = np.zeros((len(own), len(own))) if alike is None else alike[np.ix_(own, own)]
    chains = _chains(pieces, _step(placed, labels), known, n, looks)
    left_over = np.empty(0, np.int64)
    if n is not None and len(chains) > n:
        covered = [np.concatenate([np.arange(pieces[i].first, pieces[i].last + 1) for i in own]) for own in chains]
        order = sorted(range(len(chains)), key=lambda c: -len(covered[c]))
        left_over = np.concatenate([covered[c] for c in order[n:]])
        chains = [chains[c] for c in order[:n]]
    chains.sort(key=lambda chain: (pieces[chain[0]].first, chain[0]))
    for individual, chain in enumerate(chains):
        for i in chain:
            animals[pieces[i].label] = individual
    return Pieces(animals, len(pieces), left_over)


def _piece(label: int, frames: NDArray[np.int64], points: Array, limbs: NDArray[np.int64]) -> _Piece:
    apart = np.linalg.norm(points[:, limbs[:, 0]] - points[:, limbs[:, 1]], axis=-1)
    middles = present_median(points, axis=1)
    seen = np.flatnonzero(np.isfinite(middles[:, 0]))
    return _Piece(label, frames[0], frames[-1], middles[seen[0]], middles[seen[-1]], present_median(apart, axis=0))


def _step(placed: Array, labels: NDArray[np.int64]) -> float:
    """Root mean square step of an animal's middle between frames, world units."""
    middles = present_median(placed, axis=2)
    same = (labels[:-1] >= 0) & (labels[:-1] == labels[1:])
    steps = np.linalg.norm(np.diff(middles, axis=0), axis=-1)[same]
    steps = steps[np.isfinite(steps)]
    return float(np.sqrt(np.mean(steps**2))) if len(steps) else 0.0


def _chains(pieces: list[_Piece], step: float, known: Array, n: int | None, looks: Array) -> list[list[int]]:
    """Pieces in a row, by the assignment of ends to beginnings that costs least."""
    m = len(pieces)
    if not m:
        return []
    new = _NEW_ANIMAL if n is None else 1e4
    cost = np.full((m, 2 * m), 1e9)
    cost[:, m:] = new
    for i, before in enumerate(pieces):
        for j, after in enumerate(pieces):
            if after.first > before.last:
                cost[i, j] = _join_cost(before, after, step, known) - looks[i, j]
    after_of = dict(zip(*linear_sum_assignment(cost), strict=True))
    follows = {i: int(j) for i, j in after_of.items() if j < m and cost[i, j] < new}
    chains, begun = [], set(range(m)) - set(follows.values())
    for i in sorted(begun):
        chain = [i]
        while chain[-1] in follows:
            chain.append(follows[chain[-1]])
        chains.append(chain)
    return chains


def _join_cost(before: _Piece, after: _Piece, step: float, known: Array) -> float:
    """Nats against one animal in both pieces: how far it moved in the gap, and how unlike its limbs' lengths are."""
    gap = after.first - before.last
    ratio = np.linalg.norm(after.start - before.end) / max(gap * step, np.finfo(float).tiny)
    moved = 0.5 * (_FREEDOM + 3) * np.log1p(ratio**2 / _FREEDOM)
    n = np.maximum(min(before.last - before.first, after.last - after.first), 1)
    variance = 2 * (_LENGTHS_KNOWN * known[:, 0]) ** 2 + 2 * known[:, 1] ** 2 / n
    unlike = (before.lengths - after.lengths) ** 2 / variance
    return float(moved + 0.5 * np.nansum(unlike) / max(np.sqrt(len(known)), 1))
