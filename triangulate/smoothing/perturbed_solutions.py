"""Whole trajectories drawn from a Gaussian posterior by perturbing every term and solving again.

A draw of N(0, H⁻¹) is H⁻¹ b with b ~ N(0, H), and b is a sum over the terms of H: each observation, difference,
bone and anchor adds its own square root times white noise (Papandreou and Yuille 2010). The noise belongs to
frames, so that overlapping windows perturb alike and their draws join.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array


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
        observed, differences, anchored, paired = (
            part[:, frames] for part in (self.observed, self.differences, self.anchored, self.paired)
        )
        return FrameNoise(observed, differences, anchored, paired, self.lengths)

    def of(self, known: NDArray[np.bool_], paired: NDArray[np.bool_]) -> FrameNoise:
        """The noise of some keypoints (n_keypoints,) and pairs (n_pairs,)."""
        observed, differences, anchored = (
            part[:, :, known] for part in (self.observed, self.differences, self.anchored)
        )
        return FrameNoise(observed, differences, anchored, self.paired[:, :, paired], self.lengths[:, paired])


def draw_noise(n_samples: int, n_frames: int, n_keypoints: int, n_pairs: int, seed: int) -> FrameNoise:
    """Reproducible noise: the same seed gives the same draws."""
    rng = np.random.default_rng(seed)
    shape = (n_samples, n_frames)
    observed, differences, anchored, paired = (
        rng.normal(size=(*shape, n, 3)) for n in (n_keypoints, n_keypoints, n_keypoints, n_pairs)
    )
    return FrameNoise(observed, differences, anchored, paired, lengths=rng.normal(size=(n_samples, n_pairs)))


def perturb(noise: FrameNoise, information: Array, rows: Array, order: int, anchor: float, terms=None) -> Array:
    """Draws (n_samples, n_frames, n_keypoints, 3) of N(0, H), H the matrix of `joint_band` with the pairs' terms.

    rows : (n_frames, n_keypoints) precisions of the differences that begin at each frame
    """
    b = _root_times(information, noise.observed) + np.sqrt(anchor) * noise.anchored
    n_frames = information.shape[0]
    order = min(order, max(1, n_frames - 1))
    n_rows = max(n_frames - order, 0)
    scaled = np.sqrt(rows)[:n_rows, :, None] * noise.differences[:, :n_rows]
    for i in range(order + 1):
        b[:, i : i + scaled.shape[1]] += (-1) ** (order - i) * comb(order, i) * scaled
    if terms is not None:
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
