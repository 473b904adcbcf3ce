"""What motion in depth changes in the image of a camera."""

import numpy as np
import pytest

from muybridge.cameras import Camera
from muybridge.cameras.perspective import depth_shift, orthographic_sentence


@pytest.mark.parametrize("focal", [800.0, 20000.0, 136330.0])
def test_a_point_that_comes_nearer_by_the_width_of_the_view_moves_by_the_depth_shift(focal):
    size, z = (832, 632), 10.0 * focal
    camera = Camera("front", size, [[focal, 0, 0], [0, focal, 0], [0, 0, 1]], [], np.eye(3), np.zeros(3))
    corner, width = 0.5 * np.array(size) * z / focal, size[0] * z / focal
    small = 1e-3 * width  # the shift is a derivative: a point never comes nearer by more than it is away
    moved = camera.project([*corner, z - small]) - camera.project([*corner, z])
    np.testing.assert_allclose(np.linalg.norm(moved) / 1e-3, depth_shift(size, focal), rtol=2e-3)


def test_only_very_long_lenses_are_called_orthographic():
    assert orthographic_sentence("front", (1280, 1024), 9000.0) == ""
    assert "depth along its axis is left to the other cameras" in orthographic_sentence("front", (832, 632), 136330.0)
