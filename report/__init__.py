"""The offline HTML report of a session, and its plots."""

from .page import write_report
from .plots import plot_bone_lengths, plot_error_shares, plot_lone_frames, plot_presence
from .review.review_page import write_calibration_review

__all__ = [
    "plot_bone_lengths",
    "plot_error_shares",
    "plot_lone_frames",
    "plot_presence",
    "write_calibration_review",
    "write_report",
]
