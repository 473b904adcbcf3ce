"""Record how each output was made, so that a step runs again only when something it depends on has changed.

One run at a time works in a folder of results; what a killed one left half written is cleared by the next.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

try:
    import fcntl
except ImportError:
    fcntl = None

from .. import __version__
from ..datasets import content_hash
from ..datasets.atomic_files import atomic_write, open_no_link


def write_text(path: Path, text: str) -> None:
    """Write a text file so that a killed run leaves the old one or none."""
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8")


class Ledger:
    """The records of one session's steps, one JSON file per step in `folder`."""

    def __init__(self, folder: Path):
        self.folder = folder

    def fingerprint(self, step: str, inputs: Iterable[Path], options: Mapping[str, Any]) -> str:
        """Hash of a step's inputs (by content) and options, and of the version that runs it."""
        parts = json.dumps(
            [step, __version__, list(self.input_hashes(inputs).values()), options], sort_keys=True, default=str
        )
        return hashlib.blake2b(parts.encode(), digest_size=16).hexdigest()

    def input_hashes(self, inputs: Iterable[Path]) -> dict[str, str]:
        """{path: hash of its content}."""
        return {str(path): self._hash(path) for path in inputs}

    def _hash(self, path: Path) -> str:
        """Content hash, kept for as long as size and modification time stay the same (videos are large)."""
        if path.is_dir():
            return content_hash(path)
        status = path.stat()
        key = f"{path}|{status.st_size}|{status.st_mtime_ns}"
        known = _read_json(self.folder / "hashes.json")
        if key not in known:
            known = {k: v for k, v in known.items() if not k.startswith(f"{path}|")} | {key: content_hash(path)}
            with suppress(OSError):  # a folder that may not be written: the hash is made again next time
                write_text(self.folder / "hashes.json", json.dumps(known, indent=1))
        return known[key]

    def is_current(self, step: str, fingerprint: str, outputs: Iterable[Path]) -> bool:
        """Whether the step's outputs are there, untouched, and were made from these inputs and options."""
        record = _read_json(self.folder / f"{step}.json")
        outputs = list(outputs)
        if record.get("fingerprint") != fingerprint or not all(path.exists() for path in outputs):
            return False
        return record.get("outputs") == {path.name: self._hash(path) for path in outputs}

    def record(
        self,
        step: str,
        fingerprint: str,
        outputs: Iterable[Path],
        options: Mapping[str, Any],
        inputs: Iterable[Path] = (),
    ) -> None:
        """Record that the step has made its outputs: version, options, and hashes of the inputs and outputs."""
        entry = {
            "version": __version__,
            "fingerprint": fingerprint,
            "options": options,
            "inputs": self.input_hashes(inputs),
            "outputs": {path.name: self._hash(path) for path in outputs},
        }
        write_text(self.folder / f"{step}.json", json.dumps(entry, indent=1, default=str))

    def why(self, step: str, inputs: Iterable[Path], options: Mapping[str, Any], outputs: Iterable[Path]) -> str:
        """Why a step would run: words on what has changed since it ran, empty where its outputs are current."""
        inputs, outputs, record = list(inputs), list(outputs), _read_json(self.folder / f"{step}.json")
        if self.is_current(step, self.fingerprint(step, inputs, options), outputs):
            return ""
        lacking = [path.name for path in outputs if not path.exists()]
        if not record or lacking:
            return f"there is no {lacking[0]}" if lacking else "no run has recorded it"
        if record.get("version") != __version__:
            return f"it was made by version {record.get('version', 'unknown')}"
        given, now = _flat(record.get("options", {})), _flat(json.loads(json.dumps(options, default=str)))
        changed = [name for name in sorted({*given, *now}) if given.get(name) != now.get(name)]
        if changed:
            return f"changed in the session file: {', '.join(changed)}"
        known = record.get("inputs", {})
        other = [Path(path).name for path, own in self.input_hashes(inputs).items() if known.get(path) != own]
        return f"{other[0]} has changed" if other else "its outputs were changed by hand"


@contextmanager
def only_run(folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Let one run at a time work in a folder of results: another one waits, and says so.

    The lock ends with the process, however that ends. What killed runs left half written is removed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NONBLOCK", 0)  # at a pipe of this name the run would hang
        lock = os.fdopen(open_no_link(folder / ".lock", flags), "r+b")  # open for as long as the run
    except OSError:  # a folder that may not be written holds current results, or a step will say so
        yield
        return
    with lock:
        if fcntl is not None:  # absent on Windows
            _wait_for(lock, folder, say)
        for place in (folder, folder / "provenance", folder / "board_corners"):
            for half in place.glob(".*.partial*"):
                half.unlink(missing_ok=True)
        yield


def _wait_for(lock: IO[bytes], folder: Path, say: Callable[[str], None]) -> None:
    assert fcntl is not None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"another run works in {folder}: waiting until it ends")
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError:  # a file system without locks
        pass


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with the options of the step among them."""
    options = settings.get("options", {})
    return {name: value for name, value in settings.items() if name != "options"} | dict(options)


def _read_json(path: Path) -> dict:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
