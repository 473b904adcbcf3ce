"""The session files of a batch, and which of them need what another one makes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ..config import Session, SessionError, read_session


def find_sessions(paths: Iterable[str | os.PathLike]) -> list[Path]:
    """Session files named by the paths: files themselves, and every session.toml below a folder.

    Raises
    ------
    SessionError : a path does not exist, or no session file is found
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if not path.exists():
            raise SessionError(f"there is no session file or folder {path}")
        found += sorted(path.rglob("session.toml")) if path.is_dir() else [path]
    if not found:
        raise SessionError("no session.toml was found below the given folders; write them with 'muybridge init'")
    return list(dict.fromkeys(path.resolve() for path in found))


def readable(sessions: Iterable[Path]) -> dict[Path, Session]:
    """The sessions that can be read; what is wrong with the others their own run says."""
    loaded = {}
    for path in sessions:
        with suppress(ValueError, OSError):
            loaded[path] = read_session(path)
    return loaded


def makers_first(sessions: dict[Path, Session]) -> dict[Path, set[Path]]:
    """{session: the others that make a file it shares: its rig or its detector}."""
    made = {file: path for path, session in sessions.items() for file in _made(session)}
    return {
        path: {made[file] for file in map(Path.resolve, _shared(session)) if made.get(file, path) != path}
        for path, session in sessions.items()
    }


def _made(session: Session) -> list[Path]:
    return [(session.output / name).resolve() for name in ("rig.toml", "detector.safetensors")]


def _shared(session: Session) -> list[Path]:
    detector = session.options["predict"].get("detector")
    named = [session.rig, session.folder / detector if isinstance(detector, str) else None]
    return [path for path in named if path is not None]
