"""2D points of OpenPose, caliscope, JARVIS, Label3D and SLEAP projects; what is wrong with a file is named."""

import json

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from muybridge.formats import FormatError, read_views
from muybridge.formats.predictions.reading import read_track
from tests.helpers import SHARED, needs_shared


def write_openpose(folder, frames):
    """{frame number: people, each (n_keypoints, 3)}"""
    folder.mkdir(parents=True, exist_ok=True)
    for frame, people in frames.items():
        content = {"version": 1.3, "people": [{"pose_keypoints_2d": np.ravel(p).tolist()} for p in people]}
        (folder / f"cam1_{frame:012d}_keypoints.json").write_text(json.dumps(content))
    return folder


def person(shift, n=26):
    return np.column_stack([np.arange(n) + shift, np.arange(n) * 2.0 + 1, np.full(n, 0.5)])


def test_openpose_has_a_person_per_individual_and_a_gap_where_a_file_is_missing(tmp_path):
    lost = person(0)
    lost[3] = 0
    folder = write_openpose(tmp_path / "cam1_json", {1: [person(0), person(100)], 2: [], 4: [lost]})
    track = read_track(folder)
    assert track.points_2d.shape == (2, 5, 26, 2)
    assert track.individuals == ("person_0", "person_1")
    assert track.keypoints[:2] + track.keypoints[-1:] == ("Nose", "LEye", "RHeel")
    np.testing.assert_array_equal(track.points_2d[1, 1], person(100)[:, :2])
    assert np.isnan(track.points_2d[:, [0, 2, 3]]).all()
    assert np.isnan(track.points_2d[0, 4, 3]).all()
    assert np.isfinite(track.points_2d[0, 4, 4]).all()
    assert track.confidence[0, 4, 4] == 0.5


def test_openpose_names_follow_the_number_of_keypoints(tmp_path):
    for n, last in ((17, "RAnkle"), (18, "LEar"), (25, "RHeel"), (26, "RHeel"), (7, "keypoint_6")):
        track = read_track(write_openpose(tmp_path / f"{n}", {0: [person(0, n)]}))
        assert (len(track.keypoints), track.keypoints[-1], track.individuals) == (n, last, None)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda f: (f / "cam1_000000000001_keypoints.json").write_text('{"people": [{"pose_keyp'),
            "is no file of Open",
        ),
        (lambda f: (f / "cam1_000000000001_keypoints.json").write_text('{"people": [{"a": 1}]}'), "is no file of Open"),
        (lambda f: write_openpose(f, {1: [person(0, 25)]}), "has 26 keypoints and .* 25"),
        (lambda f: (f / "other_1_keypoints.json").write_text('{"people": []}'), "several files of frame 1"),
        (lambda f: (f / "notes.json").write_text("{}"), "no frame number in its name"),
        (lambda f: (f / f"a_{10**13}.json").write_text('{"people": []}'), "MUYBRIDGE_MAX_GB"),
    ],
)
def test_what_is_wrong_with_a_folder_is_named(tmp_path, spoil, message):
    folder = write_openpose(tmp_path / "cam1", {0: [person(0)], 1: [person(1)]})
    spoil(folder)
    with pytest.raises(FormatError, match=message):
        read_track(folder)


def caliscope_csv(path, n_frames=6, camera="cam_id"):
    rows = [f"sync_index,{camera},frame_index,frame_time,point_id,img_loc_x,img_loc_y,obj_loc_x,obj_loc_y"]
    for i in range(n_frames):
        for port in (0, 3):
            for point in (11, 2):
                if (i, port, point) != (2, 3, 11):
                    rows.append(f"{i + 4},{port},{i},{100 + i / 20 + port / 1000},{point},{point + i}.5,{port + 1},,")
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize("column", ["cam_id", "port"])
def test_caliscopes_table_gives_each_camera_its_points_and_the_times(tmp_path, column):
    path = caliscope_csv(tmp_path / "xy.csv", camera=column)
    views = read_views({"cam_0": path, "cam_3": path})
    assert list(views["keypoint"].values) == ["point_2", "point_11"]
    np.testing.assert_allclose(views["time"].values, np.arange(6) / 20, atol=1e-12)
    np.testing.assert_array_equal(views["position"].values[0, :, 0], [[2.5 + i, 1] for i in range(6)])
    assert np.isnan(views["position"].sel(view="cam_3", keypoint="point_11").values[2]).all()
    assert np.isfinite(views["position"].values).sum() == 2 * (6 * 4 - 1)
    np.testing.assert_array_equal(views["frame"].values, [range(6), range(6)])


def test_a_table_without_the_camera_or_with_a_bad_cell_is_refused(tmp_path):
    path = caliscope_csv(tmp_path / "xy.csv")
    with pytest.raises(
        FormatError, match=r"the cameras \[0, 3\]; call this one by its number, such as cam_0, not 'left'"
    ):
        read_views({"left": path}, fps=20)
    text = path.read_text()
    path.write_text(text.replace("4.5", "4.5.1", 1))
    with pytest.raises(FormatError, match=r"xy\.csv, row \d+: 'img_loc_x' is '4\.5\.1'"):
        read_track(path, "cam_0")
    path.write_text(text[: text.rindex("4,,") - 12])
    with pytest.raises(FormatError, match="cut off"):
        read_track(path, "cam_0")
    path.write_text(text.replace("\n9,", "\n99999999,"))
    with pytest.raises(FormatError, match="MUYBRIDGE_MAX_GB"):
        read_track(path, "cam_0")


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("height", [1.0, 255.0])
def test_jarvis_points_arrive_with_confidence_from_0_to_1(tmp_path, named, height):
    rows = ["Thumb,Thumb,Thumb,Palm,Palm,Palm"] if named else []
    rows += ["x,y,confidence,x,y,confidence", f"1.5,2,{0.8 * height},3,4,{height}", ",".join(["NaN"] * 6)]
    (tmp_path / "data2D.csv").write_text("\r\n".join(rows) + "\r\n")
    track = read_track(tmp_path / "data2D.csv")
    assert track.keypoints == (("Thumb", "Palm") if named else ("keypoint_0", "keypoint_1"))
    np.testing.assert_array_equal(track.points_2d[0, 0], [[1.5, 2], [3, 4]])
    np.testing.assert_allclose(track.confidence[0], [[0.8, 1], [0, 0]])
    (tmp_path / "data2D.csv").write_text("\n".join([*rows[:-1], "1,2"]))
    with pytest.raises(FormatError, match="cut off"):
        read_track(tmp_path / "data2D.csv")


def test_jarvis_points_in_3d_are_refused_by_name(tmp_path):
    (tmp_path / "data3D.csv").write_text("a,a,a\nx,y,z\n1,2,3\n")
    with pytest.raises(FormatError, match="3D points"):
        read_track(tmp_path / "data3D.csv")


def label3d_file(path, points, frames, **also):
    """points (n_cameras, n_rows, n_keypoints, 2)"""
    cells = np.empty((len(points), 1), object)
    for c, own in enumerate(points):
        cells[c, 0] = {"data_2d": own.reshape(len(own), -1), "data_frame": np.atleast_2d(frames)}
    names = np.empty((1, len(points)), object)
    names[0] = [f"Camera{c + 1}" for c in range(len(points))]
    savemat(path, {"labelData": cells, "camnames": names, **also})
    return path


def test_label3d_frames_and_matlabs_first_pixel(tmp_path):
    points = np.random.default_rng(0).uniform(0, 500, (2, 3, 4, 2))
    points[1, 2, 1] = np.nan
    path = label3d_file(
        tmp_path / "a_dannce.mat", points, [2, 5, 9], skeleton={"joint_names": np.array(list("abcd"), object)}
    )
    views = read_views({"Camera2": path, "Camera1": path}, fps=50)
    assert views.sizes["time"] == 10
    assert list(views["keypoint"].values) == list("abcd")
    np.testing.assert_array_equal(views["position"].sel(view="Camera2").values[[2, 5, 9]], points[1] - 1)
    assert np.isnan(views["position"].values[:, 3]).all()
    with pytest.raises(FormatError, match=r"the cameras \['Camera1', 'Camera2'\], not 'left'"):
        read_track(path, "left")
    savemat(tmp_path / "k.mat", {"K": np.eye(3)})
    with pytest.raises(FormatError, match="labelData"):
        read_track(tmp_path / "k.mat")


@needs_shared
@pytest.mark.shared
def test_the_labels_of_the_mouse_are_those_that_its_cameras_show():
    from muybridge.cameras import read_rig

    path = SHARED / "data" / "mouse_6cam" / "mouse1_label3d_dannce.mat"
    rig = read_rig(path, size=(1152, 1024))
    views = read_views(dict.fromkeys(rig.names, path), fps=100)
    assert views.sizes["time"] == 17_999 or views.sizes["time"] > 9000
    assert np.isfinite(views["position"].values).any(axis=(0, 2, 3)).sum() == 81


def slp_file(path, instances, *, videos=("cam.mp4",), version=1.2, tracks=("a", "b")):
    """instances: rows (video, frame, type, track, from_predicted, points (n_nodes, 2), score)"""
    points = np.zeros(0, [("x", "f8"), ("y", "f8"), ("visible", "?"), ("complete", "?")])
    predicted = np.zeros(0, [*points.dtype.descr, ("score", "f8")])
    fields = [("instance_id", "i8"), ("instance_type", "u1"), ("frame_id", "u8"), ("skeleton", "u4"), ("track", "i4"),
              ("from_predicted", "i8"), ("score", "f4"), ("point_id_start", "u8"), ("point_id_end", "u8")]  # fmt: skip
    kept, frames = np.zeros(len(instances), fields), {}
    for i, (video, frame, kind, track, source, xy, score) in enumerate(instances):
        table = predicted if kind else points
        own = np.zeros(len(xy), table.dtype)
        own["x"], own["y"], own["visible"] = xy[:, 0], xy[:, 1], np.isfinite(xy[:, 0])
        if kind:
            own["score"] = score
        kept[i] = (i, kind, 0, 0, track, source, 1, len(table), len(table) + len(own))
        predicted, points = (np.append(table, own), points) if kind else (predicted, np.append(table, own))
        frames.setdefault((video, frame), []).append(i)
    order = [i for own in frames.values() for i in own]
    starts = np.cumsum([0, *map(len, frames.values())])
    rows = [(f, v, n, starts[f], starts[f + 1]) for f, (v, n) in enumerate(frames)]
    described = {"skeletons": [{"nodes": [{"id": 1}, {"id": 0}]}], "nodes": [{"name": "tail"}, {"name": "nose"}]}
    with h5py.File(path, "w") as file:
        file.create_group("metadata").attrs["json"] = np.bytes_(json.dumps(described))
        file["metadata"].attrs["format_id"] = version
        file["instances"], file["points"], file["pred_points"] = kept[order], points, predicted
        file["frames"] = np.array(rows, [("frame_id", "u8"), ("video", "u4"), ("frame_idx", "u8"),
                                         ("instance_id_start", "u8"), ("instance_id_end", "u8")])  # fmt: skip
        file["tracks_json"] = np.array([json.dumps([0, name]) for name in tracks], "S")
        file["videos_json"] = np.array([json.dumps({"backend": {"filename": name}}) for name in videos], "S")
    return path


def test_a_sleap_project_shows_labels_before_predictions(tmp_path):
    first, second, other = np.random.default_rng(0).uniform(0, 99, (3, 2, 2))
    second[1] = np.nan
    rows = [(0, 2, 1, 0, -1, first, 0.7), (0, 4, 1, 0, -1, first, 0.6), (0, 4, 0, 0, 1, second, None)]
    track = read_track(slp_file(tmp_path / "a.slp", rows))
    assert track.keypoints == ("nose", "tail")
    assert track.individuals is None
    np.testing.assert_array_equal(track.points_2d[0, [2, 4]], [first, second])
    np.testing.assert_array_equal(track.confidence[0, [2, 4]], [[0.7, 0.7], [1, 0]])
    old = read_track(slp_file(tmp_path / "b.slp", rows, version=1.0))
    np.testing.assert_array_equal(old.points_2d, track.points_2d - 0.5)
    several = [*rows[:2], (0, 4, 1, 1, -1, other, 0.5)]
    assert read_track(slp_file(tmp_path / "c.slp", several)).individuals == ("a", "b")
    loose = [(*row[:3], -1, *row[4:]) for row in several]
    assert read_track(slp_file(tmp_path / "d.slp", loose)).individuals == ("instance_0", "instance_1")


def test_a_sleap_project_of_several_videos_gives_each_camera_its_own(tmp_path):
    left, right = np.random.default_rng(0).uniform(0, 99, (2, 2, 2))
    rows = [(0, 0, 1, 0, -1, left, 0.7), (1, 0, 1, 0, -1, right, 0.6)]
    path = slp_file(tmp_path / "all.slp", rows, videos=(r"D:\rat\left\a.mp4", "/rat/day1_right.mp4"))
    views = read_views({"right": path, "left": path}, fps=30)
    np.testing.assert_array_equal(views["position"].values[:, 0], [right, left])
    with pytest.raises(FormatError, match="none is plainly that of camera 'top'"):
        read_views({"top": path}, fps=30)
    with h5py.File(path, "a") as file:
        del file["pred_points"]
    with pytest.raises(FormatError, match="no array 'pred_points'"):
        read_views({"left": path}, fps=30)


@needs_shared
@pytest.mark.shared
def test_sleap_projects_and_their_analysis_files_hold_the_same():
    for camera in ("back", "mid", "side", "top"):
        stem = SHARED / "data" / "rodent_4cam" / camera / f"minimal_{camera}_proofread"
        project, analysis = read_track(stem.with_suffix(".slp"), camera), read_track(stem.with_suffix(".analysis.h5"))
        assert project.keypoints == analysis.keypoints
        np.testing.assert_array_equal(project.points_2d, analysis.points_2d)
        np.testing.assert_allclose(project.confidence, analysis.confidence, atol=1e-7)
