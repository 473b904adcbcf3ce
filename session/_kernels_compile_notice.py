"""A word when numba compiles: the first run on a machine takes seconds longer, and the user should know why."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from numba.core import event


class _FirstCompilation(event.Listener):
    def __init__(self, say: Callable[[str], None]):
        self.say, self.told = say, False

    def on_start(self, event):
        if not self.told:
            self.told = True
            self.say("compiling kernels (once on this machine; they are kept on disk) ...")

    def on_end(self, event):
        pass


@contextmanager
def told_when_compiling(say: Callable[[str], None]) -> Iterator[None]:
    """Within the block, the first compilation is told through `say`; kernels found in the cache are silent."""
    listener = _FirstCompilation(say)
    event.register("numba:compile", listener)
    try:
        yield
    finally:
        event.unregister("numba:compile", listener)
