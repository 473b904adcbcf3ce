"""What all commands share: arguments, reading a session, printing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..config import Session

SessionPath = Annotated[Path, typer.Argument(help="session.toml, or the folder that holds it", show_default="here")]
Force = Annotated[bool, typer.Option("--force", help="run even where nothing has changed")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no progress bars")]


def read(path: Path) -> Session:
    from ..config import read_session

    return read_session(path)


def echo(text: object, *, err: bool = False) -> None:
    """Print text in which no name from a file can steer the terminal: such characters are shown as their codes."""
    shown = "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in str(text))
    typer.echo(shown, err=err)


def say(line: str) -> None:
    """Print a line; what warnings and notes advise is put in the words of session.toml."""
    from ..run_warnings import for_session

    echo(for_session(line) if line.startswith(("warning:", "note:")) else line)


def run_steps(path: Path, steps: tuple[str, ...], force: bool, quiet: bool, **tasks) -> None:
    from ..session_run import run_session

    run_session(read(path), steps, force=force, progress=not quiet, say=say, **tasks)
