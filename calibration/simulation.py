"""Simulate what cameras see of a board: to plan a rig before it is built, and to test with a known truth."""

from __future__ import annotations

import numpy as np

from ..cameras import Camera, CameraRig
from ..cameras.rotations import rotation_matrix
from ..numerics.arrays import Array
from .boards.detection import BoardDetections
from .boards.patterns import Board, CharucoBoard

_BOARD = CharucoBoard(7, 6, 40.0, 30.0)  # mm: a board of 28 x 24 cm
_OUTLIER = 40.0  # pixels in x and y that a gross outlier lies off at most: a square of the usual boards and images


def simulate_board_motion(
    n_frames: int = 12, *, tilt: float = 0.5, reach: float = 150.0, seed: int = 0
) -> tuple[Array, Array]:
    """Poses of a board that is waved about the world's origin, its face up.

    Parameters
    ----------
    n_frames : int
        Number of poses.
    tilt : float, radians
        Standard deviation of the tilt about either side of the board; it is turned about its normal at random.
    reach : float, world units
        Largest distance of the board's middle from the origin along x and y; six tenths of it along z.
    seed : int
        Of the random numbers.

    Returns
    -------
    R : ndarray, shape (n_frames, 3, 3)
        Rotations from the board to the world.
    t : ndarray, shape (n_frames, 3), world units
        Where the board's middle is.

    Examples
    --------
    >>> from muybridge.calibration import simulate_board_motion
    >>> R, t = simulate_board_motion(3, tilt=0.0, reach=0.0)
    >>> print(f"{R[0, 2, 2]:.0f}", t[0])  # the board's own z axis points down
    -1 [0. 0. 0.]
    """
    rng = np.random.default_rng(seed)
    # the board's own z points down when it is seen from above (x right, y down in the image)
    turn = rotation_matrix(np.array([np.pi, 0, 0])) @ rotation_matrix(
        np.column_stack([np.zeros((n_frames, 2)), rng.uniform(-np.pi, np.pi, n_frames)])
    )
    R = rotation_matrix(rng.normal(scale=tilt, size=(n_frames, 3)) * [1, 1, 0]) @ turn
    return R, rng.uniform(-reach, reach, (n_frames, 3)) * [1, 1, 0.6]


def simulate_detections(
    rig: CameraRig | None = None,
    board: Board | None = None,
    motion: tuple[Array, Array] | None = None,
    *,
    noise: float = 0.1,
    outlier_share: float = 0.0,
    board_shape: Array | None = None,
    seed: int = 1,
) -> dict[str, BoardDetections]:
    """Detections of a board by every camera of a rig, with noise and gross outliers.

    Calibrated, they show what a rig of this layout will be worth (`volume_uncertainty`), before it is built.

    Parameters
    ----------
    rig : CameraRig, optional
        The true cameras. None: "left" and "right", 640 x 480 pixels, 700 mm above the origin.
    board : CharucoBoard, Checkerboard or MarkerBoard, optional
        What is shown. None: a ChArUco board of 7 x 6 squares of 40 mm.
    motion : tuple of two ndarrays, optional
        R (n_frames, 3, 3) and t (n_frames, 3), in world units: x_world = R @ (x_board - middle) + t. None: those of
        `simulate_board_motion`.
    noise : float, pixels
        Standard deviation of each coordinate.
    outlier_share : float
        Share of the corners that are moved by up to 40 pixels in x and y.
    board_shape : ndarray, shape (n_corners, 3), world units, optional
        Where the corners really are on the board. None: where they were meant to be printed.
    seed : int
        Of the random numbers.

    Returns
    -------
    dict of str to BoardDetections
        For each camera all corners, NaN where they lie outside the image.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.calibration import calibrate, simulate_detections, volume_uncertainty
    >>> calibration = calibrate(simulate_detections(noise=0.2), distortion_model=0)
    >>> covariance = volume_uncertainty(calibration, calibration.board_points(0))
    >>> bool(np.sqrt(covariance[:, 2, 2]).max() < 3)  # mm of depth that the calibration leaves unknown
    True
    """
    rng = np.random.default_rng(seed)
    rig, board = rig or _two_cameras(), board or _BOARD
    R, t = simulate_board_motion() if motion is None else motion
    shape = board.points if board_shape is None else board_shape
    pixels = rig.project((shape - board.points.mean(axis=0)) @ R.swapaxes(1, 2) + t[:, None])
    pixels += rng.normal(scale=noise, size=pixels.shape)
    wrong = rng.random(pixels.shape[:3]) < outlier_share
    pixels[wrong] += rng.uniform(-_OUTLIER, _OUTLIER, (wrong.sum(), 2))
    found = {}
    for camera, seen in zip(rig, pixels, strict=True):
        outside = ((seen < 0) | (seen > np.array(camera.size) - 1)).any(axis=-1)
        found[camera.name] = BoardDetections(board, camera.size, np.where(outside[..., None], np.nan, seen))
    return found


def _two_cameras() -> CameraRig:
    """Cameras 700 mm above the origin, at which they look from left and right."""
    K = np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]])
    down = rotation_matrix(np.array([np.pi, 0, 0]))
    sides = {"left": 0.2, "right": -0.2}  # radians from the vertical
    turns = {name: rotation_matrix(np.array([0, angle, 0])) @ down for name, angle in sides.items()}
    return CameraRig(
        tuple(Camera(name, (640, 480), K, np.zeros(0), R, np.array([0, 0, 700.0])) for name, R in turns.items())
    )
