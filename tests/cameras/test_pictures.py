"""A camera's picture cut and resized shows the same scene in other pixels."""

import numpy as np
import pytest

from muybridge.cameras import picture_camera

POINTS = np.random.default_rng(0).uniform(-150, 150, (50, 3))


@pytest.mark.parametrize("camera", range(3))
@pytest.mark.parametrize(("crop", "scale"), [(None, 0.5), ((200, 100), 1.0), ((64, 0, 640, 512), 0.25), (None, 1.5)])
def test_pixels_of_the_part_are_those_of_the_whole_moved_and_scaled(ring_rig, camera, crop, scale):
    whole = ring_rig[camera]
    part = picture_camera(whole, crop=crop, scale=scale)
    corner = np.zeros(2) if crop is None else np.array(crop[:2])
    # the picture's corner is half a pixel before the centre of its first pixel
    expected = (whole.project(POINTS) - corner + 0.5) * scale - 0.5
    np.testing.assert_allclose(part.project(POINTS), expected, atol=1e-9)
    np.testing.assert_allclose(part.undistort(part.project(POINTS)), part.undistort(expected), atol=1e-6)
    assert part.size == tuple(round(side * scale) for side in (crop[2:] if crop and crop[2:] else whole.size - corner))


def test_a_mirrored_part_is_the_part_with_its_columns_reversed(ring_rig):
    part = picture_camera(ring_rig[0], crop=(64, 0, 640, 512), scale=0.5)
    mirrored = picture_camera(ring_rig[0], crop=(64, 0, 640, 512), scale=0.5, mirror=True)
    expected = part.project(POINTS)
    expected[:, 0] = part.size[0] - 1 - expected[:, 0]
    np.testing.assert_allclose(mirrored.project(POINTS), expected, atol=1e-9)
    assert mirrored.mirrored
    assert mirrored.size == part.size


def test_a_part_beyond_the_picture_and_a_scale_of_zero_are_refused(ring_rig):
    with pytest.raises(ValueError, match=r"640 x 512 pixels at \(900, 0\) reaches beyond"):
        picture_camera(ring_rig[0], crop=(900, 0, 640, 512))
    for corner in ((5000, 0), (0, 1024), (-1, 0, 640, 512)):
        with pytest.raises(ValueError, match=r"corner \(.*\) lies outside the calibrated picture of 1280 x 1024"):
            picture_camera(ring_rig[0], crop=corner)
    with pytest.raises(ValueError, match="scale is 0"):
        picture_camera(ring_rig[0], scale=0.0)
    with pytest.raises(ValueError, match="reaches beyond"):
        picture_camera(ring_rig[0], scale=0.5, size=(1280, 1024))
