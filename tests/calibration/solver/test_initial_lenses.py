"""A first lens from one camera's views of the board."""

from dataclasses import replace

import numpy as np

from muybridge.calibration import CameraRig, simulate_board_motion, simulate_detections
from muybridge.calibration.solver.initial_lenses import off_centre, start_lens
from tests.calibration.synthetic import small_rig


def test_a_lens_far_from_the_images_middle_is_found_where_one_about_it_does_not_fit():
    K = np.array([[360.0, 0, 150], [0, 360, 380], [0, 0, 1]])  # of images of 640 x 480: shifted, or cropped
    rig = CameraRig((replace(small_rig(1)[0], K=K, distortion=[-0.35, 0.12]),))
    (seen,) = simulate_detections(rig, motion=simulate_board_motion(24, reach=220.0, seed=3), noise=0.1).values()
    about_the_middle, kind, error = start_lens(seen.corners, seen.board.points, seen.size)
    row, smaller = off_centre(seen.corners, seen.board.points, seen.size, kind, about_the_middle)
    assert smaller < 0.8 * error
    assert np.linalg.norm(row[2:4] - K[:2, 2]) < 45  # the middle lies 220 px away
