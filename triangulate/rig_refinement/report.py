"""What a refinement changed, camera by camera, and what should be known before the new rig is used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...cameras import CameraRig
from ...numerics.arrays import Array
from .frame_offset_search import FrameOffsets

COLUMNS = (
    *("epipolar_px_before", "epipolar_px_after", "change_px", "turned_deg", "shifted", "focal_percent"),
    *("frames_late", "frames_late_std", "moved_at_frame", "n_points"),
)
FEW_POINTS = 50
KNOCKED = 3.0  # times the noise: an image that is off by more has moved
UNFIT = 0.01  # of the image's width: an epipolar error beyond it is no camera of this rig


@dataclass(frozen=True, eq=False)
class RefinementReport:
    """What changed, camera by camera, and what should be known before the new rig is used.

    table() columns: epipolar_px_before, epipolar_px_after (median disagreement with the other cameras at points that
    were not used, pixels), change_px (how far the old camera's image of the points is from the new one's, RMS),
    turned_deg, shifted (world units), focal_percent, frames_late with its standard deviation, moved_at_frame (NaN:
    never), n_points
    """

    names: tuple[str, ...]
    values: Array
    warnings: tuple[str, ...]
    noise_px: float
    unit: str
    kept_old_rig: bool

    def table(self) -> pd.DataFrame:
        return pd.DataFrame(self.values, index=list(self.names), columns=list(COLUMNS))

    def __str__(self) -> str:
        with pd.option_context("display.width", 200, "display.max_columns", None):
            lines = [self.table().to_string(float_format=lambda value: f"{value:.3g}", na_rep="-")]
        kept = "; the old rig explains the recording as well as a refined one would, and is kept"
        lines.append(f"noise: {self.noise_px:.2f} px; shifted is in {self.unit}{kept if self.kept_old_rig else ''}")
        return "\n".join([*lines, *(f"warning: {warning}" for warning in self.warnings)])

    def as_dict(self) -> dict:
        """Plain lists, numbers and texts, for JSON."""
        rows = [[None if np.isnan(value) else float(value) for value in row] for row in self.values]
        cameras = {name: dict(zip(COLUMNS, row, strict=True)) for name, row in zip(self.names, rows, strict=True)}
        facts = {"noise_px": self.noise_px, "unit": self.unit, "kept_old_rig": self.kept_old_rig}
        return {"cameras": cameras, "warnings": list(self.warnings), **facts}


def warning_sentences(
    rig: CameraRig, values: Array, noise: float, offsets: FrameOffsets, knocks: dict[int, int], kept: bool
) -> tuple[str, ...]:
    """One sentence per thing to know, from the rows of the table."""
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
    blame = " (with two cameras it cannot be told which of them moved)" if len(rig) == 2 else ""
    for c, name in enumerate(rig.names):
        pixels, turned, shifted = values[c, 2:5]
        off = f"{pixels:.1f} px ({turned:.2f} degrees, {shifted:.3g} {rig.unit})"
        if c in knocks:
            lines.append(
                f"camera '{name}' was knocked at frame {knocks[c]}: its image is off by {off}{blame}; use the rig of"
                " each part, or only the frames on one side"
            )
        elif pixels > max(KNOCKED * noise, 1.0):
            lines.append(
                f"camera '{name}' no longer stands where it was calibrated: its image is off by {off}{blame}; use the"
                " refined rig, or calibrate again"
            )
    return tuple(lines)
