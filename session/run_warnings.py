"""The worst warnings about a session's results, for the output of a run."""

from __future__ import annotations

from .config import Session
from .steps.calibration import read_calibration_report


def worst_warnings(session: Session) -> list[str]:
    """One line per warning, the worst first and three at most, and one that says how many more the report has."""
    from ..datasets import read_dataset
    from ..report.warning_ranking import N_SHOWN, ranked_warnings

    found = ranked_warnings(read_calibration_report(session), read_dataset(session.output / "pose.nc"))
    lines = [f"warning: {warning.message}" for warning in found[:N_SHOWN]]
    n_more = len(found) - len(lines)
    return [*lines, f"{n_more} more warning{'s' if n_more > 1 else ''} in the report"] if n_more else lines
