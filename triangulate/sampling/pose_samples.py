"""Draws of trajectories with pose states, and how well the chains that made them mixed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...numerics.arrays import Array
from ..pose_states.pose_prior import PosePrior

_R_HAT, _EFFECTIVE = 1.01, 400.0  # limits of Vehtari et al. (2021)


@dataclass(frozen=True, eq=False)
class PoseSamples:
    """Draws of whole trajectories from their posterior, and diagnostics of the chains that made them.

    Parameters
    ----------
    samples : ndarray, shape (n_chains, n_samples, n_frames, n_keypoints, 3), world units
        With errors of the detector that never change, a draw each; NaN for a keypoint that was never located.
    states : ndarray, shape (n_chains, n_samples, n_frames)
        Pose states.
    headings : ndarray, shape (n_chains, n_samples, n_frames), radians
        About the rig's up.
    inlier_probability : ndarray, shape (n_cameras, n_frames, n_keypoints)
        Posterior; NaN where there is no pixel.
    effective_sample_size : ndarray, shape (n_frames, n_keypoints, 3)
        Of every coordinate, of the bulk; NaN where nothing was drawn.
    r_hat : ndarray, shape (n_frames, n_keypoints, 3)
        Of every coordinate, rank-normalised.
    acceptance : ndarray, shape (n_frames,)
        Share of the proposals about a frame that were accepted.
    overridden : ndarray of bool, shape (n_frames, n_keypoints)
        Points whose views were overridden, as by `infer_poses`.
    prior : PosePrior
        The prior used, given or learned.

    Attributes
    ----------
    mean : ndarray, shape (n_frames, n_keypoints, 3), world units
        Posterior mean.
    covariance : ndarray, shape (n_frames, n_keypoints, 3, 3), world units squared
        Of the draws.
    state_probabilities : ndarray, shape (n_frames, n_states)
        Share of the draws in each state.
    warnings : tuple of str
        One sentence for R-hat above 1.01, one for an effective sample size below 400.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), Rank-normalization, folding, and localization: an
    improved R-hat for assessing convergence of MCMC, Bayesian Analysis 16, 667.

    Examples
    --------
    See `sample_poses`, which returns it.

    >>> from muybridge.triangulate import PoseSamples
    >>> "r_hat" in PoseSamples.__dataclass_fields__
    True
    """

    samples: Array
    states: NDArray[np.int64]
    headings: Array
    inlier_probability: Array
    effective_sample_size: Array
    r_hat: Array
    acceptance: Array
    overridden: NDArray[np.bool_]
    prior: PosePrior

    @cached_property
    def mean(self) -> Array:
        """Posterior mean, (n_frames, n_keypoints, 3), world units."""
        return self.samples.mean(axis=(0, 1))

    @cached_property
    def covariance(self) -> Array:
        """Covariance of the draws, (n_frames, n_keypoints, 3, 3), world units²."""
        n_draws = self.samples.shape[0] * self.samples.shape[1]
        total = np.zeros((*self.mean.shape, 3))
        for chain in self.samples:
            for draw in chain:
                away = draw - self.mean
                total += away[..., :, None] * away[..., None, :]
        return total / (n_draws - 1)

    @cached_property
    def state_probabilities(self) -> Array:
        """Share of the draws in each state, (n_frames, n_states)."""
        return np.stack([(self.states == s).mean(axis=(0, 1)) for s in range(self.prior.n_states)], axis=-1)

    def summary(self) -> pd.DataFrame:
        """Spread and convergence of every keypoint.

        Returns
        -------
        pandas.DataFrame
            A row per keypoint: `std`, the mean standard deviation in world units, `effective_min` and
            `effective_median`, the effective sample sizes, `r_hat_max`, and `poor`, the share of coordinates beyond the
            limits of `warnings`.

        Examples
        --------
        Four chains of 250 independent draws of one keypoint in one frame, of standard deviation 2.

        >>> import numpy as np
        >>> from muybridge.datasets import Skeleton
        >>> from muybridge.triangulate import PosePrior, PoseSamples
        >>> tail = Skeleton(("base", "tip"), (("base", "tip"),))
        >>> prior = PosePrior(tail, [[[0, 0, 1], [1, 0, 0]]], [[0, 20]], [1.0], [60.0], [2.0])
        >>> draws = np.random.default_rng(0).normal(0, 2, (4, 250, 1, 2, 3))
        >>> states, headings, inliers = np.zeros((4, 250, 1), int), np.zeros((4, 250, 1)), np.ones((3, 1, 2))
        >>> size, r_hat, overridden = np.full((1, 2, 3), 1000.0), np.full((1, 2, 3), 1.001), np.zeros((1, 2), bool)
        >>> drawn = PoseSamples(draws, states, headings, inliers, size, r_hat, np.ones(4), overridden, prior)
        >>> drawn.summary()["poor"].to_dict()
        {'base': 0.0, 'tip': 0.0}
        """
        size, r_hat = self.effective_sample_size, self.r_hat
        poor = np.where(np.isnan(size), np.nan, (size < _EFFECTIVE) | (r_hat > _R_HAT))
        std = np.sqrt(self.covariance.trace(axis1=2, axis2=3))
        rows = {
            name: (std[:, k].mean(), size[:, k].min(), np.median(size[:, k]), r_hat[:, k].max(), poor[:, k].mean())
            for k, name in enumerate(self.prior.skeleton.keypoints)
        }
        columns = ["std", "effective_min", "effective_median", "r_hat_max", "poor"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences for R-hat above 1.01 and for an effective size below 400, each with the worst keypoint."""
        return (
            *self._warning("R-hat", self.r_hat, _R_HAT, 1.0),
            *self._warning("effective sample size", self.effective_sample_size, _EFFECTIVE, -1.0),
        )

    def _warning(self, name: str, values: Array, limit: float, sign: float) -> tuple[str, ...]:
        """What is wrong with values (n_frames, n_keypoints, 3) whose sign times them should be below that of limit."""
        poor = sign * values > sign * limit
        if not poor.any():
            return ()
        frame, k, _ = np.unravel_index(np.nanargmax(sign * values), values.shape)
        worst, keypoint = values.flat[np.nanargmax(sign * values)], self.prior.skeleton.keypoints[k]
        share = poor.sum() / np.isfinite(values).sum()
        return (
            f"{name} is {worst:.4g} for keypoint '{keypoint}' in frame {frame}, and beyond {limit:g} in {share:.2%} of"
            " all coordinates: draw more samples",
        )
