"""Every documented option of the functions of cameras works."""

import numpy as np
import pytest

from muybridge import cameras
from muybridge.cameras import Region
from muybridge.datasets import views_dataset
from tests.conftest import make_ring_rig
from tests.public_options import assert_all_functions_are_called, assert_options_can_be_given

RIG = make_ring_rig()
VIEWS = views_dataset(np.ones((1, 2, 2, 2)), cameras=["box"], keypoints=["paw_top", "paw_bottom"], times=[0.0, 0.1])
PARTS = {"top": {"paw": "paw_top"}, "bottom": {"paw": "paw_bottom"}}
# {function: [(arguments, options), ...]}
CALLS = {
    "mirror_camera": [((RIG[0], [0.0, 0, 1], 100.0, "mirror"), {})],
    "move_rig": [((RIG, np.eye(3), np.zeros(3)), {"up": [0.0, 0, 1], "scale": 0.1})],
    "picture_camera": [((RIG[0],), {"crop": (0, 0), "scale": 0.5, "mirror": True, "size": (640, 512)})],
    "region_camera": [((RIG[0], Region("left", (0, 0), (640, 1024))), {})],
    "split_views": [((VIEWS, "box", PARTS), {})],
}


def test_every_public_function_is_called():
    assert_all_functions_are_called(cameras, {*CALLS, "read_rig", "write_rig"})


@pytest.mark.parametrize("name", CALLS)
def test_every_documented_option_can_be_given(name):
    assert_options_can_be_given(getattr(cameras, name), CALLS[name])


def test_every_documented_option_of_the_functions_of_files_can_be_given(tmp_path):
    pinholes = cameras.CameraRig(tuple(cameras.Camera(c.name, c.size, c.K, [], c.R, c.t) for c in RIG))
    assert_options_can_be_given(cameras.write_rig, [((pinholes, tmp_path / "rig.csv"), {})])
    options = {"size": (1280, 1024), "names": list("abcdef"), "unit": "cm", "origin": "top"}
    assert_options_can_be_given(cameras.read_rig, [((tmp_path / "rig.csv",), options)])
    found = cameras.read_rig(tmp_path / "rig.csv", **options)
    assert (found.names, found.unit, found[0].size) == (tuple("abcdef"), "cm", (1280, 1024))
