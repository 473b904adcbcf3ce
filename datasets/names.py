"""Names that a user may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """', did you mean X?' for the most similar known name, else nothing."""
    lowered = {str(other).lower(): str(other) for other in known}
    close = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
    return f", did you mean '{lowered[close[0]]}'?" if close else ""
