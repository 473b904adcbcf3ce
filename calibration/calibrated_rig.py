"""The result of a calibration: the rig, its boards, and how well all of it is known."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..cameras import CameraRig
from ..datasets.object_summaries import counted, html_summary, listed
from ..numerics.arrays import Array
from .boards.board_set import parts_of
from .boards.detection import BoardDetections
from .boards.patterns import Board
from .errors import CalibrationError
from .model_choice.alternatives import LensAlternative
from .quality.report import CalibrationReport

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Calibration:
    """A calibrated rig and what is known about it.

    Parameters
    ----------
    rig : CameraRig
        The cameras; the world is the first camera's frame until `move_world` changes it.
    report : CalibrationReport
        Errors, warnings and decisions.
    rig_covariance : ndarray, shape (n_cameras, 24, n_cameras, 24)
        Covariance of each camera's 18 lens unknowns and the small motion of its own frame, in the boards' common world,
        within the chosen lens model;
        `projection_covariance` and `volume_uncertainty` start from it.
    board_shape : ndarray, shape (n_corners, 3), world units
        The board's corners as printed or, if the deformation was estimated, as they are.
    frames : ndarray of int, shape (n_poses,)
        Numbers of the frames with a board pose.
    board_R : ndarray, shape (n_poses, 3, 3)
        Rotations from the board to the world.
    board_t : ndarray, shape (n_poses, 3), world units
        Translations from the board to the world.
    detections : dict of str to BoardDetections
        The corners that were calibrated from.
    parameters : tuple of (str, str)
        Names (camera, parameter) of the estimated parameters.
    parameter_covariance : ndarray, shape (n_parameters, n_parameters)
        Their covariance, which `covariance` labels.
    recordings : dict of str to range
        The frames of each recording: frames of several recordings are numbered one recording after another. Empty where
        there was one.
    alternatives : tuple of LensAlternative
        Other lens models that are probable, too. Their differences are part of `parameter_covariance`,
        `projection_covariance` and `volume_uncertainty`. Empty where the model was given, or no other is probable.

    Examples
    --------
    >>> from muybridge.calibration import calibrate, simulate_detections
    >>> calibration = calibrate(simulate_detections(), distortion_model=0)
    >>> calibration.rig_covariance.shape
    (2, 24, 2, 24)
    >>> focal_std = calibration.covariance.loc[("left", "fx"), ("left", "fx")] ** 0.5
    >>> bool(focal_std < 5)
    True
    """

    rig: CameraRig
    report: CalibrationReport
    rig_covariance: Array
    board_shape: Array
    frames: NDArray[np.int64]
    board_R: Array
    board_t: Array
    detections: Mapping[str, BoardDetections]
    parameters: tuple[tuple[str, str], ...] = ()
    parameter_covariance: Array = field(default_factory=lambda: np.zeros((0, 0)))
    recordings: Mapping[str, range] = field(default_factory=dict)
    alternatives: tuple[LensAlternative, ...] = ()

    def __repr__(self) -> str:
        return (
            f"<Calibration: {counted(len(self.rig), 'camera')} ({listed(self.rig.names)}),"
            f" {counted(len(self.frames), 'frame')} with a board,"
            f" held-out error {self.report.cameras['all']['heldout_median_px']:.2g} px (median),"
            f" {counted(len(self.report.warnings), 'warning')}>"
        )

    def _repr_html_(self) -> str:
        shown = {
            "n_frames": "frames",
            "median_px": "median error (px)",
            "heldout_median_px": "held out (px)",
            "coverage_percent": "coverage of the picture (%)",
            "rejected_percent": "rejected corners (%)",
        }
        rows = ((name, *(numbers[column] for column in shown)) for name, numbers in self.report.cameras.items())
        said = "".join(f"<p>warning: {html.escape(warning)}</p>" for warning in self.report.warnings)
        return html_summary(repr(self), ("camera", *shown.values()), rows) + said

    @property
    def covariance(self) -> pd.DataFrame:
        """Covariance of every lens and pose parameter.

        Returns
        -------
        pandas.DataFrame
            (camera, parameter) on both axes. Poses are small motions (radians, world units) of the camera's own frame
            relative to the first camera, which stands still; lens parameters in pixels and coefficients.
        """
        import pandas as pd

        index = pd.MultiIndex.from_tuples(self.parameters, names=("camera", "parameter"))
        return pd.DataFrame(self.parameter_covariance, index=index, columns=index)

    @property
    def board(self) -> Board:
        """The board that was recorded.

        Returns
        -------
        CharucoBoard, Checkerboard or MarkerBoard
            As given to `calibrate`; the first of several boards.
        """
        return parts_of(next(iter(self.detections.values())).board)[0][0]

    def board_of(self, frame: int) -> Board:
        """The board that was recorded in one frame.

        Parameters
        ----------
        frame : int
            Number of the frame.

        Returns
        -------
        CharucoBoard, Checkerboard or MarkerBoard
            As given to `calibrate` for the frame's recording.

        Raises
        ------
        CalibrationError
            The board was not seen in that frame.
        """
        return self._part_of(frame)[0]

    def board_points(self, frame: int) -> Array:
        """Corners of the board in the world in one frame.

        Parameters
        ----------
        frame : int
            Number of the frame.

        Returns
        -------
        ndarray, shape (n_corners, 3), world units
            The corners, in the order of the board's points.

        Raises
        ------
        CalibrationError
            The board was not seen in that frame.
        """
        part, at = self._part_of(frame)[1], int(np.flatnonzero(self.frames == frame)[0])
        return self.board_shape[part] @ self.board_R[at].T + self.board_t[at]

    def _part_of(self, frame: int) -> tuple[Board, slice]:
        """The board seen in a frame, and its place among all boards' corners."""
        if frame not in self.frames:
            raise CalibrationError(
                f"no camera saw the board in frame {frame}; frames with the board: {self.frames.tolist()}"
            )
        parts = parts_of(next(iter(self.detections.values())).board)
        if len(parts) == 1:
            return parts[0]
        seen = np.any([found.seen[frame] for found in self.detections.values() if frame < found.n_frames], axis=0)
        return next(part for part in parts if seen[part[1]].any())
