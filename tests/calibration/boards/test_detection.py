"""Boards in images: found where they are, in any print, and kept beside their source."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from muybridge.calibration import (
    CalibrationError,
    CharucoBoard,
    Checkerboard,
    MarkerBoard,
    calibrate,
    detect_board,
    simulate_board_motion,
)
from muybridge.calibration.boards import image_sources
from muybridge.calibration.boards.corner_finders import make_finder
from muybridge.calibration.boards.detection_cache import load_detections
from muybridge.calibration.boards.marker_dictionaries import opencv_dictionary
from tests.calibration.synthetic import BOARD, render_board, small_rig
from tests.helpers import cut_off, damage_frame, write_picture_video


@pytest.fixture(scope="module")
def pictures():
    return render_board(small_rig(1), *simulate_board_motion(5, reach=40.0, tilt=0.3, seed=1))["cam_0"]


@pytest.fixture(scope="module")
def truth():
    rig, (R, t) = small_rig(1), simulate_board_motion(5, reach=40.0, tilt=0.3, seed=1)
    return rig[0].project((BOARD.points - BOARD.points.mean(axis=0)) @ R.swapaxes(1, 2) + t[:, None])


def test_corners_are_where_the_board_was_drawn(pictures, truth):
    found = detect_board(pictures, BOARD, progress=False)
    assert found.seen.mean() > 0.9
    errors = (found.corners - truth)[found.seen]
    assert np.median(np.linalg.norm(errors, axis=-1)) < 0.3
    assert_allclose(np.median(errors, axis=0), 0, atol=0.1)


def test_pictures_of_12_bits_in_16_show_the_same_board(tmp_path, pictures):
    """Taken as 16 bits they are nearly black, as behind a covered lens."""
    plain = detect_board(pictures[:1], BOARD, progress=False)
    for name, picture in (("array", pictures[0].astype(np.uint16) << 4), ("file", None)):
        if name == "file":
            cv2.imwrite(str(tmp_path / "a.png"), np.uint16(pictures[0]) << 4)
        found = detect_board(tmp_path if picture is None else [picture], BOARD, progress=False)
        assert_allclose(found.corners, plain.corners, atol=1e-3)


def test_a_cut_dictionary_finds_the_same_corners_as_the_whole(pictures):
    sides, dictionary = (BOARD.squares_x, BOARD.squares_y), opencv_dictionary(BOARD.dictionary)
    board = cv2.aruco.CharucoBoard(sides, BOARD.square_length, BOARD.marker_length, dictionary)
    whole = cv2.aruco.CharucoDetector(board)
    for picture in pictures:
        corners, ids, _, _ = whole.detectBoard(picture)
        mine = make_finder(BOARD)(picture, False).corners
        assert_allclose(mine[ids.ravel()], corners.reshape(-1, 2))
        assert np.isfinite(mine[:, 0]).sum() == len(ids)


@pytest.mark.parametrize("options", [{"inverted": True}, {"legacy": True}, {"dictionary": "DICT_6X6_250"}])
def test_other_prints_are_found_when_asked_for(options):
    board = CharucoBoard(7, 6, 40.0, 30.0, **options)
    pictures = render_board(small_rig(1), *simulate_board_motion(2, reach=20.0, tilt=0.2, seed=5), board=board)["cam_0"]
    assert detect_board(pictures, board, progress=False).seen.mean() > 0.9


def test_a_checkerboard_is_read_in_the_same_order_from_any_side():
    board, squares = Checkerboard(6, 5, 30.0), np.indices((6, 7)).sum(axis=0) % 2
    drawn = np.pad(np.kron(squares, np.ones((60, 60))) * 200 + 30, 60, constant_values=230).astype(np.uint8)
    upright = make_finder(board)(drawn, False).corners
    turned = make_finder(board)(np.ascontiguousarray(drawn[::-1, ::-1]), False).corners
    assert_allclose(np.array(drawn.shape[::-1]) - 1 - turned, upright, atol=0.05)
    quarter = make_finder(board)(np.ascontiguousarray(np.rot90(drawn)), False).corners
    expected = np.stack([upright[:, 1], drawn.shape[1] - 1 - upright[:, 0]], axis=-1)
    assert_allclose(quarter, expected, atol=0.05)


def test_single_markers_calibrate_a_camera():
    board = MarkerBoard((3, 5, 7, 11), 60.0, ((-80, -80), (80, -80), (-80, 80), (80, 80)))
    size, dictionary = 600, cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_1000)
    drawn = np.full((size, size), 255, np.uint8)
    for marker, (x, y) in zip(board.ids, board.centers, strict=True):
        at = (np.array([y, x]) - 30) * 2 + size // 2
        drawn[int(at[0]) : int(at[0]) + 120, int(at[1]) : int(at[1]) + 120] = dictionary.generateImageMarker(
            marker, 120
        )
    to_plane = np.array([[0.5, 0, 0.25 - 150], [0, 0.5, 0.25 - 150], [0, 0, 1]])
    rig, (R, t) = small_rig(2), simulate_board_motion(14, reach=40.0, seed=3)
    images = {}
    for camera in rig:
        poses = [(camera.R @ r, camera.R @ s + camera.t) for r, s in zip(R, t, strict=True)]
        maps = [camera.K @ np.column_stack([r[:, 0], r[:, 1], s]) @ to_plane for r, s in poses]
        images[camera.name] = [
            cv2.warpPerspective(drawn, H, camera.size, flags=cv2.INTER_AREA, borderValue=255) for H in maps
        ]
    found = calibrate(images, board, distortion_model=0, progress=False)
    assert_allclose([camera.K[0, 0] for camera in found.rig], [560, 570], rtol=0.02)
    baseline = np.linalg.norm(found.rig.centers[1] - found.rig.centers[0])
    assert_allclose(baseline, np.linalg.norm(rig.centers[1] - rig.centers[0]), rtol=0.02)


def test_detections_are_kept_until_the_video_changes(tmp_path, pictures):
    path, kept = tmp_path / "front.avi", tmp_path / "corners"
    write_picture_video(path, pictures)
    first = detect_board(path, BOARD, cache=kept, progress=False)
    assert load_detections(path, BOARD, 1, kept) is not None
    assert load_detections(path, CharucoBoard(7, 6, 41.0, 30.0), 1, kept) is None
    assert_allclose(detect_board(path, BOARD, cache=kept, progress=False).corners, first.corners)
    write_picture_video(path, pictures[:3])
    assert load_detections(path, BOARD, 1, kept) is None
    assert detect_board(path, BOARD, cache=kept, progress=False).n_frames == 3


def test_without_a_folder_nothing_is_kept(tmp_path, pictures):
    path = tmp_path / "front.avi"
    write_picture_video(path, pictures[:2])
    detect_board(path, BOARD, progress=False)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", ["video", "folder", "list"])
def test_corners_are_kept_in_the_folder_given_and_nothing_beside_the_recording(tmp_path, pictures, kind):
    raw, kept = tmp_path / "raw", tmp_path / "results" / "corners"
    raw.mkdir()
    write_picture_video(raw / "front.avi", pictures)
    images = [raw / f"frame-{number}.png" for number in range(2)]
    for image, picture in zip(images, pictures, strict=False):
        cv2.imwrite(str(image), picture)
    before = sorted(raw.iterdir())
    source = {"video": raw / "front.avi", "folder": raw, "list": images}[kind]
    first = detect_board(source, BOARD, cache=kept, progress=False)
    assert sorted(raw.iterdir()) == before
    assert len(list(kept.iterdir())) == 1
    assert load_detections(source, BOARD, 1, kept) is not None
    assert_allclose(detect_board(source, BOARD, cache=kept, progress=False).corners, first.corners)


def test_a_folder_that_cannot_be_written_to_keeps_no_cache(tmp_path, pictures):
    folder = tmp_path / "images"
    folder.mkdir()
    for number, picture in enumerate(pictures[:2]):
        cv2.imwrite(str(folder / f"frame-{number}.png"), picture)
    kept = tmp_path / "kept"
    kept.mkdir()
    kept.chmod(0o555)
    for cache in (kept, folder / "frame-0.png" / "below a file"):
        found = detect_board(folder, BOARD, cache=cache, progress=False)
        assert found.n_frames == 2
    assert list(kept.iterdir()) == []
    assert {path.name for path in folder.iterdir()} == {"frame-0.png", "frame-1.png"}
    kept.chmod(0o755)


def test_every_nth_frame_keeps_the_frames_numbers(pictures):
    found = detect_board(pictures, BOARD, frame_step=2, progress=False)
    assert found.n_frames == 5
    assert set(found.frames) <= {0, 2, 4}
    with pytest.raises(CalibrationError, match="frame_step=0"):
        detect_board(pictures, BOARD, frame_step=0, progress=False)


@pytest.mark.parametrize("cache", [True, False])
def test_a_cache_that_is_no_folder_is_refused(pictures, cache):
    with pytest.raises(CalibrationError, match=f"cache={cache}: give a folder"):
        detect_board(pictures, BOARD, cache=cache, progress=False)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: CharucoBoard(1, 6, 40, 30), "2x2"),
        (lambda: CharucoBoard(7, 6, 30, 40), "smaller than square_length"),
        (lambda: CharucoBoard(7, 6, 40, 30, dictionary="9X9"), "unknown ArUco dictionary"),
        (lambda: CharucoBoard(20, 20, 40, 30, dictionary="4X4_50"), "needs 200 markers"),
        (lambda: Checkerboard(6, 5, -1), "positive length"),
        (lambda: MarkerBoard((1, 1), 30, ((0, 0), (50, 0))), "must differ"),
    ],
)
def test_boards_that_cannot_be_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_video_that_ends_before_its_header_says_is_refused(tmp_path, pictures):
    video = write_picture_video(tmp_path / "board.avi", pictures * 3)
    assert len(list(image_sources.gray_frames(video, "left"))) == 15
    cut_off(video, 5)
    with pytest.raises(CalibrationError, match=r"camera 'left': only 5 of the 15 frames .* truncated"):
        list(image_sources.gray_frames(video, "left"))


def test_a_damaged_frame_keeps_its_number(tmp_path, pictures):
    video = write_picture_video(tmp_path / "board.avi", pictures * 3)
    whole = detect_board(video, BOARD, progress=False)
    damage_frame(video, 2)
    found = detect_board(video, BOARD, progress=False)
    assert found.n_frames == 15
    assert np.isnan(found.corners[2]).all()
    assert_allclose(np.delete(found.corners, 2, axis=0), np.delete(whole.corners, 2, axis=0))
