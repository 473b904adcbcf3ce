"""Run one session in a process of its own, with its share of the processors; what it says goes into its log.

A worker of a cluster imports this file: nothing heavy is loaded here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ...datasets.atomic_files import open_no_link
from ...numerics.threads import n_processors

# each library's own limit of threads
_LIMITS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENCV_FOR_THREADS_NUM",
)  # fmt: skip


@dataclass(frozen=True)
class Ending:
    """How a run ended: exit code (negative: the number of the signal that killed it) and last line of its log."""

    returncode: int
    message: str

    @property
    def lost(self) -> bool:
        """Whether something else ended it: the session itself may be sound."""
        return self.returncode < 0


def run_one(session: Path, force: bool, n_sharing: int) -> Ending:
    """`muybridge run` of a session.

    n_sharing : how many sessions run on this machine at a time; each takes its share of the processors
    """
    log = session.parent / f"{session.stem}.log"
    command = [sys.executable, "-m", "muybridge.session.command_line", "run", str(session), "--quiet"]
    command += ["--force"] * force
    environment = os.environ | limits_of_threads(n_sharing)
    try:
        with open(log, "wb", opener=open_no_link) as stream:
            done = subprocess.run(
                command, stdout=stream, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False, env=environment
            )
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError as error:
        return Ending(1, f"cannot write {log} ({error.strerror}); make the folder writable")
    if done.returncode < 0:
        return Ending(done.returncode, f"killed by signal {-done.returncode} (out of memory?)")
    return Ending(done.returncode, lines[-1] if lines else "")


def limits_of_threads(n_sharing: int) -> dict[str, str]:
    """Environment variables by which each of so many processes takes its share of the processors, one at least."""
    return dict.fromkeys(_LIMITS, str(max(1, n_processors() // n_sharing)))
