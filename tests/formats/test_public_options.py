"""Every documented option of the functions of formats works."""

from importlib.util import find_spec

import numpy as np
import xarray as xr

from muybridge import formats
from muybridge.datasets import pose_dataset
from tests.conftest import make_ring_rig
from tests.public_options import assert_all_functions_are_called, assert_options_can_be_given

TIMES = np.arange(3) / 50
POINTS = np.random.default_rng(0).uniform(-1, 1, (3, 2, 3))
POSE = pose_dataset(POINTS, keypoints=["nose", "tail"], times=TIMES, unit="cm")
TABLE = """scorer,me,me,me,me,me,me
bodyparts,nose,nose,nose,tail,tail,tail
coords,x,y,likelihood,x,y,likelihood
0,12.5,30,0.9,1,2,0.8
1,13.5,30,0.9,2,2,0.8
"""


def test_every_public_function_is_called():
    called = {"fit_dlt", "from_movement", "read_kinematics", "read_pose", "read_views", "to_movement"}
    assert_all_functions_are_called(formats, called | {"write_kinematics", "write_pose", "write_views"})


def test_every_documented_option_of_poses_can_be_given(tmp_path):
    calls = [((POSE, tmp_path / "pose.nc"), {}), ((POSE, tmp_path / "pose.csv"), {"plain": True})]
    calls.append(((POSE, tmp_path / "points3d.h5"), {"format": "sleap-anipose-h5"}))
    if find_spec("ndx_pose"):
        calls.append(((POSE, tmp_path / "pose.nwb"), {"rig": make_ring_rig(2)}))
    else:
        calls.append(((POSE, tmp_path / "rigless.nc"), {"rig": None}))
    assert_options_can_be_given(formats.write_pose, calls)
    calls = [((tmp_path / "pose.csv",), {"fps": 100, "unit": "m"})]
    calls.append(((tmp_path / "points3d.h5",), {"fps": 100, "keypoints": ["nose", "tail"]}))
    assert_options_can_be_given(formats.read_pose, calls)
    assert formats.read_pose(tmp_path / "points3d.h5", **calls[1][1])["keypoint"].values.tolist() == ["nose", "tail"]
    found = formats.read_pose(tmp_path / "pose.csv", fps=100, unit="m")
    assert (found["position"].attrs["units"], found["time"].values[-1]) == ("m", 0.02)
    assert_options_can_be_given(formats.to_movement, [((POSE,), {"plural": True})])
    flat = formats.to_movement(POSE).isel(space=[0, 1])
    found = formats.from_movement(flat, view="top", fps=10)
    assert (list(found["view"].values), found["time"].values[-1]) == (["top"], 0.2)
    assert_options_can_be_given(formats.from_movement, [((POSE,), {"fps": 10, "unit": "m", "view": "a"})])


def test_every_documented_option_of_kinematics_can_be_given(tmp_path):
    angle = xr.Variable(("time", "joint"), [[0.5], [1.25]], {"units": "rad"})
    angles = xr.Dataset({"angle": angle}, {"time": [0.0, 0.02], "joint": ["knee"]})
    assert_options_can_be_given(formats.write_kinematics, [((angles, tmp_path / "a.sto"), {"format": "mot"})])
    assert formats.read_kinematics((tmp_path / "a.sto").rename(tmp_path / "a.mot"))["joint"].values.tolist() == ["knee"]


def test_every_documented_option_of_views_can_be_given(tmp_path):
    (tmp_path / "top.csv").write_text(TABLE)
    (tmp_path / "side.csv").write_text(TABLE + "2,14.5,30,0.9,3,2,0.8\n")
    sources = {name: tmp_path / f"{name}.csv" for name in ("top", "side")}
    calls = [
        ((sources,), {"fps": 50, "keypoints": ["tail"], "pad": True}),
        ((sources,), {"times": [0.0, 0.1, 0.3], "pad": True}),
        ((sources,), {"times": {"top": [0.0, 0.1], "side": [0.0, 0.1, 0.2]}, "individuals": "numbered"}),
    ]
    assert_options_can_be_given(formats.read_views, calls)
    found = formats.read_views(sources, times=[0.0, 0.1, 0.3], pad=True)
    assert found["time"].values.tolist() == [0.0, 0.1, 0.3]
    assert found["confidence"].sel(view="top").values[-1].tolist() == [0, 0]


def test_every_documented_option_of_written_views_can_be_given(tmp_path):
    (tmp_path / "top.csv").write_text(TABLE)
    views = formats.read_views({"top": tmp_path / "top.csv"}, fps=50)
    assert_options_can_be_given(formats.write_views, [((views, tmp_path / "out"), {"format": "sleap-h5"})])
    assert (tmp_path / "out" / "top.analysis.h5").is_file()


def test_coefficients_take_points_of_any_number():
    points_3d = np.random.default_rng(0).uniform(-1, 1, (8, 3))
    points_2d = np.column_stack([points_3d[:, 0] / (3 + points_3d[:, 2]), points_3d[:, 1] / (3 + points_3d[:, 2])])
    assert_options_can_be_given(formats.fit_dlt, [((points_3d, points_2d), {})])
