"""The smoother with a skeleton: what bones add, and how well it knows what it does not see."""

import numpy as np
import pytest

from muybridge.datasets import Skeleton
from muybridge.triangulate import smooth
from tests.conftest import make_moving_points
from tests.triangulate.recordings import FPS, coverage, relative_variance, seen


def lengths_of(points_3d, skeleton):
    a, b = skeleton.bone_indices.T
    return np.linalg.norm(points_3d[:, a] - points_3d[:, b], axis=-1)


def test_bones_lower_the_error_and_are_learned(ring_rig, skeleton, moving_skeleton):
    held = []
    for seed in range(3):
        points_2d, confidence, _ = seen(ring_rig, moving_skeleton, seed=seed)
        free = smooth(points_2d, ring_rig, fps=FPS, confidence=confidence)
        tied = smooth(points_2d, ring_rig, fps=FPS, confidence=confidence, skeleton=skeleton)
        errors = [np.median(np.linalg.norm(found.points_3d - moving_skeleton, axis=-1)) for found in (free, tied)]
        assert errors[1] < 0.95 * errors[0]
        held.append(coverage(tied.points_3d, tied.covariances_3d, moving_skeleton))
        np.testing.assert_allclose(tied.bone_lengths, lengths_of(moving_skeleton, skeleton)[0], atol=0.15)
        assert tied.converged
    assert 0.92 < np.mean(held) < 0.99


def test_the_spread_of_a_soft_bone_is_learned(ring_rig, skeleton, moving_skeleton):
    rng = np.random.default_rng(0)
    soft = moving_skeleton.copy()
    times = np.arange(len(soft)) / FPS
    soft[:, 4] += (soft[:, 4] - soft[:, 3]) * 0.08 * np.sin(2 * np.pi * 4 * times)[:, None]
    points_2d, confidence, _ = seen(ring_rig, soft, seed=int(rng.integers(99)))
    found = smooth(points_2d, ring_rig, fps=FPS, confidence=confidence, skeleton=skeleton)
    true = lengths_of(soft, skeleton).std(axis=0)
    assert found.bone_stds[3] == pytest.approx(true[3], rel=0.15)
    assert (np.delete(found.bone_stds, 3) < 0.3).all()
    assert 0.9 < coverage(found.points_3d, found.covariances_3d, soft) < 0.98


def test_one_view_is_enough_for_a_while(ring_rig, skeleton, moving_skeleton):
    held, sizes = [], []
    for seed in range(3):
        points_2d, confidence, _ = seen(ring_rig, moving_skeleton, seed=seed, outliers=0.02)
        points_2d[np.arange(6) != 2, 90:110] = np.nan
        found = smooth(points_2d, ring_rig, fps=FPS, confidence=confidence, skeleton=skeleton)
        error = np.linalg.norm(found.points_3d - moving_skeleton, axis=-1)[90:110]
        assert np.median(error) < 1.5
        alone = found.points_3d[90:110], found.covariances_3d[90:110], moving_skeleton[90:110]
        held.append(coverage(*alone))
        sizes.append(relative_variance(*alone))
    assert 0.9 < np.mean(held) <= 1  # of errors that last as long as the stretch: the sizes tell from above
    assert 0.6 < np.mean(sizes) < 1.4


def test_neighbours_correlate_and_the_covariance_of_a_difference_holds_the_truth(ring_rig, skeleton, moving_skeleton):
    squares, variances = 0.0, 0.0
    for seed in range(3):
        points_2d, confidence, _ = seen(ring_rig, moving_skeleton, seed=seed)
        found = smooth(
            points_2d, ring_rig, fps=FPS, confidence=confidence, skeleton=skeleton, pairs=[("left_hip", "left_knee")]
        )
        assert found.pairs.tolist() == [[3, 4]]
        cross = found.cross_covariances[:, 0]
        spread = found.covariances_3d[:, 3] + found.covariances_3d[:, 4] - cross - cross.swapaxes(1, 2)
        bone = found.points_3d[:, 3] - found.points_3d[:, 4]
        squares += ((bone - (moving_skeleton[:, 3] - moving_skeleton[:, 4])) ** 2).sum()
        variances += spread.trace(axis1=1, axis2=2).sum()
    assert squares / variances == pytest.approx(1, abs=0.4)
    along = bone / np.linalg.norm(bone, axis=1, keepdims=True)
    assert np.median(np.einsum("ti,tij,tj->t", along, spread, along)) < 0.01  # the bone fixes its own length


def test_pairs_default_to_those_an_angle_needs(ring_rig, skeleton, moving_skeleton):
    points_2d, _, _ = seen(ring_rig, moving_skeleton[:20])
    pairs = {tuple(pair) for pair in smooth(points_2d, ring_rig, fps=FPS, skeleton=skeleton).pairs}
    assert {(3, 4), (2, 3), (2, 4), (3, 5)} <= pairs
    assert (0, 4) not in pairs
    everything = smooth(points_2d, ring_rig, fps=FPS, skeleton=skeleton, pairs="all")
    assert everything.cross_covariances.shape == (20, 21, 3, 3)


def test_samples_have_the_posterior_s_mean_and_covariance(ring_rig, skeleton, moving_skeleton):
    points_2d, confidence, _ = seen(ring_rig, moving_skeleton[:60])
    found = smooth(points_2d, ring_rig, fps=FPS, confidence=confidence, skeleton=skeleton, n_samples=400)
    deviation = found.samples - found.points_3d
    covariance = np.einsum("stki,stkj->tkij", deviation, deviation) / 400
    ratio = np.einsum("tkij,tkji->tk", np.linalg.inv(found.covariances_3d), covariance) / 3
    assert abs(ratio.mean() - 1) < 0.03
    velocity = np.gradient(found.samples, 1 / FPS, axis=1)[:, 1:-1]
    expected = found.velocity_covariances.trace(axis1=2, axis2=3)[1:-1]
    assert np.mean(velocity.var(axis=0).sum(axis=-1) / expected) == pytest.approx(1, abs=0.05)


def test_samples_of_neighbouring_windows_join(ring_rig, skeleton, moving_skeleton):
    points_2d, confidence, _ = seen(ring_rig, moving_skeleton)
    points_2d, confidence = np.tile(points_2d, (1, 3, 1, 1)), np.tile(confidence, (1, 3, 1))
    shared = {"fps": FPS, "confidence": confidence, "skeleton": skeleton, "n_samples": 1}
    short, long = (smooth(points_2d, ring_rig, window=n / FPS, **shared) for n in (180, 350))
    np.testing.assert_allclose(short.points_3d, long.points_3d, atol=0.02)
    np.testing.assert_allclose(short.samples, long.samples, atol=1e-3)


def test_a_skeleton_that_leaves_keypoints_out_or_was_never_seen_whole(ring_rig, skeleton, moving_skeleton):
    points_2d, confidence, _ = seen(ring_rig, moving_skeleton)
    points_2d[:, :, 4] = np.nan
    part = Skeleton(skeleton.keypoints, skeleton.bones[:4])
    found = smooth(points_2d, ring_rig, fps=FPS, confidence=confidence, skeleton=part)
    assert np.isnan(found.points_3d[:, 4]).all()
    others = np.delete(np.arange(7), 4)
    assert np.median(np.linalg.norm(found.points_3d - moving_skeleton, axis=-1)[:, others]) < 0.4
    assert np.isfinite(found.covariances_3d[:, others]).all()


@pytest.mark.parametrize("n_frames", [0, 1, 2, 4])
def test_a_few_frames_do_no_harm(ring_rig, skeleton, moving_skeleton, n_frames):
    found = smooth(ring_rig.project(moving_skeleton[:n_frames]), ring_rig, fps=FPS, skeleton=skeleton)
    np.testing.assert_allclose(found.points_3d, moving_skeleton[:n_frames], atol=0.2)


def test_one_camera_and_nothing_seen_give_nan(ring_rig, skeleton, moving_skeleton):
    alone = ring_rig.subset(["cam_0"])
    assert np.isnan(smooth(alone.project(moving_skeleton), alone, fps=FPS, skeleton=skeleton).points_3d).all()
    assert np.isnan(smooth(np.full((6, 9, 7, 2), np.nan), ring_rig, fps=FPS, skeleton=skeleton).points_3d).all()


def test_a_skeleton_of_other_keypoints_is_refused(ring_rig, moving_skeleton):
    with pytest.raises(ValueError, match="skeleton has 2 keypoints"):
        smooth(ring_rig.project(moving_skeleton), ring_rig, fps=FPS, skeleton=Skeleton(("a", "b"), (("a", "b"),)))


def test_a_limb_seen_by_one_camera_is_put_on_the_right_side_of_its_joint(ring_rig, skeleton):
    truth = make_moving_points(skeleton, 160, seed=3)
    worst = []
    for camera in range(3):
        points_2d, confidence, _ = seen(ring_rig, truth, outliers=0.02, missing=0, seed=camera)
        points_2d[np.arange(6) != camera, 60:90, 4] = np.nan
        found = smooth(points_2d, ring_rig, fps=FPS, confidence=confidence, skeleton=skeleton)
        worst.append(np.linalg.norm(found.points_3d - truth, axis=-1)[60:90, 4].max())
    assert max(worst) < 6
