import numpy as np
import pytest
import xarray as xr

from muybridge.datasets import DatasetError, check_kinematics, check_pose, check_views
from tests.datasets.small_datasets import some_pose, some_views


def test_half_a_point_is_a_missing_point():
    views = some_views()
    views["position"][0, 0, 0, 0] = np.nan
    checked = check_views(views)
    assert np.isnan(checked["position"].values[0, 0, 0]).all()
    assert np.isfinite(checked["position"].values).sum() == views["position"].size - 2


def test_dimensions_come_out_in_the_librarys_order():
    shuffled = some_views().transpose("space", "keypoint", "time", "view")
    assert check_views(shuffled)["position"].dims == ("view", "time", "keypoint", "space")


def test_plural_names_of_older_files_are_understood():
    old = some_views().rename({"keypoint": "keypoints", "view": "views"})
    assert set(check_views(old).dims) == {"view", "time", "keypoint", "space"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cameras": ["left"]}, "2 entries along 'view' where 1"),
        ({"cameras": ["left", "left"]}, "repeats the names"),
        ({"times": np.zeros(5)}, "does not increase at frame 1"),
        ({"times": np.array([0, 1, np.nan, 3, 4])}, "finite seconds"),
        ({"confidence": np.full((2, 5, 3), 7.0)}, "holds 7; it is a probability"),
        ({"points_2d": np.full((2, 5, 3, 2), np.inf)}, "infinite"),
        ({"points_2d": np.ones((5, 3, 2))}, "expected the axes"),
    ],
)
def test_views_that_cannot_be_say_why(change, message):
    with pytest.raises(DatasetError, match=message):
        some_views(**change)


def test_what_is_no_dataset_is_refused():
    with pytest.raises(DatasetError, match="got ndarray"):
        check_views(np.zeros(3))  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match="lacks the variable 'position'"):
        check_pose(xr.Dataset())


def test_a_pose_without_a_unit_is_refused():
    pose = some_pose()
    del pose["position"].attrs["units"]
    with pytest.raises(DatasetError, match="world unit"):
        check_pose(pose)


def test_kinematics_need_units():
    angles = xr.Dataset(
        {"angle": (("time", "joint"), np.zeros((2, 1)))}, coords={"time": [0.0, 1.0], "joint": ["knee"]}
    )
    with pytest.raises(DatasetError, match=r"\['angle'\] have no 'units'"):
        check_kinematics(angles)
