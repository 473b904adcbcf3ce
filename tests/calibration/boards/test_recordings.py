"""Several recordings of boards for one rig: pairs, lenses alone, different boards, and what connects them."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from muybridge.calibration import (
    BoardDetections,
    CalibrationError,
    CameraRig,
    Checkerboard,
    calibrate,
    calibrate_intrinsics,
    simulate_board_motion,
    simulate_detections,
    world_from_board,
)
from muybridge.calibration.boards.board_set import BoardSet
from muybridge.calibration.boards.image_sources import image_files
from tests.calibration.synthetic import BOARD, small_rig, smooth_motion

RIG = small_rig(4)
PAIRS = ((0, 1), (1, 2), (1, 3))
SMALL = Checkerboard(7, 4, 30.0)


def recorded(cameras, seed, board=BOARD, n_frames=14, noise=0.1):
    """What some of the cameras see of a board that is waved anew."""
    motion = simulate_board_motion(n_frames, reach=80.0, seed=seed)
    rig = CameraRig(tuple(RIG[c] for c in cameras))
    return simulate_detections(rig, board, motion, noise=noise, seed=seed)


@pytest.fixture(scope="module")
def pairs():
    return [recorded(pair, seed) for seed, pair in enumerate(PAIRS)]


def with_black_images(recordings):
    """The recordings as one: nothing is seen where a camera did not film."""
    names = dict.fromkeys(name for recording in recordings for name in recording)
    size, corners = RIG[0].size, {name: [] for name in names}
    for recording in recordings:
        blank = np.full_like(next(iter(recording.values())).corners, np.nan)
        for name in names:
            corners[name].append(recording[name].corners if name in recording else blank)
    return {name: BoardDetections(BOARD, size, np.concatenate(parts)) for name, parts in corners.items()}


def largest_error(found):
    """Of the distances between cameras, mm: the cameras' poses, whatever the world."""
    between = [
        np.linalg.norm(rig.centers[:, None] - rig.centers[None], axis=-1)
        for rig in (found.rig, RIG.subset(found.rig.names))
    ]
    return np.abs(between[0] - between[1]).max()


def test_pairs_filmed_one_after_the_other_give_the_rig_that_black_images_give(pairs):
    found, together = calibrate(pairs, distortion_model=0), calibrate(with_black_images(pairs), distortion_model=0)
    assert found.rig.names == tuple(RIG.names)
    assert largest_error(found) < 2.0
    np.testing.assert_array_equal(found.rig.centers, together.rig.centers)
    assert found.recordings == {"1": range(14), "2": range(14, 28), "3": range(28, 42)}
    assert together.recordings == {}


def test_named_recordings_are_named_in_the_report_and_by_their_frames(pairs):
    found = calibrate(dict(zip(("a", "b", "c"), pairs, strict=True)), distortion_model=0)
    assert list(found.recordings) == ["a", "b", "c"]
    assert "of recording '" in found.report.facts["worst frame"]
    placed = world_from_board(found, found.recordings["b"][3])
    assert np.abs(placed.board_points(17)[:, 2]).max() < 1e-9


def test_recordings_that_do_not_connect_the_cameras_are_named_by_groups(pairs):
    with pytest.raises(CalibrationError, match="in none of the 2 recordings") as caught:
        calibrate([pairs[0], recorded((2, 3), 9)])
    assert "cam_0, cam_1 | cam_2, cam_3" in str(caught.value)
    assert "Frames shared by each pair: cam_0-cam_1 14; cam_2-cam_3 14" in str(caught.value)


def test_frames_of_two_recordings_are_never_one_instant(pairs):
    late = {**pairs[1], "cam_2": replace(pairs[1]["cam_2"], corners=np.roll(pairs[1]["cam_2"].corners, 2, axis=0))}
    found = calibrate([pairs[0], late, pairs[2]], offsets=[None, {"cam_2": 2}, None], distortion_model=0)
    assert largest_error(found) < 2.0
    assert len(np.intersect1d(found.frames, found.recordings["2"])) == 14


def test_recordings_of_different_boards_make_one_rig():
    recordings = {"large": recorded((0, 1), 1), "small": recorded((1, 2), 2, SMALL, 20), "third": recorded((2, 3), 3)}
    found = calibrate(recordings, distortion_model=0)
    assert largest_error(found) < 4.0
    assert found.board == BOARD
    assert found.board_of(found.recordings["small"][0]) == SMALL
    assert found.board_points(found.recordings["small"][0]).shape == SMALL.points.shape
    assert found.report.facts["scale"] == "from the board's stated length 40, 30"
    assert isinstance(found.detections["cam_1"].board, BoardSet)


def test_a_flipped_video_is_found_in_each_board_that_it_shows():
    flipped = {"large": recorded((0, 1, 2), 1, n_frames=20), "small": recorded((0, 1, 2), 2, SMALL, 20)}
    for recording in flipped.values():
        own = recording["cam_2"]
        corners = own.corners.copy()
        corners[..., 0] = own.size[0] - 1 - corners[..., 0]
        if own.board == SMALL:  # the finder starts at the corner that the colours of the squares ask for
            corners = corners.reshape(20, 4, 7, 2)[:, ::-1].reshape(20, 28, 2)
        recording["cam_2"] = replace(own, corners=corners, mirrored=np.full(20, own.board == BOARD))
    found = calibrate(flipped, distortion_model=0)
    assert found.rig["cam_2"].K[0, 0] < 0
    assert largest_error(found) < 4.0


def test_pictures_of_one_camera_help_its_lens(pairs):
    def focal_std(found):
        return found.covariance.loc[("cam_3", "fx"), ("cam_3", "fx")] ** 0.5

    alone = recorded((3,), 8, n_frames=30)
    found = calibrate([*pairs, alone], distortion_model=0)
    assert focal_std(found) < 0.8 * focal_std(calibrate(pairs, distortion_model=0))
    assert largest_error(found) < 2.0


def test_pictures_that_are_not_simultaneous_calibrate_lenses_and_are_refused_as_a_rig():
    scattered = {RIG[c].name: recorded((c,), c)[RIG[c].name] for c in range(4)}
    lenses = calibrate_intrinsics(scattered, distortion_model=0)
    for camera in RIG:
        assert lenses[camera.name].rig.names == (camera.name,)
        np.testing.assert_allclose(lenses[camera.name].rig[camera.name].K, camera.K, rtol=0.01, atol=4)
    with pytest.raises(CalibrationError, match=r"plainly not of one instant.*calibrate_intrinsics"):
        calibrate(scattered)
    known = {name: lens.rig[name] for name, lens in lenses.items()}
    found = calibrate([recorded(pair, seed, n_frames=5) for seed, pair in enumerate(PAIRS)], intrinsics=known)
    assert largest_error(found) < 8.0


def test_recordings_of_other_shapes_are_refused(pairs):
    for sources, words in (
        ("board.mp4", "sources must be"),
        ([], "no recording was given"),
        ([pairs[0], "board.mp4"], "recording '2' must be"),
        ([pairs[0], {}], "at least one camera"),
        ([pairs[0], {**pairs[1], "cam_2": replace(pairs[1]["cam_2"], size=(320, 240))}, pairs[2],
          {"cam_2": pairs[1]["cam_2"]}], "camera 'cam_2': its images are 320x240 px in recording '2' and 640x480 px"),
    ):  # fmt: skip
        with pytest.raises(CalibrationError, match=words):
            calibrate(sources, distortion_model=0)
    with pytest.raises(CalibrationError, match="board has 2 entries for 3 recordings"):
        calibrate(pairs, [BOARD, BOARD])
    with pytest.raises(CalibrationError, match="names the recording 'x'"):
        calibrate(pairs, {"1": BOARD, "x": BOARD})
    nothing = {"cam_1": replace(pairs[0]["cam_1"], corners=np.full_like(pairs[0]["cam_1"].corners, np.nan))}
    with pytest.raises(CalibrationError, match="recording '4': camera 'cam_1'"):
        calibrate([*pairs, nothing])


def test_cameras_of_one_recording_with_different_numbers_of_frames_are_named(pairs):
    shorter = {**pairs[0], "cam_1": BoardDetections(BOARD, RIG[1].size, pairs[0]["cam_1"].corners[:12])}
    found = calibrate({"first": shorter, "b": pairs[1], "c": pairs[2]}, distortion_model=0)
    (warning,) = found.report.warnings
    assert "recording 'first': the cameras have different numbers of frames (cam_0 14, cam_1 12)" in warning


def test_a_list_of_files_of_several_folders_keeps_its_order(tmp_path):
    files = [tmp_path / pair / f"{number}.png" for pair in ("b", "a") for number in (2, 10, 1)]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(file), np.zeros((4, 4), np.uint8))
    assert image_files(files, "left") == files
    assert [file.name for file in image_files(files[:3], "left")] == ["1.png", "2.png", "10.png"]
    filled = [files[0], files[1], files[0], files[2]]
    assert image_files(filled, "left") == filled


def test_recordings_in_steady_motion_are_not_taken_for_one(pairs):
    """Delays by fractions of a frame look at the frames before and after: those of another recording are none."""
    motions = [smooth_motion(12), tuple(part[::-1] for part in smooth_motion(12))]
    found = [
        simulate_detections(CameraRig((RIG[a], RIG[b])), motion=motion, seed=a)
        for (a, b), motion in zip(((0, 1), (1, 2)), motions, strict=True)
    ]
    seconds = np.arange(12) / 25
    times = [dict.fromkeys(recording, seconds) for recording in found]
    timed, plain = calibrate(found, times=times, distortion_model=0), calibrate(found, distortion_model=0)
    assert np.abs(timed.rig.centers - plain.rig.centers).max() < 1.0
