"""What the inference of pose states returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from ..smoothing.trajectory import Trajectory
from .pose_prior import PosePrior


@dataclass(frozen=True, eq=False)
class PoseInference(Trajectory):
    """A trajectory with the pose states behind it; the fields of `Trajectory` and five more.

    Parameters
    ----------
    points_3d : ndarray, shape (n_frames, n_keypoints, 3), world units
        Posterior mode; gaps are filled; NaN for a keypoint that was never located.
    covariances_3d : ndarray, shape (n_frames, n_keypoints, 3, 3), world units squared
        Of the points.
    inlier_probability : ndarray, shape (n_cameras, n_frames, n_keypoints)
        Posterior probability that the pixel shows the keypoint; NaN where there is no pixel.
    velocities : ndarray, shape (n_frames, n_keypoints, 3), world units per second
        Differences over three frames.
    velocity_covariances : ndarray, shape (n_frames, n_keypoints, 3, 3), world units² per second²
        Of the velocities.
    accelerations : ndarray, shape (n_frames, n_keypoints, 3), world units per second squared
        Second differences over three frames.
    acceleration_covariances : ndarray, shape (n_frames, n_keypoints, 3, 3), world units² per second⁴
        Of the accelerations.
    sigma : ndarray, shape (n_cameras, n_keypoints), pixels
        Standard deviation of an inlier's coordinate.
    order : int
        Order of the differences that are white noise in the time prior.
    process_stds : ndarray, shape (n_keypoints,), world units
        Standard deviation of these differences.
    shared_std : ndarray, shape (n_keypoints,), world units
        Standard deviation along each axis of the error that all views have in common, a part of `covariances_3d`.
    fps : float, hertz
        Frames per second.
    bone_lengths : ndarray, shape (n_bones,), world units
        In the order of the skeleton's bones; of a bone that was never observed the prior's.
    bone_stds : ndarray, shape (n_bones,), world units
        Spread of the lengths.
    pairs : ndarray, shape (n_pairs, 2)
        Positions of keypoints (a, b) on the keypoint axis.
    cross_covariances : ndarray, shape (n_frames, n_pairs, 3, 3), world units squared
        Covariance of a with b in the same frame.
    samples : ndarray, shape (0, n_frames, n_keypoints, 3), world units
        None are drawn here; see `sample_poses`.
    converged : bool
        Whether the Gauss-Newton iterations of every window converged.
    states : ndarray, shape (n_frames,)
        The most probable state.
    state_probabilities : ndarray, shape (n_frames, n_states)
        Posterior probability of each state.
    headings : ndarray, shape (n_frames,), radians
        Azimuth of the poses' x axis about the rig's up.
    overridden : ndarray of bool, shape (n_frames, n_keypoints)
        Points whose views were overridden: they agree with each other on a place that the poses exclude.
    prior : PosePrior
        The prior used, given or learned, in the order of the skeleton.

    Examples
    --------
    See `infer_poses`, which returns it.

    >>> from muybridge.triangulate import PoseInference, Trajectory
    >>> issubclass(PoseInference, Trajectory)
    True
    """

    states: NDArray[np.int64]
    state_probabilities: Array
    headings: Array
    overridden: NDArray[np.bool_]
    prior: PosePrior
