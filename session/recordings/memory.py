"""How much memory a session needs, from its size, and how much there is."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ..config import Session
from ..recording_facts import files_of
from ..steps.view_corrections import corrects_whole

# bytes, rounded up from the peaks that `benchmarks/cost.py --memory` and runs of short sessions have (docs/cost.md)
_PROGRAM = 0.5e9  # the libraries, with numba's kernels
_NETWORK = 0.8e9  # torch, the network and the decoded pictures
_TRAINING = 1.0e9  # the same, with the labelled pictures and the gradients
_WINDOWS = 0.6e9  # the stretches of a long recording that are reconstructed at a time
_BODY = 1.0e9  # jax and the windows of the method "articulated"
_SOLVING = 8.0  # bytes of memory per byte of 2D files of a short recording: text becomes poses with covariances
_READING = 4.0  # the same of reading them, which is done at once
_SHARE_OF_ALL = 0.8  # of all memory, where the system does not say how much of it is free
_CGROUP = "/sys/fs/cgroup"


def needed_memory(session: Session | None) -> float:
    """Bytes that a session's run takes at its largest, a guess by the kind and size of its files.

    None, a session that cannot be read: the program alone.
    """
    if session is None:
        return _PROGRAM
    size = sum(path.stat().st_size for path in files_of(session.sources("points")) if path.is_file())
    trains = {"labels", "sessions"} & session.options["train"].keys()
    most = float("inf") if corrects_whole(session) or session.n_animals not in (None, 1) else _WINDOWS
    videos = 0.0 if size else _TRAINING if trains else _NETWORK
    body = _BODY if session.options["reconstruct"].get("method") == "articulated" else 0.0
    return _PROGRAM + max(videos, body, _READING * size, min(_SOLVING * size, most))


def available_memory() -> float:
    """Bytes that are free on this machine, or within the limit that its cgroup sets; infinite where unknown."""
    found = [float("inf")]
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        found.append(1024.0 * int(next(line for line in lines if line.startswith("MemAvailable")).split()[1]))
    with suppress(OSError, ValueError):
        limit, used = (float(Path(_CGROUP, f"memory.{name}").read_text()) for name in ("max", "current"))
        found.append(limit - used)
    if len(found) == 1 and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found.append(_SHARE_OF_ALL * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(found)
