"""2D points in NWB's layout of ndx-pose: of one camera, of several, and of none."""

import h5py
import numpy as np
import pytest

from muybridge.datasets import views_dataset
from muybridge.formats import FormatError, read_views, write_views

N_FRAMES, NAMES = 6, ("nose", "tail")


def write(path, containers, n_axes=2):
    rng, written = np.random.default_rng(0), {}
    with h5py.File(path, "w") as file:
        for container in containers:
            points = rng.uniform(0, 500, (N_FRAMES, len(NAMES), n_axes))
            points[2, 1] = np.nan
            group = file.create_group(f"processing/behavior/{container}")
            group.attrs["neurodata_type"] = "PoseEstimation"
            for k, name in enumerate(NAMES):
                series = group.create_group(name)
                series.attrs["neurodata_type"] = "PoseEstimationSeries"
                series["data"] = points[:, k]
                series["timestamps"] = np.arange(N_FRAMES) / 25 + 3
                series["confidence"] = np.full(N_FRAMES, 0.75)
            written[container] = points
    return written


def positions(views):
    return views["position"].transpose("view", "time", "keypoint", "space").values


def test_a_file_per_camera(tmp_path):
    points = {camera: write(tmp_path / f"{camera}.nwb", ["PoseEstimation"]) for camera in ("left", "right")}
    views = read_views({camera: tmp_path / f"{camera}.nwb" for camera in points})
    assert np.array_equal(
        positions(views), np.stack([own["PoseEstimation"] for own in points.values()]), equal_nan=True
    )
    assert list(views["keypoint"].values) == list(NAMES)
    assert np.allclose(np.diff(views["time"].values), 1 / 25)
    assert float(views["confidence"].max()) == 0.75


def test_one_file_of_all_cameras(tmp_path):
    points = write(tmp_path / "all.nwb", ["PoseEstimationLeft", "PoseEstimationRight"])
    views = read_views(dict.fromkeys(("Left", "Right"), tmp_path / "all.nwb"))
    assert np.array_equal(positions(views), np.stack(list(points.values())), equal_nan=True)


def test_points_in_3d_and_unknown_cameras_are_refused_with_what_is_there(tmp_path):
    write(tmp_path / "pose.nwb", ["PoseEstimation"], n_axes=3)
    with pytest.raises(FormatError, match="no 2D points"):
        read_views({"left": tmp_path / "pose.nwb"})
    write(tmp_path / "all.nwb", ["PoseEstimationLeft", "PoseEstimationRight"])
    with pytest.raises(FormatError, match=r"PoseEstimationLeft.*'top'"):
        read_views({"top": tmp_path / "all.nwb"})


def make_views(cameras=("cam1", "cam10")):
    points = np.random.default_rng(0).uniform(0, 500, (2, 5, 2, 2))
    points[1, 3, 0] = np.nan
    confidence = np.random.default_rng(1).uniform(0.1, 1, (2, 5, 2)) * np.isfinite(points[..., 0])
    times = 2 + np.arange(5) / 29.97
    return views_dataset(points, cameras=list(cameras), keypoints=["tail", "nose"], times=times, confidence=confidence)


def test_what_is_written_comes_back_with_names_order_times_and_confidence(tmp_path):
    pynwb = pytest.importorskip("pynwb")
    pytest.importorskip("ndx_pose")
    views = make_views()
    (path,) = write_views(views, tmp_path, format="nwb")
    again = read_views(dict.fromkeys(("cam1", "cam10"), path))
    for name in ("position", "confidence", "time", "view", "keypoint"):
        np.testing.assert_array_equal(again[name].values, views[name].values)
    assert not pynwb.validate(path=str(path))


def test_what_nwb_cannot_hold_is_refused(tmp_path):
    pytest.importorskip("ndx_pose")
    with pytest.raises(FormatError, match="camera's name 'a/b'"):
        write_views(make_views(("a/b", "c")), tmp_path, format="nwb")
    with pytest.raises(FormatError, match="one individual: write views"):
        write_views(make_views().expand_dims(individual=["a", "b"]), tmp_path, format="nwb")
