"""Board images -> cameras. Camera and CameraRig live here."""

from .boards import Board, CharucoBoard, Checkerboard, MarkerBoard
from .calibrate import Calibration, calibrate
from .cameras import Camera, CameraRig
from .detection import BoardDetections, detect_board
from .errors import CalibrationError
from .files import read_rig, write_rig
from .report import CalibrationReport

__all__ = [
    "Board",
    "BoardDetections",
    "Calibration",
    "CalibrationError",
    "CalibrationReport",
    "Camera",
    "CameraRig",
    "CharucoBoard",
    "Checkerboard",
    "MarkerBoard",
    "calibrate",
    "detect_board",
    "read_rig",
    "write_rig",
]
