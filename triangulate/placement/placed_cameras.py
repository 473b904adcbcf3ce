"""The result of placing cameras by keypoints: the rig, and how well its poses are known."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ...calibration.quality.report import CalibrationReport
from ...calibration.solver.covariance import POSE_NAMES
from ...cameras import CameraRig
from ...numerics.arrays import Array


@dataclass(frozen=True, eq=False)
class PointCalibration:
    """Cameras placed by keypoints, and how well their poses are known.

    Parameters
    ----------
    rig : CameraRig
        The cameras with the given lenses; the world is the first camera's frame, or z = 0 is the floor.
    report : CalibrationReport
        Errors of the keypoints, warnings, and how scale and vertical were set.
    rig_covariance : ndarray, shape (n_cameras, 24, n_cameras, 24)
        As of `Calibration`, in the frame of the points; the lenses are taken as known. `volume_uncertainty` and
        `projection_covariance` take a PointCalibration, too.
    pose_covariance : ndarray, shape (n_cameras, 6, n_cameras, 6)
        Covariance of small motions (radians, world units) of the cameras' own frames, the first camera standing still,
        the scale's included; `covariance` labels it.
    scale_std : float
        Relative standard deviation of all lengths together; infinite where no length was given.
    up_std : float, degrees
        Standard deviation of the vertical's direction; NaN where it was given or is unknown.

    Examples
    --------
    See `calibrate_from_points`, which returns it.

    >>> from muybridge.triangulate import PointCalibration
    >>> "pose_covariance" in PointCalibration.__dataclass_fields__
    True
    """

    rig: CameraRig
    report: CalibrationReport
    rig_covariance: Array
    pose_covariance: Array
    scale_std: float
    up_std: float

    @property
    def alternatives(self) -> tuple[()]:
        """Other lens models: none, since the lenses are given."""
        return ()

    @property
    def covariance(self) -> pd.DataFrame:
        """Covariance of the cameras' poses.

        Returns
        -------
        pandas.DataFrame
            (camera, parameter) on both axes: small rotations rx, ry, rz (radians) and translations tx, ty, tz (world
            units) of each camera's own frame relative to the first camera, which stands still.
        """
        index = pd.MultiIndex.from_product([self.rig.names, POSE_NAMES], names=("camera", "parameter"))
        return pd.DataFrame(self.pose_covariance.reshape(len(index), -1), index=index, columns=index)
