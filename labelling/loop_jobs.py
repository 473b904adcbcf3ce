"""The steps of the loop, run as the command line runs them: one at a time, in a process of its own, lines kept."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path
from typing import Any

from ..datasets.atomic_files import atomic_write
from ..session import Session, SessionError

STEPS = ("extract", "calibrate", "train", "predict", "reconstruct", "kinematics", "report", "suggest", "run")
_MOST_LINES = 2000  # of a step's output that are kept, the last ones


class LoopJobs:
    """Runs `muybridge STEP SESSION`; `lines` are what it has said, a progress bar's last state as one line."""

    def __init__(self):
        self.step, self.lines, self.code, self._started = "", list[str](), 0, 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def start(self, step: str, session: Session, n: int | None = None, to: Path | None = None) -> None:
        """Start a step. Raises ValueError where it is unknown or another one runs."""
        if step not in STEPS:
            raise ValueError(f"there is no step '{step:.40}'; known: {', '.join(STEPS)}")
        options = [] if n is None else ["-n", str(n)]
        options += [] if to is None else ["--to", str(to)]
        with self._lock:
            if self.is_running:
                raise ValueError(f"'{self.step}' is still running")
            self.step, self.lines, self.code = step, [f"$ muybridge {step} {session.path.name} {' '.join(options)}"], 0
            self._started = time.monotonic()
            command = [sys.executable, "-m", "muybridge.session.command_line", step, str(session.path), *options]
            self._process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )
            threading.Thread(target=self._follow, args=(self._process,), name="step", daemon=True).start()

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def state(self) -> dict[str, Any]:
        """What the page shows of it."""
        seconds = round(time.monotonic() - self._started) if self.is_running else 0
        said = {"code": self.code, "lines": self.lines[-200:]}
        return {"step": self.step, "running": self.is_running, "seconds": seconds} | said

    def stop(self) -> None:
        """End the step that runs, and the processes that it started."""
        process = self._process
        if process is not None:
            kill_group = getattr(os, "killpg", None)
            if kill_group is not None:
                kill_group(process.pid, signal.SIGTERM)
            else:
                process.terminate()

    def _follow(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        is_bar, rest = False, b""
        while piece := os.read(process.stdout.fileno(), 4096):
            *parts, rest = re.split(rb"(\r\n|\n|\r)", rest + piece)
            for line, end in zip(parts[::2], parts[1::2], strict=True):
                is_bar = self.say(line.decode("utf-8", "replace"), is_bar, end == b"\r")
        self.say(rest.decode("utf-8", "replace"), is_bar, False)
        self.code = process.wait()
        self.lines.append("done" if self.code == 0 else f"failed (exit code {self.code})")
        self._process = None

    def say(self, line: str, after_bar: bool, is_bar: bool) -> bool:
        """Keep a line, in the place of a progress bar before it; returns whether the next one replaces it."""
        line = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line).rstrip()
        if not line:
            return after_bar
        if after_bar:
            self.lines[-1] = line
        else:
            self.lines.append(line)
        del self.lines[:-_MOST_LINES]
        return is_bar


def free_folder(folder: Path) -> Path:
    """The folder, or the first of folder-2, folder-3 ... that does not exist."""
    number, free = 1, folder
    while free.exists() and any(free.iterdir()):
        number += 1
        free = folder.with_name(f"{folder.name}-{number}")
    return free


def name_labels(session: Session, folder: Path) -> bool:
    """Add a folder to the list [train] labels of the session file, whose other lines stay; False where it is there.

    Raises
    ------
    SessionError : the file's lines cannot be edited safely; the message says what to write
    """
    text = session.path.read_text(encoding="utf-8")
    entry = os.path.relpath(folder, session.folder).replace(os.sep, "/")
    wanted = tomllib.loads(text)
    train = wanted.setdefault("train", {})
    held = train.get("labels", [])
    listed = held if isinstance(held, list) else [held]
    if entry in listed:
        return False
    train["labels"] = [*listed, entry]
    line = "labels = [" + ", ".join(f'"{name}"' for name in train["labels"]) + "]"
    if "labels" in tomllib.loads(text).get("train", {}):
        pattern = r"(?ms)(^\[train\][^\[]*?^)labels\s*=\s*(?:\"[^\"\n]*\"|'[^'\n]*'|\[[^\]]*\])"
        edited = re.sub(pattern, lambda m: m[1] + line, text, count=1)
    elif re.search(r"(?m)^\[train\]\s*$", text):
        edited = re.sub(r"(?m)^\[train\]\s*$", lambda m: f"[train]\n{line}", text, count=1)
    else:
        edited = text.rstrip("\n") + f"\n\n[train]\n{line}\n"
    try:
        is_right = tomllib.loads(edited) == wanted
    except tomllib.TOMLDecodeError:
        is_right = False
    if not is_right:
        raise SessionError(f"{session.path}: write {line} under [train] yourself")
    with atomic_write(session.path) as partial:
        partial.write_text(edited, encoding="utf-8")
    return True
