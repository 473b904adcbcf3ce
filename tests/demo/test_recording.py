"""The rendered recording against its own truth: geometry of the pictures, rigid bones, files in others' layouts."""

import tomllib
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import map_coordinates

from muybridge.calibration import Camera, read_rig
from muybridge.datasets import check_pose, read_dataset
from muybridge.demo import _kernels_render as kernels
from muybridge.demo import board, render_demo
from muybridge.demo.animal import DEMO_JOINTS, DEMO_SKELETON, LEGS, Gallop, gallop
from muybridge.demo.coat import make_coat, parts_of
from muybridge.demo.scene import (
    FAR,
    LIGHT,
    MOMENTS,
    Room,
    darken,
    draw_animal,
    draw_board,
    make_rig,
    make_view,
    undistorted_pixels,
)
from muybridge.demo.shadows import Shadow, animal_shadow, plane_shadow

RUN = Gallop(turn=0.7, phase=0.2)


@pytest.fixture(scope="module")
def view():
    return make_view(make_rig()["southeast"], Room(0))


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    render_demo(folder, n_frames=2, n_board_frames=1, n_labelled=2, progress=False)
    return folder


def board_corners(poses):
    """(n, n_corners, 3) the inner corners of the chess pattern in the world, row by row."""
    i, j = np.meshgrid(np.arange(1, board.SHEET.squares_x), np.arange(1, board.SHEET.squares_y))
    sheet = board.SHEET.margin + board.SHEET.square * np.stack([i.ravel(), j.ravel()], -1)
    return poses[:, 0, None] + np.einsum("cs,nsk->nck", sheet, poses[:, 1:3])


def index(name):
    return DEMO_SKELETON.keypoints.index(name)


# the animal


def test_bones_are_rigid_and_have_the_stated_lengths():
    points = gallop(np.linspace(0, 3, 200), RUN).keypoints
    bones = DEMO_SKELETON.bone_indices
    lengths = np.linalg.norm(points[:, bones[:, 0]] - points[:, bones[:, 1]], axis=-1)
    assert np.ptp(lengths, axis=0).max() < 1e-9
    named = dict(zip(DEMO_SKELETON.bones, lengths[0], strict=True))
    for k, pair in enumerate((("hip", "knee"), ("knee", "ankle"), ("ankle", "toe"))):
        assert named[f"left_{pair[0]}", f"left_{pair[1]}"] == pytest.approx(LEGS["hind"].bones[k])


def test_no_paw_goes_below_the_floor_and_standing_paws_do_not_slide():
    times = np.arange(400) / 400
    for name in ("left_paw", "right_paw", "left_toe", "right_toe"):
        paw = gallop(times, RUN).keypoints[:, index(name)]
        assert paw[:, 2].min() > -1e-3
        standing = (paw[:-1, 2] < 1e-3) & (paw[1:, 2] < 1e-3)
        assert 0.15 < standing.mean() < 0.4
        assert np.linalg.norm(np.diff(paw, axis=0), axis=1)[standing].max() < 1e-2


def test_the_gallop_has_flight_phases():
    points = gallop(np.arange(200) / 400, RUN).keypoints
    lowest = points[:, [index(f"{s}_{p}") for s in ("left", "right") for p in ("paw", "toe")], 2].min(axis=1)
    assert (lowest > 1.0).mean() > 0.05


def test_the_motion_is_smooth_in_time():
    times = np.arange(0, 1, 1e-4)
    acceleration = np.diff(gallop(times, RUN).keypoints, n=2, axis=0) / 1e-8
    assert np.abs(acceleration).max() < 3e6  # mm/s²; a jump of 1 mm in one step would be 1e8


def test_an_instant_does_not_depend_on_its_neighbours():
    times = np.array([0.31, 0.02, 0.77])
    together = gallop(times, RUN).keypoints
    alone = np.concatenate([gallop(times[[k]], RUN).keypoints for k in range(3)])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-9)


def test_there_are_as_many_joints_as_promised():
    assert 16 <= len(DEMO_SKELETON.keypoints) <= 20
    assert len(DEMO_JOINTS) >= 8
    assert {name for joint in DEMO_JOINTS.values() for name in joint} <= set(DEMO_SKELETON.keypoints)


# the pictures


def sphere_traced_depth(part, centre, direction, far=3000.0):
    """Naive twin of the kernel: walk along the ray by the distance to the nearest of many spheres of the cone."""
    steps = np.linspace(0, 1, 4001)
    centres = part[:3] + steps[:, None] * (part[4:7] - part[:3])
    radii = part[3] + steps * (part[7] - part[3])
    direction = direction / np.linalg.norm(direction)
    t = 0.0
    for _ in range(400):
        gap = (np.linalg.norm(centres - (centre + t * direction), axis=1) - radii).min()
        if gap < 1e-4 or t > far:
            break
        t += gap
    return t if t < far else np.inf


def test_rays_meet_a_round_cone_where_sphere_tracing_does():
    rng = np.random.default_rng(3)
    part = np.array([[-30.0, 5.0, 700.0, 40.0, 60.0, -20.0, 760.0, 15.0]])
    centre, basis = np.zeros(3), np.eye(3)
    basis.flags.writeable = False  # as of a camera: kernels are compiled for that
    x, y = (rng.uniform(-0.13, 0.13, (8, 8)).astype(np.float32) for _ in range(2))
    depth, which = np.empty((8, 8)), np.empty((8, 8), dtype=np.int64)
    rays, nearest = kernels.Rays(x, y, basis, centre, 0, 0), kernels.Nearest(depth, which)
    kernels.part_depths(kernels.prepared(part), np.array([[0, 0, 8, 8]]), rays, np.zeros(2), nearest)
    rays = np.stack([x, y, np.ones_like(x)], -1).astype(float)
    expected = np.array([[sphere_traced_depth(part[0], centre, ray) for ray in row] for row in rays])
    hit = np.isfinite(expected)
    assert 5 < hit.sum() < 60
    np.testing.assert_array_equal(which >= 0, hit)
    # depth counts along the camera's axis
    np.testing.assert_allclose(depth[hit], (expected / np.linalg.norm(rays, axis=-1))[hit], atol=2e-3)


def test_a_small_ball_is_drawn_where_the_camera_projects_it(view):
    rng = np.random.default_rng(0)
    coat = make_coat()
    parts, dorsal = (np.repeat(a, len(MOMENTS), axis=0) for a in parts_of(gallop(np.array([0.0]), RUN)))
    shadow = animal_shadow(parts[0])
    shadow.darkness[:] = 0
    for position in rng.uniform([-250, -250, 30], [250, 250, 250], (6, 3)):
        ball = parts * 0 + [0, 0, -5000, 1.0, 1, 0, -5000, 1.0]
        ball[:, 0] = [*position, 9.0, position[0] + 0.01, *position[1:], 9.0]
        drawn = draw_animal(view, coat, ball, dorsal, shadow).astype(float)
        changed = np.abs(drawn - view.empty).sum(-1) > 12
        v, u = np.nonzero(changed)
        np.testing.assert_allclose([u.mean(), v.mean()], view.camera.project(position), atol=0.25)


def test_board_corners_are_drawn_true_to_a_tenth_of_a_pixel(view):
    found = []
    dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, f"DICT_{board.SHEET.dictionary}"))
    shape = (board.SHEET.squares_x, board.SHEET.squares_y)
    detector = cv2.aruco.CharucoDetector(
        cv2.aruco.CharucoBoard(shape, board.SHEET.square, board.SHEET.marker, dictionary)
    )
    picture = board.board_picture()
    for time in np.arange(0, 7, 1.0):
        poses = board.board_poses(time + np.linspace(-1e-3, 1e-3, 6))
        image = draw_board(view, picture, board.SHEET.texel, poses, plane_shadow(np.zeros((4, 3))))
        corners, ids, _, _ = detector.detectBoard(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
        if ids is not None and len(ids) > 10:
            truth = view.camera.project(board_corners(board.board_poses([time])))[0]
            found.append(corners.reshape(-1, 2) - truth[ids.ravel()])
    offset = np.concatenate(found)
    assert len(found) >= 3
    assert np.median(np.linalg.norm(offset, axis=1)) < 0.1
    assert np.abs(np.median(offset, axis=0)).max() < 0.03


@pytest.mark.parametrize("seed", range(4))
def test_the_board_stays_above_the_floor_and_moves_like_a_hand(seed):
    times = np.arange(0, 7, 0.01)
    poses = board.board_poses(times, seed)
    x, y = poses[:, 1], poses[:, 2]
    np.testing.assert_allclose(np.cross(x, y), -poses[:, 3], atol=1e-12)
    assert board_corners(poses)[..., 2].min() > 0
    assert np.linalg.norm(np.diff(poses[:, 0], axis=0), axis=1).max() / 0.01 < 1500  # mm/s


def test_a_hidden_point_knows_how_deep_it_lies():
    part = kernels.prepared(np.array([[0.0, 0.0, 500.0, 50.0, 0.01, 0.0, 500.0, 50.0]]))
    points = np.array([[0.0, 0.0, 600.0], [0.0, 0.0, 440.0], [300.0, 0.0, 600.0], [0.0, 0.0, 500.0]])
    np.testing.assert_allclose(kernels.hidden_by(part, np.zeros(3), points), [150, 0, 0, 50], atol=1e-2)


def test_the_light_casts_the_shadow_away_from_itself():
    ball = np.array([[0.0, 0.0, 200.0, 30.0, 0.1, 0.0, 200.0, 30.0]])
    shadow = animal_shadow(ball)
    row, column = np.unravel_index(np.argmax(shadow.darkness), shadow.darkness.shape)
    darkest = shadow.origin + shadow.cell * (np.array([column, row]) + 0.5)
    np.testing.assert_allclose(darkest, -200 * LIGHT[:2] / LIGHT[2], atol=25)


def test_darkening_is_bilinear_on_the_floor_and_nothing_beyond_the_map(view):
    rng = np.random.default_rng(2)
    darkness = np.zeros((7, 7), np.float32)
    darkness[1:-1, 1:-1] = rng.uniform(0, 1, (5, 5))
    floor_x, floor_y = (rng.uniform(-20, 90, (6, 7)).astype(np.float32) for _ in range(2))
    floor_x[3, 3] = FAR  # a ray that never meets the floor
    under = np.full((4, 6, 3), 100.0, np.float32)
    shadow = Shadow(darkness, np.array([5.0, -3.0]), 10.0)
    darken(under, replace(view, floor_x=floor_x, floor_y=floor_y), shadow, 2, 1)
    places = [(floor_y[2:, 1:] + 3) / 10 - 0.5, (floor_x[2:, 1:] - 5) / 10 - 0.5]
    expected = map_coordinates(darkness, places, order=1)
    # OpenCV interpolates at 32nds of a cell
    np.testing.assert_allclose(under, 100 * (1 - expected)[..., None].repeat(3, axis=-1), atol=3.2)


def test_every_pixel_lies_inside_its_lens_model():
    for camera in make_rig():
        assert isinstance(camera, Camera)
        pixels = np.array([[0, 0], [1279, 0], [0, 719], [1279, 719], [371, 133], [905, 584]])
        exact = camera.undistort(pixels.astype(float))
        assert np.isfinite(exact).all()
        np.testing.assert_allclose(undistorted_pixels(camera)[pixels[:, 1], pixels[:, 0]], exact, atol=1e-4)
    assert len({camera.K[0, 0] for camera in make_rig()}) == 6


# the files


def test_the_videos_can_be_read_and_are_of_the_stated_length(demo):
    for kind, n, fps in (("videos", 2, 100), ("boards", 1, 10)):
        for name in make_rig().names:
            video = cv2.VideoCapture(str(demo / kind / f"{name}.mp4"))
            assert video.get(cv2.CAP_PROP_FRAME_COUNT) == n
            assert video.get(cv2.CAP_PROP_FPS) == fps
            ok, image = video.read()
            assert ok
            assert image.shape == (720, 1280, 3)
    assert not list(demo.rglob("*.partial*"))


def test_labels_are_in_deeplabcuts_layout(demo):
    for name in make_rig().names:
        table = pd.read_csv(demo / "labels" / name / "CollectedData_demo.csv", header=[0, 1, 2], index_col=0)
        assert table.columns.names == ["scorer", "bodyparts", "coords"]
        assert list(table.columns.get_level_values(1)[::2]) == list(DEMO_SKELETON.keypoints)
        assert table.shape == (2, 40)
        assert 0.4 < table.notna().to_numpy().mean() < 1
        for path in table.index:
            assert path.startswith(f"labeled-data/{name}/")
            assert cv2.imread(str(demo / "labels" / name / path.split("/")[-1])).shape == (720, 1280, 3)


def test_the_truth_projects_onto_the_animal_in_the_video(demo):
    truth, rig = check_pose(read_dataset(demo / "truth.nc")), read_rig(demo / "truth_rig.toml")
    pixels = rig.project(truth["position"].values)
    assert truth["visible"].dims == ("view", "time", "keypoint")
    assert truth["visible"].values.any(axis=0).all()
    room = Room(0)
    for c in (0, 4):
        camera = rig[c]
        _, image = cv2.VideoCapture(str(demo / "videos" / f"{camera.name}.mp4")).read()
        changed = np.abs(image.astype(float) - make_view(camera, room).background).sum(-1) > 30
        seen = truth["visible"].values[c, 0].astype(bool)
        near = [changed[int(v) - 6 : int(v) + 7, int(u) - 6 : int(u) + 7].mean() for u, v in pixels[c, 0, seen]]
        assert np.mean(np.array(near) > 0.15) > 0.9


def test_the_session_names_files_that_exist_and_keypoints_of_the_labels(demo):
    session = tomllib.loads((demo / "session.toml").read_text())
    for camera in session["cameras"].values():
        assert (demo / camera["video"]).is_file()
        assert (demo / camera["board"]).is_file()
    assert session["skeleton"]["keypoints"] == list(DEMO_SKELETON.keypoints)
    assert (demo / session["train"]["labels"]).is_dir()
    assert len(session["joints"]) >= 8


def test_a_number_of_frames_below_one_is_refused(tmp_path):
    with pytest.raises(ValueError, match="n_labelled must be at least 1, got 0"):
        render_demo(tmp_path / "new", n_labelled=0)
    assert not (tmp_path / "new").exists()


def test_the_same_seed_gives_the_same_recording(demo, tmp_path):
    render_demo(tmp_path, n_frames=2, n_board_frames=1, n_labelled=2, progress=False)
    for file in sorted(p for p in demo.rglob("*") if p.suffix in (".csv", ".jpg", ".toml", ".mp4")):
        assert (tmp_path / file.relative_to(demo)).read_bytes() == file.read_bytes(), file.name


def test_the_board_begins_level_on_the_floor_and_is_seen_by_every_camera():
    pose = board.floor_pose()
    np.testing.assert_allclose(np.cross(pose[0, 1], pose[0, 2]), -pose[0, 3])
    corners = board_corners(pose)[0]
    np.testing.assert_allclose(corners[:, 2], board.SHEET.thickness)
    rig = make_rig()
    pixels = rig.project(corners)
    assert ((pixels > 0) & (pixels < rig[0].size)).all()
