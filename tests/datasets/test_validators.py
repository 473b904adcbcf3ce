import numpy as np
import pytest
import xarray as xr

from muybridge.datasets import (
    DatasetError,
    check_kinematics,
    check_pose,
    check_views,
    fps_of,
    frame_times,
    pose_dataset,
    views_dataset,
)

CAMERAS, KEYPOINTS = ["left", "right"], ["nose", "neck", "tail"]


def some_views(**changes):
    points_2d = np.random.default_rng(0).uniform(0, 100, (2, 5, 3, 2))
    values = {"cameras": CAMERAS, "keypoints": KEYPOINTS, "times": frame_times(5, 50)} | changes
    return views_dataset(values.pop("points_2d", points_2d), **values)


def some_pose(**changes):
    points_3d = np.random.default_rng(0).uniform(0, 100, (5, 3, 3))
    values = {"keypoints": KEYPOINTS, "times": frame_times(5, 50), "unit": "mm"} | changes
    return pose_dataset(points_3d, **values)


def test_views_carry_names_seconds_and_units():
    views = some_views()
    assert views["position"].dims == ("view", "time", "keypoint", "space")
    assert views["position"].attrs["units"] == "pixel"
    assert views["time"].attrs["units"] == "s"
    np.testing.assert_allclose(views["time"], np.arange(5) / 50)


def test_the_frame_rate_is_read_from_the_times():
    assert fps_of(some_views()) == pytest.approx(50)


def test_the_frame_rate_is_never_assumed():
    views = some_views().isel(time=slice(0, 1))
    with pytest.raises(DatasetError, match="never assumed"):
        fps_of(views)
    with pytest.raises(DatasetError, match="positive number"):
        frame_times(5, np.nan)


def test_half_a_point_is_a_missing_point():
    views = some_views()
    views["position"][0, 0, 0, 0] = np.nan
    checked = check_views(views)
    assert np.isnan(checked["position"].values[0, 0, 0]).all()
    assert np.isfinite(checked["position"].values).sum() == views["position"].size - 2


def test_confidence_of_an_absent_point_is_zero_when_none_is_given():
    points_2d = np.ones((2, 5, 3, 2))
    points_2d[1, 2, 0] = np.nan
    views = some_views(points_2d=points_2d)
    assert views["confidence"].values[1, 2, 0] == 0
    assert views["confidence"].values.sum() == 29


def test_dimensions_come_out_in_the_librarys_order():
    shuffled = some_views().transpose("space", "keypoint", "time", "view")
    assert check_views(shuffled)["position"].dims == ("view", "time", "keypoint", "space")


def test_plural_names_of_older_files_are_understood():
    old = some_views().rename({"keypoint": "keypoints", "view": "views"})
    assert set(check_views(old).dims) == {"view", "time", "keypoint", "space"}


def test_an_individual_dimension_may_lead():
    views = some_views(points_2d=np.ones((3, 2, 5, 3, 2)))
    assert views["position"].dims == ("individual", "view", "time", "keypoint", "space")
    assert views.sizes["individual"] == 3


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


def test_a_pose_carries_all_the_smoothers_variables():
    pose = some_pose(
        covariance=np.ones((5, 3, 3, 3)),
        velocity=np.ones((5, 3, 3)),
        cameras=CAMERAS,
        reprojection_error=np.ones((2, 5, 3)),
        pairs=[("nose", "neck")],
        cross_covariance=np.ones((5, 1, 3, 3)),
    )
    assert pose["velocity"].attrs["units"] == "mm/s"
    assert pose["covariance"].dims == ("time", "keypoint", "space", "space_")
    assert list(pose["pair"].values) == ["nose|neck"]


def test_an_unknown_variable_of_a_pose_is_named():
    with pytest.raises(DatasetError, match=r"no variables \['speed'\]"):
        some_pose(speed=np.ones((5, 3)))


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


@pytest.mark.parametrize("fps", ["30", None, 0, float("nan"), [30]])
def test_a_frame_rate_that_is_no_positive_number_is_refused(fps):
    with pytest.raises(DatasetError, match="positive number of frames per second"):
        frame_times(3, fps)
