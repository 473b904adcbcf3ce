"""Keypoints that all views displace: bones and poses put them right, and leave alone what may be true."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from muybridge.datasets import Skeleton
from muybridge.triangulate import DetectorNoise, PosePrior, infer_poses, smooth
from tests.conftest import make_moving_points
from tests.triangulate.recordings import FPS, seen

TAIL, HIP, KNEE = 2, 3, 4


@pytest.fixture(scope="module")
def recorded(skeleton):
    """(200, 7, 3) true points, and a prior of the later motion of the same animal."""
    points_3d = make_moving_points(skeleton, 700, fps=FPS)
    return points_3d[:200], PosePrior.fit(points_3d[300:], skeleton, 8)


@pytest.fixture(scope="module")
def displaced(ring_rig, recorded):
    """Pixels and confidence of a knee that all views see 50 mm aside, so that its bone is 64 instead of 35 mm long."""
    labelled = recorded[0].copy()
    labelled[:, KNEE, 1] -= 50.0
    return seen(ring_rig, labelled, outliers=0.02)[:2]


@pytest.fixture(scope="module")
def plain(ring_rig, skeleton, displaced):
    """Those pixels smoothed without a prior of poses."""
    return smooth(displaced[0], ring_rig, fps=FPS, confidence=displaced[1], skeleton=skeleton)


@pytest.fixture(scope="module")
def posed(ring_rig, skeleton, recorded, displaced):
    """And with it."""
    points_2d, confidence = displaced
    return infer_poses(points_2d, ring_rig, fps=FPS, confidence=confidence, skeleton=skeleton, prior=recorded[1])


def knee_error(found, truth):
    return np.linalg.norm(found.points_3d[:, KNEE] - truth[:, KNEE], axis=-1).mean()


def test_a_keypoint_that_all_views_displace_is_put_right(recorded, plain, posed):
    truth = recorded[0]
    assert knee_error(plain, truth) > 45
    assert knee_error(posed, truth) < knee_error(plain, truth) / 3
    assert posed.overridden[:, KNEE].all()
    assert not np.delete(posed.overridden, KNEE, axis=1).any()
    others = np.delete(np.linalg.norm(posed.points_3d - truth, axis=-1), KNEE, axis=1)
    assert others.mean() < 0.25


def test_the_order_of_a_priors_bones_does_not_matter(ring_rig, skeleton, recorded, displaced, posed):
    turned = recorded[1].in_order_of(Skeleton(skeleton.keypoints[::-1], skeleton.bones[::-1], root="neck"))
    points_2d, confidence = displaced
    options = {"fps": FPS, "confidence": confidence, "skeleton": skeleton}
    found = infer_poses(points_2d, ring_rig, prior=turned, **options)
    np.testing.assert_array_equal(found.overridden, posed.overridden)
    np.testing.assert_array_equal(found.points_3d, posed.points_3d)


def with_knee_swung(truth, degrees):
    """The points with the knee turned about the hip, at the length of its bone."""
    swung, bone = truth.copy(), truth[:, KNEE] - truth[:, HIP]
    axis = np.cross(bone, truth[:, HIP] - truth[:, TAIL])
    turn = Rotation.from_rotvec(np.deg2rad(degrees) * axis / np.linalg.norm(axis, axis=1, keepdims=True))
    swung[:, KNEE] = truth[:, HIP] + turn.apply(bone)
    return swung


@pytest.mark.parametrize("stretch", [slice(None), slice(50, 150)])
def test_a_pose_outside_the_prior_is_left_alone_where_bones_have_their_length(ring_rig, skeleton, recorded, stretch):
    truth, prior = recorded
    truth = truth.copy()
    truth[stretch] = with_knee_swung(truth, 90.0)[stretch]
    points_2d, confidence, _ = seen(ring_rig, truth, outliers=0.02)
    options = {"fps": FPS, "confidence": confidence, "skeleton": skeleton}
    plain, posed = smooth(points_2d, ring_rig, **options), infer_poses(points_2d, ring_rig, prior=prior, **options)
    assert not posed.overridden.any()
    assert knee_error(posed, truth) < 1.05 * knee_error(plain, truth)


def test_the_pose_decides_between_four_views_and_two_where_the_bone_keeps_its_length(ring_rig, skeleton):
    points_3d = make_moving_points(skeleton, 1100, fps=FPS)
    truth, prior = points_3d[:400], PosePrior.fit(points_3d[500:], skeleton, 8)
    points_2d, confidence, _ = seen(ring_rig, truth, outliers=0.02)
    wrong, stretch = ring_rig.project(with_knee_swung(truth, 60.0)), slice(100, 200)
    wrong += np.random.default_rng(4).normal(0, 1, wrong.shape)
    for camera in (0, 1, 3, 4):
        points_2d[camera, stretch, KNEE] = wrong[camera, stretch, KNEE]
    options = {"fps": FPS, "confidence": confidence, "skeleton": skeleton}
    plain, posed = smooth(points_2d, ring_rig, **options), infer_poses(points_2d, ring_rig, prior=prior, **options)
    error = np.linalg.norm(posed.points_3d - truth, axis=-1)
    assert knee_error(plain, truth) > 4
    assert error[stretch, KNEE].mean() < knee_error(plain, truth) / 4
    assert posed.overridden[stretch, KNEE].mean() > 0.95
    assert np.delete(posed.overridden, KNEE, axis=1).mean() < 0.01


def test_views_of_a_keypoint_that_are_nearly_always_wrong_do_not_decide(ring_rig, skeleton, recorded, displaced, plain):
    truth, prior = recorded
    points_2d, confidence = displaced
    wrong = np.full((6, 7), 0.05)
    wrong[:, KNEE] = 0.99
    noise = DetectorNoise(
        ring_rig.names, np.zeros((6, 7, 2)), np.ones((6, 7)), wrong, np.full((6, 7), 50.0), np.zeros(7), np.zeros(7)
    )
    options = {"fps": FPS, "confidence": confidence, "skeleton": skeleton}
    told = infer_poses(points_2d, ring_rig, prior=prior, noise=noise, **options)
    assert knee_error(told, truth) < knee_error(plain, truth) / 3
    assert np.median(np.delete(np.linalg.norm(told.points_3d - truth, axis=-1), KNEE, axis=1)) < 0.25
