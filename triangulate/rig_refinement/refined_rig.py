"""What the refinement of a rig returns."""

from __future__ import annotations

from dataclasses import dataclass

from ...cameras import CameraRig
from .frame_offset_search import FrameOffsets
from .report import RefinementReport


@dataclass(frozen=True, eq=False)
class RigPart:
    """The rig that holds for the frames first_frame to stop_frame − 1."""

    first_frame: int
    stop_frame: int
    rig: CameraRig


@dataclass(frozen=True, eq=False)
class Refinement:
    """A refined rig, and what changed.

    Parameters
    ----------
    rig : CameraRig
        The cameras' poses as the recording shows them; where one moved during it, those of the longest part; the old
        rig itself where it explains points that were not used for the fit as well as the new one.
    report : RefinementReport
        What changed, camera by camera.
    parts : tuple of RigPart
        The rigs of the stretches between movements, in order, each with `first_frame`, `stop_frame` and `rig`; a single
        one where no camera moved.
    frame_offsets : FrameOffsets
        Delays of the cameras in frames; ``shift_frames(points_2d, refinement.frame_offsets)`` removes them.

    Examples
    --------
    See `refine_rig`, which returns it.

    >>> from muybridge.triangulate import Refinement
    >>> list(Refinement.__dataclass_fields__)
    ['rig', 'report', 'parts', 'frame_offsets']
    """

    rig: CameraRig
    report: RefinementReport
    parts: tuple[RigPart, ...]
    frame_offsets: FrameOffsets
