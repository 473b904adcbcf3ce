"""Whatever is missing or wrong, both smoothers answer: the same twice, NaN only for keypoints never located."""

from functools import partial

import numpy as np
import pytest

from muybridge.datasets import Skeleton
from muybridge.triangulate import PosePrior, infer_poses, smooth
from tests.triangulate.recordings import FPS


def some_recording(rng, rig, points_3d):
    """Few frames and cameras, any noise, outliers, gaps, keypoints, frames and half pixels missing."""
    n_frames, n_cameras = int(rng.choice([1, 2, 3, 4, 5, 9, 12])), int(rng.integers(1, 7))
    rig = rig.subset(list(rig.names[:n_cameras]))
    points_2d = rig.project(points_3d[:n_frames]) + rng.normal(0, rng.choice([0, 1, 30]), (n_cameras, n_frames, 7, 2))
    chance = rng.random(points_2d.shape[:-1])
    points_2d[chance < rng.choice([0, 0.5])] = rng.uniform(0, 1000, 2)
    points_2d[rng.random(chance.shape) < rng.choice([0, 0.1, 0.6, 0.95])] = np.nan
    points_2d[:, :, rng.integers(7)] = np.nan
    points_2d[:, rng.integers(n_frames)] = np.nan
    points_2d[rng.random(chance.shape) < 0.05, 0] = np.nan
    confidence = np.where(rng.random(chance.shape) < 0.1, rng.choice([0, np.nan, 1.0]), rng.random(chance.shape))
    return points_2d, rig, confidence


@pytest.mark.parametrize("seed", range(24))
def test_no_recording_breaks_the_smoothers(ring_rig, skeleton, moving_skeleton, seed):
    rng = np.random.default_rng(seed)
    points_2d, rig, confidence = some_recording(rng, ring_rig, moving_skeleton)
    part = Skeleton(skeleton.keypoints, skeleton.bones[: int(rng.choice([3, 6]))], root="neck")
    options = {"fps": FPS, "confidence": confidence, "window": rng.choice([None, 5 / FPS])}
    if seed % 2:
        prior = PosePrior.fit(moving_skeleton, part, 2)
        solve = partial(infer_poses, points_2d, rig, skeleton=part, prior=prior, **options)
    else:
        solve = partial(smooth, points_2d, rig, skeleton=part if seed % 4 else None, n_samples=1, **options)
    found = solve()
    if seed < 4:  # both smoothers, without a skeleton and with one
        again = solve()
        np.testing.assert_array_equal(found.points_3d, again.points_3d)
        np.testing.assert_array_equal(found.covariances_3d, again.covariances_3d)
    lost = np.isnan(found.points_3d[..., 0])
    assert (lost == lost.all(axis=0)).all()
    assert (np.linalg.eigvalsh(found.covariances_3d[~lost]) > 0).all()


@pytest.mark.parametrize("order", [1, 2])
def test_keypoints_that_were_never_apart_have_no_direction(ring_rig, skeleton, moving_skeleton, order):
    points_2d = ring_rig.project(moving_skeleton[:3])
    points_2d[1:, :, 1:] = np.nan  # one ray each: no point is located
    points_2d[:, :, 0][:, 1:] = np.nan
    prior = PosePrior.fit(moving_skeleton, skeleton, 2)
    found = infer_poses(points_2d, ring_rig, fps=FPS, skeleton=skeleton, prior=prior, order=order)
    assert np.isfinite(found.points_3d[:, 0]).all()
