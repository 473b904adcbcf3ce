"""Frames that a camera lost or repeated midway are found with camera, frame and number; good recordings have none."""

import numpy as np
import pytest

from muybridge.triangulate.diagnosis.cause import find_cause
from muybridge.triangulate.diagnosis.frame_jumps import Jump, find_jumps, jump_offsets
from muybridge.triangulate.rig_refinement.frame_shift import shift_frames
from tests.conftest import make_moving_points, make_ring_rig
from tests.session.synthetic import SKELETON

N_FRAMES, REACH = 200, 20


def seen(n_cameras, seed, noise=1.0):
    rig = make_ring_rig(n_cameras)
    truth = make_moving_points(SKELETON, N_FRAMES + 20, 60.0, seed=seed)
    points_2d = rig.project(truth)
    return rig, points_2d + np.random.default_rng(seed).normal(0, noise, points_2d.shape)


def with_jumps(points_2d, jumps):
    """Frames i + offset shown at frame i, the others' frame numbers counted from 10."""
    offsets = jump_offsets(
        [Jump(jump.camera, jump.frame + 10, -jump.offset) for jump in jumps], len(points_2d), N_FRAMES + 20
    )
    return shift_frames(points_2d, offsets)[:, 10 : N_FRAMES + 10]


@pytest.mark.parametrize("n_cameras", [3, 4])
@pytest.mark.parametrize("offset", [-8, -3, 4])
def test_a_jump_is_found_with_camera_frame_and_number(n_cameras, offset):
    rig, points_2d = seen(n_cameras, 5)
    jumps, mistakes = find_jumps(with_jumps(points_2d, [Jump(2, 90, offset)]), rig, REACH)
    assert [(jump.camera, jump.offset) for jump in jumps] == [(2, offset)]
    assert abs(jumps[0].frame - 90) < 10
    words = f"lost {-offset} frames" if offset < 0 else f"has {offset} frames too many"
    assert f"Camera 'cam_2' {words} at about frame " in mistakes[0].sentence


def test_two_jumps_of_two_cameras_are_found_and_their_removal_restores_the_views():
    rig, points_2d = seen(4, 6)
    given = [Jump(1, 60, -6), Jump(3, 130, -9)]
    jumped = with_jumps(points_2d, given)
    jumps, _ = find_jumps(jumped, rig, REACH)
    assert [(jump.camera, jump.offset) for jump in jumps] == [(1, -6), (3, -9)]
    restored = shift_frames(jumped, jump_offsets(jumps, 4, N_FRAMES))
    same = np.isclose(restored, points_2d[:, 10 : N_FRAMES + 10]).all(axis=-1)
    assert same[:, :40].all()
    assert same[:, 150:180].all()


def test_of_two_cameras_either_may_have_lost_frames():
    rig, points_2d = seen(2, 7)
    jumps, mistakes = find_jumps(with_jumps(points_2d, [Jump(1, 100, -8)]), rig, REACH)
    assert len(jumps) == 1
    assert "(or camera" in mistakes[0].sentence


@pytest.mark.parametrize("seed", range(10, 16))
@pytest.mark.parametrize("noise", [0.5, 4.0])
def test_nothing_is_said_of_cameras_in_step(seed, noise):
    rig, points_2d = seen(3, seed, noise)
    assert find_jumps(points_2d[:, :N_FRAMES], rig, REACH) == ([], [])


def test_a_constant_delay_is_no_jump():
    rig, points_2d = seen(3, 8)
    late = points_2d[:, 5:].copy()
    late[1] = points_2d[1, :-5]
    cause = find_cause(late[:, None, 5:N_FRAMES], rig, SKELETON.keypoints, 60.0)
    assert not cause.jumps
    assert np.allclose(cause.offsets.to_apply(), [0, 5, 0], atol=0.2)


def test_a_jump_beside_a_constant_delay_is_found():
    rig, points_2d = seen(4, 9)
    jumped = with_jumps(points_2d, [Jump(2, 90, -8)])
    jumped[1, 3:] = jumped[1, :-3].copy()
    cause = find_cause(jumped[:, None, 5:], rig, SKELETON.keypoints, 60.0)
    assert [(jump.camera, jump.offset) for jump in cause.jumps] == [(2, -8)]
    assert np.allclose(cause.offsets.to_apply(), [0, 3, 0, 0], atol=0.3)
