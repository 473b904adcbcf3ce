"""Several files per camera are an ensemble; what does not fit together is named with its file."""

import numpy as np
import pytest

from muybridge.datasets import write_dataset
from muybridge.formats import FormatError, read_views
from tests.formats.predictions.test_reading import write_dlc
from tests.helpers import SHARED, needs_shared

CAMERAS = ("left", "right")


@pytest.fixture
def points():
    """(n_detectors, n_cameras, n_frames, n_keypoints, 2)"""
    return np.random.default_rng(1).uniform(0, 500, (3, 2, 12, 3, 2))


def written(folder, points):
    return {
        camera: [write_dlc(folder / f"{camera}_{i}.csv", own[c]) for i, own in enumerate(points)]
        for c, camera in enumerate(CAMERAS)
    }


def test_a_list_of_files_per_camera_is_an_ensemble(tmp_path, points):
    views = read_views(written(tmp_path, points), fps=50)
    assert views["position"].dims == ("detector", "view", "time", "keypoint", "space")
    assert list(views["detector"].values) == ["detector_0", "detector_1", "detector_2"]
    np.testing.assert_array_equal(views["position"].values, points)
    np.testing.assert_array_equal(views["confidence"].values, 1)
    again = read_views(write_dataset(views, tmp_path / "views.nc"))
    np.testing.assert_array_equal(again["position"].values, points)


def test_an_ensemble_of_one_keeps_its_dimension(tmp_path, points):
    assert read_views(written(tmp_path, points[:1]), fps=50).sizes["detector"] == 1


def test_keypoints_are_matched_by_name(tmp_path, points):
    files = written(tmp_path, points)
    write_dlc(files["left"][1], points[1, 0][:, ::-1], keypoints=("paw", "tail", "nose"))
    write_dlc(files["right"][1], points[1, 1][:, ::-1], keypoints=("paw", "tail", "nose"))
    np.testing.assert_array_equal(read_views(files, fps=50)["position"].values, points)


def test_another_number_of_files_is_refused(tmp_path, points):
    files = written(tmp_path, points)
    files["right"].pop()
    with pytest.raises(
        FormatError, match=r"camera 'right' has 2 files of 2D points \(.*right_1.csv\) and camera 'left' 3"
    ):
        read_views(files, fps=50)
    with pytest.raises(FormatError, match="camera 'left' has 0 files"):
        read_views({"left": []}, fps=50)


def test_another_number_of_frames_is_named_with_its_file_or_filled_up(tmp_path, points):
    files = written(tmp_path, points)
    write_dlc(files["right"][2], points[2, 1, :10])
    with pytest.raises(FormatError, match=r"camera 'right': .*right_2.csv has 10 frames and .*right_0.csv 12"):
        read_views(files, fps=50)
    views = read_views(files, fps=50, pad=True)
    assert np.isnan(views["position"].values[2, 1, 10:]).all()
    np.testing.assert_array_equal(views["position"].values[:, 0], points[:, 0])


def test_other_keypoints_are_named_with_their_file_or_chosen(tmp_path, points):
    files = written(tmp_path, points)
    write_dlc(files["left"][1], points[1, 0], keypoints=("nose", "tail", "ear"))
    with pytest.raises(FormatError, match=r"left_1.csv has other keypoints than .*left_0.csv: \['ear', 'paw'\]"):
        read_views(files, fps=50)
    views = read_views(files, fps=50, keypoints=["tail", "nose"])
    np.testing.assert_array_equal(views["position"].values, points[..., [1, 0], :])


def test_other_individuals_are_named_with_their_file(tmp_path, points):
    files = written(tmp_path, points)
    write_dlc(files["left"][1], points[1, 0], individuals=["mickey"])
    with pytest.raises(
        FormatError, match=r"left_1.csv has the individuals \('mickey',\) and .*left_0.csv of one animal"
    ):
        read_views(files, fps=50)


def test_a_file_of_a_camera_that_holds_several_detectors_is_refused(tmp_path, points):
    path = write_dataset(read_views({"left": written(tmp_path, points)["left"]}, fps=50), tmp_path / "left.nc")
    with pytest.raises(FormatError, match=r"left.nc holds the predictions of several detectors"):
        read_views({"left": path})


@needs_shared
@pytest.mark.shared
def test_three_detectors_of_a_fly_are_read():
    folder = SHARED / "data" / "fly_ensemble"
    stem = "05272019_fly4_0_R1C24_{}_rot-ccw-0.06_sec.rng={}.csv"
    views = read_views({c: [folder / stem.format(c, i) for i in range(3)] for c in ("Cam-A", "Cam-B")}, fps=300)
    assert views["position"].shape == (3, 2, 500, 12, 2)
