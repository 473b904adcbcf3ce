"""Parquet, NWB, C3D, MOT, CSV with covariances, and movement: what they keep comes back exactly."""

import datetime
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from muybridge.cameras import Camera, CameraRig, read_rig
from muybridge.datasets import pose_dataset, views_dataset
from muybridge.formats import (
    FormatError,
    from_movement,
    read_kinematics,
    read_pose,
    to_movement,
    write_kinematics,
    write_pose,
)
from muybridge.formats import files as format_files

NAMES = ["tail base", "nose", "left_paw"]


def rich_pose(n_frames=9, n_individuals=0, fps=125.0, **attributes):
    rng = np.random.default_rng(3)
    lead = (n_individuals,) if n_individuals else ()
    points_3d = rng.normal(0, 100, (*lead, n_frames, 3, 3))
    points_3d[..., 4 % n_frames, 1, :] = np.nan
    spread = rng.normal(size=(*points_3d.shape, 3))
    pose = pose_dataset(
        points_3d,
        keypoints=NAMES,
        times=0.32 + np.arange(n_frames) / fps,
        unit="cm",
        cameras=["a", "b"],
        confidence=rng.uniform(size=points_3d.shape[:-1]),
        covariance=spread @ np.swapaxes(spread, -1, -2),
        reprojection_error=rng.gamma(2, 1, (*lead, 2, *points_3d.shape[len(lead) : -1])),
        n_cameras=rng.integers(0, 3, points_3d.shape[:-1]),
        velocity=rng.normal(size=points_3d.shape),
        shared_std=rng.uniform(size=(*lead, 3)),
    ).assign_attrs(attributes)
    return pose.assign_coords(individual=["b", "a"][:n_individuals]) if n_individuals else pose


def make_angles(n=6):
    rng = np.random.default_rng(0)
    angle = rng.normal(size=(n, 2))
    angle[2, 1] = np.nan
    variables = {
        "angle": (("time", "joint"), angle, {"units": "rad"}),
        "angle_std": (("time", "joint"), rng.uniform(size=(n, 2)), {"units": "rad"}),
        "velocity": (("time", "keypoint", "space"), rng.normal(size=(n, 3, 3)), {"units": "cm/s"}),
        "stance": (("time", "limb"), rng.uniform(size=(n, 1)) > 0.5, {"units": "1"}),
    }
    coords = {"time": ("time", np.arange(n) / 50, {"units": "s"}), "joint": ["knee", "hip"], "keypoint": NAMES,
              "space": ["x", "y", "z"], "limb": ["left"]}  # fmt: skip
    return xr.Dataset(variables, coords, {"zero_and_sign": '{"knee": "straight is 0"}', "n": 3})


def small_rig():
    K = np.array([[600.125, 0, 320], [0, 601, 240.3], [0, 0, 1]])
    R = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    R = R * np.sign(np.linalg.det(R))
    cameras = (
        Camera("left", (640, 480), K, [0.1, -0.03, 1e-4, 0, 0.01], R, [1 / 3, 2, 500]),
        Camera("top", (320, 240), K, [0.1, 0, 0, 0], np.eye(3), [0, 0, 400], model="fisheye"),
    )
    return CameraRig(cameras, unit="cm", up=[0, 0, 1.0])


@pytest.mark.parametrize("n_individuals", [0, 2])
def test_parquet_keeps_everything(tmp_path, n_individuals):
    pytest.importorskip("pyarrow")
    pose = rich_pose(n_individuals=n_individuals, muybridge_version="0.1", n=3, anipose=np.arange(3.0))
    again = read_pose(write_pose(pose, tmp_path / "pose.parquet"))
    assert again.drop_attrs(deep=False).identical(pose.drop_attrs(deep=False))
    assert again.attrs["n"] == 3
    assert again.attrs["anipose"] == [0.0, 1.0, 2.0]


def test_parquet_and_netcdf_keep_angles(tmp_path):
    pytest.importorskip("pyarrow")
    angles = make_angles()
    for suffix in (".parquet", ".nc"):
        again = read_kinematics(write_kinematics(angles, tmp_path / f"a{suffix}"))
        xr.testing.assert_identical(again.drop_attrs(deep=False), angles.drop_attrs(deep=False))


def test_a_parquet_of_another_tool_or_a_damaged_one_is_refused(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table({"a": [1.0]}), tmp_path / "a.parquet")
    with pytest.raises(FormatError, match="not written by muybridge"):
        read_pose(tmp_path / "a.parquet")
    path = write_pose(rich_pose(), tmp_path / "b.parquet")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(FormatError, match="cannot be read as Parquet"):
        read_pose(path)


def test_a_parquet_of_a_constant_for_ever_is_refused_before_reading(tmp_path, monkeypatch):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table({"a": np.zeros(3_000_000)}), tmp_path / "a.parquet")
    monkeypatch.setenv("MUYBRIDGE_MAX_GB", "0.001")
    with pytest.raises(FormatError, match="MUYBRIDGE_MAX_GB"):
        read_pose(tmp_path / "a.parquet")


def test_a_csv_of_everything_gives_covariances_back(tmp_path):
    pose = rich_pose()
    path = write_pose(pose, tmp_path / "all.csv", format="csv-all")
    head = path.read_text().split("\n", 1)[0].split(",")
    assert {"nose_x", "nose_covariance.xy", "nose_velocity.z", "a_nose_reprojection_error"} <= set(head)
    again = read_pose(path, unit="cm")
    for name in ("position", "covariance", "confidence"):
        np.testing.assert_array_equal(again[name].values, pose[name].values)
    assert again["keypoint"].values.tolist() == NAMES


def test_a_csv_of_angles_has_a_column_per_joint(tmp_path):
    head, first = write_kinematics(make_angles(), tmp_path / "a.csv").read_text().splitlines()[:2]
    assert head.split(",")[:5] == ["time", "knee_angle", "hip_angle", "knee_angle_std", "hip_angle_std"]
    assert first.split(",")[1] == repr(float(make_angles()["angle"].values[0, 0]))


def test_angles_come_back_from_mot(tmp_path):
    angles = make_angles()
    path = write_kinematics(angles, tmp_path / "walk.mot")
    lines = path.read_text().splitlines()
    assert lines[:7] == ["walk", "version=1", "nRows=6", "nColumns=3", "inDegrees=no", "endheader", "time\tknee\thip"]
    again = read_kinematics(path)
    np.testing.assert_array_equal(again["angle"].values, angles["angle"].values)
    np.testing.assert_array_equal(again["time"].values, angles["time"].values)
    path.write_text(path.read_text().replace("inDegrees=no", "inDegrees=yes"))
    np.testing.assert_allclose(read_kinematics(path)["angle"].values, np.deg2rad(angles["angle"].values))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: text[: text.rindex("\n", 0, -1)], "nRows=6, nColumns=3 and has 5 rows"),
        (lambda text: text[: text.rindex("\t")], r"a\.mot, row 13 is not 3 numbers"),
        (lambda text: text.replace("endheader", ""), "no header that ends with"),
        (lambda text: text.replace("nan", "x"), "row 10 is not 3 numbers"),
    ],
)
def test_what_is_wrong_with_a_mot_is_named(tmp_path, spoil, message):
    path = write_kinematics(make_angles(), tmp_path / "a.mot")
    path.write_text(spoil(path.read_text()))
    with pytest.raises(FormatError, match=message):
        read_kinematics(path)


@pytest.mark.parametrize("n_individuals", [0, 2])
def test_nwb_keeps_points_confidence_times_and_cameras(tmp_path, n_individuals):
    pytest.importorskip("ndx_pose")
    pose, rig = rich_pose(n_individuals=n_individuals, session_start_time="2026-01-02T03:04:05+01:00"), small_rig()
    path = write_pose(pose, tmp_path / "a.nwb", rig=rig)
    again, cameras = read_pose(path), read_rig(path)
    for name in ("position", "confidence"):
        np.testing.assert_array_equal(
            again[name].sel(individual=["b", "a"]) if n_individuals else again[name], pose[name]
        )
    np.testing.assert_array_equal(again["time"].values, pose["time"].values)
    assert again["keypoint"].values.tolist() == NAMES
    assert again["position"].attrs["units"] == cameras.unit == "cm"
    assert cameras.names == rig.names
    for mine, theirs in zip(rig, cameras, strict=True):
        for part in ("K", "R", "t", "size", "model"):
            np.testing.assert_array_equal(getattr(mine, part), getattr(theirs, part))
        np.testing.assert_array_equal(mine.distortion, theirs.distortion)
    np.testing.assert_array_equal(cameras.up, rig.up)


def test_the_fields_own_library_opens_the_nwb(tmp_path):
    pynwb = pytest.importorskip("pynwb")
    pytest.importorskip("ndx_pose")
    start = "2026-01-02T03:04:05+00:00"
    path = write_pose(rich_pose(session_start_time=start), tmp_path / "a.nwb", rig=small_rig())
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        file = io.read()
        container = file.processing["behavior"]["MultiCameraPoseEstimation"]
        assert container.get_pose_estimation_series("nose").data.shape == (9, 3)
        assert container.get_pose_estimation_series("nose").unit == "cm"
        assert file.session_start_time == datetime.datetime.fromisoformat(start)
        assert set(file.devices) == {"left", "top"}
        assert container.get_pose_estimation("left_view").device.name == "left"
    assert not pynwb.validate(path=str(path))


def test_what_nwb_cannot_hold_is_refused(tmp_path):
    pytest.importorskip("ndx_pose")
    pose = rich_pose().assign_coords(keypoint=["a/b", "c", "d"])
    with pytest.raises(FormatError, match="'a/b' cannot be one in NWB"):
        write_pose(pose, tmp_path / "a.nwb")
    with pytest.raises(FormatError, match="no place for cameras"):
        write_pose(pose, tmp_path / "a.trc", rig=small_rig())
    path = write_pose(rich_pose(), tmp_path / "b.nwb")
    with pytest.raises(FormatError, match="no calibrated camera"):
        read_rig(path)


def test_c3d_keeps_single_precision_names_unit_rate_and_first_frame(tmp_path):
    pytest.importorskip("ezc3d")
    pose = rich_pose()
    again = read_pose(write_pose(pose, tmp_path / "a.c3d"))
    np.testing.assert_array_equal(again["position"].values, pose["position"].values.astype(np.float32))
    assert again["keypoint"].values.tolist() == NAMES
    assert again["position"].attrs["units"] == "cm"
    np.testing.assert_allclose(again["time"].values, pose["time"].values, rtol=1e-12)


def test_c3d_refuses_what_it_would_cut_and_uneven_times(tmp_path):
    long = pose_dataset(np.zeros((65_536, 1, 3)), keypoints=["a"], times=np.arange(65_536.0), unit="mm")
    with pytest.raises(FormatError, match="counts 65535 frames, the pose has 65536"):
        write_pose(long, tmp_path / "a.c3d")
    uneven = pose_dataset(np.zeros((3, 1, 3)), keypoints=["a"], times=[0, 1, 3], unit="mm")
    with pytest.raises(FormatError, match="uneven"):
        write_pose(uneven, tmp_path / "a.c3d")
    assert not list(tmp_path.iterdir())


def test_a_c3d_that_is_cut_off_or_no_c3d_is_refused(tmp_path):
    pytest.importorskip("ezc3d")
    path = write_pose(rich_pose(200), tmp_path / "a.c3d")
    whole = path.read_bytes()
    for n in range(512, 1536 + 200 * 3 * 16, 700):
        path.write_bytes(whole[:n])
        with pytest.raises(FormatError, match="declares 200 frames of 3 points"):
            read_pose(path)
    path.write_bytes(b"nothing")
    with pytest.raises(FormatError, match="does not begin as a C3D"):
        read_pose(path)


@pytest.mark.parametrize(("suffix", "extra"), [(".c3d", "c3d"), (".nwb", "nwb"), (".parquet", "parquet")])
def test_a_missing_extra_is_one_sentence(tmp_path, monkeypatch, suffix, extra):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(format_files, "import_module", absent)
    with pytest.raises(FormatError, match=rf"pip install 'muybridge\[{extra}\]'"):
        write_pose(rich_pose(), tmp_path / f"a{suffix}")


@pytest.mark.parametrize("n_individuals", [0, 2])
@pytest.mark.parametrize("plural", [False, True])
def test_movement_and_back(n_individuals, plural):
    pose = rich_pose(n_individuals=n_individuals)
    again = from_movement(to_movement(pose, plural=plural))
    for name in ("position", "confidence"):
        xr.testing.assert_identical(again[name], pose[name].assign_attrs(again[name].attrs))
    assert again["position"].attrs["units"] == "cm"


def test_movement_in_frames_and_in_2d():
    views = views_dataset(np.ones((2, 5, 3, 2)), cameras=["a", "b"], keypoints=NAMES, times=np.arange(5) / 20)
    flat = to_movement(views.sel(view="b"))
    again = from_movement(flat, view="b")
    np.testing.assert_array_equal(again["position"].values, views["position"].sel(view=["b"]).values)
    counted = flat.assign_coords(time=np.arange(5)).assign_attrs(time_unit="frames")
    np.testing.assert_allclose(from_movement(counted)["time"].values, np.arange(5) / 20)
    np.testing.assert_allclose(from_movement(counted, fps=10)["time"].values, np.arange(5) / 10)
    with pytest.raises(FormatError, match="give fps="):
        from_movement(counted.drop_attrs())
    with pytest.raises(FormatError, match="no 'position'"):
        from_movement(xr.Dataset())


def test_files_left_by_a_failed_write_are_none(tmp_path: Path):
    with pytest.raises(FormatError, match="no angles"):
        write_kinematics(make_angles().drop_vars(["angle", "angle_std"]), tmp_path / "a.mot")
    assert not list(tmp_path.iterdir())


def test_a_csv_holds_equal_covariances_once_and_gives_both_back(tmp_path):
    pose = rich_pose()
    path = write_pose(pose, tmp_path / "all.csv", format="csv-all")
    names = path.read_text().splitlines()[0].split(",")
    own = [name for name in names if name.startswith(f"{NAMES[0]}_covariance.")]
    assert [name[-2:] for name in own] == ["xx", "xy", "xz", "yy", "yz", "zz"]
    np.testing.assert_array_equal(read_pose(path)["covariance"].values, pose["covariance"].values)
    uneven = pose["covariance"].copy()
    uneven[..., 1, 0] += 1.0
    path = write_pose(pose.assign(covariance=uneven), tmp_path / "uneven.csv", format="csv-all")
    assert f"{NAMES[0]}_covariance.yx" in path.read_text().splitlines()[0].split(",")
