"""Recordings that must not become a rig: each is refused with camera, cause and remedy, or named in the report."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from muybridge.calibration import (
    BoardDetections,
    CalibrationError,
    Camera,
    CameraRig,
    CharucoBoard,
    Checkerboard,
    calibrate,
    detect_board,
    read_rig,
    simulate_board_motion,
    simulate_detections,
)
from muybridge.calibration.boards.wrong_board import larger_checkerboard
from muybridge.calibration.solver.mirrored_patterns import flip_corners
from muybridge.cameras.rotations import rotation_matrix
from tests.calibration.synthetic import BOARD, render_board, small_rig, smooth_motion
from tests.helpers import SHARED, needs_shared


@pytest.fixture(scope="module")
def images():
    """{camera: [images]} of a board before three cameras."""
    return render_board(small_rig(3), *simulate_board_motion(12, reach=80.0, seed=3))


@pytest.fixture(scope="module")
def seen():
    """Detections of four cameras, the board anywhere."""
    return simulate_detections(small_rig(4), motion=simulate_board_motion(24, reach=80.0, seed=3))


@pytest.fixture(scope="module")
def smooth():
    """Detections of four cameras, the board in steady motion."""
    return simulate_detections(small_rig(4), motion=smooth_motion(40))


def refuse(sources, board=BOARD, **options):
    with pytest.raises(CalibrationError) as caught:
        calibrate(sources, board, progress=False, **options)
    return str(caught.value)


def only(found, frames):
    corners = np.full_like(found.corners, np.nan)
    corners[frames] = found.corners[frames]
    return replace(found, corners=corners)


def late(found, n):
    corners = np.full_like(found.corners, np.nan)
    if n > 0:
        corners[n:] = found.corners[:-n]
    else:
        corners[:n] = found.corners[-n:]
    return replace(found, corners=corners)


@pytest.mark.parametrize(
    ("board", "remedy"),
    [
        (CharucoBoard(6, 7, 40, 30), "sides swapped (squares_x=7, squares_y=6)"),
        (CharucoBoard(6, 6, 40, 30), "squares_x=7, squares_y=6"),
        (CharucoBoard(7, 6, 40, 30, dictionary="5X5_1000"), "dictionary='4X4_1000'"),
        (CharucoBoard(7, 6, 40, 30, legacy=True), "legacy=False"),
        (CharucoBoard(7, 6, 40, 30, inverted=True), "inverted=False"),
        (CharucoBoard(9, 7, 40, 30), "squares_x=7, squares_y=6 (or more rows)"),
        (CharucoBoard(8, 8, 40, 30, dictionary="6X6_250"), "dictionary='4X4_1000' and with squares_x=7, squares_y=6"),
    ],
)
def test_a_wrong_board_is_refused_with_the_one_that_fits(images, board, remedy):
    message = refuse({name: part[:4] for name, part in images.items()}, board)
    assert "cam_0" in message
    assert remedy in message
    for word in ("dictionary=", "inverted=", "legacy=", "squares_x="):
        assert (word in remedy) == (word in message)


def test_the_right_board_seen_too_rarely_is_not_called_another(images):
    blank = np.full_like(images["cam_0"][0], 128)
    blank[:, :200] = 90
    message = refuse({**images, "cam_0": [blank] * 10 + images["cam_0"][:2]})
    assert "in 2 of 12 frames" in message
    assert "the images" not in message


def test_a_checkerboard_of_other_counts_is_named():
    message = refuse({"front": [drawn_checkerboard(8, 5)] * 6}, Checkerboard(6, 4, 30.0))
    assert "camera 'front'" in message
    assert "corners_x=8, corners_y=5" in message


def drawn_checkerboard(corners_x, corners_y):
    squares = np.kron(np.indices((corners_y + 1, corners_x + 1)).sum(axis=0) % 2, np.ones((40, 40))) * 200 + 30
    return np.pad(squares, 60, constant_values=230).astype(np.uint8)


@pytest.mark.parametrize("asked", [(8, 6), (9, 7)])
def test_another_checkerboard_is_named_after_twenty_of_six_hundred_pictures(asked):
    class Counted(list):
        n_read = 0

        def __iter__(self):
            for picture in super().__iter__():
                self.n_read += 1
                yield picture

    black = np.zeros((400, 520), np.uint8)  # where the camera did not film
    picture = drawn_checkerboard(9, 6)[:400, :520]
    pictures = Counted([black] * 30 + [picture] * 300)
    message = refuse({"front": pictures}, Checkerboard(*asked, 30.0))
    assert "found in none of the first 20 pictures" in message
    assert "corners_x=9, corners_y=6" in message
    assert 50 <= pictures.n_read < 60  # not 330


def test_a_part_of_a_larger_checkerboard_is_named_as_such():
    pictures, frames = [drawn_checkerboard(9, 6)] * 2, np.arange(2)
    part = larger_checkerboard(pictures, Checkerboard(8, 6, 30.0), frames, "front")
    assert "corners_x=9, corners_y=6" in part
    assert "state the whole board" in part
    assert larger_checkerboard(pictures, Checkerboard(6, 9, 30.0), frames, "front") == ""


def test_a_board_that_comes_late_is_found(images):
    empty = np.full_like(images["cam_0"][0], 128)
    empty[:, :200] = 90
    assert len(detect_board([empty] * 25 + images["cam_0"], BOARD, progress=False).frames) == 10


def test_a_part_of_a_larger_checkerboard_that_is_found_in_varying_places_is_refused():
    seen = simulate_detections(small_rig(3), Checkerboard(7, 4, 40.0), simulate_board_motion(10, reach=60.0), seed=3)
    rng = np.random.default_rng(4)
    for name, found in seen.items():
        columns = [
            view.reshape(4, 7, 2)[:, n : n + 5] for view, n in zip(found.corners, rng.integers(3, size=10), strict=True)
        ]
        seen[name] = BoardDetections(Checkerboard(5, 4, 40.0), found.size, np.reshape(columns, (10, 20, 2)))
    with pytest.raises(CalibrationError, match=r"counted from a row or column beside .* of the whole board"):
        calibrate(seen, distortion_model=0)


def test_a_black_recording_is_named(images):
    message = refuse({**images, "cam_1": [np.zeros((480, 640), np.uint8)] * 12})
    assert "cam_1" in message
    assert "grey" in message


def test_a_single_image_is_refused(images):
    assert "cam_2" in refuse({**images, "cam_2": images["cam_2"][:1]})


def test_a_video_of_one_frame_is_refused(images, tmp_path):
    path = tmp_path / "short.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (640, 480))
    writer.write(cv2.cvtColor(images["cam_2"][0], cv2.COLOR_GRAY2BGR))
    writer.release()
    message = refuse({**images, "cam_2": path})
    assert "'cam_2'" in message
    assert "1 frame; record the board in many positions" in message


def test_a_camera_that_never_saw_the_board_is_named(seen):
    nothing = replace(seen["cam_3"], corners=np.full_like(seen["cam_3"].corners, np.nan))
    message = refuse({**seen, "cam_3": nothing})
    assert "'cam_3'" in message
    assert "in 0 of 24 frames; check that the video shows the board" in message


def test_the_same_recording_twice_is_refused(images):
    message = refuse({**images, "cam_1": images["cam_0"]})
    assert "'cam_0' and 'cam_1' show the same images" in message


def test_missing_and_empty_videos_are_refused(tmp_path):
    with pytest.raises(CalibrationError, match=r"front.*no file"):
        detect_board(tmp_path / "gone.mp4", BOARD, camera="front", progress=False)
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(CalibrationError, match=r"front.*empty"):
        detect_board(tmp_path / "empty.mp4", BOARD, camera="front", progress=False)
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(CalibrationError, match=r"front.*cannot be read as a video"):
        detect_board(tmp_path / "text.mp4", BOARD, camera="front", progress=False)
    (tmp_path / "folder").mkdir()
    with pytest.raises(CalibrationError, match=r"front.*no images"):
        detect_board(tmp_path / "folder", BOARD, camera="front", progress=False)


def test_images_of_two_sizes_are_refused():
    images = [np.zeros((480, 640), np.uint8), np.zeros((640, 480), np.uint8)]
    with pytest.raises(CalibrationError, match=r"'front': image 1 .* is 480x640 px, the first 640x480"):
        detect_board(images, BOARD, camera="front", progress=False)


def test_a_flipped_video_shows_the_mirrored_pattern_at_the_flipped_corners(images):
    plain = detect_board(images["cam_1"][:4], BOARD, progress=False)
    flipped = detect_board(
        [np.ascontiguousarray(image[:, ::-1]) for image in images["cam_1"][:4]], BOARD, progress=False
    )
    assert flipped.mirrored.all()
    assert not plain.mirrored.any()
    both = flipped.seen & plain.seen
    assert both.sum() > 100
    np.testing.assert_allclose(639 - flipped.corners[both][:, 0], plain.corners[both][:, 0], atol=0.2)


def test_a_flipped_video_is_recognised_and_gets_a_negative_focal_length(seen):
    flipped = replace(seen["cam_1"], corners=flip_corners(seen["cam_1"].corners, 640), mirrored=np.ones(24, bool))
    plain, found = (calibrate(s, BOARD, distortion_model=1, progress=False) for s in (seen, {**seen, "cam_1": flipped}))
    assert found.rig["cam_1"].mirrored
    assert any("cam_1" in note and "flipped" in note for note in found.report.notes)
    points = plain.board_points(int(plain.frames[0]))
    expected, shown = plain.rig.project(points), found.rig.project(points)
    np.testing.assert_allclose(639 - shown[1, :, 0], expected[1, :, 0], atol=1e-6)
    np.testing.assert_allclose(shown[1, :, 1], expected[1, :, 1], atol=1e-6)
    np.testing.assert_allclose(shown[[0, 2, 3]], expected[[0, 2, 3]], atol=1e-6)


def test_a_known_lens_of_a_flipped_video_is_kept_as_it_was_stated(seen):
    flipped = replace(seen["cam_1"], corners=flip_corners(seen["cam_1"].corners, 640), mirrored=np.ones(24, bool))
    sights = {**seen, "cam_1": flipped}
    stated = calibrate(sights, BOARD, distortion_model=1, progress=False).rig["cam_1"]
    K = stated.K.copy()
    K[0, 2] += 3.0  # so that the middle of the picture would show
    found = calibrate(sights, BOARD, distortion_model=1, intrinsics={"cam_1": replace(stated, K=K)}, progress=False)
    np.testing.assert_allclose(found.rig["cam_1"].K, K, atol=1e-9)
    assert found.rig["cam_1"].mirrored


def test_the_back_of_a_two_sided_board_is_told_from_a_flipped_video():
    rig = small_rig(3)
    R, t = simulate_board_motion(14, reach=60.0, seed=2)
    behind = replace(rig[1], R=rig[1].R @ rotation_matrix(np.array([np.pi, 0, 0])))
    seen = simulate_detections(CameraRig((rig[0], behind, rig[2])), motion=(R, t))
    sights = {name: replace(found, mirrored=np.full(14, name == "cam_1")) for name, found in seen.items()}
    found = calibrate(sights, BOARD, distortion_model=1, progress=False)
    assert not found.rig["cam_1"].mirrored
    assert any("cam_1" in note and "back" in note for note in found.report.notes)


@pytest.mark.parametrize("turn", [[-1.0, 1, -1], [1, -1, -1]])
def test_a_pattern_on_both_sides_of_a_plate_is_named(ring_rig, turn):
    rig, middle = ring_rig.subset(["cam_0", "cam_1", "cam_2", "cam_3"]), BOARD.points.mean(axis=0)
    R, t = simulate_board_motion(40, reach=60.0, seed=2)
    R = rotation_matrix(np.array([0.5 * np.pi, 0, 0])) @ R  # upright between the cameras
    t = t - t.mean(axis=0)
    faces = [BOARD.points - middle, (BOARD.points - middle) * turn + [0, 0, 3.0]]
    seen = {}
    for camera in rig:
        second = ((camera.center - t) * R[:, :, 2]).sum(axis=1) > 0  # the first one's normal leads away from its viewer
        corners = np.stack([camera.project(faces[int(k)] @ r.T + s) for k, r, s in zip(second, R, t, strict=True)])
        seen[camera.name] = BoardDetections(BOARD, camera.size, corners)
    assert "printed on both sides" in refuse(seen)


def test_mirrored_views_that_nothing_settles_are_refused(seen):
    mirrored = {name: replace(found, mirrored=np.ones(24, bool)) for name, found in seen.items()}
    message = refuse(mirrored)
    assert "'cam_3' show the board's pattern mirrored" in message
    assert "flip the video" in message


def test_groups_that_never_share_a_view_are_named_with_their_counts(seen):
    first = np.arange(24) < 12
    parts = {name: only(found, first if i < 2 else ~first) for i, (name, found) in enumerate(seen.items())}
    message = refuse(parts)
    assert "cam_0, cam_1 | cam_2, cam_3" in message
    assert "cam_0-cam_1 12" in message
    assert "cam_0-cam_2 0" in message


def test_three_frames_are_refused(seen):
    assert "3 of 24 frames" in refuse({name: only(found, [0, 8, 16]) for name, found in seen.items()})


def test_a_board_that_never_moved_is_refused_with_the_tilt_that_is_missing(seen):
    rng = np.random.default_rng(0)
    still = {}
    for name, found in seen.items():
        corners = np.repeat(found.corners[:1], 24, axis=0) + rng.normal(scale=0.1, size=found.corners.shape)
        still[name] = replace(found, corners=corners)
    message = refuse(still)
    assert "focal length is undetermined" in message
    assert "degrees less than needed" in message
    assert "within" not in message  # a deviation of a few hundredths of a percent, which only holds for a perfect lens


@pytest.mark.parametrize(("size", "words"), [((1280, 960), "640x480"), ((480, 640), "swapped")])
def test_intrinsics_of_another_resolution_are_refused(seen, size, words):
    given = Camera("cam_0", size, small_rig(4)[0].K, np.zeros(5), np.eye(3), np.zeros(3))
    message = refuse(seen, intrinsics={"cam_0": given})
    assert "cam_0" in message
    assert words in message


def test_intrinsics_of_another_lens_are_refused(seen):
    K = small_rig(4)[0].K * [[1.3], [1.3], [1]]
    message = refuse(seen, intrinsics={"cam_0": Camera("cam_0", (640, 480), K, np.zeros(5), np.eye(3), np.zeros(3))})
    assert "cam_0" in message
    assert "do not fit" in message


@pytest.mark.parametrize(("camera", "n"), [("cam_2", 1), ("cam_2", 3), ("cam_0", -3)])
def test_a_camera_late_or_early_by_frames_is_refused_with_the_number(smooth, camera, n):
    message = refuse({**smooth, camera: late(smooth[camera], n)})
    assert f"offsets={{'{camera}': {n}}}" in message


def test_the_offsets_asked_for_make_the_rig_whole(smooth):
    shifted = {**smooth, "cam_2": late(smooth["cam_2"], 3)}
    found = calibrate(shifted, BOARD, distortion_model=1, offsets={"cam_2": 3}, progress=False)
    assert found.report.table().loc["all", "p99_px"] < 0.5


def test_gross_outliers_do_not_move_the_rig_and_are_reported(smooth):
    rng, spoiled = np.random.default_rng(0), {}
    for name, found in smooth.items():
        corners = found.corners.copy()
        gross = rng.random(corners.shape[:2]) < 0.03
        corners[gross] += rng.normal(scale=40, size=(gross.sum(), 2))
        spoiled[name] = replace(found, corners=corners)
    clean, rough = (calibrate(sights, BOARD, distortion_model=2, progress=False) for sights in (smooth, spoiled))
    np.testing.assert_allclose(rough.rig.centers, clean.rig.centers, atol=0.5)
    assert sum("gross outliers" in warning for warning in rough.report.warnings) == 4


def test_a_camera_that_moved_halfway_is_refused(smooth):
    rig = small_rig(4)
    turn = rotation_matrix(np.array([0.02, -0.01, 0.03]))
    moved = replace(rig[1], R=turn @ rig[1].R, t=turn @ rig[1].t + [8, 0, 5])
    after = simulate_detections(CameraRig((rig[0], moved, *rig.cameras[2:])), motion=smooth_motion(40))
    corners = smooth["cam_1"].corners.copy()
    corners[20:] = after["cam_1"].corners[20:]
    message = refuse({**smooth, "cam_1": replace(smooth["cam_1"], corners=corners)})
    assert "'cam_1' moved during the recording" in message
    assert "near frame 20" in message


def test_a_refusal_names_cameras_with_different_numbers_of_frames(seen):
    shorter = BoardDetections(BOARD, seen["cam_1"].size, np.roll(seen["cam_1"].corners, 9, axis=0)[:20])
    with pytest.raises(CalibrationError, match=r"cam_1.*cam_0 24, cam_1 20, .* remove those without a partner"):
        calibrate({**seen, "cam_1": shorter})


def test_cameras_close_to_orthographic_are_named_with_what_that_costs():
    K = np.array([[220000.0, 0, 320], [0, 220000, 240], [0, 0, 1]])
    far = CameraRig(tuple(replace(camera, K=K, t=400 * camera.t) for camera in small_rig(2)))
    seen = simulate_detections(far, motion=simulate_board_motion(20, reach=80.0, seed=3))
    with pytest.raises(CalibrationError, match=r"known only within .* close to orthographic .* depth along its axis"):
        calibrate(seen, distortion_model=0)


@needs_shared
@pytest.mark.shared
def test_the_published_broken_calibration_is_refused_on_its_own_recording(rat_boards):
    broken = read_rig(SHARED / "data" / "rodent_4cam" / "broken_reference_calibration.toml")
    message = refuse(rat_boards, next(iter(rat_boards.values())).board, intrinsics=broken)
    assert "side" in message
