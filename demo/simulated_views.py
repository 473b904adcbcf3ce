"""The demo's animal as 2D points, without pictures: recordings in milliseconds, with their truth."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ..cameras import CameraRig
from ..datasets import frame_times, pose_dataset, views_dataset
from .animal import DEMO_SKELETON, Gallop, gallop
from .scene import make_rig

_OUTLIER = 60.0  # pixels in x and y that a gross outlier lies off at most: the length of the animal's lower leg


def simulate_recording(
    n_frames: int = 200,
    *,
    fps: float = 100.0,
    noise: float = 2.0,
    outlier_share: float = 0.03,
    missing_share: float = 0.05,
    seed: int = 0,
) -> tuple[xr.Dataset, CameraRig, xr.Dataset]:
    """Simulate what a detector finds of a galloping animal in six cameras.

    The animal is the demo's: 20 keypoints (`DEMO_SKELETON`), bones that keep their lengths, paws that stand still on
    the ground. Each seed is another run, of another speed and stride.

    Parameters
    ----------
    n_frames : int
        Length of the recording.
    fps : float, hertz
        Frame rate.
    noise : float, pixels
        Standard deviation of each coordinate.
    outlier_share : float
        Share of the points that are moved by up to 60 pixels in x and y.
    missing_share : float
        Share of the points that are missing.
    seed : int
        Of the run and of the random numbers.

    Returns
    -------
    views : xarray.Dataset
        The 2D points in pixels, as a detector gives them; missing is NaN.
    rig : CameraRig
        The six true cameras, in mm.
    truth : xarray.Dataset
        The true pose in mm.

    See Also
    --------
    render_demo : Renders videos of the same animal.

    Examples
    --------
    >>> from muybridge.demo import simulate_recording
    >>> views, rig, truth = simulate_recording(50)
    >>> dict(views["position"].sizes)
    {'view': 6, 'time': 50, 'keypoint': 20, 'space': 2}
    >>> bool(abs(views["position"] - rig.project(truth["position"].values)).median() < 2)  # pixels
    True
    """
    rng = np.random.default_rng(seed)
    run = Gallop(
        turn=rng.uniform(0, 2 * np.pi),
        phase=rng.uniform(),
        speed=rng.uniform(1400, 1850),
        stride=rng.uniform(0.33, 0.4),
    )
    times, rig = frame_times(n_frames, fps=fps), make_rig()
    points_3d = gallop(times, run).keypoints
    points_2d = rig.project(points_3d)
    points_2d += rng.normal(scale=noise, size=points_2d.shape)
    wrong = rng.random(points_2d.shape[:-1]) < outlier_share
    points_2d[wrong] += rng.uniform(-_OUTLIER, _OUTLIER, (wrong.sum(), 2))
    points_2d[rng.random(points_2d.shape[:-1]) < missing_share] = np.nan
    keypoints = DEMO_SKELETON.keypoints
    views = views_dataset(points_2d, cameras=rig.names, keypoints=keypoints, times=times)
    truth = pose_dataset(points_3d, keypoints=keypoints, times=times, unit=rig.unit)
    return views, rig, truth.assign_attrs(up=[0.0, 0.0, 1.0])
