"""Board images -> cameras. Camera and CameraRig live here."""

from .boards import Board, CharucoBoard, Checkerboard, MarkerBoard
from .calibrate import Calibration, calibrate
from .cameras import Camera, CameraRig
from .detection import BoardDetections, detect_board
from .errors import CalibrationError
from .files import read_rig, write_rig
from .offsets import BoardOffsets, board_offsets
from .report import CalibrationReport
from .uncertainty import image_uncertainty, projection_covariance, volume_uncertainty
from .world import (
    move_rig,
    move_world,
    up_from_gravity,
    world_from_board,
    world_from_plane,
    world_from_points,
)

__all__ = [
    "Board",
    "BoardDetections",
    "BoardOffsets",
    "Calibration",
    "CalibrationError",
    "CalibrationReport",
    "Camera",
    "CameraRig",
    "CharucoBoard",
    "Checkerboard",
    "MarkerBoard",
    "board_offsets",
    "calibrate",
    "detect_board",
    "image_uncertainty",
    "move_rig",
    "move_world",
    "projection_covariance",
    "read_rig",
    "up_from_gravity",
    "volume_uncertainty",
    "world_from_board",
    "world_from_plane",
    "world_from_points",
    "write_rig",
]
