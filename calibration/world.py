"""Where the world's origin and axes are: from a board, from points, from the floor; scale stays what the board stated.

Each function takes a calibration and returns it with all cameras and boards moved together.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..cameras.camera import CameraRig
from ..numerics.arrays import Array
from .boards.patterns import MarkerBoard
from .errors import CalibrationError
from .workflow import Calibration


def move_rig(rig: CameraRig, R: Array, t: Array, up: Array | None = None) -> CameraRig:
    """The rig in the world x_new = R @ x_old + t; `up` in the new world, None keeps (and turns) the old one."""
    R, t = np.asarray(R, float), np.asarray(t, float)
    cameras = tuple(replace(camera, R=camera.R @ R.T, t=camera.t - camera.R @ R.T @ t) for camera in rig)
    turned = None if rig.up is None else R @ rig.up
    return replace(rig, cameras=cameras, up=turned if up is None else up)


def move_world(calibration: Calibration, R: Array, t: Array, up: Array | None = None) -> Calibration:
    """The calibration in the world x_new = R @ x_old + t (R a rotation, t in world units)."""
    R, t = np.asarray(R, float), np.asarray(t, float)
    rig = move_rig(calibration.rig, R, t, up)
    report = replace(
        calibration.report, positions=rig.centers, directions=np.stack([camera.R[2] for camera in rig.cameras])
    )
    return replace(
        calibration, rig=rig, report=report, board_R=R @ calibration.board_R, board_t=calibration.board_t @ R.T + t
    )


def world_from_board(calibration: Calibration, frame: int, *, floor: bool = True) -> Calibration:
    """Origin at the board's first corner in a frame, x along its rows, z its normal towards the cameras.

    `floor`: the board lies level, so z is also the direction up.

    Raises
    ------
    CalibrationError : the board was not seen in that frame
    """
    points = calibration.board_points(frame)
    nx = 2 if isinstance(calibration.board, MarkerBoard) else calibration.board.corner_grid[0]
    return world_from_points(calibration, points[0], points[nx - 1], points[-1], floor=floor)


def world_from_points(
    calibration: Calibration, origin: Array, on_x: Array, on_plane: Array, *, floor: bool = True
) -> Calibration:
    """Origin, a point on the positive x axis and another point of the plane z = 0, each (3,); z towards the cameras.

    `floor`: the plane is level, so z is also the direction up.

    Raises
    ------
    CalibrationError : the three points lie on one line
    """
    origin, on_x, on_plane = (np.asarray(point, float) for point in (origin, on_x, on_plane))
    x, normal = on_x - origin, np.cross(on_x - origin, on_plane - origin)
    if not np.linalg.norm(normal) > 1e-6 * np.linalg.norm(x) * np.linalg.norm(on_plane - origin):
        raise CalibrationError("origin, on_x and on_plane lie on one line; give three points that span the plane")
    return _placed(calibration, origin, x, normal, floor)


def world_from_plane(calibration: Calibration, points_3d: Array, *, floor: bool = True) -> Calibration:
    """The plane z = 0 through points (n, 3), such as keypoints of a resting animal or stones on the floor.

    The origin is the points' middle, z points towards the cameras, x as far as possible along the old x axis; NaN
    points are left out.

    Raises
    ------
    CalibrationError : fewer than three points, or they lie on one line
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
    """The same world with `up` along a plumb line, from `bottom` to `top`, each (3,) in the world.

    Raises
    ------
    CalibrationError : the two points are the same
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
