"""Poses survive the way to a file and back; a CSV is anipose's to the letter."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muybridge.datasets import DatasetError, check_pose, fps_of, pose_dataset, views_dataset
from muybridge.formats import FormatError, read_pose, to_movement, write_pose

KEYPOINTS = ["nose", "tail, base", "left_paw"]


def make_pose(n_frames=20, **changes):
    rng = np.random.default_rng(2)
    points_3d = rng.normal(0, 100, (n_frames, 3, 3))
    points_3d[4, 1] = np.nan
    error = rng.gamma(2, 1, (2, n_frames, 3))
    error[0, 5, 2] = np.nan
    variables = {
        "confidence": rng.uniform(size=(n_frames, 3)),
        "reprojection_error": error,
        "n_cameras": rng.integers(0, 3, (n_frames, 3)),
        "covariance": np.tile(np.eye(3) * 0.3, (n_frames, 3, 1, 1)),
    } | changes
    return pose_dataset(
        points_3d, keypoints=KEYPOINTS, times=np.arange(n_frames) / 120, unit="m", cameras=["a", "b"], **variables
    )


def anipose_table(n_frames=15):
    """What anipose's triangulate.py writes, made with pandas as it does."""
    rng = np.random.default_rng(0)
    table = {}
    for name in ("zeta", "alpha"):
        for axis in "xyz":
            table[f"{name}_{axis}"] = rng.normal(0, 300, n_frames)
        table[f"{name}_error"] = rng.gamma(2, 1, n_frames)
        table[f"{name}_ncams"] = rng.integers(0, 4, n_frames)
        table[f"{name}_score"] = rng.uniform(0, 1.1, n_frames)
    for key in [key for key in table if not key.endswith("ncams")]:
        table[key][3] = np.nan
    table["zeta_x"][5], table["zeta_error"][6] = 2.5e-7, 3e18
    table |= {f"M_{i}{j}": float(i == j) * 0.9 for i in range(3) for j in range(3)}
    table |= {f"center_{i}": 0.1 * i for i in range(3)}
    return pd.DataFrame(table).assign(fnum=np.arange(n_frames))


def test_netcdf_keeps_everything(tmp_path):
    pose = make_pose()
    again = read_pose(write_pose(pose, tmp_path / "pose.nc"))
    assert set(again.data_vars) == set(pose.data_vars)
    for name in pose.data_vars:
        np.testing.assert_array_equal(again[name].values, pose[name].values)
    assert again["position"].attrs["units"] == "m"


def test_a_csv_of_anipose_goes_through_to_the_letter(tmp_path):
    anipose_table().to_csv(tmp_path / "in.csv", index=False)
    pose = read_pose(tmp_path / "in.csv", fps=100)
    write_pose(pose, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == (tmp_path / "in.csv").read_text()


def test_anipose_columns_arrive_in_their_order(tmp_path):
    table = anipose_table()
    table.to_csv(tmp_path / "in.csv", index=False)
    pose = read_pose(tmp_path / "in.csv", fps=100, unit="cm")
    assert list(pose["keypoint"].values) == ["zeta", "alpha"]
    for name in ("zeta", "alpha"):
        part = pose.sel(keypoint=name)
        np.testing.assert_array_equal(part["error"].values, table[f"{name}_error"])
        np.testing.assert_array_equal(part["score"].values, table[f"{name}_score"])
        np.testing.assert_array_equal(part["n_cameras"].values, table[f"{name}_ncams"])
        np.testing.assert_array_equal(part["position"].sel(space="y").values[4:], table[f"{name}_y"][4:])
    assert np.isnan(pose["position"].values[3]).all()
    assert pose["confidence"].values.max() <= 1
    assert pose["confidence"].values[3].max() == 0
    assert pose["position"].attrs["units"] == "cm"
    np.testing.assert_allclose(pose["time"].values, np.arange(15) / 100)


def test_absent_frames_of_a_csv_are_rows_of_nan(tmp_path):
    table = anipose_table().drop(index=[6, 7]).assign(fnum=lambda t: t["fnum"] + 40)
    table.to_csv(tmp_path / "in.csv", index=False)
    pose = read_pose(tmp_path / "in.csv", fps=10)
    assert pose.sizes["time"] == 15
    assert np.isnan(pose["position"].values[6:8]).all()
    assert pose["time"].values[0] == pytest.approx(4.0)


def test_the_frame_rate_of_a_csv_is_never_assumed(tmp_path):
    anipose_table().to_csv(tmp_path / "in.csv", index=False)
    with pytest.raises(FormatError, match="give fps="):
        read_pose(tmp_path / "in.csv")


@pytest.mark.parametrize("plain", [False, True])
def test_a_pose_comes_back_from_csv_to_the_last_bit(tmp_path, plain):
    pose = make_pose()
    again = read_pose(write_pose(pose, tmp_path / "pose.csv", plain=plain), unit="m" if plain else None)
    np.testing.assert_array_equal(again["position"].values, pose["position"].values)
    np.testing.assert_array_equal(again["time"].values, pose["time"].values)
    assert list(again["keypoint"].values) == KEYPOINTS
    assert again["position"].attrs["units"] == "m"
    assert fps_of(again) == pytest.approx(120)


def test_error_cameras_and_score_come_back_from_csv(tmp_path):
    pose = make_pose()
    again = read_pose(write_pose(pose, tmp_path / "pose.csv"))
    np.testing.assert_allclose(again["error"].values, np.nanmean(pose["reprojection_error"].values, axis=0), rtol=1e-15)
    np.testing.assert_array_equal(again["n_cameras"].values, pose["n_cameras"].values)
    np.testing.assert_array_equal(again["confidence"].values, pose["confidence"].values)
    twice = read_pose(write_pose(again, tmp_path / "twice.csv"))
    np.testing.assert_array_equal(twice["error"].values, again["error"].values)


def test_a_pose_without_extras_has_empty_cells(tmp_path):
    pose = make_pose(confidence=None, reprojection_error=None, n_cameras=None)
    table = pd.read_csv(write_pose(pose, tmp_path / "pose.csv"))
    assert table["nose_error"].isna().all()
    assert table["nose_ncams"].isna().all()


def test_several_individuals_need_several_csvs(tmp_path):
    herd = pose_dataset(np.zeros((2, 5, 3, 3)), keypoints=KEYPOINTS, times=np.arange(5.0), unit="mm")
    with pytest.raises(FormatError, match="2"):
        write_pose(herd, tmp_path / "herd.csv")
    assert read_pose(write_pose(herd, tmp_path / "herd.nc")).sizes["individual"] == 2
    one = read_pose(write_pose(herd.isel(individual=[0]), tmp_path / "one.csv"))
    assert "individual" not in one.dims


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n", "NAME_x"),
        ("n_x,n_y,n_z,fnum\n1,2,3,0\n1,2", "cut off: row 3 has 2 of 4 cells"),
        ("n_x,n_y,n_z,fnum\n1,2,3\n1,2,3,1\n", "cut off: row 2 has 3 of 4 cells"),
        ("n_x,n_y,n_z,fnum\n1,2,3,0\n1,2,q,1\n", "row 3: 'n_z' is 'q' where a number"),
        ("n_x,n_y,n_z,fnum\n", "no frame"),
        ("n_x,n_y,n_z,fnum\n1,2,3,0\n1,2,3,0\n", "more than once"),
    ],
)
def test_what_is_wrong_with_a_csv_is_said(tmp_path, content, message):
    (tmp_path / "pose.csv").write_text(content)
    with pytest.raises(FormatError, match=message):
        read_pose(tmp_path / "pose.csv", fps=10)


def test_unknown_suffixes_and_other_datasets_are_refused(tmp_path):
    with pytest.raises(FormatError, match=r"'\.xlsx'"):
        write_pose(make_pose(), tmp_path / "pose.xlsx")
    with pytest.raises(FormatError, match="executes code"):
        read_pose(tmp_path / "pose.pickle")
    with pytest.raises(DatasetError):
        write_pose(make_pose().drop_vars("position"), tmp_path / "pose.csv")


def pose_of(values):
    """A pose of one keypoint with these x coordinates."""
    points_3d = np.column_stack([values, np.zeros((len(values), 2))])[:, None]
    return pose_dataset(points_3d, keypoints=["n"], times=np.arange(len(values)) / 50, unit="mm")


def test_numbers_are_written_as_repr_writes_them(tmp_path):
    rng = np.random.default_rng(0)
    values = np.concatenate(
        [
            10 ** rng.uniform(-4, 15, 12_000) * rng.choice([-1, 1], 12_000),
            np.round(rng.uniform(0, 1e4, 2000), 3),
            2.0 ** np.arange(-13, 49),
            [0.0, -0.0, 0.1, 1 / 3, 1e-4, 9007199254740993.0, 1e-300, 5e300, 5e-324],
        ]
    )
    path = write_pose(pose_of(values), tmp_path / "a.csv", plain=True)
    written = [line.split(",")[1] for line in path.read_text().splitlines()[1:]]
    assert written == [repr(float(value)) for value in values]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(allow_infinity=False), min_size=2, max_size=8))
def test_any_numbers_come_back(tmp_path, values):
    again = read_pose(write_pose(pose_of(values), tmp_path / "a.csv"))
    np.testing.assert_array_equal(again["position"].values[:, 0, 0], values)


def test_whole_numbers_have_no_point(tmp_path):
    pose = make_pose(n_cameras=np.tile([1, 2, 3], (20, 1)))
    table = pd.read_csv(write_pose(pose, tmp_path / "a.csv"), dtype=str)
    assert table["left_paw_ncams"].unique().tolist() == ["3"]
    assert table["fnum"].tolist() == [str(i) for i in range(20)]
    assert table["M_00"].unique().tolist() == ["1.0"]


@pytest.mark.parametrize(
    ("plural", "names"), [(False, ("keypoint", "individual")), (True, ("keypoints", "individuals"))]
)
def test_movement_gets_its_dimensions_and_attributes(plural, names):
    pose = make_pose()
    moved = to_movement(pose, plural=plural)
    assert moved["position"].dims == ("time", "space", *names)
    assert moved["confidence"].dims == ("time", *names)
    assert moved.attrs["ds_type"] == "poses"
    assert moved.attrs["fps"] == pytest.approx(120)
    np.testing.assert_array_equal(moved["position"].values[:, :, 1, 0], pose["position"].values[:, 1])
    back = check_pose(moved)
    np.testing.assert_array_equal(back["position"].squeeze("individual").values, pose["position"].values)


def test_movement_takes_one_view_at_a_time():
    views = views_dataset(np.zeros((2, 5, 3, 2)), cameras=["a", "b"], keypoints=KEYPOINTS, times=np.arange(5.0))
    with pytest.raises(FormatError, match="one view"):
        to_movement(views)
    assert to_movement(views.sel(view="a"))["position"].shape == (5, 2, 3, 1)
