"""Whatever a file declares is compared with what it stores before it is read; the user raises the one limit."""

import json

import h5py
import numpy as np
import pytest
import xarray as xr
from scipy.io import savemat

from muybridge.datasets import DatasetError, read_dataset
from muybridge.datasets.size_limit import oversize
from muybridge.formats import FormatError, read_pose, read_views

HUGE = 10**11
NAMES = ["nose"]


def sleap_h5(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("tracks", (1, 2, 1, HUGE), "f8", chunks=(1, 2, 1, 10_000), compression="gzip")
        file["node_names"] = np.array(NAMES, "S")


def pandas_h5(path):
    with h5py.File(path, "w") as file:
        group = file.create_group("df")
        group.attrs["pandas_type"], group.attrs["nblocks"] = np.bytes_(b"frame"), 1
        group.attrs["block0_items_nlevels"] = 3
        for i, names in enumerate((["me"], NAMES, ["x"])):
            group[f"block0_items_level{i}"], group[f"block0_items_label{i}"] = np.array(names, "S"), np.zeros(1, "i1")
        group.create_dataset("block0_values", (HUGE, 1), "f8", chunks=(10_000, 1))


def csv(path):
    path.write_text(f"scorer,a,a\nbodyparts,n,n\ncoords,x,y\n0,1,2\n{10**8},3,4\n")


def slp(path):
    frames = [
        ("frame_id", "u8"),
        ("video", "u4"),
        ("frame_idx", "u8"),
        ("instance_id_start", "u8"),
        ("instance_id_end", "u8"),
    ]
    with h5py.File(path, "w") as file:
        file.create_group("metadata").attrs["json"] = np.bytes_(json.dumps({"skeletons": [], "nodes": []}))
        file.create_dataset("frames", (HUGE,), frames, chunks=(1000,))


def openpose(path):
    path.mkdir()
    for frame in (0, HUGE):
        (path / f"{frame}.json").write_text('{"people": [{"pose_keypoints_2d": [1, 2, 0.5]}]}')


def caliscope(path):
    path.write_text(f"sync_index,cam_id,point_id,img_loc_x,img_loc_y\n0,0,0,1,2\n{HUGE},0,0,1,2\n")


def label3d(path):
    cell = np.empty((1, 1), object)
    cell[0, 0] = {"data_2d": np.ones((2, 4)), "data_frame": np.array([[0, 10**8]])}
    savemat(path, {"labelData": cell})


VIEWS = {"a.analysis.h5": sleap_h5, "a.h5": pandas_h5, "a.csv": csv, "a.slp": slp, "a_json": openpose,
         "xy.csv": caliscope, "a.mat": label3d}  # fmt: skip


@pytest.mark.parametrize("name", VIEWS)
def test_2d_points_of_a_hundred_thousand_million_frames_are_not_read(tmp_path, name):
    VIEWS[name](tmp_path / name)
    with pytest.raises(FormatError, match="MUYBRIDGE_MAX_GB="):
        read_views({"cam_0": tmp_path / name}, fps=100)


def points3d(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("tracks", (HUGE, 1, 1, 3), "f8", chunks=(10_000, 1, 1, 3))


def nwb(path):
    with h5py.File(path, "w") as file:
        series = file.create_group("processing/behavior/pose/nose")
        series.attrs["neurodata_type"] = "PoseEstimationSeries"
        series.create_dataset("data", (HUGE, 3), "f8", chunks=(10_000, 3))


def anipose(path):
    path.write_text(f"n_x,n_y,n_z,fnum\n1,2,3,0\n1,2,3,{10**8}\n")


def xyz(path):
    path.write_text(f"sync_index,point_id,x_coord,y_coord,z_coord\n0,0,1,2,3\n{HUGE},0,1,2,3\n")


POSES = {"points3d.h5": points3d, "a.nwb": nwb, "pose.csv": anipose, "xyz.csv": xyz}


@pytest.mark.parametrize("name", POSES)
def test_poses_of_a_hundred_thousand_million_frames_are_not_read(tmp_path, name):
    POSES[name](tmp_path / name)
    with pytest.raises(FormatError, match="MUYBRIDGE_MAX_GB="):
        read_pose(tmp_path / name, fps=100)


def test_a_netcdf_that_unpacks_to_much_more_is_not_read(tmp_path):
    zeros = xr.Dataset({"position": ("time", np.zeros(1000))})
    path = tmp_path / "a.nc"
    zeros.to_netcdf(path, engine="h5netcdf", unlimited_dims=["time"])
    with h5py.File(path, "a") as file:
        file["position"].resize((HUGE,))
        file["time"].resize((HUGE,))
    with pytest.raises(DatasetError, match="MUYBRIDGE_MAX_GB="):
        read_dataset(path)


def test_what_is_stored_as_it_is_declared_is_read_at_any_size(monkeypatch):
    assert oversize(50 * 2**30, 2**30) == ""
    assert "it declares 50.0 GB in 1.00 MB of file" in oversize(50 * 2**30, 2**20)
    monkeypatch.setenv("MUYBRIDGE_MAX_GB", "51")
    assert oversize(50 * 2**30, 2**20) == ""


def test_a_raised_limit_reads_what_was_refused(tmp_path, monkeypatch):
    path = tmp_path / "pose.csv"
    path.write_text("n_x,n_y,n_z,fnum\n1,2,3,0\n1,2,3,10000\n")
    monkeypatch.setenv("MUYBRIDGE_MAX_GB", "0.0001")
    with pytest.raises(FormatError, match=r"ends with frame 10000.*MUYBRIDGE_MAX_GB=2"):
        read_pose(path, fps=10)
    monkeypatch.setenv("MUYBRIDGE_MAX_GB", "2")
    assert read_pose(path, fps=10).sizes["time"] == 10001
