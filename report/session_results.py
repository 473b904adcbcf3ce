"""What the steps of a session have made, as the report and its figures show it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pandas as pd
import xarray as xr

from ..calibration import CalibrationReport, CameraRig
from ..datasets import Skeleton, check_kinematics, check_pose, combine_ensemble
from .reprojection import reprojection_errors


@dataclass(frozen=True, eq=False, kw_only=True)
class SessionResults:
    """What the steps of a session have made, each where it is there.

    Parameters
    ----------
    rig : CameraRig, optional
        Draws the cameras, the vertical and the reprojections.
    calibration_report : CalibrationReport, optional
        Its table, warnings and plots.
    views : xarray.Dataset, optional
        Detected keypoints (view, time, keypoint, space), pixels; of several detectors they are combined.
    pose : xarray.Dataset, optional
        3D keypoints, with `reprojection_error` as `reconstruct` stores it; without it the errors are computed from
        `views` and `rig`.
    kinematics : xarray.Dataset, optional
        Joint angles and velocities, and `stance` for the gait diagram.
    skeleton : Skeleton, optional
        Bones and sides of the player and of the pictures.
    strides : pandas.DataFrame, optional
        Table of `gait`, one row per stride.

    Raises
    ------
    DatasetError
        A dataset is not laid out as its stage writes it.

    Notes
    -----
    Missing points are NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from muybridge.datasets import pose_dataset
    >>> from muybridge.report import SessionResults
    >>> pose = pose_dataset(np.zeros((4, 2, 3)), keypoints=["nose", "tail"], times=[0.0, 0.1, 0.2, 0.3], unit="mm")
    >>> SessionResults(pose=pose).pose.sizes["time"]
    4
    """

    rig: CameraRig | None = None
    calibration_report: CalibrationReport | None = None
    views: xr.Dataset | None = None
    pose: xr.Dataset | None = None
    kinematics: xr.Dataset | None = None
    skeleton: Skeleton | None = None
    strides: pd.DataFrame | None = None

    def __post_init__(self):
        for name, checked in (("views", combine_ensemble), ("pose", check_pose), ("kinematics", check_kinematics)):
            if (given := getattr(self, name)) is not None:
                object.__setattr__(self, name, checked(given))

    @cached_property
    def reprojection_errors(self) -> xr.DataArray | None:
        """([individual,] view, time, keypoint), pixels; None where there are neither these nor views and a rig."""
        return reprojection_errors(self.views, self.pose, self.rig)
