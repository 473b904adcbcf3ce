"""Every documented option of the demo's functions works."""

from muybridge import demo
from muybridge.cameras import read_rig
from muybridge.datasets import read_dataset, views_dataset
from tests.public_options import assert_all_functions_are_called, assert_options_can_be_given


def test_every_documented_option_can_be_given(tmp_path, capsys):
    assert_all_functions_are_called(demo, ("compare_with_truth", "render_demo", "simulate_recording"))
    sizes = {"n_frames": 2, "n_board_frames": 1, "n_labelled": 1, "n_iterations": 3, "title": "t"}
    assert_options_can_be_given(demo.render_demo, [((tmp_path,), {"seed": 1, **sizes, "progress": True})])
    assert "rendering" in capsys.readouterr().err
    pose, rig = read_dataset(tmp_path / "truth.nc"), read_rig(tmp_path / "truth_rig.toml")
    views = views_dataset(
        rig.project(pose["position"].values),
        cameras=rig.names,
        keypoints=pose["keypoint"].values,
        times=pose["time"].values,
    )
    kinematics = read_dataset(tmp_path / "truth_kinematics.nc")
    given = {"rig": rig, "views": views, "pose": pose, "kinematics": kinematics}
    assert_options_can_be_given(demo.compare_with_truth, [((tmp_path,), given)])
    shares = {"fps": 50.0, "noise": 1.0, "outlier_share": 0.0, "missing_share": 0.0, "seed": 1}
    assert_options_can_be_given(demo.simulate_recording, [((), {"n_frames": 3, **shares})])
