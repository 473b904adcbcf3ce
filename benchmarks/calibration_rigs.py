"""Synthetic rigs before a waved board, with known truth."""

from __future__ import annotations

import numpy as np

from muybridge.calibration import (
    Calibration,
    Camera,
    CameraRig,
    CharucoBoard,
    calibrate,
    projection_covariance,
    simulate_board_motion,
    simulate_detections,
)
from muybridge.cameras.rotations import rotation_vector


def ring_of_cameras(n: int, lens: tuple[float, ...] = (-0.2, 0.05, 0.0, 0.0, 0.0)) -> CameraRig:
    """Cameras of 1280 x 1024 px on a circle of 900 mm, 700 mm up, that look at the origin."""
    cameras = []
    for i in range(n):
        angle = 2 * np.pi * i / n
        place = np.array([900 * np.cos(angle), 900 * np.sin(angle), 700.0])
        forward = -place / np.linalg.norm(place)
        right = np.cross(forward, [0.0, 0.0, 1.0]) / np.linalg.norm(np.cross(forward, [0.0, 0.0, 1.0]))
        R = np.stack([right, np.cross(forward, right), forward])
        K = np.array([[1000.0 + 5 * i, 0, 639.5], [0, 1000.0 + 5 * i, 511.5], [0, 0, 1]])
        cameras.append(Camera(f"cam_{i}", (1280, 1024), K, np.array(lens), R, -R @ place))
    return CameraRig(tuple(cameras))


def honesty(seed: int, gross: float) -> tuple[np.ndarray, np.ndarray]:
    """What a calibration of one rig claims against the truth.

    Errors of all lens and pose parameters, in claimed standard deviations; squared errors (n_cameras, n_points) of
    where points of the volume appear, relative to the claimed covariance (chi-squared of 2 degrees of freedom).
    """
    rig, board = ring_of_cameras(4, (-0.2, 0.05)), CharucoBoard(7, 6, 40.0, 30.0)
    R, t = simulate_board_motion(20, seed=seed)
    seen = simulate_detections(rig, board, (R, t), noise=0.2, outlier_share=gross, seed=seed + 100)
    found = calibrate(seen, distortion_model=2)
    errors = [np.concatenate([_lens(a) - _lens(b) for a, b in zip(found.rig, rig, strict=True)])]
    for camera, true in zip(found.rig.cameras[1:], rig.cameras[1:], strict=True):
        R_true, t_true = true.R @ rig[0].R.T, true.t - true.R @ rig[0].R.T @ rig[0].t
        errors.append(np.concatenate([rotation_vector(camera.R @ R_true.T), camera.t - camera.R @ R_true.T @ t_true]))
    z = np.concatenate(errors) / np.sqrt(np.diag(found.parameter_covariance))
    points = np.random.default_rng(seed).uniform(-150, 150, (12, 3))
    turn, shift = boards_world(found, board, R, t)
    off = found.rig.project(points @ turn.T + shift) - rig.project(points)
    claimed = projection_covariance(found, points @ turn.T + shift)
    return z, np.einsum("cpi,cpij,cpj->cp", off, np.linalg.inv(claimed), off)


def boards_world(found: Calibration, board: CharucoBoard, R, t) -> tuple[np.ndarray, np.ndarray]:
    """The motion that carries all true boards together onto the found ones: the world in which points stand still."""
    true = (board.points - board.points.mean(axis=0)) @ R[found.frames].swapaxes(1, 2) + t[found.frames][:, None]
    seen = board.points @ found.board_R.swapaxes(1, 2) + found.board_t[:, None]
    true, seen = true.reshape(-1, 3), seen.reshape(-1, 3)
    U, _, V = np.linalg.svd((seen - seen.mean(axis=0)).T @ (true - true.mean(axis=0)))
    turn = U @ np.diag([1, 1, np.linalg.det(U @ V)]) @ V
    return turn, seen.mean(axis=0) - turn @ true.mean(axis=0)


def _lens(camera: Camera) -> np.ndarray:
    return np.concatenate([camera.K[[0, 1, 0, 1], [0, 1, 2, 2]], camera.distortion[:2]])
