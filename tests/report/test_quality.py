import json

import numpy as np
import pytest

from muybridge.report import quality
from muybridge.report.reprojection import reprojection_errors


def test_camera_table_counts_what_is_missing(session, rig):
    views = session["views"].copy(deep=True)
    views["position"][2] = np.nan
    errors = reprojection_errors(views, session["pose"].drop_vars("reprojection_error"), rig)
    table = quality.camera_table(views, errors)
    assert table.index.tolist() == [*rig.names, "all"]
    assert table.loc["cam_2", "missing"] == 1
    assert table.loc["cam_2", "points"] == 0
    assert np.isnan(table.loc["cam_2", "median px"])
    assert table.loc["cam_0", "median px"] == pytest.approx(1.2, abs=0.2)


def test_keypoint_table_has_a_row_for_each_and_for_all(session, rig, skeleton):
    errors = session["pose"]["reprojection_error"]
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
