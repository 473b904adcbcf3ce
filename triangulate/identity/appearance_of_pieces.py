"""How much the appearance of two pieces of track speaks for one animal, by what this recording shows of it."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from ...numerics.robust_scale import present_mean
from .animal_records import Found

_MOST = 10.0  # nats that appearance counts at most: light, too, changes a look
_SPREAD = 0.35  # of the logarithm of a distance, at least: a few pieces do not tell it
_SAMPLES = 300  # frames of a piece that are looked at
_FEWEST = 20  # frames of a piece whose halves are compared
_SHARED = 3  # places (keypoints of a view) that two looks must share


def appearance_nats(found: Found, appearance: Array) -> Array:
    """(n_labels, n_labels) log-odds that two pieces are of one animal; 0 where nothing is known.

    The distance of two looks is compared with those of halves of one piece, which are of one animal, and with those
    of pieces at the same time, which are of two. Where all animals look alike these are the same, and it counts little.

    Parameters
    ----------
    found : candidates and labels of the animals
    appearance : (n_cameras, n_frames, n_keypoints, n_candidates, n_channels), NaN where unknown
    """
    n_labels = int(found.labels.max(initial=-1)) + 1
    frames = [np.flatnonzero((found.labels == label).any(axis=1)) for label in range(n_labels)]
    whole = np.array([_look(found, appearance, label, own) for label, own in enumerate(frames)])
    halves = [
        (_look(found, appearance, label, own[: len(own) // 2]), _look(found, appearance, label, own[len(own) // 2 :]))
        for label, own in enumerate(frames)
        if len(own) >= _FEWEST
    ]
    nothing = np.zeros((n_labels, n_labels))
    same = _present([_apart(one, other) for one, other in halves])
    shared, n_own = _shared_frames(found.labels, n_labels), np.array([len(own) for own in frames])
    together = np.tril(shared >= np.maximum(_FEWEST, np.minimum.outer(n_own, n_own) / 2), -1)
    different = _present([_apart(whole[a], whole[b]) for a, b in np.argwhere(together)])
    if len(same) < 2 or not len(different):
        return nothing
    apart = np.array([_apart(look, whole) for look in whole])  # row by row: a long recording has thousands of pieces
    odds = _log_density(apart, same) - _log_density(apart, different)
    return np.clip(np.nan_to_num(odds), -_MOST, _MOST)


def _shared_frames(labels: NDArray[np.int64], n_labels: int) -> NDArray[np.int64]:
    """(n_labels, n_labels) number of the frames that show both pieces, of labels (n_frames, n_animals)."""
    counts = np.zeros((n_labels, n_labels), np.int64)
    for one, other in product(labels.T, repeat=2):
        both = (one >= 0) & (other >= 0)
        np.add.at(counts, (one[both], other[both]), 1)
    return counts


def _look(found: Found, appearance: Array, label: int, frames: NDArray[np.int64]) -> Array:
    """(n_cameras * n_keypoints, n_channels) mean appearance of a piece in some frames."""
    some = frames[np.linspace(0, len(frames) - 1, min(len(frames), _SAMPLES)).astype(int)]
    rows = (found.labels[some] == label).argmax(axis=1)
    chosen = np.moveaxis(found.chosen[some, rows], 2, 0)[..., None, None]  # (cameras, frames, keypoints, 1, 1)
    own = np.take_along_axis(appearance[:, some], np.maximum(chosen, 0), axis=3)[..., 0, :]
    return present_mean(np.where(chosen[..., 0] >= 0, own, np.nan), 1).reshape(-1, own.shape[-1])


def _apart(one: Array, other: Array) -> Array:
    """(...) logarithm of the root mean square distance of two looks (..., n_places, n_channels)."""
    square = ((one - other) ** 2).sum(axis=-1)
    return 0.5 * np.log(np.maximum(present_mean(square, -1, _SHARED), 1e-12))


def _present(values: list) -> Array:
    numbers = np.array(values, dtype=float)
    return numbers[np.isfinite(numbers)]


def _log_density(values: Array, examples: Array) -> Array:
    spread = max(float(np.std(examples)), _SPREAD)
    return -0.5 * ((values - np.median(examples)) / spread) ** 2 - np.log(spread)
