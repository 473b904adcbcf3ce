"""The offline HTML report of a session, its plots and figures, and films."""

from .films.session_film import write_film
from .page import write_figures, write_report
from .plots import plot_bone_lengths, plot_error_shares, plot_lone_frames, plot_presence
from .review.review_page import write_calibration_review
from .session_results import SessionResults

__all__ = [
    "SessionResults",
    "plot_bone_lengths",
    "plot_error_shares",
    "plot_lone_frames",
    "plot_presence",
    "write_calibration_review",
    "write_figures",
    "write_film",
    "write_report",
]
