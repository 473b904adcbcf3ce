import json

import numpy as np
import pytest

from muybridge.report import quality


def test_errors_are_distances_in_the_image(session, rig):
    views, pose = session["views"], session["pose"]
    errors = quality.reprojection_errors(views, pose, rig)
    expected = np.linalg.norm(rig.project(pose["position"].values) - views["position"].values, axis=-1)
    np.testing.assert_allclose(errors.values, expected)


def test_errors_need_no_rig_where_the_pose_carries_them(session):
    np.testing.assert_array_equal(
        quality.reprojection_errors(None, session["pose"], None), session["pose"]["reprojection_error"]
    )
    assert quality.reprojection_errors(session["views"], None, None) is None


def test_views_and_pose_are_matched_by_time_and_name(session, rig):
    views, pose = session["views"], session["pose"]
    whole = quality.reprojection_errors(views, pose, rig)
    part = quality.reprojection_errors(
        views.isel(view=[2, 0]), pose.isel(time=slice(10, None, 2), keypoint=slice(None, None, -1)), rig
    )
    assert np.isnan(part.values[:, :10]).all()
    assert np.isnan(part.values[:, 11::2]).all()
    np.testing.assert_allclose(part.values[:, 10::2], whole.values[[2, 0]][:, 10::2])


def test_instants_are_found_within_a_quarter_of_a_frame():
    times = np.array([0.0, 0.1, 0.2, 0.4])
    found = quality.instants_of(times, np.array([-0.2, 0.01, 0.09, 0.21, 0.3, 0.41, 0.6]))
    assert found.tolist() == [-1, 0, 1, 2, -1, 3, -1]
    assert quality.instants_of(np.array([]), np.array([1.0])).tolist() == [-1]
    assert quality.instants_of(np.array([2.0]), np.array([2.0])).tolist() == [0]


def test_camera_table_counts_what_is_missing(session, rig):
    views = session["views"].copy(deep=True)
    views["position"][2] = np.nan
    table = quality.camera_table(views, quality.reprojection_errors(views, session["pose"], rig))
    assert table.index.tolist() == [*rig.names, "all"]
    assert table.loc["cam_2", "missing"] == 1
    assert table.loc["cam_2", "points"] == 0
    assert np.isnan(table.loc["cam_2", "median px"])
    assert table.loc["cam_0", "median px"] == pytest.approx(1.2, abs=0.2)


def test_keypoint_table_has_a_row_for_each_and_for_all(session, rig, skeleton):
    errors = quality.reprojection_errors(session["views"], session["pose"], rig)
    table = quality.keypoint_table(session["pose"], session["views"], errors)
    assert table.index.tolist() == [*skeleton.keypoints, "all"]
    assert table.loc["tail", "missing 3D"] == pytest.approx(6 / 60)
    assert table.loc["nose", "sd"] == pytest.approx(np.sqrt((1 + 4 + 25) / 3) / 3)
    assert table.loc["all", "points"] == table["points"].iloc[:-1].sum()


def test_rigid_bones_have_one_length(moving_skeleton, skeleton, session):
    pose = session["pose"].copy(deep=True)
    pose["position"][:] = moving_skeleton[:60]
    lengths, names = quality.bone_lengths(pose, skeleton)
    assert names[0] == "neck – nose"
    assert np.ptp(lengths, axis=0).max() < 1e-9


def test_the_left_out_table_has_a_row_per_camera_and_the_methods_side_by_side(session):
    assert quality.left_out_table(session["pose"]) is None
    records = [
        {"method": m, "camera": c, "n": 9, "median_px": v, "p95_px": 3 * v}
        for m, v in (("ransac", 2.0), ("smooth", 1.0))
        for c in ("cam_0", "all")
    ]
    table = quality.left_out_table(session["pose"].assign_attrs(left_out=json.dumps(records)))
    assert list(table.index) == ["cam_0", "all"]
    assert table.loc["all", "smooth, median px"] == 1.0
    assert table.loc["cam_0", "ransac, p95 px"] == 6.0
