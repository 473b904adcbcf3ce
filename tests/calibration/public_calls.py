"""Calls of the functions of calibration with every option, on one small simulated recording.

A module of its own, imported by the tests as they run: it calibrates, which the collection of tests need not.
"""

import numpy as np

from muybridge.calibration import calibrate, simulate_detections
from tests.calibration.synthetic import BOARD, render_board, small_rig, smooth_motion

RIG, MOTION = small_rig(2), smooth_motion(16)
SEEN = simulate_detections(RIG, motion=MOTION)
IMAGES = render_board(RIG, *MOTION)
FOUND = calibrate(SEEN, distortion_model=0)
CORNERS = FOUND.board_points(0)
QUICK = {"distortion_model": 0, "progress": False}
POSED = [((FOUND, *CORNERS[[0, 5, -1]]), {"floor": False})]
EVEN = {name: np.arange(16) / 50 for name in RIG.names}
# {function: [(arguments, options), ...]}
CALLS = {
    "board_offsets": [((SEEN,), {"intrinsics": RIG, "max_offset": 2})],
    "calibrate": [
        ((SEEN,), {"board": BOARD, "intrinsics": {"cam_0": RIG[0]}, "distortion_model": {"cam_0": 0, "cam_1": 1}}),
        ((SEEN,), {"times": EVEN, "offsets": {"cam_0": 0}, "unit": "cm", "distortion_model": 0}),
        ((SEEN,), {"shared_intrinsics": [RIG.names], "estimate_board_deformation": True, "distortion_model": 1}),
        ((IMAGES, BOARD), {"frame_step": 1, "cache": None, **QUICK}),
    ],
    "calibrate_intrinsics": [
        (
            (SEEN,),
            {
                "board": BOARD,
                "distortion_model": {"cam_0": 0, "cam_1": 1},
                "estimate_board_deformation": True,
                "unit": "cm",
            },
        ),
        ((IMAGES, BOARD), {"frame_step": 1, "cache": None, **QUICK}),
    ],
    "detect_board": [
        ((IMAGES["cam_0"], BOARD), {"camera": "cam_0", "frame_step": 4, "cache": None, "progress": False})
    ],
    "image_uncertainty": [((FOUND, "cam_0", 900.0), {"grid": (4, 3)})],
    "move_rig": [((RIG, np.eye(3), np.zeros(3)), {"up": [0.0, 0, 1], "scale": 0.1})],
    "move_world": [((FOUND, np.eye(3), np.zeros(3)), {"up": [0.0, 0, 1]})],
    "projection_covariance": [((FOUND, CORNERS), {})],
    "simulate_board_motion": [((), {"n_frames": 3, "tilt": 0.2, "reach": 10.0, "seed": 5})],
    "simulate_detections": [
        ((), {"rig": RIG, "board": BOARD, "motion": MOTION, "noise": 0.5, "outlier_share": 0.1, "seed": 2}),
        ((), {"board_shape": np.add(BOARD.points, [0, 0, 1.0])}),
    ],
    "up_from_gravity": [((FOUND, [0.0, 0, 0], [0.0, 1, 0]), {})],
    "volume_uncertainty": [((FOUND, CORNERS), {})],
    "world_from_board": [((FOUND, 0), {"floor": False})],
    "world_from_plane": [((FOUND, CORNERS), {"floor": False})],
    "world_from_points": POSED,
}
