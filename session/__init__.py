"""session.toml, the steps, resuming, batches, the demo and the command line.

May import every other part; the names load when they are used, so that `muybridge --help` is instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .config import Session, SessionError, read_session
    from .session_run import run_session

__all__ = ["Session", "SessionError", "read_session", "run_session"]
_HOMES = {"Session": ".config", "SessionError": ".config", "read_session": ".config", "run_session": ".session_run"}


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)
