"""Markers that are not rigid on their segments: soft tissue, and labels that wander with the posture.

A marker's deviation from its place on its segment is common to all views and changes slowly (first-order
autoregressive); the part that never changes is an offset of the body. For the angles it is an error of the pixels, of
which each view has the more, the more views see the marker: all together are as uncertain as one. Given
the angles, the deviations follow exactly: one banded system per marker.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...numerics import banded
from ...numerics.arrays import Array
from .arrow_system import MarkerTerms
from .pixel_noise import Errors

LASTS = 0.15  # seconds: correlation time of a deviation
_PRIOR_DEVIATIONS = 3.0  # independent deviations that the prior spread counts as


@dataclass(frozen=True, eq=False)
class Deviations:
    """std : (n_markers,) world units, along each axis; keep : correlation from frame to frame
    mean : (n_frames, n_markers, 3)
    lagged : (3, n_frames, n_markers, 3, 3) covariance with that 0, 1, 2 frames later, the segments known
    follows : (n_frames, n_markers, 3, 3) by how much the marker follows a displacement of its place on the segment
    by_biases : (n_frames, n_markers, 3, n_own) by how much it follows the constant errors of its pixels
    """

    std: Array
    keep: float
    mean: Array
    lagged: Array
    follows: Array
    by_biases: Array

    @classmethod
    def none(cls, n_frames: int, n_own: int, std: Array, keep: float) -> Deviations:
        """Before any is known: markers at their places."""
        shape = (n_frames, len(std), 3)
        follows = np.broadcast_to(np.eye(3), (*shape, 3))
        spread = np.broadcast_to((std**2)[:, None, None] * np.eye(3), (*shape, 3))
        lagged = np.array([spread, keep * spread, keep**2 * spread])
        return cls(std, keep, np.zeros(shape), lagged, follows, np.zeros((*shape, n_own)))

    def at(self, frames: NDArray[np.int64]) -> Deviations:
        return replace(
            self, mean=self.mean[frames], lagged=self.lagged[:, frames], follows=self.follows[frames],
            by_biases=self.by_biases[frames],
        )  # fmt: skip

    def follow(self, moved: Array, own_biases: Array) -> Array:
        """(n_frames, n_markers, 3, n) how markers move as places on segments (n_frames, n_markers, 3, n) and constant
        errors (n_markers, n_own, n) do."""
        if not self.std.any():
            return moved
        return self.follows @ moved + self.by_biases @ own_biases

    def spread(self, own: Array, lag: int) -> Array:
        """(n_frames - lag, n_markers, 3, 3) covariance with some frames later, of markers whose places have `own`."""
        if not self.std.any():
            return own
        n = len(own)
        followed = self.follows[:n] @ own @ self.follows[lag:].swapaxes(-1, -2)
        return followed + (self.lagged[lag, :n] if lag < 3 else 0.0)

    def added_to(self, errors: Errors, squares: Array, views: Array) -> Errors:
        """Errors of pixels about the places on the segments; see `Sight.scales`."""
        variance = self.std**2 * squares * (1 + 2 / 3 * np.maximum(views - 1, 0.0))
        return errors.and_deviations(variance, self.keep)

    def solved(self, terms: MarkerTerms) -> Deviations:
        """From the pixels' likelihood about the places on the segments, without deviations in the errors."""
        found = [self._of_marker(k, terms) if self.std[k] > 0 else None for k in range(len(self.std))]
        mean, lagged = self.mean.copy(), np.array(self.lagged)
        follows, by_biases = np.array(self.follows), self.by_biases.copy()
        for k, own in enumerate(found):
            if own is not None:
                mean[:, k], lagged[:, :, k], follows[:, k], by_biases[:, k] = own
        return replace(self, mean=mean, lagged=lagged, follows=follows, by_biases=by_biases)

    def _of_marker(self, k: int, terms: MarkerTerms) -> tuple[Array, Array, Array, Array]:
        information, n_frames = terms.information[:, :, k], len(terms.information)
        prior = self._prior_band(n_frames, self.std[k])
        factor = banded.factorise(_band(information, prior))
        constant = prior[:, 0].copy()  # what the prior says of a deviation that is the same in all frames
        constant[:-1] += prior[:-1, 1]
        constant[1:] += prior[:-1, 1]
        right = [terms.gradient[:, k, :, None], constant[:, None, None] * np.eye(3), -terms.bias_cross[:, k]]
        solution = banded.solve(factor, np.concatenate(right, axis=-1).reshape(3 * n_frames, -1))
        solution = solution.reshape(n_frames, 3, -1)
        within, later = banded.selected_inverse(factor, 3)
        lagged = np.stack([within, later[:, 0, 0], later[:, 0, 1]])
        return solution[..., 0], lagged, solution[..., 1:4], solution[..., 4:]

    def _prior_band(self, n_frames: int, std: float) -> Array:
        """(n_frames, 2) precision with itself and the next frame."""
        keep, scale = self.keep, 1 / ((1 - self.keep**2) * std**2)
        band = np.tile([1 + keep**2, -keep], (n_frames, 1)) * scale
        band[[0, -1], 0] = scale if n_frames > 1 else std**-2.0
        band[-1, 1] = 0.0
        return band

    def learned(self, own: Array, prior_std: Array) -> Deviations:
        """With the spread that the deviations make most likely, given the covariances `own` (n_frames, n_markers,
        3, 3) of the places on the segments."""
        away = np.eye(3) - self.follows
        squares = (self.mean**2).sum(axis=-1) + np.trace(
            self.lagged[0] + away @ own @ away.swapaxes(-1, -2), axis1=-2, axis2=-1
        )
        n = max(len(self.mean) * (1 - self.keep) / (1 + self.keep), 1.0)
        variance = (_PRIOR_DEVIATIONS * prior_std**2 + n * squares.mean(axis=0) / 3) / (_PRIOR_DEVIATIONS + n)
        return replace(self, std=np.where(prior_std > 0, np.sqrt(variance), 0.0))


def _band(information: Array, prior: Array) -> Array:
    """(3 n_frames, width + 1) the lower band of information (n_frames, reach + 1, 3, 3) of a frame with later ones,
    plus the prior (n_frames, 2) of each axis."""
    n_frames, width = information.shape[:2]
    band = np.zeros((n_frames, 3, 3 * max(width, 2) + 1))
    for lag in range(width):
        n = n_frames - lag
        for i in range(3):
            for j in range(3):
                if 3 * lag + j >= i:
                    band[:n, i, 3 * lag + j - i] = information[:n, lag, i, j]
    band[:, :, 0] += prior[:, 0, None]
    band[:, :, 3] += prior[:, 1, None]
    return band.reshape(3 * n_frames, -1)
