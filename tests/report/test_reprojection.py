import numpy as np
import pytest
import xarray as xr

from muybridge.report.reprojection import instants_of, positions_at, reproject, reprojection_errors


@pytest.fixture
def bare(session):
    """The pose without the errors that `reconstruct` stores."""
    return session["pose"].drop_vars("reprojection_error")


def test_errors_are_distances_in_the_image(session, bare, rig):
    errors = reprojection_errors(session["views"], bare, rig)
    expected = np.linalg.norm(rig.project(bare["position"].values) - session["views"]["position"].values, axis=-1)
    np.testing.assert_allclose(errors.values, expected)
    assert errors.dims == ("view", "time", "keypoint")


def test_the_errors_that_a_pose_carries_are_not_computed_again(session):
    np.testing.assert_array_equal(
        reprojection_errors(None, session["pose"], None), session["pose"]["reprojection_error"]
    )
    assert reprojection_errors(session["views"], None, None) is None


def test_errors_need_cameras_that_saw_the_views(session, bare, rig):
    assert reprojection_errors(session["views"].assign_coords(view=["x", "y", "z"]), bare, rig) is None
    assert reprojection_errors(session["views"], bare, None) is None


def test_views_and_pose_are_matched_by_time_and_name(session, bare, rig):
    views = session["views"]
    whole = reprojection_errors(views, bare, rig)
    some = bare.isel(time=slice(10, None, 2), keypoint=slice(None, None, -1))
    part = reprojection_errors(views.isel(view=[2, 0]), some, rig)
    assert np.isnan(part.values[:, :10]).all()
    assert np.isnan(part.values[:, 11::2]).all()
    np.testing.assert_allclose(part.values[:, 10::2], whole.values[[2, 0]][:, 10::2])


def test_individuals_are_projected_one_by_one(bare, rig):
    two = xr.concat([bare, bare + 1], dim="individual").assign_coords(individual=["a", "b"])
    seen = reproject(two["position"], rig)
    assert seen.dims == ("individual", "view", "time", "keypoint", "space")
    np.testing.assert_allclose(seen.sel(individual="b").values, rig.project(bare["position"].values + 1))


def test_positions_at_other_instants_and_keypoints_are_missing(bare):
    found = positions_at(bare, np.array([0.1, 99.0]), ["nose", "wing"])
    np.testing.assert_array_equal(found.values[0, 0], bare["position"].sel(time=0.1, keypoint="nose").values)
    assert np.isnan(found.values[1]).all()
    assert np.isnan(found.values[:, 1]).all()


def test_instants_are_found_within_a_quarter_of_a_frame():
    times = np.array([0.0, 0.1, 0.2, 0.4])
    found = instants_of(times, np.array([-0.2, 0.01, 0.09, 0.21, 0.3, 0.41, 0.6]))
    assert found.tolist() == [-1, 0, 1, 2, -1, 3, -1]
    assert instants_of(np.array([]), np.array([1.0])).tolist() == [-1]
    assert instants_of(np.array([2.0]), np.array([2.0])).tolist() == [0]
