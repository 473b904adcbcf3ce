"""The recordings of boards that a session names: those of its cameras' own entries, and [board_recordings]."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...config import Session, SessionError
from ...recording_facts import sources_of_all


def board_recordings(session: Session) -> dict[str, dict[str, Path | tuple[Path, ...]]]:
    """{recording: {camera: files}}: "board", of the cameras' own entries, then those of [board_recordings].

    Raises
    ------
    SessionError : a camera is in none of them
    """
    recordings = {name: recording.sources for name, recording in session.board_recordings.items()}
    if not recordings:
        return {"board": sources_of_all(session, "board", "add it, or give [session] rig")}
    own = session.sources("board")
    filmed = {camera for recording in recordings.values() for camera in recording} | set(own)
    lacking = [camera for camera in session.cameras if camera not in filmed]
    if lacking:
        raise SessionError(
            f"{session.path}: camera '{lacking[0]}' is in none of [board_recordings] and has no 'board'; add it to the"
            " recordings that it filmed, or give [session] rig"
        )
    return ({"board": own} if own else {}) | recordings


def recordings_of_boards(session: Session) -> dict[str, Any]:
    """What `calibrate` takes: the recordings of boards, and one more for each camera that has one for its lens."""
    recordings = {
        name: {camera: as_source(source) for camera, source in recording.items()}
        for name, recording in board_recordings(session).items()
    }
    lenses = {name: as_source(source) for name, source in session.sources("lens_board").items()}
    if len(recordings) == 1 and not lenses:
        return next(iter(recordings.values()))
    return recordings | {f"lens of {name}": {name: source} for name, source in lenses.items()}


def boards_of_recordings(session: Session, sources: dict[str, Any]) -> Any:
    """The board of all recordings, or {recording: its board} where one has its own."""
    if not any(recording.board for recording in session.board_recordings.values()):
        return session.make_board()
    if not any(name in session.board_recordings for name in sources):  # the only recording, given by itself
        return session.make_board(next(iter(session.board_recordings)))
    return {name: session.make_board(name if name in session.board_recordings else None) for name in sources}


def as_source(source: Path | tuple[Path, ...]) -> Any:
    """A file, a folder, or a list of images."""
    return [str(path) for path in source] if isinstance(source, tuple) else source
