"""Trajectories with error bars from the pixels of all cameras."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cameras import CameraRig
from ...datasets import Skeleton
from ...numerics.arrays import Array
from ..input_checks import check_fps, check_observations, from_views, in_order
from ..noise.detector_noise import DetectorNoise, without_bias
from .difference_prior import ORDERS
from .long_recordings.learning import learn
from .long_recordings.overlapping_windows import solve_window, solve_windows
from .predicted_noise import relative_noise
from .problem import PixelsInMemory, Problem
from .trajectory import Trajectory


def smooth(
    points_2d: Any,
    rig: CameraRig,
    *,
    fps: float | None = None,
    confidence: Array | None = None,
    noise: DetectorNoise | None = None,
    skeleton: Skeleton | None = None,
    order: int | None = None,
    pairs: Sequence[tuple[str, str]] | str | None = None,
    n_samples: int = 0,
    seed: int = 0,
    window: float | None = None,
    progress: bool = False,
) -> Trajectory:
    """Trajectories as the posterior mode given all pixels, with covariances; all parameters are learned.

    A pixel is an inlier or an outlier, differences in time are white except at moments at which the whole body is
    accelerated, with a variance that is another while the animal rests or runs, and a bone's length is Gaussian about
    its mean.

    Parameters
    ----------
    points_2d : ndarray, shape (n_cameras, n_frames, n_keypoints, 2), pixels, or xarray.Dataset
        Distorted pixels, NaN where missing; or a views dataset, whose confidence, times and keypoints are used, too,
        and the covariances that a detector predicts: of these only the ratio to the median of the camera.
    rig : CameraRig
        The cameras.
    fps : float, optional, hertz
        Frames per second; needed unless `points_2d` is a dataset.
    confidence : ndarray, shape (n_cameras, n_frames, n_keypoints), optional
        Prior probability that a pixel is right, clipped to 0.02-0.98; NaN and 0 leave a pixel out. By default 0.9.
    noise : DetectorNoise, optional
        Bias, spread, outliers and shared errors of the detector, in place of those estimated from the recording and of
        the confidence; how errors last is estimated. Cameras and keypoints are matched by name.
    skeleton : Skeleton, optional
        Its bones keep their length, nearly that of the bone of the other side (`symmetries`). By default every keypoint
        is a track of its own.
    order : {1, 2, 3, 4}, optional
        Order of the differences in time that are white noise in the prior. By default the one of largest evidence.
    pairs : sequence of (str, str), or "all", optional
        Keypoints whose covariance within a frame is wanted. By default those up to two bones apart, as an angle between
        bones needs; without a skeleton keypoints are independent and there are none.
    n_samples : int
        Whole trajectories to draw from the posterior.
    seed : int
        Of the draws: the same seed gives the same draws.
    window : float, optional, seconds
        Stretch of time solved at once. By default as many frames as fit the memory, whatever their rate. Neighbouring
        windows overlap, so that the result does not depend on it.
    progress : bool
        Show a bar on long recordings.

    Returns
    -------
    Trajectory
        Points, derivatives and their covariances, and what was learned.

    Raises
    ------
    ValueError
        Shapes do not fit the rig or the skeleton, or a value is outside its range.

    See Also
    --------
    infer_poses : With a prior of the bones' directions.
    triangulate_ransac : Every frame by itself.

    Notes
    -----
    Gaps are filled, with the covariance that follows; a keypoint that is never seen by two cameras is NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.cameras import Camera, CameraRig
    >>> from muybridge.triangulate import smooth
    >>> K = [[1000, 0, 640], [0, 1000, 512], [0, 0, 1]]
    >>> rig = CameraRig(tuple(Camera(f"cam_{x}", (1280, 1024), K, [], np.eye(3), [x, 0, 1000]) for x in (-200, 0, 200)))
    >>> times = np.arange(60) / 30.0
    >>> truth = np.stack([100 * np.sin(times), 50 * np.cos(times), 20 * times], axis=-1)[:, None]
    >>> points_2d = rig.project(truth) + np.random.default_rng(0).normal(0, 0.5, (3, 60, 1, 2))
    >>> trajectory = smooth(points_2d, rig, fps=30.0)
    >>> trajectory.points_3d.shape, bool(np.abs(trajectory.points_3d - truth).max() < 3)
    ((60, 1, 3), True)
    """
    learned = learn(check_problem(points_2d, rig, fps, confidence, skeleton, order, noise, pairs))
    options = {"n_samples": n_samples, "seed": seed, "window": window, "progress": progress}
    return solve_windows(learned, partial(solve_window, learned), **options)[0]


def check_problem(
    points_2d: Any,
    rig: CameraRig,
    fps: float | None,
    confidence: Array | None,
    skeleton: Skeleton | None,
    order: int | None,
    noise: DetectorNoise | None = None,
    pairs: Sequence[tuple[str, str]] | str | None = None,
    typical: Array | None = None,
) -> Problem:
    """A checked request; `typical`: as `relative_noise`."""
    given: dict[str, Any] = {"confidence": confidence, "fps": fps}
    given |= dict.fromkeys(("covariances_2d", "keypoints", "ensemble_std"))
    points_2d, confidence, fps, covariances_2d, keypoints, spread = from_views(points_2d, rig, **given)
    points_2d, confidence = check_observations(points_2d, rig, confidence, fewest_views=1, by_frame=True)
    if skeleton is not None and keypoints is not None:
        skeleton = in_order(skeleton, keypoints)
    fps = check_fps(fps)
    if order is not None and order not in ORDERS:
        raise ValueError(f"order is {order!r}; expected one of {ORDERS}, or None for the order of largest evidence")
    if skeleton is not None and len(skeleton.keypoints) != points_2d.shape[2]:
        raise ValueError(
            f"the skeleton has {len(skeleton.keypoints)} keypoints and points_2d {points_2d.shape[2]}; they must be the"
            " same, in the same order"
        )
    scale, chosen = relative_noise(points_2d, covariances_2d, typical), keypoint_pairs(skeleton, pairs)
    if noise is not None:
        names = keypoints or (skeleton and skeleton.keypoints)
        points_2d, confidence, noise = corrected_pixels(noise, points_2d, confidence, rig, names)
    return Problem(PixelsInMemory(points_2d, confidence, scale), rig, fps, skeleton, order, noise, spread, chosen)


def corrected_pixels(
    noise: DetectorNoise, points_2d: Array, confidence: Array | None, rig: CameraRig, keypoints: tuple[str, ...] | None
) -> tuple[Array, Array, DetectorNoise]:
    """The pixels without the detector's bias, the probability that each is right, 0 where the confidence is, and their
    noise, `without_bias`."""
    noise = noise.for_recording(rig, points_2d.shape[2], keypoints)
    right = np.broadcast_to(1 - noise.outlier_probability[:, None], points_2d.shape[:-1])
    confidence = np.array(right) if confidence is None else np.where(confidence > 0, right, 0.0)
    points_2d, noise = without_bias(points_2d, noise)
    return points_2d, confidence, noise


def keypoint_pairs(skeleton: Skeleton | None, pairs: Sequence[tuple[str, str]] | str | None) -> NDArray[np.int64]:
    """(n_pairs, 2) positions on the keypoint axis of the pairs asked for; see `smooth`.

    Raises
    ------
    ValueError : pairs without a skeleton, or a name that it does not have
    """
    if skeleton is None:
        if pairs is not None and len(pairs):
            raise ValueError("pairs are named by a skeleton and correlated by its bones; give skeleton=Skeleton(...)")
        return np.zeros((0, 2), np.int64)
    if isinstance(pairs, str) and pairs != "all":
        raise ValueError(f"pairs is {pairs!r}; expected names (a, b) of keypoints, 'all' or None")
    n_keypoints = len(skeleton.keypoints)
    if pairs is None:
        near = np.eye(n_keypoints, dtype=int)
        near[tuple(skeleton.bone_indices.T)] = 1
        near = near | near.T
        return np.argwhere(np.triu(near @ near, 1)).reshape(-1, 2)
    if isinstance(pairs, str):
        return np.argwhere(np.triu(np.ones((n_keypoints, n_keypoints)), 1)).reshape(-1, 2)
    unknown = sorted({name for pair in pairs for name in pair} - set(skeleton.keypoints))
    if unknown:
        raise ValueError(f"pairs name keypoints that do not exist: {unknown}; known: {list(skeleton.keypoints)}")
    index = {name: i for i, name in enumerate(skeleton.keypoints)}
    return np.array([[index[a], index[b]] for a, b in pairs], np.int64).reshape(-1, 2)
