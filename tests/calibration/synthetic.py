"""Boards seen by rigs with known truth, without images."""

import numpy as np

from muybridge.calibration import BoardDetections, CharucoBoard
from muybridge.calibration.rotations import rotation_matrix

BOARD = CharucoBoard(7, 6, 40.0, 30.0)


def board_motion(n_frames, seed=0, tilt=0.5, reach=150.0):
    """Board to world: R (n_frames, 3, 3), t (n_frames, 3); facing up, tilted at random, moved within `reach`."""
    rng = np.random.default_rng(seed)
    # the board's own z points down when it is seen from above (x right, y down in the image)
    turn = rotation_matrix(np.array([np.pi, 0, 0])) @ rotation_matrix(
        np.column_stack([np.zeros((n_frames, 2)), rng.uniform(-np.pi, np.pi, n_frames)])
    )
    R = rotation_matrix(rng.normal(scale=tilt, size=(n_frames, 3)) * [1, 1, 0]) @ turn
    return R, rng.uniform(-reach, reach, (n_frames, 3)) * [1, 1, 0.6]


def see_board(rig, R, t, board=BOARD, noise=0.1, seed=1, points=None):
    """{camera: BoardDetections} of the board at the given poses; corners outside the image are NaN."""
    rng = np.random.default_rng(seed)
    points = board.points if points is None else points
    world = (points - board.points.mean(axis=0)) @ R.swapaxes(1, 2) + t[:, None]
    pixels = rig.project(world)
    pixels = pixels + rng.normal(scale=noise, size=pixels.shape)
    found = {}
    for camera, seen in zip(rig, pixels, strict=True):
        outside = ((seen < 0) | (seen > np.array(camera.size) - 1)).any(axis=-1)
        found[camera.name] = BoardDetections(board, camera.size, np.where(outside[..., None], np.nan, seen))
    return found
