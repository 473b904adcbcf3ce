import numpy as np
import pytest

from muybridge.datasets import DatasetError, fps_of, frame_times
from tests.datasets.small_datasets import CAMERAS, some_pose, some_views


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


def test_confidence_of_an_absent_point_is_zero_when_none_is_given():
    points_2d = np.ones((2, 5, 3, 2))
    points_2d[1, 2, 0] = np.nan
    views = some_views(points_2d=points_2d)
    assert views["confidence"].values[1, 2, 0] == 0
    assert views["confidence"].values.sum() == 29


def test_an_individual_dimension_may_lead():
    views = some_views(points_2d=np.ones((3, 2, 5, 3, 2)))
    assert views["position"].dims == ("individual", "view", "time", "keypoint", "space")
    assert views.sizes["individual"] == 3


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


@pytest.mark.parametrize("fps", ["30", None, 0, float("nan"), [30]])
def test_a_frame_rate_that_is_no_positive_number_is_refused(fps):
    with pytest.raises(DatasetError, match="positive number of frames per second"):
        frame_times(3, fps)
