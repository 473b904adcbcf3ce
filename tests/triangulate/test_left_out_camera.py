"""Leaving a camera out ranks methods without knowing the truth."""

import numpy as np
import pytest

from muybridge.datasets import DatasetError, views_dataset
from muybridge.triangulate import leave_one_camera_out, predict_left_out, smooth, triangulate_dlt, triangulate_ransac
from tests.triangulate.recordings import FPS, seen


def test_the_better_method_predicts_the_unseen_camera_better(ring_rig, skeleton, moving_skeleton):
    points_2d, confidence, _ = seen(ring_rig, moving_skeleton)
    methods = {
        "dlt": lambda y, rig, c: triangulate_dlt(y, rig, confidence=c),
        "ransac": lambda y, rig, c: triangulate_ransac(y, rig, confidence=c),
        "smooth": lambda y, rig, c: smooth(y, rig, fps=FPS, confidence=c, skeleton=skeleton),
    }
    table = leave_one_camera_out(points_2d, ring_rig, methods, confidence=confidence)
    median = table.xs("all", level="camera")["median_px"]
    assert median["smooth"] < median["ransac"] < median["dlt"]
    assert median["smooth"] == pytest.approx(np.sqrt(2 * np.log(2)), rel=0.1)  # the pixel noise itself
    assert table.loc[("dlt", "cam_0"), "n"] > 1000
    assert (table["large"] < 0.2).all()


def test_two_cameras_cannot_judge(ring_rig, moving_skeleton):
    pair = ring_rig.subset(["cam_0", "cam_1"])
    with pytest.raises(ValueError, match="three"):
        leave_one_camera_out(pair.project(moving_skeleton), pair, {"dlt": lambda y, rig, c: triangulate_dlt(y, rig)})


def test_one_line_ranks_the_methods_of_a_recording(ring_rig, skeleton, moving_skeleton):
    points_2d, confidence, _ = seen(ring_rig, moving_skeleton[:90])
    views = views_dataset(
        points_2d,
        cameras=ring_rig.names,
        keypoints=skeleton.keypoints,
        times=np.arange(90) / FPS,
        confidence=confidence,
    )
    table = predict_left_out(views, ring_rig, ["dlt", "ransac", "smooth"], skeleton=skeleton, n_frames=60)
    median = table.xs("all", level="camera")["median_px"]
    assert median["smooth"] < median["ransac"] < median["dlt"]
    assert table.xs("all", level="camera")["n"].max() <= 60 * 7 * 6
    assert set(table.loc["smooth"].index) == {*ring_rig.names, "all"}
    with pytest.raises(ValueError, match="three"):
        predict_left_out(views.isel(view=[0, 1]), ring_rig, "dlt")
    with pytest.raises(DatasetError, match="does not have"):
        predict_left_out(views.assign_coords(view=list("abcdef")), ring_rig)
