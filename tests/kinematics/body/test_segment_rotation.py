import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from muybridge.datasets import DatasetError
from muybridge.kinematics import angular_acceleration, angular_velocity, angular_velocity_of_rotations
from muybridge.kinematics.body.segment_rotation import rigid_angular_acceleration, rigid_angular_velocity
from tests.kinematics.synthetic import pose_of

BODY = np.array([[-60.0, 0, 0], [60, 10, 0], [0, 40, 15], [10, -30, 30]])


def tumbling(n_frames=400, fps=200.0):
    """Times, rotations and the angular velocity of a body that turns about two axes at once."""
    t = np.arange(n_frames) / fps
    first, second = (
        Rotation.from_rotvec(np.outer(3 * t, [0, 0, 1.0])),
        Rotation.from_rotvec(np.outer(np.sin(4 * t), [1.0, 0, 0])),
    )
    omega = np.array([0, 0, 3.0]) + first.apply(np.outer(4 * np.cos(4 * t), [1.0, 0, 0]))
    return t, (first * second).as_matrix(), omega


def test_the_rigid_fit_is_exact_for_rigid_motion():
    rng = np.random.default_rng(0)
    r, omega, alpha, speed = BODY + rng.normal(size=3), *rng.normal(size=(3, 1, 3))
    velocities = np.cross(omega, r) + speed
    accelerations = np.cross(alpha, r) + np.cross(omega, np.cross(omega, r)) + speed
    found = rigid_angular_velocity(r[None], velocities[None])
    np.testing.assert_allclose(found, omega, atol=1e-12)
    np.testing.assert_allclose(rigid_angular_acceleration(r[None], accelerations[None], found), alpha, atol=1e-12)


def test_a_bone_of_two_points_turns_only_across_itself():
    omega = np.array([[5.0, 1.0, 2.0]])
    bone = np.array([[[0.0, 0, 0], [100, 0, 0]]])
    np.testing.assert_allclose(rigid_angular_velocity(bone, np.cross(omega[:, None], bone)), [[0, 1, 2]], atol=1e-12)


def test_rotations_and_points_give_the_same_angular_velocity_within_its_error_bars():
    t, rotations, omega = tumbling()
    np.testing.assert_allclose(angular_velocity_of_rotations(rotations, t)[1:-1], omega[1:-1], atol=5e-3)
    rng = np.random.default_rng(1)
    points = np.einsum("tij,kj->tki", rotations, BODY) + 0.5 * rng.standard_normal((400, 4, 3))
    out = angular_velocity(pose_of(points, times=t), {"trunk": list("abcd"), "spine": ["a", "b"]})
    error = out["angular_velocity"].values[:, 0] - omega
    assert np.sqrt(np.mean(error**2)) < 0.05 * np.sqrt(np.mean(omega**2))
    assert 0.5 < np.mean((error / out["angular_velocity_std"].values[:, 0]) ** 2) < 2.5
    alpha = angular_acceleration(pose_of(points, times=t), {"trunk": list("abcd")})
    right = np.gradient(omega, t, axis=0)
    error = alpha["angular_acceleration"].values[20:-20, 0] - right[20:-20]
    assert np.sqrt(np.mean(error**2)) < 0.2 * np.sqrt(np.mean(right**2))
    assert 0.4 < np.mean((error / alpha["angular_acceleration_std"].values[20:-20, 0]) ** 2) < 2.5


def test_a_missing_rotation_costs_only_itself():
    t, rotations, omega = tumbling()
    rotations[50] = np.nan
    found = angular_velocity_of_rotations(rotations, t)
    assert list(np.flatnonzero(np.isnan(found).any(axis=1))) == [50]
    np.testing.assert_allclose(found[[49, 51]], omega[[49, 51]], atol=0.1)


def test_a_segment_of_one_point_is_refused():
    pose = pose_of(np.random.default_rng(2).normal(size=(30, 2, 3)))
    with pytest.raises(DatasetError, match="at least two keypoints"):
        angular_velocity(pose, {"trunk": ["a"]})
    with pytest.raises(DatasetError, match="no keypoint 'z'"):
        angular_velocity(pose, {"trunk": ["a", "z"]})
