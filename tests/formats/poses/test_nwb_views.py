"""2D points in NWB's layout of ndx-pose: of one camera, of several, and of none."""

import h5py
import numpy as np
import pytest

from muybridge.formats import FormatError, read_views

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
