"""Boards seen by rigs with known truth, without images."""

import cv2
import numpy as np

from muybridge.calibration import Camera, CameraRig, CharucoBoard
from muybridge.calibration.boards.corner_finders import opencv_board
from muybridge.cameras.rotations import rotation_matrix
from tests.conftest import look_at

BOARD = CharucoBoard(7, 6, 40.0, 30.0)


def small_rig(n_cameras=3, size=(640, 480)):
    """Pinhole cameras without distortion around the origin, for rendered boards; mm."""
    cameras = []
    for i in range(n_cameras):
        angle = 0.7 * (i - (n_cameras - 1) / 2)
        R, t = look_at((700 * np.sin(angle), -500 * np.cos(angle), 700.0))
        K = np.array([[560.0 + 10 * i, 0, 0.5 * size[0]], [0, 560.0 + 10 * i, 0.5 * size[1]], [0, 0, 1]])
        cameras.append(Camera(f"cam_{i}", size, K, np.zeros(5), R, t))
    return CameraRig(tuple(cameras))


def render_board(rig, R, t, board=BOARD, pixels_per_unit=1.5):
    """{camera: [grey images]} of the printed board at the given poses."""
    width, height = board.squares_x * board.square_length, board.squares_y * board.square_length
    print_size = (round(width * pixels_per_unit), round(height * pixels_per_unit))
    printed = opencv_board(board).generateImage(print_size)
    printed = 255 - printed if board.inverted else printed
    # pixel centres of the print to the board's plane, the board's middle at the origin
    scale, middle = 1 / pixels_per_unit, board.points.mean(axis=0)
    to_plane = np.array([[scale, 0, 0.5 * scale - middle[0]], [0, scale, 0.5 * scale - middle[1]], [0, 0, 1]])
    images = {}
    for camera in rig:
        images[camera.name] = []
        for R_board, t_board in zip(R, t, strict=True):
            turn, shift = camera.R @ R_board, camera.R @ t_board + camera.t
            H = camera.K @ np.column_stack([turn[:, 0], turn[:, 1], shift]) @ to_plane
            images[camera.name].append(
                cv2.warpPerspective(printed, H, camera.size, flags=cv2.INTER_AREA, borderValue=128)
            )
    return images


def smooth_motion(n_frames, step=0.35):
    """Board to world of a board in steady motion: R (n_frames, 3, 3), t (n_frames, 3)."""
    x = step * np.arange(n_frames)
    turn = np.stack([0.5 * np.sin(x), 0.5 * np.cos(1.3 * x), 0.6 * np.sin(0.7 * x)], axis=-1)
    R = rotation_matrix(turn) @ rotation_matrix(np.array([np.pi, 0, 0]))
    return R, np.stack([90 * np.sin(0.9 * x + 1), 90 * np.cos(0.8 * x), 40 * np.sin(1.1 * x)], axis=-1)
