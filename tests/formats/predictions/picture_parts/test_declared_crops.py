"""2D points of a part of the picture, as the tools' own files declare it, are read as those of the whole picture."""

import pickle  # noqa: TID251 - what hostile and other files are made of

import numpy as np
import pytest

from muybridge.formats import read_views

HEADER = "scorer,net,net,net\nbodyparts,nose,nose,nose\ncoords,x,y,likelihood\n"
POINTS = np.array([[10.5, 20.0], [11.5, 21.0], [12.5, 22.0]])
STEM = "cam1DLC_resnet50_projshuffle1_1000"


def write_points(path, points=POINTS):
    path.write_text(HEADER + "".join(f"{i},{x},{y},0.9\n" for i, (x, y) in enumerate(points)))
    return path


def positions(path):
    return read_views({"cam1": path}, fps=30)["position"].values[0, :, 0]


def metadata(cropping, part=(100, 260, 40, 160), protocol=4):
    data = {"start": 1.5, "DLC-model-config file": {"crop": True, "all_joints": [[0], [1]]}, "fps": 30.0,
            "cropping": cropping, "cropping_parameters": list(part)}  # fmt: skip
    return pickle.dumps({"data": data}, protocol=protocol)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("name", [f"{STEM}_meta.pickle", f"{STEM}includingmetadata.pickle"])
def test_a_crop_of_deeplabcut_is_added(tmp_path, name, protocol):
    path = write_points(tmp_path / f"{STEM}.csv")
    (tmp_path / name).write_bytes(metadata(True, protocol=protocol))
    np.testing.assert_allclose(positions(path), np.add(POINTS, [100, 40]))
    views = read_views({"cam1": path}, fps=30)
    assert f"camera 'cam1': the points of {path.name} were counted from the corner (100, 40)" in views.attrs["notes"]


def test_filtered_points_have_the_crop_of_those_that_they_were_made_of(tmp_path):
    path = write_points(tmp_path / f"{STEM}_filtered.csv")
    (tmp_path / f"{STEM}_meta.pickle").write_bytes(metadata(True))
    np.testing.assert_allclose(positions(path), np.add(POINTS, [100, 40]))


def test_without_a_crop_or_with_points_of_the_whole_picture_nothing_is_added(tmp_path):
    path = write_points(tmp_path / f"{STEM}.csv")
    (tmp_path / f"{STEM}_meta.pickle").write_bytes(metadata(False))
    np.testing.assert_allclose(positions(path), POINTS)
    (tmp_path / f"{STEM}_meta.pickle").write_bytes(metadata(True))
    whole = write_points(path, np.add(POINTS, [300, 200]))
    np.testing.assert_allclose(positions(whole), np.add(POINTS, [300, 200]))


def test_metadata_are_scanned_and_not_run(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (open, (str(tmp_path / "written"), "w"))

    path = write_points(tmp_path / f"{STEM}.csv")
    harmful = {"data": {"x": Harmful(), "cropping": True, "cropping_parameters": [100, 260, 40, 160]}}
    (tmp_path / f"{STEM}_meta.pickle").write_bytes(pickle.dumps(harmful))
    (tmp_path / "written").unlink(missing_ok=True)
    np.testing.assert_allclose(positions(path), np.add(POINTS, [100, 40]))
    assert not (tmp_path / "written").exists()
    (tmp_path / f"{STEM}_meta.pickle").write_bytes(b"no pickle")
    np.testing.assert_allclose(positions(path), POINTS)


@pytest.mark.parametrize(("cropping", "added"), [("true", [100, 40]), ("false", [0, 0])])
def test_a_crop_of_the_project_s_config_is_added(tmp_path, cropping, added):
    (tmp_path / "videos").mkdir()
    path = write_points(tmp_path / "videos" / f"{STEM}.csv")
    text = f"Task: proj\ncropping: {cropping}\n# where\nx1: 100\nx2: 260\ny1: 40\ny2: 160\nvideo_sets:\n  a.mp4:\n"
    (tmp_path / "config.yaml").write_text(text)
    np.testing.assert_allclose(positions(path), POINTS + added)


def test_boxes_of_lightning_pose_are_added_frame_by_frame(tmp_path):
    path = write_points(tmp_path / "cam1.csv")
    (tmp_path / "cam1_bbox.csv").write_text(",x,y,h,w\n0,100,40,64,64\n1,104,44,64,64\n2,108,48,64,64\n")
    np.testing.assert_allclose(positions(path), POINTS + np.array([[100, 40], [104, 44], [108, 48]]))
    remapped = write_points(tmp_path / "remapped_cam1.csv")
    (tmp_path / "remapped_cam1_bbox.csv").write_text((tmp_path / "cam1_bbox.csv").read_text())
    np.testing.assert_allclose(positions(remapped), POINTS)
