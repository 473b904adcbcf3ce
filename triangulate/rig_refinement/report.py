"""Report of a refinement: what changed camera by camera, and warnings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...cameras import CameraRig
from ...numerics.arrays import Array
from .frame_offset_search import FrameOffsets

COLUMNS = (
    *("epipolar_px_before", "epipolar_px_after", "change_px", "rotation_deg", "translation", "focal_percent"),
    *("frame_offset", "frame_offset_std", "moved_at_frame", "n_points"),
)
FEW_POINTS = 50  # points: several per unknown of a pose, with outliers among them
MOVED = 3.0  # times the noise: a camera whose image is off by more has moved
UNFIT = 0.01  # of the image's width: an epipolar error beyond it is no camera of this rig


@dataclass(frozen=True, eq=False)
class RefinementReport:
    """What a refinement changed, camera by camera, and warnings.

    Parameters
    ----------
    names : tuple of str
        The cameras.
    values : ndarray, shape (n_cameras, n_columns)
        The rows of `table`.
    warnings : tuple of str
        What must be known before the new rig is used.
    noise_px : float, pixels
        Standard deviation of a coordinate, the median camera's.
    unit : str
        World unit.
    kept_old_rig : bool
        Whether the old rig explains the recording as well as a refined one, and was kept.

    Examples
    --------
    See `refine_rig`, which makes it.

    >>> import numpy as np
    >>> from muybridge.triangulate import RefinementReport
    >>> report = RefinementReport(("left",), np.zeros((1, 10)), (), 0.5, "mm", True)
    >>> report.table().loc["left", "rotation_deg"]
    np.float64(0.0)
    """

    names: tuple[str, ...]
    values: Array
    warnings: tuple[str, ...]
    noise_px: float
    unit: str
    kept_old_rig: bool

    def table(self) -> pd.DataFrame:
        """What changed, one row per camera.

        Returns
        -------
        pandas.DataFrame
            epipolar_px_before and epipolar_px_after (median disagreement with the other cameras at points that were not
            used, pixels), change_px (RMS difference between the old and the new camera's images of the points),
            rotation_deg, translation (world units), focal_percent, frame_offset and frame_offset_std (frames by which
            the camera is delayed), moved_at_frame (NaN: never), n_points.
        """
        return pd.DataFrame(self.values, index=list(self.names), columns=list(COLUMNS))

    def __str__(self) -> str:
        with pd.option_context("display.width", 200, "display.max_columns", None):
            lines = [self.table().to_string(float_format=lambda value: f"{value:.3g}", na_rep="-")]
        kept = "; the old rig explains the recording as well as a refined one would, and is kept"
        lines.append(f"noise: {self.noise_px:.2f} px; translation is in {self.unit}{kept if self.kept_old_rig else ''}")
        return "\n".join([*lines, *(f"warning: {warning}" for warning in self.warnings)])

    def as_dict(self) -> dict:
        """The report as plain lists, numbers and texts, for JSON.

        Returns
        -------
        dict
            cameras (name to the row of `table`, None for NaN), warnings, noise_px, unit, kept_old_rig.
        """
        rows = [[None if np.isnan(value) else float(value) for value in row] for row in self.values]
        cameras = {name: dict(zip(COLUMNS, row, strict=True)) for name, row in zip(self.names, rows, strict=True)}
        facts = {"noise_px": self.noise_px, "unit": self.unit, "kept_old_rig": self.kept_old_rig}
        return {"cameras": cameras, "warnings": list(self.warnings), **facts}


def warning_sentences(
    rig: CameraRig, values: Array, noise: float, offsets: FrameOffsets, moved: dict[int, int], kept: bool
) -> tuple[str, ...]:
    """Sentences on frame offsets, cameras that disagree, lack points or have moved, from the rows of the table."""
    lines = list(offsets.sentences())
    for name, camera, error in zip(rig.names, rig, values[:, 1], strict=True):
        if error > UNFIT * camera.size[0]:
            lines.append(
                f"camera '{name}' disagrees with the others by {error:.0f} px even after refinement: it is not this"
                " recording's camera, or its keypoints are of something else; calibrate it again"
            )
    for name, n_points in zip(rig.names, values[:, -1], strict=True):
        if n_points < FEW_POINTS:
            lines.append(f"camera '{name}' shares only {n_points:.0f} points with the others; its pose is not tested")
    if kept:
        return tuple(lines)
    which = " (with two cameras the points cannot show which of them moved)" if len(rig) == 2 else ""
    for c, name in enumerate(rig.names):
        pixels, rotation, translation = values[c, 2:5]
        off = f"{pixels:.1f} px ({rotation:.2f} degrees, {translation:.3g} {rig.unit})"
        if c in moved:
            lines.append(
                f"camera '{name}' moved at frame {moved[c]}: its image is off by {off}{which}; use the rig of"
                " each part, or only the frames on one side"
            )
        elif pixels > max(MOVED * noise, 1.0):
            lines.append(
                f"camera '{name}' no longer stands where it was calibrated: its image is off by {off}{which}; use the"
                " refined rig, or calibrate again"
            )
    return tuple(lines)
