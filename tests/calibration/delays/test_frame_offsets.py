"""Delays in whole frames are found from the board alone."""

import numpy as np
import pytest

from muybridge.calibration import BoardDetections, CharucoBoard
from muybridge.calibration.delays.frame_offsets import board_offsets
from muybridge.cameras.rotations import rotation_matrix
from tests.helpers import SHARED, needs_shared

BOARD = CharucoBoard(7, 6, 40.0, 30.0)


def shifted(found, k):
    """The same recording delayed by k frames."""
    corners = np.full_like(found.corners, np.nan)
    if k >= 0:
        corners[k:] = found.corners[: len(corners) - k]
    else:
        corners[:k] = found.corners[-k:]
    return BoardDetections(found.board, found.size, corners)


def wave(rig, times, delays=None, noise=0.2, seed=0):
    """Detections of a board waved before all cameras; each sees it `delays` frames earlier than its frame says."""
    rng = np.random.default_rng(seed)
    detections = {}
    for i, camera in enumerate(rig):
        t = times - (0 if delays is None else delays[i])
        turn = np.stack([0.9 * np.sin(0.31 * t), 0.8 * np.cos(0.23 * t + 1), 0.5 * np.sin(0.17 * t)], -1)
        shift = np.stack([90 * np.sin(0.21 * t), 90 * np.cos(0.27 * t), 60 + 50 * np.sin(0.19 * t + 2)], -1)
        middle = BOARD.points - BOARD.points.mean(axis=0)
        points = np.einsum("fij,pj->fpi", rotation_matrix(turn + np.array([np.pi, 0, 0])), middle) + shift[:, None]
        corners = camera.project(points)
        corners += rng.normal(0, noise, corners.shape)
        detections[camera.name] = BoardDetections(BOARD, camera.size, corners)
    return detections


@pytest.fixture(scope="module")
def waved(ring_rig):
    return wave(ring_rig.subset(["cam_0", "cam_1", "cam_2", "cam_3"]), np.arange(40.0))


def test_cameras_in_step_stay(waved, ring_rig):
    found = board_offsets(waved, intrinsics=ring_rig)
    np.testing.assert_array_equal(found.offsets, 0)
    np.testing.assert_allclose(found.subframe, 0, atol=0.05)
    assert found.sentences() == ()


def test_cameras_that_are_delayed_or_ahead_are_named(waved, ring_rig):
    detections = {**waved, "cam_1": shifted(waved["cam_1"], 2), "cam_3": shifted(waved["cam_3"], -3)}
    found = board_offsets(detections, intrinsics=ring_rig)
    np.testing.assert_array_equal(found.offsets, [0, 2, 0, -3])
    delayed, ahead = found.sentences()
    assert "camera 'cam_1' is delayed by 2 frames" in delayed
    assert "camera 'cam_3' is ahead by 3 frames" in ahead


def test_fractions_of_a_frame_are_found(ring_rig):
    rig = ring_rig.subset(["cam_0", "cam_1", "cam_2", "cam_3"])
    found = board_offsets(wave(rig, np.arange(60.0), delays=[0, 0.4, 0, -0.3]), intrinsics=ring_rig)
    np.testing.assert_allclose(found.subframe - found.subframe[0], [0, 0.4, 0, -0.3], atol=0.08)


def test_a_board_that_does_not_move_tells_nothing(waved, ring_rig):
    still = {
        name: BoardDetections(BOARD, d.size, np.repeat(d.corners[:1], 20, axis=0)) for name, d in waved.items()
    }  # fmt: skip
    found = board_offsets(still, intrinsics=ring_rig)
    np.testing.assert_array_equal(found.offsets, 0)
    assert found.sentences() == ()


def test_one_camera_has_no_offset(waved):
    with pytest.raises(ValueError, match="two cameras"):
        board_offsets({"cam_0": waved["cam_0"]})


@needs_shared
@pytest.mark.shared
def test_twelve_of_twelve_shifts_of_a_real_board_are_found():
    import cv2

    from muybridge.calibration.boards.detection import detect_boards
    from muybridge.calibration.solver.initial_lenses import start_camera

    board = CharucoBoard(8, 11, 24.0, 18.75)
    cameras = ("back", "mid", "side", "top")
    folder = SHARED / "data" / "rodent_4cam"
    sources = {c: sorted((folder / c / "calibration_images").glob("*.jpg"), key=_number) for c in cameras}
    images = {c: [cv2.imread(str(p), cv2.IMREAD_GRAYSCALE) for p in paths] for c, paths in sources.items()}
    detections = detect_boards(images, board, progress=False)
    lenses = {c: start_camera(d.corners, board.points, d.size, c) for c, d in detections.items()}
    for i, camera in enumerate(cameras):
        for k in (-2, 1, 3):
            late = {**detections, camera: shifted(detections[camera], k)}
            found = board_offsets(late, intrinsics=lenses, max_offset=3)
            np.testing.assert_array_equal(found.offsets, np.eye(4, dtype=int)[i] * k)
            assert len(found.sentences()) == 1


def _number(path):
    return int(path.stem.rsplit("-", 1)[1])
