"""What `muybridge check` says of damage in the videos, whose packets it reads and whose pictures it does not decode."""

from __future__ import annotations

from ..formats.video.damage import foreseen_losses
from ..formats.video.instants import number_ranges
from ..formats.video.reading import VideoError, files_of_source
from .config import Session
from .steps.detection import TRUNCATED

UNDECODED = (
    "the videos' packets were read, but their pictures not decoded: damage within a picture shows when keypoints are"
    " predicted"
)


def expected_gaps(session: Session) -> tuple[list[str], list[str]]:
    """Problems and warnings of videos in which the session's detector misses frames; none of sessions of 2D files."""
    problems, warnings = list[str](), list[str]()
    for name, video in ({} if session.sources("points") else session.sources("video")).items():
        try:
            lost, n_frames = foreseen_losses(video)
        except (VideoError, OSError):
            continue  # the facts of the recording name it
        if not len(lost):
            continue
        file = files_of_source(video)[0]
        if len(lost) > TRUNCATED * n_frames:
            problems.append(
                f"camera '{name}': {len(lost)} of {n_frames} frames of {file} will not be decoded"
                f" ({number_ranges(lost)}); it is truncated or damaged: copy it again"
            )
        else:
            warnings.append(
                f"camera '{name}': frames {number_ranges(lost)} of {file} are damaged, or cannot be decoded without"
                " those that are: they will be gaps, and perhaps some beside them; copy the file again"
            )
    return problems, warnings
