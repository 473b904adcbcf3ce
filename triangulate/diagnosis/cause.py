"""The cause of a disagreement of whole cameras, and whether it forbids a reconstruction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...cameras import CameraRig
from ...numerics.arrays import Array
from ..rig_refinement.frame_offset_search import FrameOffsets, shift_frames
from .agreement import Agreement, find_mistakes
from .delays import find_delays
from .mistakes import Mistake

_BY_CHANCE = 0.15  # share of unrelated points that agree as well, beyond which the views do not fit the rig
_ENTERED_TWICE = "the same points"


_DOUBTFUL = 0.1  # the same share, beyond which a disagreement of unknown cause is worth a warning


@dataclass(frozen=True, eq=False)
class Cause:
    """What is wrong with whole cameras.

    agreement : of the cameras, with delays undone
    mistakes : with those of delays
    offsets : of delayed cameras
    refusal : why nothing should be reconstructed, or nothing
    """

    agreement: Agreement
    mistakes: tuple[Mistake, ...]
    offsets: FrameOffsets | None
    refusal: str

    @property
    def doubt(self) -> str:
        """A sentence where no camera is known to be wrong and all together disagree more than cameras should."""
        agreement = self.agreement
        if self.mistakes or not (2 * agreement.majority_px > agreement.limit_px and agreement.chance > _DOUBTFUL):
            return ""
        return (
            f"The cameras disagree by {agreement.majority_px:.1f} px (median epipolar error), where unrelated points"
            f" would by {agreement.unrelated_px:.0f} px: one of them moved since the calibration, or the rig is of"
            " another day; calibrate again or refine the rig."
        )

    def mended(self, points_2d: Array, rig: CameraRig) -> tuple[Array, CameraRig]:
        """Points (n_cameras, n_individuals, n_frames, n_keypoints, 2) and rig with the mistakes undone."""
        points_2d = self.agreement.mended(points_2d, rig)
        if self.offsets is not None:
            points_2d = _in_time(points_2d, self.offsets)
        return points_2d, self.agreement.mended_rig(rig)


def find_cause(points_2d: Array, rig: CameraRig, keypoints: Sequence[str], fps: float | None) -> Cause:
    """Find what explains that cameras disagree, from points (n_cameras, n_individuals, n_frames, n_keypoints, 2)."""
    offsets, delays = find_delays(_beside(points_2d), rig, fps)
    synchronous = points_2d if offsets is None else _in_time(points_2d, offsets)
    agreement = find_mistakes(synchronous, rig, keypoints)
    if agreement.mistakes and not delays:
        mended = agreement.mended(points_2d, rig)
        offsets, delays = find_delays(_beside(mended), agreement.mended_rig(rig), fps)
    mistakes = (*agreement.mistakes, *delays)
    return Cause(agreement, mistakes, offsets, _refusal(agreement, rig))


def _beside(points_2d: Array) -> Array:
    """(n_cameras, n_frames, n_individuals * n_keypoints, 2) the individuals as further keypoints."""
    ordered = np.moveaxis(points_2d, 1, 2)
    return ordered.reshape(*ordered.shape[:2], -1, 2)


def _in_time(points_2d: Array, offsets: FrameOffsets) -> Array:
    """The points of each individual with the cameras' delays removed."""
    return np.stack([shift_frames(points_2d[:, i], offsets) for i in range(points_2d.shape[1])], axis=1)


def _refusal(agreement: Agreement, rig: CameraRig) -> str:
    """A sentence where the same file was given twice, or where no majority of the cameras is right."""
    mistakes = agreement.mistakes
    wrong = {name for mistake in mistakes for name in mistake.cameras}
    if any(mistake.kind == _ENTERED_TWICE for mistake in mistakes) or len(rig) - len(wrong) < max(2, len(rig) // 2 + 1):
        return " ".join(mistake.sentence for mistake in mistakes)
    if not (agreement.majority_px > agreement.limit_px and agreement.chance > _BY_CHANCE):
        return ""
    where = "both cameras disagree" if len(rig) == 2 else "most cameras disagree"
    measured = (
        f"{where} by {agreement.majority_px:.0f} px (median epipolar error; at most {agreement.limit_px:.0f} px, 1 % of"
        f" the image's width, can be used), unrelated points would by {agreement.unrelated_px:.0f} px"
    )
    if 2 * sum(agreement.related) > len(rig):
        return (
            f"The rig does not fit these 2D points: {measured}. The points fit each other, but by other cameras: they"
            " moved since the calibration, the videos were cropped, or the rig is of another day, another lens or"
            " another order of names; calibrate again, give this recording's rig, or state each camera's crop."
        )
    return (
        f"These 2D points do not belong together: {measured}. The cameras do not show the same points by any rig: other"
        " recordings, other frames or other keypoints; give the files of one recording."
    )
