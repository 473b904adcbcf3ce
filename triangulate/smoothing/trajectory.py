"""What follows from a smoother's posterior: velocities, accelerations and their covariances, from the same state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array

# weights of three consecutive frames for the first derivative at the first, the middle and the last of them
_FIRST = np.array([[-1.5, 2.0, -0.5], [-0.5, 0.0, 0.5], [0.5, -2.0, 1.5]])
_SECOND = np.array([[1.0, -2.0, 1.0]] * 3)


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Posterior of every keypoint's path.

    points_3d : (n_frames, n_keypoints, 3), world units: posterior mode; gaps are filled, with the covariance that this
        deserves; NaN for a keypoint that was never located
    covariances_3d : (n_frames, n_keypoints, 3, 3), world units squared; where a keypoint may as well be somewhere else
        (before or behind its neighbour on a single ray), the second moment of both places about the one given
    inlier_probability : (n_cameras, n_frames, n_keypoints), posterior probability that the pixel shows the
        keypoint; NaN where there is no pixel
    velocities, velocity_covariances : world units per second; three-frame differences of the same posterior state
    accelerations, acceleration_covariances : world units per second squared
    sigma : (n_cameras, n_keypoints), pixels: standard deviation of an inlier's coordinate, learned
    order : order of the differences that are white noise in the time prior
    process_stds : (n_keypoints,), world units: standard deviation of these differences per frame
    fps : frames per second
    bone_lengths, bone_stds : (n_bones,), world units, learned; empty without a skeleton
    pairs, cross_covariances : (n_pairs, 2) keypoints (a, b), and (n_frames, n_pairs, 3, 3) covariance of a with b
        in the same frame, world units squared
    samples : (n_samples, n_frames, n_keypoints, 3), whole trajectories drawn from the posterior
    converged : whether the Gauss-Newton iterations of every window came to rest
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
    fps: float
    bone_lengths: Array
    bone_stds: Array
    pairs: NDArray[np.int64]
    cross_covariances: Array
    samples: Array
    converged: bool


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
