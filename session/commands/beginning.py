"""Commands to begin with: the demo, a proposed session.toml, the reference of its keys, its check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Quiet, SessionPath, echo, read, say


def demo(
    folder: Annotated[Path, typer.Argument(help="where to write; new, empty, or an earlier demo")] = Path(
        "muybridge-demo"
    ),
    seed: Annotated[int, typer.Option(help="another seed renders another recording")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="a third of the pictures and of the training")] = False,
    quiet: Quiet = False,
) -> None:
    """Render a recording of a galloping animal, run every step on it and compare with the truth (no download)."""
    from ..demo_run import run_demo

    run_demo(folder, seed=seed, quick=quick, progress=not quiet, say=echo)


def init(
    folder: Annotated[Path, typer.Argument(help="the folder of a recording")] = Path(),
    overwrite: Annotated[bool, typer.Option(help="replace a session.toml that is there")] = False,
) -> None:
    """Propose a session.toml from the videos, board recordings and 2D files found in a folder."""
    from ..proposal import left_out_lines, write_proposals

    proposals = write_proposals(folder, overwrite=overwrite)
    for line in left_out_lines(proposals[0].left_out):
        echo(f"left out: {line}")
    for note in dict.fromkeys(note for proposal in proposals for note in proposal.notes):
        echo(f"note: {note}")
    for proposal in proposals:
        echo(f"wrote {proposal.path}: {proposal.next_step}")


def show_help(
    topic: Annotated[str, typer.Argument(help="session: every key of session.toml; formats: of files")] = "session",
    word: Annotated[str | None, typer.Argument(help="a table or a key, such as reconstruct or fps")] = None,
) -> None:
    """Show the reference of every key of session.toml, or of one table or key; or the formats of other tools' files."""
    from ..key_reference import as_text, chosen, session_keys

    if topic == "formats":
        from ...formats.catalogue_texts import catalogue_text

        echo(catalogue_text(word))
        return
    if topic != "session":
        raise ValueError(
            f"there is no help on '{topic}'; 'muybridge help session' shows the keys of session.toml, 'muybridge help"
            " formats' the formats of files"
        )
    echo(as_text(chosen(session_keys(), word)))


def check(session: SessionPath = Path()) -> None:
    """Show frames, frame rate and size of each camera, and every problem that would stop the session."""
    from ..recording_facts import UNDECODED, describe, recording_notes
    from ..run_warnings import for_session
    from ..session_problems import foreseen, rate_words, unit_words

    loaded = read(session)
    table, problems = describe(loaded)
    found, expected, sizes = foreseen(loaded)
    problems = list(dict.fromkeys([*problems, *found]))
    echo(f"{loaded.name}: world unit {unit_words(loaded)}, frame rate {rate_words(loaded)}")
    echo(table.dropna(axis="columns", how="all").astype(object).fillna("-").to_string())
    for note in [*recording_notes(loaded), *sizes]:
        say(f"note: {note}")
    if loaded.sources("video") and not loaded.sources("points"):
        echo(f"note: {UNDECODED}")
    for warning in expected:
        say(f"warning: {warning}")
    for problem in problems:
        echo(f"problem: {for_session(problem)}", err=True)
    if problems:
        raise typer.Exit(1)
    echo("no problem found: 'muybridge run' can start")
