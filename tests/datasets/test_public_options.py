"""Every documented option of the functions of datasets works."""

import numpy as np
import pytest
import xarray as xr

from muybridge import datasets
from tests.datasets.small_datasets import CAMERAS, KEYPOINTS, some_pose, some_views
from tests.public_options import assert_all_functions_are_called, assert_options_can_be_given

VIEWS, POSE = some_views(), some_pose()
DETECTORS = VIEWS.expand_dims(detector=["a", "b"])
POINTS_2D, POINTS_3D, TIMES = np.ones((2, 5, 3, 2)), np.ones((5, 3, 3)), np.arange(5) / 50
ANGLES = xr.Dataset(
    {"angle": (("time", "joint"), np.ones((5, 1)), {"units": "rad"})}, {"time": TIMES, "joint": ["knee"]}
)
# {function: [(arguments, options), ...]}
CALLS = {
    "check_kinematics": [((ANGLES,), {})],
    "check_pose": [((POSE,), {})],
    "check_views": [((VIEWS,), {})],
    "combine_ensemble": [((VIEWS,), {}), ((DETECTORS,), {"like": DETECTORS})],
    "fps_of": [((VIEWS,), {})],
    "frame_times": [((5, 50.0), {})],
    "pose_dataset": [
        ((POINTS_3D,), {
            "keypoints": KEYPOINTS, "times": TIMES, "unit": "mm", "cameras": CAMERAS, "pairs": [("nose", "neck")],
            "cross_covariance": np.ones((5, 1, 3, 3)), "reprojection_error": np.ones((2, 5, 3)),
        })
    ],
    "views_dataset": [
        ((POINTS_2D,), {
            "cameras": CAMERAS, "keypoints": KEYPOINTS, "times": TIMES, "confidence": np.ones((2, 5, 3)),
            "covariances_2d": np.ones((2, 5, 3, 2, 2)),
        })
    ],
    "with_provenance": [((POSE, "smooth", {"window": 0.2}), {"inputs": {"views": "0a"}})],
}  # fmt: skip


def test_every_public_function_is_called():
    assert_all_functions_are_called(datasets, {*CALLS, "content_hash", "read_dataset", "write_dataset"})


@pytest.mark.parametrize("name", CALLS)
def test_every_documented_option_can_be_given(name):
    assert_options_can_be_given(getattr(datasets, name), CALLS[name])


def test_every_documented_option_of_the_functions_of_files_can_be_given(tmp_path):
    path = tmp_path / "pose.nc"
    for name, arguments in (("write_dataset", (POSE, path)), ("read_dataset", (path,)), ("content_hash", (path,))):
        assert_options_can_be_given(getattr(datasets, name), [(arguments, {})])
