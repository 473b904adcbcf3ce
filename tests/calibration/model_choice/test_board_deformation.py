"""A bent board is found out and its shape estimated; a flat one stays as printed."""

import numpy as np
import pytest

from muybridge.calibration import calibrate, simulate_board_motion, simulate_detections
from tests.calibration.synthetic import BOARD, small_rig


@pytest.mark.parametrize("bend", [0.0, 0.4])
def test_the_board_s_shape_is_estimated_where_it_is_bent(bend):
    x, y, _ = ((BOARD.points - BOARD.points.mean(axis=0)) / 100.0).T
    z = x**2 - 0.5 * x * y
    shape = BOARD.points + bend * np.column_stack([0 * z, 0 * z, (z - z.mean()) / z.std()])
    motion = simulate_board_motion(24, reach=120.0, seed=3)
    seen = simulate_detections(small_rig(3), BOARD, motion, noise=0.05, board_shape=shape, seed=3)
    found = calibrate(seen, distortion_model=2, progress=False)
    assert any("shape was estimated" in note for note in found.report.notes) == (bend > 0)
    if not bend:
        np.testing.assert_array_equal(found.board_shape, BOARD.points)
        return
    plane = np.column_stack([BOARD.points[:, :2], np.ones(len(z))])
    height = found.board_shape[:, 2] - shape[:, 2]
    height -= plane @ np.linalg.lstsq(plane, height, rcond=None)[0]
    assert np.sqrt(np.mean(height**2)) < 0.1 * bend
