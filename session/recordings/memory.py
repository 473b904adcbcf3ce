"""How much memory a session needs, from its size."""

from __future__ import annotations

from pathlib import Path

from ...formats.catalogue import recognised
from ...formats.files import stored_bytes
from ...formats.predictions.long_recordings.kept_tracks import READ_WHOLE
from ..config import Session
from ..recording_facts import files_of

# bytes, rounded up from the peaks that `benchmarks/cost.py --memory` and runs of short sessions have (docs/cost.md)
_PROGRAM = 0.5e9  # the libraries, with numba's kernels
_NETWORK = 0.8e9  # torch, the network and the decoded pictures
_TRAINING = 1.0e9  # the same, with the labelled pictures and the gradients
_WINDOWS = 0.6e9  # the stretches of a long recording that are read or reconstructed at a time
_BODY = 1.0e9  # jax and the windows of the method "articulated"
_SOLVING = 8.0  # bytes of memory per byte of 2D files of a short recording: text becomes poses with covariances


def needed_memory(session: Session | None) -> float:
    """Bytes that a session's run takes at its largest, a guess by the kind and size of its files.

    None, a session that cannot be read: the program alone.
    """
    if session is None:
        return _PROGRAM
    files = files_of(session.sources("points"))
    size, whole = sum(map(stored_bytes, files)), max(map(_read_whole, files), default=0)
    trains = {"labels", "sessions"} & session.options["train"].keys()
    videos = 0.0 if size else _TRAINING if trains else _NETWORK
    body = _BODY if session.options["reconstruct"].get("method") == "articulated" else 0.0
    return _PROGRAM + max(videos, body, READ_WHOLE * whole, min(_SOLVING * size, _WINDOWS))


def _read_whole(path: Path) -> int:
    """Bytes of a 2D file that is read whole; 0 of one that is read by windows, or cannot be read."""
    try:
        return 0 if recognised("views", path).rows else stored_bytes(path)
    except (ValueError, OSError):
        return 0
