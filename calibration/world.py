"""Place the world's origin and axes by a board, by points or by the floor; the scale stays that of the board.

Each function takes a calibration and returns it with all cameras and boards moved together.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..cameras.alignment import move_rig
from ..numerics.arrays import Array
from .accuracy_prediction import with_prediction
from .boards.patterns import MarkerBoard
from .calibrated_rig import Calibration
from .errors import CalibrationError


def move_world(calibration: Calibration, R: Array, t: Array, up: Array | None = None) -> Calibration:
    """The calibration in another world.

    Parameters
    ----------
    calibration : Calibration
        As returned by `calibrate`.
    R : ndarray, shape (3, 3)
        Rotation, with x_new = R @ x_old + t.
    t : ndarray, shape (3,), world units
        Translation.
    up : ndarray, shape (3,), optional
        Direction against gravity in the new world. None: the old one, rotated.

    Returns
    -------
    Calibration
        Cameras and boards moved together.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.calibration import calibrate, move_world, simulate_detections
    >>> calibration = calibrate(simulate_detections(), distortion_model=0)
    >>> move_world(calibration, np.eye(3), [0, 0, 100]).rig["left"].center.round(6)
    array([  0.,   0., 100.])
    """
    R, t = np.asarray(R, float), np.asarray(t, float)
    rig = move_rig(calibration.rig, R, t, up)
    report = replace(
        calibration.report, positions=rig.centers, directions=np.stack([camera.R[2] for camera in rig.cameras])
    )
    moved = replace(
        calibration,
        rig=rig,
        report=report,
        board_R=R @ calibration.board_R,
        board_t=calibration.board_t @ R.T + t,
        alternatives=tuple(other.moved(R, t) for other in calibration.alternatives),
    )
    return with_prediction(moved)


def world_from_board(calibration: Calibration, frame: int, *, floor: bool = True) -> Calibration:
    """Place the world on the board of one frame.

    The origin is the board's first corner, x runs along its rows, z is its normal towards the cameras.

    Parameters
    ----------
    calibration : Calibration
        As returned by `calibrate`.
    frame : int
        Number of the frame.
    floor : bool
        The board lies level, so z is also the direction up.

    Returns
    -------
    Calibration
        Cameras and boards moved together.

    Raises
    ------
    CalibrationError
        The board was not seen in that frame.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.calibration import calibrate, simulate_detections, world_from_board
    >>> calibration = calibrate(simulate_detections(), distortion_model=0)
    >>> placed = world_from_board(calibration, 0)
    >>> bool(np.abs(placed.board_points(0)[:, 2]).max() < 1e-9)
    True
    >>> placed.rig.up
    array([0., 0., 1.])
    """
    points = calibration.board_points(frame)
    board = calibration.board_of(frame)
    nx = 2 if isinstance(board, MarkerBoard) else board.corner_grid[0]
    return world_from_points(calibration, points[0], points[nx - 1], points[-1], floor=floor)


def world_from_points(
    calibration: Calibration, origin: Array, on_x: Array, on_plane: Array, *, floor: bool = True
) -> Calibration:
    """Place the world by three points of a plane.

    Parameters
    ----------
    calibration : Calibration
        As returned by `calibrate`.
    origin : ndarray, shape (3,), world units
        The new origin.
    on_x : ndarray, shape (3,), world units
        A point on the positive x axis.
    on_plane : ndarray, shape (3,), world units
        Another point of the plane z = 0; z points towards the cameras.
    floor : bool
        The plane is level, so z is also the direction up.

    Returns
    -------
    Calibration
        Cameras and boards moved together.

    Raises
    ------
    CalibrationError
        The three points lie on one line.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.calibration import calibrate, simulate_detections, world_from_points
    >>> calibration = calibrate(simulate_detections(), distortion_model=0)
    >>> corners = calibration.board_points(0)
    >>> placed = world_from_points(calibration, corners[0], corners[5], corners[-1])
    >>> x, y, z = placed.board_points(0)[5]
    >>> print(f"{x:.0f} {abs(y):.0f} {abs(z):.0f}")
    200 0 0
    """
    origin, on_x, on_plane = (np.asarray(point, float) for point in (origin, on_x, on_plane))
    x, normal = on_x - origin, np.cross(on_x - origin, on_plane - origin)
    if not np.linalg.norm(normal) > 1e-6 * np.linalg.norm(x) * np.linalg.norm(on_plane - origin):
        raise CalibrationError("origin, on_x and on_plane lie on one line; give three points that span the plane")
    return _placed(calibration, origin, x, normal, floor)


def world_from_plane(calibration: Calibration, points_3d: Array, *, floor: bool = True) -> Calibration:
    """Place the plane z = 0 through points, such as keypoints of a resting animal or stones on the floor.

    The origin is the points' middle, z points towards the cameras, x as far as possible along the old x axis.

    Parameters
    ----------
    calibration : Calibration
        As returned by `calibrate`.
    points_3d : ndarray, shape (..., 3), world units
        Points of the plane; NaN points are left out.
    floor : bool
        The plane is level, so z is also the direction up.

    Returns
    -------
    Calibration
        Cameras and boards moved together.

    Raises
    ------
    CalibrationError
        There are fewer than three points, or they lie on one line.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.calibration import calibrate, simulate_detections, world_from_plane
    >>> calibration = calibrate(simulate_detections(), distortion_model=0)
    >>> placed = world_from_plane(calibration, calibration.board_points(0))
    >>> bool(np.abs(placed.board_points(0).mean(axis=0)).max() < 1e-9)
    True
    """
    points = np.asarray(points_3d, float).reshape(-1, 3)
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) < 3:
        raise CalibrationError(f"a plane needs at least 3 points, got {len(points)}")
    middle = points.mean(axis=0)
    _, spread, axes = np.linalg.svd(points - middle)
    if spread[1] < 1e-6 * spread[0]:
        raise CalibrationError("the points of the plane lie on one line; give points that span the floor")
    x = np.array([1.0, 0, 0]) if abs(axes[2, 0]) < 0.9 else np.array([0, 1.0, 0])
    return _placed(calibration, middle, x, axes[2], floor)


def up_from_gravity(calibration: Calibration, top: Array, bottom: Array) -> Calibration:
    """Set the vertical by a plumb line; the world stays the same.

    Parameters
    ----------
    calibration : Calibration
        As returned by `calibrate`.
    top : ndarray, shape (3,), world units
        Upper point of the line.
    bottom : ndarray, shape (3,), world units
        Lower point of the line.

    Returns
    -------
    Calibration
        The calibration with `rig.up` from `bottom` to `top`.

    Raises
    ------
    CalibrationError
        The two points are the same.

    Examples
    --------
    >>> from muybridge.calibration import calibrate, simulate_detections, up_from_gravity
    >>> calibration = calibrate(simulate_detections(), distortion_model=0)
    >>> up_from_gravity(calibration, [0, -10, 500], [0, 90, 500]).rig.up
    array([ 0., -1.,  0.])
    """
    line = np.asarray(top, float) - np.asarray(bottom, float)
    if not np.linalg.norm(line) > 0:
        raise CalibrationError("top and bottom of the plumb line are the same point")
    return replace(calibration, rig=replace(calibration.rig, up=line))


def _placed(calibration: Calibration, origin: Array, x: Array, normal: Array, floor: bool) -> Calibration:
    """The world with this origin, z along the normal on the cameras' side, x near the direction given."""
    z = normal / np.linalg.norm(normal)
    if np.median((calibration.rig.centers - origin) @ z) < 0:
        z = -z
    x = x - (x @ z) * z
    x /= np.linalg.norm(x)
    R = np.stack([x, np.cross(z, x), z])
    return move_world(calibration, R, -R @ origin, up=np.array([0.0, 0, 1]) if floor else None)
