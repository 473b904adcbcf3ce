"""Simulated detections of a board by two cameras, for the examples of the documentation."""

from __future__ import annotations

import numpy as np

from ..cameras import Camera, CameraRig
from ..cameras.rotations import rotation_matrix
from .boards.detection import BoardDetections
from .boards.patterns import CharucoBoard


def example_detections(n_frames: int = 12, noise: float = 0.1) -> dict[str, BoardDetections]:
    """{camera: BoardDetections} of a board that is tilted and moved before "left" and "right"; `noise` in pixels."""
    rng = np.random.default_rng(0)
    board = CharucoBoard(5, 4, 40.0, 30.0)
    K = np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]])
    turns = rotation_matrix(np.array([[0, 0.2, 0], [0, -0.2, 0]]))
    poses = zip(("left", "right"), turns, ([120.0, 0, 600], [-120.0, 0, 600]), strict=True)
    rig = CameraRig(tuple(Camera(name, (640, 480), K, np.zeros(0), R, np.array(t)) for name, R, t in poses))
    R = rotation_matrix(rng.normal(scale=0.5, size=(n_frames, 3)))
    t = rng.uniform(-80, 80, (n_frames, 1, 3))
    pixels = rig.project((board.points - board.points.mean(axis=0)) @ R.swapaxes(1, 2) + t)
    pixels += rng.normal(scale=noise, size=pixels.shape)
    return {camera.name: BoardDetections(board, camera.size, seen) for camera, seen in zip(rig, pixels, strict=True)}
