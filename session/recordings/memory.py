"""How much memory a session needs, from its size, and how much there is."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ..config import Session
from ..recording_facts import files_of

_PROGRAM = 0.5e9  # bytes: the libraries, with numba's kernels
_NETWORK = 0.8e9  # bytes: torch, the network and the decoded pictures
_PER_BYTE_OF_POINTS = 8.0  # bytes of memory per byte of 2D files: text becomes numbers, and a pose with covariances
_SHARE_OF_ALL = 0.8  # of all memory, where the system does not say how much of it is free
_CGROUP = "/sys/fs/cgroup"


def needed_memory(session: Session | None) -> float:
    """Bytes that a session's run takes at its largest, a guess by the kind and size of its files.

    None, a session that cannot be read: the program alone.
    """
    if session is None:
        return _PROGRAM
    sizes = [path.stat().st_size for path in files_of(session.sources("points")) if path.is_file()]
    return _PROGRAM + (_PER_BYTE_OF_POINTS * sum(sizes) if sizes else _NETWORK)


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
