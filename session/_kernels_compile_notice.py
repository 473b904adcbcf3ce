"""Tell the user when numba compiles: the first run on a machine takes seconds longer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from numba.core import event


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
