import base64
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muybridge.calibration import Camera, CameraRig
from muybridge.datasets import pose_dataset
from muybridge.report import player


def unpacked(text, dtype, *shape):
    return np.frombuffer(base64.b64decode(text), dtype).reshape(shape)


def positions_of(scene):
    counts = unpacked(scene["positions"], "<i2", scene["n_shown"], len(scene["keypoints"]), 3).astype(float)
    points = np.array(scene["origin"]) + scene["step"] * counts
    points[counts[..., 0] == player.MISSING] = np.nan
    return points @ np.array(scene["world"]).T


def make_pose(points, **variables):
    return pose_dataset(points, keypoints=[f"k{i}" for i in range(points.shape[1])],
                        times=np.arange(len(points)) / 50, unit="mm", **variables)  # fmt: skip


def test_packed_positions_are_the_pose_to_half_a_step(session, rig, skeleton):
    scene = player.player_scene(session["pose"], skeleton, rig)
    truth = session["pose"]["position"].values
    found = positions_of(scene)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(truth))
    np.testing.assert_allclose(found, truth, atol=0.51 * scene["step"] + 1e-4)
    assert scene["step"] < 0.01


def test_any_vertical_gives_axes_that_turn_it_up():
    for up in (np.eye(3)[0], np.eye(3)[1], -np.eye(3)[2], np.array([0.6, 0.0, 0.8])):
        axes = player.display_axes(up)
        np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
        np.testing.assert_allclose(axes @ up, [0, 0, 1], atol=1e-12)
        assert np.linalg.det(axes) == pytest.approx(1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.floats(1e-3, 1e3))
def test_the_triangle_is_a_root_of_the_covariance(seed, scale):
    root = scale * np.random.default_rng(seed).normal(size=(4, 3, 3))
    root[0, :, 2] = 0  # a singular covariance has a triangle too
    covariances = root @ np.swapaxes(root, -1, -2)
    triangle = player.cholesky_triangles(covariances)
    lower = np.zeros((4, 3, 3))
    lower[:, [0, 1, 1, 2, 2, 2], [0, 0, 1, 0, 1, 2]] = triangle
    np.testing.assert_allclose(lower @ np.swapaxes(lower, -1, -2), covariances, atol=1e-9 * scale**2)


def test_impossible_covariances_are_missing():
    covariances = np.stack([np.full((3, 3), np.nan), -np.eye(3), np.zeros((3, 3)), np.diag([1.0, 1, -1]), np.eye(3)])
    assert np.isnan(player.cholesky_triangles(covariances)).all(-1).tolist() == [True, True, True, True, False]


def test_the_turned_covariance_survives_packing(rig, skeleton, session):
    pose = session["pose"]
    scene = player.player_scene(pose, skeleton, rig)
    triangle = unpacked(scene["spread"], "<f2", 60, 7, 6).astype(float) * scene["spread_unit"]
    variance = triangle[:, :, 0] ** 2
    axes = np.array(scene["world"]).T
    expected = (axes @ pose["covariance"].values @ axes.T)[..., 0, 0]
    np.testing.assert_allclose(variance, expected, rtol=3e-3)


def test_long_recordings_are_thinned_to_the_budget(rng):
    scene = player.player_scene(
        make_pose(rng.normal(size=(40_000, 12, 3)), covariance=np.broadcast_to(np.eye(3), (40_000, 12, 3, 3))),
        None,
        None,
    )
    assert scene["stride"] > 1
    assert scene["n_frames"] == 40_000
    assert len(scene["positions"]) <= player.POSITION_BYTES * 4 / 3 + 4
    assert len(scene["spread"]) <= player.SPREAD_BYTES * 4 / 3 + 4
    assert len(unpacked(scene["times"], "<f4", -1)) == scene["n_shown"] == -(-40_000 // scene["stride"])


def test_short_recordings_are_whole(session, skeleton, rig):
    scene = player.player_scene(session["pose"], skeleton, rig)
    assert (scene["stride"], scene["spread_stride"], scene["n_shown"]) == (1, 1, 60)


def test_a_frustum_passes_through_the_image_corners(rig, session, skeleton):
    pinhole = CameraRig(
        tuple(Camera(c.name, c.size, c.K, np.zeros(4), c.R, c.t) for c in rig), unit="mm", up=np.array([1.0, 2, 3])
    )
    scene = player.player_scene(session["pose"], skeleton, pinhole)
    for camera, drawn in zip(pinhole, scene["cameras"], strict=True):
        world = np.array(scene["world"]) @ np.array(drawn["corners"]).T
        pixels = pinhole.subset([camera.name]).project(world.T)[0]
        width, height = camera.size
        np.testing.assert_allclose(pixels, [[0, 0], [width, 0], [width, height], [0, height]], atol=0.05)


def test_sides_and_bones_follow_the_skeleton(session, skeleton):
    scene = player.player_scene(session["pose"], skeleton, None)
    assert scene["sides"] == [0, 0, 0, 1, 1, 2, 2]
    assert scene["bones"] == skeleton.bone_indices.tolist()
    unsided = replace(skeleton, symmetries=())
    assert player.player_scene(session["pose"], unsided, None)["sides"] == scene["sides"]  # by the names


def test_bones_to_keypoints_that_the_pose_lacks_are_left_out(session, skeleton):
    scene = player.player_scene(session["pose"].sel(keypoint=["neck", "tail", "left_hip"]), skeleton, None)
    assert scene["bones"] == [[0, 1], [1, 2]]


@pytest.mark.parametrize("length", [0.003, 0.7, 1.0, 4.9, 5.0, 73.0, 2e4])
def test_floor_steps_are_round(length):
    step = player.round_step(length)
    assert step <= length * 1.001 < 2.6 * step
    assert f"{step:.0e}"[0] in "125"


@pytest.mark.parametrize("n_cameras", [1, 2, 3])
def test_the_vertical_is_guessed_from_cameras_without_roll(rig, n_cameras):
    unknown = CameraRig(rig.cameras[:n_cameras], unit="mm", up=None)
    up, known = player.vertical_of(unknown)
    assert not known
    # one camera does not know its own tilt; two or more that look from different sides do
    np.testing.assert_allclose(up, [0, 0, 1], atol=0.01 if n_cameras > 1 else 0.7)


def test_a_camera_from_above_does_not_tip_the_guess():
    from tests.conftest import look_at

    places = ((900, 0, 10), (0, 800, 300), (1, 0, 900))
    rotations = np.stack([look_at(place)[0] for place in places])
    np.testing.assert_allclose(player.level_direction(rotations), [0, 0, 1], atol=0.01)
