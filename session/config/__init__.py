"""session.toml, read once at the edge into typed objects. Imports the datasets, and boards where one is made.

What each key means stands in `entry_meanings`; `muybridge help session` lists all of them with those of the steps'
functions (`key_reference`). Paths are relative to the session file.
"""

from .entry_checks import SessionError
from .session_reading import read_session
from .session_types import STEPS, BoardRecording, CameraSources, Session

__all__ = ["STEPS", "BoardRecording", "CameraSources", "Session", "SessionError", "read_session"]
