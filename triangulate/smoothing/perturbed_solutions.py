"""Whole trajectories drawn from a Gaussian posterior by perturbing every term and solving again.

A draw of N(0, H⁻¹) is H⁻¹ b with b ~ N(0, H), and b is a sum over the terms of H: each observation, difference,
bone and anchor adds its own square root times white noise (Papandreou and Yuille 2010). The noise belongs to
frames, so that overlapping windows perturb alike and their draws join.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array, taken
from .bone_lengths import PairTerms
from .difference_prior import stencil


@dataclass(frozen=True, eq=False)
class FrameNoise:
    """White noise of some draws, each (n_samples, n_frames, n_keypoints or n_pairs, 3), and of the pairs' lengths
    (n_samples, n_pairs)."""

    observed: Array
    differences: Array
    anchored: Array
    paired: Array
    lengths: Array

    def at(self, frames: slice) -> FrameNoise:
        return taken(self, dict.fromkeys(("observed", "differences", "anchored", "paired"), 1), frames)

    def of(self, known: NDArray[np.bool_], paired: NDArray[np.bool_]) -> FrameNoise:
        """The noise of some keypoints (n_keypoints,) and pairs (n_pairs,)."""
        some = taken(self, dict.fromkeys(("observed", "differences", "anchored"), 2), known)
        return taken(some, {"paired": 2, "lengths": 1}, paired)


def draw_noise(n_samples: int, n_frames: int, n_keypoints: int, n_pairs: int, seed: int) -> FrameNoise:
    """Reproducible noise: the same seed gives the same draws."""
    rng = np.random.default_rng(seed)
    shape = (n_samples, n_frames)
    observed, differences, anchored, paired = (
        rng.normal(size=(*shape, n, 3)) for n in (n_keypoints, n_keypoints, n_keypoints, n_pairs)
    )
    return FrameNoise(observed, differences, anchored, paired, lengths=rng.normal(size=(n_samples, n_pairs)))


def perturb(noise: FrameNoise, information: Array, rows: Array, order: int, anchor: float, terms: PairTerms) -> Array:
    """Draws (n_samples, n_frames, n_keypoints, 3) of N(0, H), H the matrix of `joint_band` with the pairs' terms.

    rows : (n_frames, n_keypoints) precisions of the differences that begin at each frame
    """
    b = _root_times(information, noise.observed) + np.sqrt(anchor) * noise.anchored
    n_frames = information.shape[0]
    order = min(order, max(1, n_frames - 1))
    n_rows = max(n_frames - order, 0)
    scaled = np.sqrt(rows)[:n_rows, :, None] * noise.differences[:, :n_rows]
    for i, weight in enumerate(stencil(order)):
        b[:, i : i + n_rows] += weight * scaled
    paired = _root_times(terms.information, noise.paired)
    for p, (first, second) in enumerate(terms.pairs):
        b[:, :, first] += paired[:, :, p]
        b[:, :, second] -= paired[:, :, p]
    return b


def _root_times(matrices: Array, noise: Array) -> Array:
    """The symmetric square root of positive semi-definite matrices (..., 3, 3) times noise (n_samples, ..., 3).

    It changes with the matrix continuously, as others do not where eigenvalues are nearly equal: windows that converged
    to points a hair apart have draws as near.
    """
    values, vectors = np.linalg.eigh(matrices)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    return np.einsum("...ij,s...j->s...i", root, noise)
