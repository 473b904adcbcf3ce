"""Limits on what is read into memory: the declared size is compared first, and what never ends is not read."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

LIMIT = "MUYBRIDGE_MAX_GB"  # the environment variable with which the user raises the limit
_DEFAULT = 1.0  # GB; 20 keypoints with likelihood at 100 Hz reach this after 6 hours
_COMPRESSION = 100  # no measured coordinates shrink more than this; a crafted file of zeros shrinks 1000 times
_SHARE_OF_ALL = 0.8  # of all memory, where the system does not say how much of it is free
_CGROUP = "/sys/fs/cgroup"


def oversize(n_bytes: int, n_stored: int) -> str:
    """Why arrays of so many bytes are not read from a file of `n_stored` bytes; empty where they are.

    Up to the limit (1 GB, or MUYBRIDGE_MAX_GB) everything is read, beyond it what is stored with a compression that
    measured coordinates can have. `n_stored` 0: what is declared needs the memory whatever is stored.

    Raises
    ------
    ValueError
        MUYBRIDGE_MAX_GB is no number.
    """
    if n_bytes <= max(limit_in_gb() * 2**30, _COMPRESSION * n_stored):
        return ""
    of_file = f" in {n_stored / 2**20:.2f} MB of file" if n_stored else ""
    return (
        f"it declares {n_bytes / 2**30:.1f} GB{of_file}, and is not read; if that is right,"
        f" set the environment variable {LIMIT}={max(2, int(n_bytes / 2**30) + 1)}"
    )


def beyond_memory(needed: float, what: str) -> str:
    """Why something that takes so many bytes is not read; empty where that much is free, or the user's limit is above.

    what : is held whole in memory: the subject and verb of a sentence
    """
    free = available_memory()
    if needed <= max(free, limit_in_gb() * 2**30):
        return ""
    return (
        f"{what} held whole in memory, which takes some {needed / 2**30:.1f} GB of the {free / 2**30:.1f} GB that are"
        f" free; split the recording into shorter ones, or set the environment variable"
        f" {LIMIT}={int(needed / 2**30) + 1} to try"
    )


def limit_in_gb() -> float:
    """The limit that the user has set, 1 by default."""
    text = os.environ.get(LIMIT, str(_DEFAULT))
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"the environment variable {LIMIT} is {text!r}; give a number of gigabytes") from None


def endless(path: Path) -> str:
    """Why something of a file's name is not read: a device or a pipe; empty where it is a file, a folder or absent."""
    if not path.exists() or path.is_file() or path.is_dir():
        return ""
    return f"{path} is a device or a pipe, which may never end"


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
