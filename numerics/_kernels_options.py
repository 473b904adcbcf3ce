"""How every kernel is compiled.

One set of options for all: numba compiles what kernels have in common (`np.empty`, `min`) anew for each set.
`error_model="numpy"` makes a division by zero infinite or NaN, as in numpy, and leaves loops free of the check, which
would keep them from running several numbers at a time (SIMD); `nogil` lets the caller run parts of a recording on
threads; `no_cfunc_wrapper` leaves out an entry for C, which nothing here uses.
"""

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numba import config, njit
from numba.core import event
from numba.extending import register_jitable

OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}


def _keep_kernels_somewhere() -> None:
    """Where neither the package's folder nor the user's may be written, kernels are kept in the temporary folder.

    numba would refuse to define a kernel. The cache is code that is trusted: a folder of others is not used.
    """
    try:
        njit(cache=True)(_keep_kernels_somewhere)
    except RuntimeError:
        folder = Path(tempfile.gettempdir()) / f"muybridge-kernels-{os.getuid() if hasattr(os, 'getuid') else ''}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077 or found.st_uid != getattr(os, "getuid", int)():
            folder = Path(tempfile.mkdtemp(prefix="muybridge-kernels-"))
        setattr(config, "CACHE_DIR", str(folder))  # noqa: B010 - numba makes its settings at run time


_keep_kernels_somewhere()
# called from Python, or from kernels of several files; kept on disk
kernel = njit(cache=True, **OPTIONS)
# called by other kernels alone: compiled into them, without an entry from Python, which takes a seventh of the time
helper = register_jitable(**OPTIONS)
# as a helper, but copied into each of its callers before types are known
inlined_kernel = njit(cache=True, inline="always", **OPTIONS)


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
