"""What is wrong with all points of some cameras, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Mistake:
    """What is wrong with all points of some cameras.

    kind : "the same points", "exchanged", or a `Change.kind`
    cameras : whose points are concerned
    words, remedy : what is wrong, and what to do
    before_px, after_px : median epipolar error of these cameras as they are, and with the mistake undone
    keypoints : positions of the keypoints that are concerned, None: all
    """

    kind: str
    cameras: tuple[str, ...]
    words: str
    remedy: str
    before_px: float = np.nan
    after_px: float = np.nan
    keypoints: tuple[int, ...] | None = None

    @property
    def sentence(self) -> str:
        """Cause, evidence and remedy."""
        evidence = ""
        if np.isfinite(self.after_px):
            evidence = f" (with that undone the cameras agree to {self.after_px:.1f} px, now {self.before_px:.1f} px)"
        return f"{self.words}{evidence}; {self.remedy}."


def listed(names: Sequence[str], n_cameras: int) -> str:
    """ "Camera 'a'", "Cameras 'a' and 'b'", or "All cameras"."""
    if len(names) == n_cameras:
        return "All cameras" if n_cameras > 2 else "Both cameras"
    quoted = [f"'{name}'" for name in names]
    return f"Camera {quoted[0]}" if len(names) == 1 else f"Cameras {', '.join(quoted[:-1])} and {quoted[-1]}"
