"""Turns that move together: the covariance of their innovations, near that of a trained prior, and its choice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ....numerics.arrays import Array

SHARES = 1.0, 0.0  # of the trained prior's correlations that are tried: as in those recordings, or each turn on its own
# innovations that the trained covariance counts as, beside those of the recording, of which pixels determine five:
# seeds 200-239 for 0-5 of the sprints, 90 % error: 59.6 mm at infinity, 59.0, 58.2, 58.1, 58.6 at 100, 30, 15, 8
_WORTH = 20.0
_PSEUDO = 0.5  # innovations that the scale before counts as
_FASTEST = 5.0  # by which a scale changes at once


@dataclass(frozen=True, eq=False)
class TurnCovariance:
    """Of the innovations of all turns.

    typical : (n_turns, n_turns) up to the `scale` of the recording
    share : of the trained prior's correlations that are in it
    covariance : (n_turns, n_turns) of this recording
    """

    typical: Array
    share: float
    scale: float
    covariance: Array

    @classmethod
    def of(cls, trained: Array, share: float, scale: float) -> TurnCovariance:
        """With this share of the correlations of the trained covariance (n_turns, n_turns)."""
        typical = share * trained + (1 - share) * np.diag(np.diag(trained))
        return cls(typical, share, scale, scale * typical)

    def scaled(self, factor: float) -> TurnCovariance:
        return TurnCovariance(self.typical, self.share, factor * self.scale, factor * self.covariance)

    @cached_property
    def precision(self) -> Array:
        """(n_turns, n_turns)"""
        return np.linalg.inv(self.covariance).astype(float)

    def learned(self, products: Array, variance: Array, n_rows: int) -> TurnCovariance:
        """With the scale and the covariance that innovations make most likely, whose products sum to `products`
        (n_turns, n_turns), and their posterior covariances to `variance`: the trained one is the mean of an inverse
        Wishart prior (Gelman et al. 2013, section 3.6) that counts as many innovations as `_WORTH`."""
        known = n_rows * len(products) - float((self.precision * variance).sum())
        squares = float((self.precision * products).sum())
        change = (squares + _PSEUDO) / (max(known, 0.0) + _PSEUDO)
        scale = self.scale * float(np.clip(change, 1 / _FASTEST, _FASTEST))
        found = (_WORTH * scale * self.typical + products + variance) / (_WORTH + n_rows)
        return TurnCovariance(self.typical, self.share, scale, found)
