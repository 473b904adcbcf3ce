"""Quality of a calibration: errors, warnings and decisions as a table, as plots and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...numerics.arrays import Array
from . import plots
from .predicted_uncertainty import PredictedUncertainty

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("median_px", "rms_px", "p95_px", "p99_px", "worst_frame_px", "heldout_median_px", "heldout_rms_px"),
    *("n_frames", "n_corners", "coverage_percent", "rejected_percent"),
)


@dataclass(frozen=True, eq=False)
class CalibrationReport:
    """Quality of a calibration.

    Parameters
    ----------
    cameras : dict of str to dict of str to float
        {camera or "all": {column: value}}, the columns of `table`; pixels are distances in the image.
    facts : dict of str to float or str
        Named single values: lens model, noise in pixels, square length, held-out median and RMS of adjacent corners'
        distance (percent of a square), worst frame, how scale and world were set.
    warnings : tuple of str
        Sentences that name camera, cause and remedy.
    notes : tuple of str
        Sentences about what was decided or gained.
    shared_frames : ndarray of int, shape (n_cameras, n_cameras)
        Frames in which both cameras see the board; on the diagonal the frames of one camera.
    positions : ndarray, shape (n_cameras, 3), world units
        Centres of the cameras.
    directions : ndarray, shape (n_cameras, 3)
        Viewing directions.
    corners : tuple of ndarray, shape (n, 2), pixels
        Corners of each camera, for plots.
    residuals : tuple of ndarray, shape (n, 2), pixels
        Observed minus projected corners of each camera.
    sizes : tuple of (int, int), pixels
        Width and height of each camera's images.
    predicted : PredictedUncertainty, optional
        Deviations of the cameras, and of points where the boards were, in the calibration's world. None where no
        boards calibrated the cameras.

    Examples
    --------
    >>> from muybridge.calibration import calibrate, simulate_detections
    >>> report = calibrate(simulate_detections(), distortion_model=0).report
    >>> report.names
    ('left', 'right')
    >>> int(report.table().loc["left", "n_frames"])
    12
    >>> report.warnings
    ()
    """

    cameras: Mapping[str, Mapping[str, float]]
    facts: Mapping[str, float | str]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    shared_frames: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), int))
    positions: Array = field(default_factory=lambda: np.zeros((0, 3)))
    directions: Array = field(default_factory=lambda: np.zeros((0, 3)))
    corners: tuple[Array, ...] = ()
    residuals: tuple[Array, ...] = ()
    sizes: tuple[tuple[int, int], ...] = ()
    predicted: PredictedUncertainty | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Camera names, in the rig's order."""
        return tuple(name for name in self.cameras if name != "all")

    def table(self) -> pd.DataFrame:
        """Errors of each camera.

        Returns
        -------
        pandas.DataFrame
            Rows: cameras and "all"; columns: median, RMS, percentiles and held-out errors in pixels (distances between
            observed and projected corners), numbers of frames and corners, coverage of the image and rejected corners
            in percent.
        """
        import pandas as pd

        rows = [[row[column] for column in COLUMNS] for row in self.cameras.values()]
        return pd.DataFrame(rows, index=list(self.cameras), columns=list(COLUMNS))

    def __str__(self) -> str:
        import pandas as pd

        with pd.option_context("display.width", 200, "display.max_columns", None):
            lines = [self.table().to_string(float_format=lambda value: f"{value:.3g}")]
        lines += [f"{name}: {_number(value)}" for name, value in self.facts.items()]
        lines += [f"note: {note}" for note in self.notes]
        lines += [f"warning: {warning}" for warning in self.warnings]
        return "\n".join(lines)

    def as_dict(self) -> dict:
        """The report as plain lists, numbers and texts, for JSON.

        Returns
        -------
        dict
            What `from_dict` reads back; coordinates are rounded.
        """
        return {
            "cameras": {name: dict(row) for name, row in self.cameras.items()},
            "facts": dict(self.facts),
            "warnings": list(self.warnings),
            "notes": list(self.notes),
            "shared_frames": self.shared_frames.tolist(),
            "positions": self.positions.tolist(),
            "directions": self.directions.tolist(),
            "corners": [np.round(part, 2).tolist() for part in self.corners],
            "residuals": [np.round(part, 4).tolist() for part in self.residuals],
            "sizes": [list(size) for size in self.sizes],
            "predicted": None if self.predicted is None else self.predicted.as_dict(),
        }

    @classmethod
    def from_dict(cls, values: Mapping) -> CalibrationReport:
        """Read the report written by `as_dict`.

        Parameters
        ----------
        values : dict
            As `as_dict` returns it.

        Returns
        -------
        CalibrationReport
            The same report, its coordinates rounded.
        """
        return cls(
            cameras=values["cameras"],
            facts=values["facts"],
            warnings=tuple(values["warnings"]),
            notes=tuple(values["notes"]),
            shared_frames=np.array(values["shared_frames"], dtype=np.int64),
            positions=np.array(values["positions"], dtype=float).reshape(-1, 3),
            directions=np.array(values["directions"], dtype=float).reshape(-1, 3),
            corners=tuple(np.array(part, dtype=float).reshape(-1, 2) for part in values["corners"]),
            residuals=tuple(np.array(part, dtype=float).reshape(-1, 2) for part in values["residuals"]),
            sizes=tuple((int(width), int(height)) for width, height in values["sizes"]),
            predicted=None if not values.get("predicted") else PredictedUncertainty.from_dict(values["predicted"]),
        )

    def plot_coverage(self, ax, camera: str):
        """Draw where in the image the camera saw corners.

        Parameters
        ----------
        ax : matplotlib.axes.Axes
            Where to draw.
        camera : str
            Name of the camera.

        Returns
        -------
        matplotlib.axes.Axes
            The same axes.

        Raises
        ------
        ValueError
            The report has no such camera.
        """
        return plots.plot_coverage(ax, self.corners[self._index(camera)], self.sizes[self._index(camera)], camera)

    def plot_residuals(self, ax, camera: str):
        """Draw residuals averaged over a grid of the image, as arrows.

        Parameters
        ----------
        ax : matplotlib.axes.Axes
            Where to draw.
        camera : str
            Name of the camera.

        Returns
        -------
        matplotlib.axes.Axes
            The same axes.

        Raises
        ------
        ValueError
            The report has no such camera.
        """
        at = self._index(camera)
        return plots.plot_residuals(ax, self.corners[at], self.residuals[at], self.sizes[at], camera)

    def plot_layout(self, ax):
        """Draw cameras and their viewing directions in 3D.

        Parameters
        ----------
        ax : mpl_toolkits.mplot3d.axes3d.Axes3D
            Where to draw.

        Returns
        -------
        mpl_toolkits.mplot3d.axes3d.Axes3D
            The same axes.
        """
        return plots.plot_layout(ax, self.positions, self.directions, self.names)

    def plot_covisibility(self, ax):
        """Draw the numbers of frames that pairs of cameras share, as a graph.

        Parameters
        ----------
        ax : matplotlib.axes.Axes
            Where to draw.

        Returns
        -------
        matplotlib.axes.Axes
            The same axes.
        """
        return plots.plot_covisibility(ax, self.shared_frames, self.names)

    def _index(self, camera: str) -> int:
        """Position of a camera; raises ValueError where there is none of that name."""
        if camera not in self.names:
            raise ValueError(f"the report has no camera '{camera}'; it has {list(self.names)}")
        return self.names.index(camera)


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"
