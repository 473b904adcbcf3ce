"""Labels of other tools become the same arrays; what is wrong with a file is said with its name."""

import json

import h5py
import numpy as np
import pytest

from muybridge.formats.labels.deeplabcut_project import write_labels
from muybridge.pose2d import LabelError, join_labels, read_labels
from tests.formats.pandas_files import write_fixed_format, write_table_format
from tests.formats.predictions.test_other_tools import slp_file
from tests.helpers import SHARED, needs_shared
from tests.pose2d.animals import (
    KEYPOINTS,
    animal_points,
    draw_animal,
    write_dlc,
    write_picture,
    write_video,
)

SIZE = (128, 96)
NAMES = [f"img{i:03d}.png" for i in range(4)]


@pytest.fixture
def pictured(tmp_path):
    """Four pictures in `cam/` and their points, one keypoint of the second missing."""
    points = animal_points(4, SIZE)
    for i, name in enumerate(NAMES):
        write_picture(tmp_path / "cam" / name, draw_animal(points[i], SIZE, i))
    points[1, 2] = np.nan
    return tmp_path / "cam", points


def assert_same(labels, points):
    assert labels.keypoints == KEYPOINTS
    np.testing.assert_allclose(labels.points_2d, points, atol=1e-3)
    assert labels.image(0).shape == (96, 128, 3)
    assert set(labels.cameras) == {"cam"}


def test_a_project_of_two_cameras_gives_each_frame_its_camera_and_instant(labels):
    assert len(labels) == 48
    assert labels.camera_names == ("front", "side")
    assert labels.cameras.count("side") == 24
    assert labels.instants[:3] == (0, 1, 2)
    assert labels.symmetries == (("ear_left", "ear_right"),)


def test_selecting_keeps_rows_together(labels):
    chosen = labels.select([30, 2])
    assert chosen.cameras == ("side", "front")
    np.testing.assert_array_equal(chosen.points_2d[1], labels.points_2d[2])
    mask = np.array(labels.cameras) == "side"
    assert len(labels.select(mask)) == 24


def test_deeplabcut_csv_with_one_or_three_name_columns(pictured):
    folder, points = pictured
    path = write_dlc(folder, points, [f"labeled-data/cam/{name}" for name in NAMES])
    assert_same(read_labels(path), points)
    lines = path.read_text().splitlines()
    wide = [line.replace(",", ",,,", 1) for line in lines[:3]]
    wide += [line.replace("labeled-data/cam/", "labeled-data,cam,", 1) for line in lines[3:]]
    path.write_text("\n".join(wide) + "\n")
    assert_same(read_labels(folder), points)


def test_frames_without_any_label_are_left_out(pictured):
    folder, points = pictured
    points[3] = np.nan
    write_dlc(folder, points, NAMES)
    assert_same(read_labels(folder), points[:3])


def test_lightning_pose_csv_lies_above_its_picture_folder(pictured):
    folder, points = pictured
    path = write_dlc(folder.parent, points, [f"cam/{name}" for name in NAMES], scorer="lp")
    assert_same(read_labels(path), points)


@pytest.mark.parametrize("parts", [False, True])
def test_deeplabcut_h5_is_read_without_unpickling(pictured, parts):
    folder, points = pictured
    columns = [("me", keypoint, coordinate) for keypoint in KEYPOINTS for coordinate in "xy"]
    path = folder / "CollectedData_me.h5"
    if parts:
        write_fixed_format(path, columns, points.reshape(4, -1), [("labeled-data", "cam", name) for name in NAMES])
    else:
        index = np.array([f"labeled-data/cam/{name}" for name in NAMES], "S")
        write_table_format(path, columns, points.reshape(4, -1), index)
    assert_same(read_labels(folder), points)


def test_sleap_analysis_takes_its_frames_from_the_video_beside_it(tmp_path):
    points = animal_points(6, SIZE)
    (tmp_path / "cam").mkdir()
    write_video(tmp_path / "cam" / "clip.mp4", points, SIZE)
    labelled = points.copy()
    labelled[2] = np.nan
    with h5py.File(tmp_path / "cam" / "clip.analysis.h5", "w") as file:
        file["tracks"] = labelled.transpose(2, 1, 0)[None]
        file["node_names"] = np.array(KEYPOINTS, dtype="S")
        file["video_path"] = r"D:\recordings\clip.mp4"
    labels = read_labels(tmp_path)
    assert_same(labels, points[[0, 1, 3, 4, 5]])
    assert labels.instants == (0, 1, 3, 4, 5)
    assert np.abs(labels.image(4).astype(int) - draw_animal(points[5], SIZE, 105)).mean() < 12


def test_a_sleap_project_gives_what_a_person_placed_in_each_of_its_videos(tmp_path):
    points = animal_points(3, SIZE)[:, :2]
    for name in ("left", "right"):
        write_video(tmp_path / f"{name}.mp4", animal_points(3, SIZE), SIZE)
    placed, guessed = [(0, 1, 0, -1, -1, points[1], None)], [(0, 2, 1, -1, -1, points[2], 0.9)]
    one = read_labels(slp_file(tmp_path / "one.slp", placed + guessed, videos=("D:/x/left.mp4",)), camera="cam")
    assert one.instants == (1,)
    assert one.cameras == ("cam",)
    np.testing.assert_array_equal(one.points_2d[0], points[1])
    rows = [*placed, *guessed, (1, 0, 0, -1, -1, points[0], None)]
    videos = ("left.mp4", "right.mp4", "unlabelled.mp4")
    both = read_labels(slp_file(tmp_path / "both.slp", rows, videos=videos))
    assert (both.cameras, both.instants) == (("left", "right"), (1, 0))
    assert both.keypoints == ("nose", "tail")
    with pytest.raises(LabelError, match="no instance"):
        read_labels(slp_file(tmp_path / "none.slp", guessed, videos=("left.mp4",)))


def test_coco_keypoints_move_by_half_a_pixel_and_skip_what_is_not_labelled(pictured):
    folder, points = pictured
    annotations = [
        {"image_id": i, "keypoints": coco_row(p)}
        for i, p in enumerate(points)
    ]  # fmt: skip
    images = [{"id": i, "file_name": name} for i, name in enumerate(NAMES)]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "keypoints": KEYPOINTS}]}
    (folder / "coco.json").write_text(json.dumps(content))
    assert_same(read_labels(folder), points)


def coco_row(points):
    return np.nan_to_num(np.column_stack([points + 0.5, np.isfinite(points[:, 0]) * 2])).ravel().tolist()


def test_joined_labels_know_all_keypoints_and_are_missing_where_a_part_lacks_one(labels):
    part = labels.select(range(2)).select_keypoints(["tail", "nose"])
    both = join_labels([labels.select([5]), part])
    assert both.keypoints == KEYPOINTS
    assert np.isnan(both.points_2d[1:, 1:3]).all()
    np.testing.assert_array_equal(both.points_2d[1:, 0], labels.points_2d[:2, 0])


def test_what_is_wrong_with_a_label_file_is_said(pictured, tmp_path):
    folder, points = pictured
    path = write_dlc(folder, points, ["img000.png", "img001.png", "gone.png", "img003.png"])
    with pytest.raises(LabelError, match=r"1 of 4 labelled images are missing, the first is .*gone\.png"):
        read_labels(path)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(LabelError, match="header rows scorer, bodyparts, coords"):
        read_labels(path)
    write_dlc(folder, points[:0], [])
    with pytest.raises(LabelError, match="holds no labelled frame"):
        read_labels(path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(LabelError, match="holds no label files"):
        read_labels(tmp_path / "empty")
    with pytest.raises(LabelError, match="there is no label file or folder"):
        read_labels(tmp_path / "absent")


@needs_shared
@pytest.mark.shared
def test_the_open_field_csv_and_h5_hold_the_same_labels():
    folder = SHARED / "data" / "openfield" / "labeled-data" / "m4s1"
    csv, h5 = (read_labels(next(folder.glob(f"*.{suffix}"))) for suffix in ("csv", "h5"))
    assert csv.keypoints == h5.keypoints == ("snout", "leftear", "rightear", "tailbase")
    assert len(csv) == 116
    np.testing.assert_array_equal(csv.points_2d, h5.points_2d)
    assert csv.pictures == h5.pictures


def test_labels_are_written_as_csv_and_as_the_h5_that_labellers_open(tmp_path):
    tables = pytest.importorskip("pandas")
    pytest.importorskip("tables", reason="pandas.read_hdf needs PyTables")
    points = animal_points(2, SIZE)
    points[1, 2] = np.nan
    names = [f"labeled-data/cam/{name}" for name in NAMES[:2]]
    folder = tmp_path / "labeled-data" / "cam"
    write_labels(folder / "CollectedData_me.csv", names, points, KEYPOINTS, "me")
    for name in NAMES[:2]:
        write_picture(folder / name, draw_animal(points[0], SIZE, 0))
    csv, h5 = (read_labels(folder / f"CollectedData_me{suffix}") for suffix in (".csv", ".h5"))
    np.testing.assert_array_equal(csv.points_2d, h5.points_2d)
    assert csv.pictures == h5.pictures
    table = tables.read_hdf(folder / "CollectedData_me.h5")
    assert table.index.tolist() == [("labeled-data", "cam", name) for name in NAMES[:2]]
    assert table.columns.names == ["scorer", "bodyparts", "coords"]


@pytest.mark.parametrize("name", ["../../endless.png", "endless.png"])
def test_a_picture_that_labels_name_outside_or_without_an_end_is_no_picture(tmp_path, name):
    folder = tmp_path / "labels" / "cam"
    folder.mkdir(parents=True)
    ((folder / name).resolve()).symlink_to("/dev/zero")
    (folder / "CollectedData_me.csv").write_text(f"scorer,me,me\nbodyparts,n,n\ncoords,x,y\n{name},1,2\n")
    with pytest.raises(LabelError, match=r"images are missing, the first is .*endless\.png"):
        read_labels(folder / "CollectedData_me.csv")
