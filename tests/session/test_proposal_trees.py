"""The folders that the field's tools make, as touched files: cameras, recordings, and every file that was left out."""

from pathlib import Path

import cv2
import pytest

from muybridge.calibration import CharucoBoard, simulate_board_motion
from muybridge.session import read_session
from muybridge.session.proposal import propose_sessions, write_proposals
from muybridge.session.proposals.board_values import values_from_pictures
from tests.calibration.synthetic import render_board, small_rig
from tests.helpers import SHARED, needs_shared

CAM12 = ("cam1", "cam2")


def touch(folder, files):
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()


def proposed(folder, files):
    """{session file: (tables, left out)} of a folder with such files."""
    touch(folder, files)
    found = {p.path.relative_to(folder).as_posix(): p for p in propose_sessions(folder)}
    return {
        path: (p.tables, {file.as_posix(): reason for file, reason in p.left_out.items()}) for path, p in found.items()
    }


TREES = {
    "DeepLabCut": (
        [f"cam{c}{end}" for c in (1, 2) for end in (
            ".mp4", "DLC_resnet50_projshuffle1_1000.h5", "DLC_resnet50_projshuffle1_1000.csv",
            "DLC_resnet50_projshuffle1_1000_meta.pickle", "DLC_resnet50_projshuffle1_1000_labeled.mp4",
            "DLC_resnet50_projshuffle1_1000_filtered.h5")],
        {c: {"video": f"{c}.mp4", "points": f"{c}DLC_resnet50_projshuffle1_1000.h5"} for c in CAM12},
        {"DLC_resnet50_projshuffle1_1000.csv": "of which others are used",
         "_meta.pickle": "a pickle, which executes code",
         "_labeled.mp4": "keypoints drawn into it", "_filtered.h5": "of which others are used"},
    ),
    "SLEAP, one camera": (
        ["rat_1.mp4", "rat_1.analysis.h5", "rat_1.slp"],
        {"rat_1": {"video": "rat_1.mp4", "points": "rat_1.analysis.h5"}},
        {"rat_1.slp": "name it as a camera's 'points'"},
    ),
    "SLEAP, cameras by number": (
        [f"rat_{c}{end}" for c in (1, 2) for end in (".mp4", ".analysis.h5")],
        {f"rat_{c}": {"video": f"rat_{c}.mp4", "points": f"rat_{c}.analysis.h5"} for c in (1, 2)},
        {},
    ),
    "SLEAP's default export": (
        [f"labels.v001.00{c}_cam{c}.analysis.h5" for c in (1, 2)] + ["cam1.mp4", "cam2.mp4", "labels.v001.slp"],
        {c: {"video": f"{c}.mp4", "points": f"labels.v001.00{c[-1]}_{c}.analysis.h5"} for c in CAM12},
        {"labels.v001.slp": "a SLEAP project"},
    ),
    "SLEAP's default export without videos": (
        [f"labels.v001.00{c}_cam{c}.analysis.h5" for c in (1, 2)],
        {c: {"points": f"labels.v001.00{c[-1]}_{c}.analysis.h5"} for c in CAM12},
        {},
    ),
    "an ensemble of detectors": (
        [f"fly4_0_Cam-{c}_sec.rng={i}.csv" for c in "AB" for i in (0, 1, 2)],
        {f"Cam-{c}": {"points": [f"fly4_0_Cam-{c}_sec.rng={i}.csv" for i in (0, 1, 2)]} for c in "AB"},
        {},
    ),
    "an ensemble of detectors, a folder for each": (
        [f"seed{i}/{c}.csv" for c in CAM12 for i in (1, 2)],
        {c: {"points": [f"seed{i}/{c}.csv" for i in (1, 2)]} for c in CAM12},
        {},
    ),
    "date and animal before the camera": (
        ["2023-05-01_rat1_back.mp4", "2023-05-01_rat1_side.mp4", "2023-05-01_rat1_top.mp4", "notes.txt"],
        {c: {"video": f"2023-05-01_rat1_{c}.mp4"} for c in ("back", "side", "top")},
        {"notes.txt": "notes"},
    ),
    "start times that differ by camera": (
        ["cam1_20230501_120001.mp4", "cam2_20230501_120003.mp4"],
        {"cam1": {"video": "cam1_20230501_120001.mp4"}, "cam2": {"video": "cam2_20230501_120003.mp4"}},
        {},
    ),
    "boards alone, with timestamps": (
        ["calibration/cam_0.mp4", "calibration/cam_1.mp4", "calibration/timestamps.csv"],
        {c: {"board": f"calibration/{c}.mp4", "board_timestamps": "calibration/timestamps.csv"} for c in ("cam_0",
         "cam_1")},
        {},
    ),
    "pairs of pictures in one folder": (
        [f"{side}{i:02}.jpg" for side in ("left", "right") for i in range(1, 15)],
        {side: {"board": [f"{side}{i:02}.jpg" for i in range(1, 15)]} for side in ("left", "right")},
        {},
    ),
    "DeepLabCut 3D": (
        [f"calibration_images/camera-{c}-{i:02}.jpg" for c in (1, 2) for i in range(1, 5)]
        + ["videos/rat_camera-1.mp4", "videos/rat_camera-2.mp4"],
        {f"camera-{c}": {"video": f"videos/rat_camera-{c}.mp4",
                         "board": [f"calibration_images/camera-{c}-{i:02}.jpg" for i in range(1, 5)]} for c in (1, 2)},
        {},
    ),
    "anipose": (
        ["config.toml"] + [f"s1/{file}" for c in "ABC" for file in (
            f"videos-raw/vid1-cam{c}.avi", f"calibration/calib-cam{c}.avi", f"pose-2d/vid1-cam{c}.h5",
            f"pose-2d-filtered/vid1-cam{c}.h5", f"videos-labeled/vid1-cam{c}.mp4")]
        + ["s1/pose-3d/vid1.csv", "s1/videos-3d/vid1.mp4"],
        {f"cam{c}": {"video": f"s1/videos-raw/vid1-cam{c}.avi", "points": f"s1/pose-2d/vid1-cam{c}.h5",
                     "board": f"s1/calibration/calib-cam{c}.avi"} for c in "ABC"},
        {"config.toml": "settings of another tool", "pose-2d-filtered/vid1-camA.h5": "of which others are used",
         "videos-labeled/vid1-camA.mp4": "keypoints drawn", "pose-3d/vid1.csv": "3D points",
         "videos-3d/vid1.mp4": "keypoints drawn"},
    ),
    "caliscope": (
        ["charuco.toml", "camera_array.toml"]
        + [f"calibration/{kind}/cam_{c}.mp4" for kind in ("intrinsic", "extrinsic") for c in (0, 1)]
        + ["calibration/extrinsic/timestamps.csv", "calibration/extrinsic/xy.csv"]
        + [f"recordings/walk/cam_{c}.mp4" for c in (0, 1)] + ["recordings/walk/timestamps.csv",
           "recordings/walk/HOLISTIC/xy_HOLISTIC.csv", "recordings/walk/HOLISTIC/xyz_HOLISTIC.csv"],
        {c: {"video": f"recordings/walk/{c}.mp4", "timestamps": "recordings/walk/timestamps.csv",
             "points": "recordings/walk/HOLISTIC/xy_HOLISTIC.csv"} for c in ("cam_0", "cam_1")},
        {"charuco.toml": "measures", "intrinsic/cam_0.mp4": "come from a file",
         "extrinsic/cam_0.mp4": "come from a file",
         "extrinsic/timestamps.csv": "times of a board recording",
         "extrinsic/xy.csv": "corners of a board", "xyz_HOLISTIC.csv": "3D points"},
    ),
    "boards for the lenses, and others for the poses": (
        [f"calibration/{kind}/{end}_cam{c}_img/{i}.jpg" for kind, end in (("intrinsics", "int"), ("extrinsics", "ext"))
         for c in (1, 2) for i in range(3)] + ["cam1.mp4", "cam2.mp4"],
        {c: {"video": f"{c}.mp4", "board": f"calibration/extrinsics/ext_{c}_img",
             "lens_board": f"calibration/intrinsics/int_{c}_img"} for c in CAM12},
        {},
    ),
    "Pose2Sim": (
        ["Config.toml", "calibration/Calib.qca.txt"]
        + [f"calibration/intrinsics/int_cam{c}_img/{i}.jpg" for c in (1, 2) for i in range(3)]
        + [f"calibration/extrinsics/ext_cam{c}_img/ext.png" for c in (1, 2)]
        + [f"videos/cam0{c}.mp4" for c in (1, 2)] + [f"pose/cam0{c}_json/cam0{c}_00000{i}.json" for c in (1,
        2) for i in (0, 1)]
        + ["pose-3d/trial.trc"],
        {f"cam0{c}": {"video": f"videos/cam0{c}.mp4", "points": f"pose/cam0{c}_json"} for c in (1, 2)},
        {"Config.toml": "measures", "int_cam1_img/0.jpg": "come from a file", "ext.png": "come from a file",
         "trial.trc": "3D points of another tool"},
    ),
    "Pose2Sim without videos, twice the points": (
        [f"{pose}/cam{c}_json/cam{c}_00000{i}.json" for pose in ("pose", "pose-sync") for c in (1, 2) for i in (0, 1)],
        {f"cam{c}": {"points": f"pose-sync/cam{c}_json"} for c in (1, 2)},
        {"pose/cam1_json/cam1_000000.json": "of which others are used"},
    ),
    "SLEAP's predictions as projects": (
        [f"cam{c}{end}" for c in (1, 2) for end in (".mp4", ".mp4.predictions.slp")],
        {c: {"video": f"{c}.mp4", "points": f"{c}.mp4.predictions.slp"} for c in CAM12},
        {},
    ),
    "sleap-anipose": (
        ["board.toml"] + [f"s/{c}/{file}" for c in ("back", "mid", "top") for file in (
            f"calibration_images/s-{c}-calibration.MOV", f"calibration_images/{c}-02242022135219-0.jpg",
            f"calibration_images/{c}-02242022135220-1.jpg", f"s_{c}.mp4", f"s_{c}_proofread.analysis.h5",
            f"s_{c}_proofread.slp")] + ["s/points3d.h5"],
        {c: {"video": f"s/{c}/s_{c}.mp4", "points": f"s/{c}/s_{c}_proofread.analysis.h5",
         "board": f"s/{c}/calibration_images"}
         for c in ("back", "mid", "top")},
        {"board.toml": "measures", "points3d.h5": "3D points", "s_back_proofread.slp": "a SLEAP project"},
    ),
    "freemocap": (
        [f"recording_1/{place}/Camera_00{c}{end}.mp4" for c in (0, 1) for place, end in (
            ("synchronized_videos", "_synchronized"), ("raw_videos", ""), ("annotated_videos", "_annotated"))]
        + ["recording_1/recording_1_camera_calibration.toml", "recording_1/output_data/raw_data/2d.npy",
           "recording_1/timestamps.json"],
        {f"Camera_00{c}": {"video": f"recording_1/synchronized_videos/Camera_00{c}_synchronized.mp4"} for c in (0, 1)},
        {"raw_videos/Camera_000.mp4": "synchronised copy is used", "_annotated.mp4": "keypoints drawn",
         "2d.npy": "array",
         "timestamps.json": "settings or notes"},
    ),
    "pairs of folders, as MATLAB's stereo calibrator asks for": (
        [f"calib/{side}/img{i}.png" for side in ("camera1", "camera2") for i in range(5)]
        + ["rat_camera1.avi", "rat_camera2.avi", "stereoParams.mat"],
        {f"camera{c}": {"video": f"rat_camera{c}.avi", "board": f"calib/camera{c}"} for c in (1, 2)},
        {"stereoParams.mat": "MATLAB"},
    ),
    "GoPro chapters, a folder per camera": (
        [f"left/GX0{i}0042.MP4" for i in (1, 2, 3)] + [f"right/GX0{i}0107.MP4" for i in (1, 2,
         3)] + ["left/GL010042.LRV"],
        {"left": {"video": [f"left/GX0{i}0042.MP4" for i in (1, 2, 3)]},
         "right": {"video": [f"right/GX0{i}0107.MP4" for i in (1, 2, 3)]}},
        {"GL010042.LRV": "of no use here"},
    ),
    "GoPro chapters in one folder": (
        ["GX010042.MP4", "GX020042.MP4", "GX010107.MP4", "GX020107.MP4"],
        {"GX0042": {"video": ["GX010042.MP4", "GX020042.MP4"]}, "GX0107": {"video": ["GX010107.MP4", "GX020107.MP4"]}},
        {},
    ),
    "older GoPro chapters": (
        ["a/GOPR0042.MP4", "a/GP010042.MP4", "b/GOPR0011.MP4", "b/GP010011.MP4"],
        {"a": {"video": ["a/GOPR0042.MP4", "a/GP010042.MP4"]}, "b": {"video": ["b/GOPR0011.MP4", "b/GP010011.MP4"]}},
        {},
    ),
    "labelled frames beside the videos": (
        ["cam1.mp4", "cam2.mp4", "labels/config.yaml"]
        + [f"labels/labeled-data/cam1/{f}" for f in ("img000001.png", "CollectedData_me.csv")],
        {c: {"video": f"{c}.mp4"} for c in CAM12},
        {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("tree", TREES)
def test_a_tree_is_recognised_and_what_is_left_out_is_listed(tmp_path, tree):
    files, cameras, reasons = TREES[tree]
    found = proposed(tmp_path, files)
    assert list(found) == ["session.toml"]
    tables, left_out = found["session.toml"]
    assert tables["cameras"] == cameras
    for ending, reason in reasons.items():
        told = {file: why for file, why in left_out.items() if file.endswith(ending)}
        assert told, (ending, left_out)
        assert all(reason in why for why in told.values()), told
    named = {file for entry in tables["cameras"].values() for value in entry.values()
             for file in (value if isinstance(value, list) else [value])}  # fmt: skip
    named |= {tables["session"].get("rig"), tables.get("train", {}).get("labels")}
    for file in files:
        inside = file in named or any(file.startswith(f"{name}/") for name in named if name)
        assert inside != (file in left_out), (file, left_out.get(file))


@pytest.mark.parametrize(
    ("tree", "rig"),
    [
        ("caliscope", "camera_array.toml"),
        ("Pose2Sim", "calibration/Calib.qca.txt"),
        ("freemocap", "recording_1/recording_1_camera_calibration.toml"),
    ],
)
def test_the_cameras_that_a_tool_calibrated_are_named(tmp_path, tree, rig):
    tables, _ = proposed(tmp_path, TREES[tree][0])["session.toml"]
    assert tables["session"]["rig"] == rig
    assert "board" not in tables


def test_labels_are_named_where_there_are_no_points(tmp_path):
    tables, _ = proposed(tmp_path, TREES["labelled frames beside the videos"][0])["session.toml"]
    assert tables["train"] == {"labels": "labels"}


@pytest.mark.parametrize("folder", ["calib/{0}-{1}/{2}/{3}.png", "boards/pair_{0}_{1}/{2}.mp4"])
@pytest.mark.parametrize("videos", [("cam1.mp4", "cam2.mp4", "cam3.mp4"), ()])
def test_a_folder_per_pair_of_cameras_is_a_recording_of_the_board(tmp_path, folder, videos):
    pairs = (("cam1", "cam2"), ("cam1", "cam3"))
    files = {folder.format(*pair, camera, i) for pair in pairs for camera in pair for i in range(5)}
    touch(tmp_path, [*sorted(files), *videos])
    (proposal,) = propose_sessions(tmp_path)
    names = [Path(folder.format(*pair, "", "")).parts[1] for pair in pairs]
    assert list(proposal.tables["board_recordings"]) == names
    assert [list(own) for own in proposal.tables["board_recordings"].values()] == [list(pair) for pair in pairs]
    assert proposal.tables["cameras"] == {f"cam{i + 1}": {"video": videos[i]} if videos else {} for i in range(3)}
    assert proposal.left_out == {}
    write_proposals(tmp_path)
    assert list(read_session(tmp_path).board_recordings[names[1]].sources) == ["cam1", "cam3"]


def test_trials_are_sessions_of_their_own(tmp_path):
    found = proposed(
        tmp_path, [f"trial{t}_cam{c}.mp4" for t in (1, 2) for c in (1, 2)] + ["boards/cam1.mp4", "boards/cam2.mp4"]
    )
    assert list(found) == ["trial1/session.toml", "trial2/session.toml"]
    for t in (1, 2):
        tables, left_out = found[f"trial{t}/session.toml"]
        assert tables["session"]["name"] == f"trial{t}"
        assert tables["cameras"] == {
            f"cam{c}": {"video": f"../trial{t}_cam{c}.mp4", "board": f"../boards/cam{c}.mp4"} for c in (1, 2)
        }
        assert left_out == {}


def test_sessions_of_anipose_lie_in_their_folders(tmp_path):
    files = [
        f"exp/s{s}/{kind}-cam{c}.avi" for s in (1, 2) for c in "AB" for kind in ("videos-raw/vid", "calibration/calib")
    ]
    found = proposed(tmp_path, files)
    assert list(found) == ["exp/s1/session.toml", "exp/s2/session.toml"]
    assert found["exp/s2/session.toml"][0]["cameras"]["camB"] == {
        "video": "videos-raw/vid-camB.avi", "board": "calibration/calib-camB.avi"
    }  # fmt: skip


def test_the_files_written_read_and_list_what_was_left_out(tmp_path):
    from muybridge.session import read_session

    touch(tmp_path, TREES["DeepLabCut"][0])
    (path,) = [proposal.path for proposal in write_proposals(tmp_path)]
    assert list(read_session(path).cameras) == ["cam1", "cam2"]
    text = path.read_text()
    assert "# left out:" in text
    assert "cam1DLC_resnet50_projshuffle1_1000_labeled.mp4: a copy of a video with keypoints drawn into it" in text


CHARUCO = {"type": "charuco", "squares_x": 4, "squares_y": 5, "square_length": 54.0, "marker_length": 40.5,
           "dictionary": "4X4_1000"}  # fmt: skip


@pytest.mark.parametrize(
    ("file", "text", "board"),
    [
        ("charuco.toml", 'columns = 4\nrows = 5\nboard_height = 11.0\nboard_width = 8.5\ndictionary = "DICT_4X4_1000"\n'
         'units = "inch"\naruco_scale = 0.75\nsquare_size_override_cm = 5.4\ninverted = true\n',
         CHARUCO | {"inverted": True}),
        ("board.toml", "board_x = 4\nboard_y = 5\nsquare_length = 54.0\nmarker_length = 40.5\nmarker_bits = 4\n"
         "dict_size = 1000\n", CHARUCO),
        ("config.toml", '[calibration]\nboard_type = "charuco"\nboard_size = [4, 5]\nboard_marker_bits = 4\n'
         "board_marker_dict_number = 1000\nboard_marker_length = 40.5\nboard_square_side_length = 54\n", CHARUCO),
        ("config.toml", '[calibration]\nboard_type = "checkerboard"\nboard_size = [9, 6]\n'
         'board_square_side_length = 25\n',
         {"type": "checkerboard", "corners_x": 9, "corners_y": 6, "square_length": 25.0}),
        ("Config.toml", "[calibration.calculate.intrinsics]\nintrinsics_corners_nb = [4, 7]\n"
         "intrinsics_square_size = 60\n",
         {"type": "checkerboard", "corners_x": 7, "corners_y": 4, "square_length": 60.0}),
    ],
)  # fmt: skip
def test_a_boards_measures_are_read_from_a_tools_file(tmp_path, file, text, board):
    touch(tmp_path, ["calib/cam1.mp4", "calib/cam2.mp4", "cam1.mp4", "cam2.mp4"])
    (tmp_path / file).write_text(text)
    (proposal,) = propose_sessions(tmp_path)
    assert proposal.tables["board"] == board
    assert file in proposal.notes[0]


@needs_shared
@pytest.mark.shared
def test_real_boards_are_recognised():
    found = {name: propose_sessions(SHARED / "data" / name)[0].tables for name in ("stereo_checker", "charuco_4cam")}
    assert found["stereo_checker"]["board"] | {"square_length": 0} == {
        "type": "checkerboard", "corners_x": 9, "corners_y": 6, "square_length": 0
    }  # fmt: skip
    assert found["charuco_4cam"]["board"] == CHARUCO | {"inverted": True}
    assert set(found["charuco_4cam"]["cameras"]["cam_2"]) == {"board", "board_timestamps"}
    videos = [SHARED / f"data/charuco_4cam/calibration/extrinsic/cam_{c}.mp4" for c in range(2)]
    guessed = values_from_pictures(videos)
    assert guessed is not None
    assert {name: guessed[name] for name in ("squares_x", "squares_y", "dictionary", "inverted")} == {
        "squares_x": 4, "squares_y": 5, "dictionary": "4X4_1000", "inverted": True
    }  # fmt: skip


def test_a_board_is_guessed_from_its_pictures(tmp_path):
    rig = small_rig(2)
    images = render_board(rig, *simulate_board_motion(10, reach=60.0, seed=3))
    for name, pictures in images.items():
        for i, picture in enumerate(pictures):
            (tmp_path / f"board_{name}").mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / f"board_{name}" / f"{i}.png"), picture)
    (proposal,) = propose_sessions(tmp_path)
    board = dict(proposal.tables["board"])
    assert {type(value) for value in board.values()} <= {str, int, float, bool}, "numpy's numbers are no TOML"
    assert board.pop("type") == "charuco"
    found = CharucoBoard(**board)
    assert (found.squares_x, found.squares_y) == (7, 6)
    assert "measure square_length" in proposal.notes[0]
