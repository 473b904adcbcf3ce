"""Rigs are moved without moving a pixel, and laid on one another."""

from dataclasses import replace

import numpy as np
import pytest

from muybridge.cameras import CameraRig, move_rig
from muybridge.cameras.alignment import align_cameras, align_images
from muybridge.cameras.rotations import rotation_matrix

R, T = rotation_matrix(np.array([0.1, -0.2, 0.05])), np.array([30.0, -10, 5])


@pytest.fixture
def points(moving_skeleton):
    return moving_skeleton[::10].reshape(-1, 3)


@pytest.mark.parametrize("scale", [1.0, 1.07])
def test_a_moved_rig_sees_moved_points_where_they_were(ring_rig, points, scale):
    moved = move_rig(ring_rig, R, T, scale=scale)
    np.testing.assert_allclose(moved.project(scale * points @ R.T + T), ring_rig.project(points), rtol=0, atol=1e-8)


def test_the_vertical_moves_with_the_rig_unless_it_is_given():
    from muybridge.cameras import Camera

    camera = Camera("one", (640, 480), np.diag([500.0, 500, 1]), [], np.eye(3), np.zeros(3))
    rig = CameraRig((camera,), up=[0, 0, 1])
    np.testing.assert_allclose(move_rig(rig, R, T).up, R @ [0, 0, 1], atol=1e-12)
    np.testing.assert_array_equal(move_rig(rig, R, T, up=[0, 1, 0]).up, [0, 1, 0])
    assert move_rig(replace(rig, up=None), R, T).up is None


def test_a_similarity_is_undone_by_the_images(ring_rig, points):
    moved = move_rig(ring_rig, R, T, scale=1.07)
    back, points_back = align_images(moved, 1.07 * points @ R.T + T, ring_rig)
    np.testing.assert_allclose(points_back, points, atol=1e-6)
    np.testing.assert_allclose(back.centers, ring_rig.centers, atol=1e-6)


def test_a_camera_that_moved_does_not_attract_the_others(ring_rig, points):
    camera = ring_rig.cameras[2]
    away = replace(camera, R=rotation_matrix(np.array([0.05, 0, 0])) @ camera.R)
    new = CameraRig(tuple(away if c.name == camera.name else c for c in ring_rig))
    back, _ = align_images(new, points, ring_rig)
    others = [i for i in range(len(ring_rig)) if i != 2]
    np.testing.assert_allclose(back.centers[others], ring_rig.centers[others], atol=0.1)


def test_a_rigid_motion_is_found_from_the_cameras(ring_rig):
    found = align_cameras(ring_rig, move_rig(ring_rig, R, T))
    np.testing.assert_allclose(found[0], R, atol=1e-12)
    np.testing.assert_allclose(found[1], T, atol=1e-9)


def test_the_alignment_of_cameras_has_no_scale(ring_rig):
    smaller = CameraRig(tuple(replace(c, t=0.99 * c.t) for c in ring_rig))
    turned, shift = align_cameras(smaller, ring_rig)
    np.testing.assert_allclose(turned, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(shift, 0.01 * ring_rig.centers.mean(axis=0), atol=1e-9)
