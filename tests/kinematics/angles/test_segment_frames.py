import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from muybridge.datasets import DatasetError
from muybridge.kinematics import joint_angles, orientation_angles, segment_angles, segment_frame
from tests.kinematics.synthetic import pose_of

UP = np.array([0, 0, 1.0])


def test_segment_angles_undo_the_joint_coordinate_system():
    rng = np.random.default_rng(0)
    angles = rng.uniform([-3, -1.5, -3], [3, 1.5, 3], (300, 3))
    proximal = Rotation.random(300, random_state=1)
    distal = proximal * Rotation.from_euler("ZXY", angles)
    np.testing.assert_allclose(segment_angles(proximal.as_matrix(), distal.as_matrix()), angles, atol=1e-10)


def test_a_segment_frame_has_its_axes_along_forwards_and_right():
    frame = segment_frame([0, 0, 0.0], [0, 0, 2.0], [0, 1.0, 0.3], [0, -1.0, 0.3])
    np.testing.assert_allclose(frame, np.transpose([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]), atol=1e-12)
    assert np.linalg.det(frame) == pytest.approx(1)
    assert np.isnan(segment_frame([0, 0, 0.0], [0, 0, 2.0], [0, 0, 0.0], [0, 0, 1.0])).all()


def test_flexion_is_positive_where_the_distal_end_swings_forwards():
    straight = segment_frame([0, 0, -1.0], [0, 0, 0], [0, 1.0, 0], [0, -1.0, 0])
    forwards = segment_frame([0.3, 0, -1.0], [0, 0, 0], [0, 1.0, 0], [0, -1.0, 0])
    left = segment_frame([0, 0.3, -1.0], [0, 0, 0], [0, 1.0, 0], [0, -1.0, 0])
    assert segment_angles(straight, forwards)[0] == pytest.approx(np.arctan(0.3))
    assert segment_angles(straight, left)[1] == pytest.approx(np.arctan(0.3))


def test_orientation_signs_are_as_documented():
    heading, pitch, roll = orientation_angles(np.array([0, 1.0, 0]), np.array([1.0, 0, 0]), UP)
    assert (heading, pitch, roll) == pytest.approx((np.pi / 2, 0, 0))
    assert orientation_angles(np.array([1.0, 0, 1.0]), np.array([0, -1.0, 0]), UP)[1] == pytest.approx(np.pi / 4)
    assert orientation_angles(np.array([1.0, 0, 0]), np.array([0, -1.0, -1.0]), UP)[2] == pytest.approx(np.pi / 4)


def test_orientation_follows_the_vertical_it_is_given():
    turn = Rotation.from_rotvec([0.4, -0.7, 1.1]).as_matrix()
    forward, right = np.random.default_rng(1).normal(size=(2, 50, 3))
    upright = orientation_angles(forward, right, UP)[:, 1:]
    np.testing.assert_allclose(
        orientation_angles(forward @ turn.T, right @ turn.T, turn @ UP)[:, 1:], upright, atol=1e-12
    )


def test_an_orientation_without_a_vertical_is_refused():
    joints = {"trunk": {"kind": "orientation", "forward": ["a", "b"], "lateral": ["c", "d"]}}
    pose = pose_of(np.random.default_rng(2).normal(size=(5, 4, 3)))
    with pytest.raises(DatasetError, match="needs the vertical"):
        joint_angles(pose, joints)
    assert list(joint_angles(pose, joints, up=UP)["joint"].values) == ["trunk_heading", "trunk_pitch", "trunk_roll"]


def test_a_missing_point_costs_only_its_frame():
    points = np.random.default_rng(3).normal(size=(10, 5, 3))
    points[4, 2] = np.nan
    hip = {"kind": "segments", "proximal": {"long": ["a", "b"], "lateral": ["c", "d"]},
           "distal": {"long": ["b", "e"], "lateral": ["c", "d"]}}  # fmt: skip
    out = joint_angles(pose_of(points, noise=0.1), {"hip": hip})
    assert list(np.flatnonzero(np.isnan(out["angle"].values).any(axis=1))) == [4]
