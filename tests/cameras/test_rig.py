import numpy as np
import pytest

from muybridge.cameras import CameraRig


def test_leading_axes_broadcast_and_nan_stays_with_its_point(ring_rig):
    points = np.random.default_rng(0).uniform(-250, 250, (4, 6, 3))
    points[1, 2] = np.nan
    projected = ring_rig.project(points)
    assert projected.shape == (6, 4, 6, 2)
    assert np.isnan(projected[:, 1, 2]).all()
    assert np.isfinite(np.delete(projected.reshape(6, 24, 2), 8, axis=1)).all()


def test_a_rig_gives_cameras_by_name_and_subsets(ring_rig):
    assert ring_rig["cam_2"].name == "cam_2"
    assert ring_rig.subset(["cam_4", "cam_1"]).names == ("cam_4", "cam_1")
    assert len(list(ring_rig)) == len(ring_rig) == 6
    assert ring_rig.projection_matrices.shape == (6, 3, 4)
    with pytest.raises(KeyError, match="no camera 'front'"):
        ring_rig["front"]


def test_repeated_names_are_refused(ring_rig):
    with pytest.raises(ValueError, match="several cameras named"):
        CameraRig((ring_rig[0], ring_rig[0]))


def test_pixels_of_another_number_of_cameras_are_refused(ring_rig):
    with pytest.raises(ValueError, match="must be its 6 cameras"):
        ring_rig.undistort(np.zeros((3, 5, 2)))


def test_each_camera_alone_sees_what_the_rig_sees(ring_rig):
    points = np.random.default_rng(0).uniform(-250, 250, (9, 3))
    pixels = ring_rig.project(points)
    for camera, seen, slopes in zip(ring_rig, pixels, ring_rig.project_jacobian(points), strict=True):
        np.testing.assert_array_equal(camera.project(points), seen)
        np.testing.assert_array_equal(camera.project_jacobian(points), slopes)
    np.testing.assert_allclose(ring_rig.distort(ring_rig.undistort(pixels)), pixels, atol=1e-8)
