"""Calibrate cameras from recordings of a board: detection, bundle adjustment, checks and report.

Imports cameras, formats, datasets and numerics; exports Camera, CameraRig and their files, too."""

from ..cameras import Camera, CameraRig
from ..cameras.alignment import move_rig
from ..cameras.rig_files import read_rig, write_rig
from .boards.detection import BoardDetections, detect_board
from .boards.patterns import Board, CharucoBoard, Checkerboard, MarkerBoard
from .calibrated_rig import Calibration
from .delays.frame_offsets import BoardOffsets, board_offsets
from .errors import CalibrationError
from .intrinsics import calibrate_intrinsics
from .model_choice.alternatives import LensAlternative
from .projection_uncertainty import image_uncertainty, projection_covariance, volume_uncertainty
from .quality.report import CalibrationReport
from .simulation import simulate_board_motion, simulate_detections
from .workflow import calibrate
from .world import move_world, up_from_gravity, world_from_board, world_from_plane, world_from_points

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
    "LensAlternative",
    "MarkerBoard",
    "board_offsets",
    "calibrate",
    "calibrate_intrinsics",
    "detect_board",
    "image_uncertainty",
    "move_rig",
    "move_world",
    "projection_covariance",
    "read_rig",
    "simulate_board_motion",
    "simulate_detections",
    "up_from_gravity",
    "volume_uncertainty",
    "world_from_board",
    "world_from_plane",
    "world_from_points",
    "write_rig",
]
