"""Plain checkerboards: turns of a symmetric pattern and flipped videos, told by the rig."""

from dataclasses import replace

import numpy as np
import pytest

from muybridge.calibration import CalibrationError, Checkerboard, calibrate, simulate_board_motion, simulate_detections
from muybridge.calibration.boards.corner_finders import make_finder
from muybridge.calibration.solver.checkerboard_orientation import turned_orders, unflipped_order
from muybridge.calibration.solver.mirrored_patterns import flip_corners
from tests.calibration.synthetic import small_rig

RIG = small_rig(4)


def turned_sights(board, flip=(), rig=RIG, **motion):
    """Whole boards seen by the rig, each view named from a random end, some cameras' videos flipped."""
    motion = {"reach": 80.0, "seed": 3, **motion}
    rng, orders, sights = np.random.default_rng(0), turned_orders(board), {}
    seen = simulate_detections(rig, board, simulate_board_motion(24, **motion))
    for i, (name, found) in enumerate(seen.items()):
        turns = orders[rng.integers(len(orders), size=24)]
        corners = np.take_along_axis(found.corners, turns[..., None], axis=1)
        if i in flip:
            corners = flip_corners(corners[:, unflipped_order(board)], 640)
        corners[~np.isfinite(corners).all(axis=(1, 2))] = np.nan
        sights[name] = replace(found, corners=corners)
    return sights


@pytest.mark.parametrize("corners", [(8, 6), (7, 5), (6, 6), (8, 5)])
@pytest.mark.parametrize("flip", [(), (1,)])
def test_symmetric_and_flipped_checkerboards_give_the_true_rig(corners, flip):
    board = Checkerboard(*corners, 30.0)
    found = calibrate(turned_sights(board, flip), board, distortion_model=1, progress=False)
    assert [camera.mirrored for camera in found.rig] == [c in flip for c in range(4)]
    assert found.report.table().loc["all", "p99_px"] < 0.4
    apart = [np.linalg.norm(rig.centers[1:] - rig.centers[0], axis=1) for rig in (found.rig, RIG)]
    np.testing.assert_allclose(*apart, rtol=0.01)
    assert sum("flipped" in note for note in found.report.notes) == len(flip)
    assert any("turned" in note for note in found.report.notes) == (len(turned_orders(board)) > 1)


@pytest.mark.parametrize("corners", [(8, 6), (8, 5)])
def test_two_groups_that_see_mirror_images_are_refused(corners):
    board = Checkerboard(*corners, 30.0)
    with pytest.raises(CalibrationError, match=r"\['cam_1', 'cam_2'\] and \['cam_0', 'cam_3'\] see mirror images"):
        calibrate(turned_sights(board, (1, 2)), board, distortion_model=1, progress=False)


def test_a_symmetric_board_that_hardly_moved_is_refused():
    board = Checkerboard(8, 6, 30.0)
    with pytest.raises(CalibrationError, match=r"camera 'cam_1'.*8x6.*the same after a turn.*one odd and one even"):
        calibrate(turned_sights(board, reach=1.0, tilt=0.2), board, distortion_model=1, progress=False)


@pytest.mark.parametrize("corners", [(6, 5), (5, 6)])
def test_a_flipped_image_names_its_corners_as_the_law_of_the_order_says(corners):
    board, (nx, ny) = Checkerboard(*corners, 30.0), corners
    squares = np.indices((ny + 1, nx + 1)).sum(axis=0) % 2
    drawn = np.pad(np.kron(squares, np.ones((60, 60))) * 200 + 30, 60, constant_values=230).astype(np.uint8)
    plain, flipped = (
        make_finder(board)(np.ascontiguousarray(image), False).corners for image in (drawn, drawn[:, ::-1])
    )
    back = flip_corners(flipped, drawn.shape[1])[unflipped_order(board)]
    np.testing.assert_allclose(back, plain, atol=0.05)
