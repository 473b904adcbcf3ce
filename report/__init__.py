"""The offline HTML report of a session, and its plots."""

from .page import write_report
from .plots import plot_bone_lengths, plot_error_shares, plot_lone_frames, plot_presence, plot_speed

__all__ = ["plot_bone_lengths", "plot_error_shares", "plot_lone_frames", "plot_presence", "plot_speed", "write_report"]
