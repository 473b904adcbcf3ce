"""Run many sessions, each in its own process, so that a failure does not stop the others."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from .config import SessionError


@dataclass(frozen=True)
class Outcome:
    """How one session of a batch ended: `message` is the last line of its log."""

    session: Path
    succeeded: bool
    message: str


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


def run_batch(sessions: Iterable[Path], *, n_jobs: int = 1, force: bool = False) -> Iterator[Outcome]:
    """Run `muybridge run` for each session, `n_jobs` at a time; outcomes come as they end."""
    with ThreadPoolExecutor(max(1, n_jobs)) as pool:
        futures = [pool.submit(_run_one, session, force) for session in sessions]
        for future in as_completed(futures):
            yield future.result()


def _run_one(session: Path, force: bool) -> Outcome:
    log = session.parent / f"{session.stem}.log"
    command = [sys.executable, "-m", "muybridge.session.command_line", "run", str(session), "--quiet"]
    command += ["--force"] * force
    finished = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    lines = (finished.stdout + finished.stderr).strip().splitlines()
    try:
        log.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        return Outcome(session, False, f"cannot write {log} ({error.strerror}); make the folder writable")
    if finished.returncode < 0:
        return Outcome(session, False, f"killed by signal {-finished.returncode} (out of memory?)")
    return Outcome(session, finished.returncode == 0, lines[-1] if lines else "")
