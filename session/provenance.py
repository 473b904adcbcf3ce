"""Record how each output was made, so that a step runs again only when something it depends on has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..datasets import content_hash
from ..datasets.atomic_files import atomic_write


def write_text(path: Path, text: str) -> None:
    """Write a text file so that a killed run leaves the old one or none."""
    try:
        with atomic_write(path) as partial:
            partial.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OSError(f"cannot write {path} ({error.strerror}); make the folder writable, or choose another") from error


class Ledger:
    """The records of one session's steps, one JSON file per step in `folder`."""

    def __init__(self, folder: Path):
        self.folder = folder

    def fingerprint(self, step: str, inputs: Iterable[Path], options: Mapping[str, Any]) -> str:
        """Hash of a step's inputs (by content) and options, and of the version that runs it."""
        from .. import __version__

        hashes = [self._hash(path) for path in inputs]
        parts = json.dumps([step, __version__, hashes, options], sort_keys=True, default=str)
        return hashlib.blake2b(parts.encode(), digest_size=16).hexdigest()

    def _hash(self, path: Path) -> str:
        """Content hash, kept for as long as size and modification time stay the same (videos are large)."""
        if path.is_dir():
            return content_hash(path)
        status = path.stat()
        key = f"{path}|{status.st_size}|{status.st_mtime_ns}"
        known = _read_json(self.folder / "hashes.json")
        if key not in known:
            known = {k: v for k, v in known.items() if not k.startswith(f"{path}|")} | {key: content_hash(path)}
            write_text(self.folder / "hashes.json", json.dumps(known, indent=1))
        return known[key]

    def is_current(self, step: str, fingerprint: str, outputs: Iterable[Path]) -> bool:
        """Whether the step's outputs are there, untouched, and were made from these inputs and options."""
        record = _read_json(self.folder / f"{step}.json")
        outputs = list(outputs)
        if record.get("fingerprint") != fingerprint or not all(path.exists() for path in outputs):
            return False
        return record.get("outputs") == {path.name: self._hash(path) for path in outputs}

    def record(self, step: str, fingerprint: str, outputs: Iterable[Path], options: Mapping[str, Any]) -> None:
        """Record that the step has made its outputs."""
        entry = {
            "fingerprint": fingerprint,
            "options": options,
            "outputs": {path.name: self._hash(path) for path in outputs},
        }
        write_text(self.folder / f"{step}.json", json.dumps(entry, indent=1, default=str))


def _read_json(path: Path) -> dict:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
