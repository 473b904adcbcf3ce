"""Tell the user when numba compiles, and compile the kernels of later steps in a process of its own meanwhile."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from numba.core import event

from ..numerics.threads import n_processors


class _FirstCompilation(event.Listener):
    def __init__(self, say: Callable[[str], None]):
        self.say, self.notified = say, False

    def on_start(self, event):
        if not self.notified:
            self.notified = True
            self.say("compiling kernels (once on this machine; they are kept on disk) ...")

    def on_end(self, event):
        pass


@contextmanager
def notify_when_compiling(say: Callable[[str], None]) -> Iterator[None]:
    """Call `say` once at the first compilation within the block; kernels read from the cache do not count."""
    with event.install_listener("numba:compile", _FirstCompilation(say)):
        yield


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
