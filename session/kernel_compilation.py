"""Compile the kernels of later steps in a process of its own while the first steps run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ..numerics._kernels_options import notify_when_compiling
from ..numerics.threads import n_processors


@contextmanager
def compiling_ahead(*, calibrates: bool) -> Iterator[None]:
    """As soon as something is compiled within the block, start a process that compiles the rest (`demo_run`).

    A process compiles one kernel at a time, but keeps each on disk, where every other process finds it.

    calibrates : whether kernels of the calibration are needed, before all others
    """
    processes: list[subprocess.Popen] = []

    def begin(_: str) -> None:
        if n_processors() < 2:  # of a batch: the sessions beside compile, too
            return
        command = [sys.executable, "-m", f"{__package__}.demo_run", *["calibrate"] * calibrates]
        quiet = subprocess.DEVNULL
        processes.append(subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet))

    try:
        with notify_when_compiling(begin):
            yield
    finally:
        for process in processes:
            process.kill()
            process.wait()
