"""Posterior of trajectories; velocities and accelerations with covariances from the same state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...datasets.object_summaries import counted, html_summary
from ...numerics.arrays import Array
from ...numerics.robust_scale import present_median

# weights of three consecutive frames for the first derivative at the first, the middle and the last of them
_FIRST = np.array([[-1.5, 2.0, -0.5], [-0.5, 0.0, 0.5], [0.5, -2.0, 1.5]])
# likewise for the second derivative
_SECOND = np.array([[1.0, -2.0, 1.0]] * 3)


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Posterior of every keypoint's path.

    Parameters
    ----------
    points_3d : ndarray, shape (n_frames, n_keypoints, 3), world units
        Posterior mode; gaps are filled; NaN for a keypoint that was never located.
    covariances_3d : ndarray, shape (n_frames, n_keypoints, 3, 3), world units squared
        Of the points; where an alternative mode exists (before or behind its neighbour on a single ray), the second
        moment of both about the point given.
    inlier_probability : ndarray, shape (n_cameras, n_frames, n_keypoints)
        Posterior probability that the pixel shows the keypoint; NaN where there is no pixel.
    velocities : ndarray, shape (n_frames, n_keypoints, 3), world units per second
        Differences over three frames of the same posterior.
    velocity_covariances : ndarray, shape (n_frames, n_keypoints, 3, 3), world units² per second²
        Of the velocities.
    accelerations : ndarray, shape (n_frames, n_keypoints, 3), world units per second squared
        Second differences over three frames.
    acceleration_covariances : ndarray, shape (n_frames, n_keypoints, 3, 3), world units² per second⁴
        Of the accelerations.
    sigma : ndarray, shape (n_cameras, n_keypoints), pixels
        Standard deviation of an inlier's coordinate, learned.
    order : int
        Order of the differences that are white noise in the time prior.
    process_stds : ndarray, shape (n_keypoints,), world units
        Standard deviation of these differences from frame to frame at the animal's usual activity.
    shared_std : ndarray, shape (n_keypoints,), world units
        Standard deviation along each axis of the error that all views have in common, a part of `covariances_3d`: no
        residual shows it.
    fps : float, hertz
        Frames per second.
    bone_lengths : ndarray, shape (n_bones,), world units
        Learned; empty without a skeleton.
    bone_stds : ndarray, shape (n_bones,), world units
        Learned spread of the lengths.
    pairs : ndarray, shape (n_pairs, 2)
        Positions of keypoints (a, b) on the keypoint axis.
    cross_covariances : ndarray, shape (n_frames, n_pairs, 3, 3), world units squared
        Covariance of a with b in the same frame.
    samples : ndarray, shape (n_samples, n_frames, n_keypoints, 3), world units
        Whole trajectories drawn from the posterior.
    converged : bool
        Whether the Gauss-Newton iterations of every window converged.

    Examples
    --------
    See `smooth`, which returns it.

    >>> from muybridge.triangulate import Trajectory
    >>> "velocity_covariances" in Trajectory.__dataclass_fields__
    True
    """

    points_3d: Array
    covariances_3d: Array
    inlier_probability: Array
    velocities: Array
    velocity_covariances: Array
    accelerations: Array
    acceleration_covariances: Array
    sigma: Array
    order: int
    process_stds: Array
    shared_std: Array
    fps: float
    bone_lengths: Array
    bone_stds: Array
    pairs: NDArray[np.int64]
    cross_covariances: Array
    samples: Array
    converged: bool

    def __repr__(self) -> str:
        n_frames, n_keypoints = self.points_3d.shape[:2]
        return (
            f"<Trajectory: {counted(n_frames, 'frame')} ({n_frames / self.fps:.3g} s) of"
            f" {counted(n_keypoints, 'keypoint')} from {counted(len(self.sigma), 'camera')},"
            f" {'converged' if self.converged else 'not converged'}>"
        )

    def _repr_html_(self) -> str:
        headings = ("keypoint", "located frames (%)", "standard deviation, median (world units)",
                    "noise of a pixel, by camera (px)", "probability of an inlier, median")  # fmt: skip
        located = 100 * np.isfinite(self.points_3d[..., 0]).mean(axis=0)
        stds = present_median(np.sqrt(np.trace(self.covariances_3d, axis1=-2, axis2=-1) / 3), axis=0)
        noise = [", ".join(f"{value:.2g}" for value in own) for own in self.sigma.T]
        inliers = present_median(self.inlier_probability, axis=(0, 1))
        rows = zip(range(len(stds)), located, stds, noise, inliers, strict=True)
        return html_summary(repr(self), headings, rows)


def derivatives(points_3d: Array, covariances: Array, fps: float) -> tuple[Array, Array, Array, Array]:
    """Velocities, their covariances, accelerations and theirs: differences over three frames of the posterior state.

    Central differences; the first and last frame use the three frames at their end. They are linear in the
    positions, so their covariances are exact under the posterior.

    Parameters
    ----------
    points_3d : (n_frames, n_keypoints, 3), world units
    covariances : (n_frames, n_keypoints, 3 lags, 3, 3), of frame t with t, t + 1 and t + 2

    Returns
    -------
    (n_frames, n_keypoints, 3) world units per second, (..., 3, 3), and the same per second squared; NaN where the
    track is NaN, and everywhere with fewer than three frames
    """
    n_frames = len(points_3d)
    if n_frames < 3:
        nothing = np.full(points_3d.shape, np.nan)
        return nothing, np.full((*nothing.shape, 3), np.nan), nothing.copy(), np.full((*nothing.shape, 3), np.nan)
    velocities, velocity_covariances = _functional(points_3d, covariances, _FIRST * fps)
    accelerations, acceleration_covariances = _functional(points_3d, covariances, _SECOND * fps**2)
    return velocities, velocity_covariances, accelerations, acceleration_covariances


def _functional(points_3d: Array, covariances: Array, weights: Array) -> tuple[Array, Array]:
    """Weighted sum of three consecutive frames, weights (3 places, 3 frames), and its covariance."""
    middle = _weighted(points_3d[:-2], points_3d[1:-1], points_3d[2:], weights[1])
    first = _weighted(points_3d[:1], points_3d[1:2], points_3d[2:3], weights[0])
    last = _weighted(points_3d[-3:-2], points_3d[-2:-1], points_3d[-1:], weights[2])
    frames = slice(0, 1), slice(0, len(points_3d) - 2), slice(len(points_3d) - 3, len(points_3d) - 2)
    spreads = [_spread(covariances, at, w) for at, w in zip(frames, weights, strict=True)]
    return np.concatenate([first, middle, last]), np.concatenate(spreads)


def _weighted(a: Array, b: Array, c: Array, weights: Array) -> Array:
    return weights[0] * a + weights[1] * b + weights[2] * c


def _spread(covariances: Array, frames: slice, weights: Array) -> Array:
    """Covariance of the weighted sum of each frame and the two after it, from their lagged covariances."""
    at, after, last = (covariances[frames.start + lag : frames.stop + lag] for lag in range(3))
    w0, w1, w2 = weights
    cross = w0 * w1 * at[:, :, 1] + w1 * w2 * after[:, :, 1] + w0 * w2 * at[:, :, 2]
    own = w0 * w0 * at[:, :, 0] + w1 * w1 * after[:, :, 0] + w2 * w2 * last[:, :, 0]
    return own + cross + np.swapaxes(cross, -1, -2)
