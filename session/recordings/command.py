"""`muybridge batch`: choose where sessions run, show how they go on, and list those that failed with the reason."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

from ...formats.tables.table_writing import harmless_cell
from ..config import SessionError
from ..provenance import write_text
from .batch import Outcome, run_batch
from .executors import Cluster, Executor, Processes
from .session_files import find_sessions


def run_batch_command(
    paths: Iterable[Path],
    executor: str,
    scheduler: str | None,
    n_jobs: int | None,
    *,
    table: Path | None,
    force: bool,
    say: Callable[[str], None],
) -> int:
    """Run the sessions found below some paths and say how each ended; returns how many failed.

    Raises
    ------
    SessionError : there is no session, no such executor, or no scheduler answers
    """
    found, outcomes, began = find_sessions(paths), [], time.monotonic()
    with make_executor(executor, scheduler, n_jobs) as places, closing(run_batch(found, places, force=force)) as ended:
        for outcome in ended:
            outcomes.append(outcome)
            n_left = len(found) - len(outcomes)
            left = f"; about {_duration((time.monotonic() - began) / len(outcomes) * n_left)} left" if n_left else ""
            word, again = "done" if outcome.succeeded else "FAILED", f", run {outcome.n_runs} times"
            took = _duration(outcome.seconds) + again * (outcome.n_runs > 1)
            say(f"[{len(outcomes)}/{len(found)}] {word} {outcome.session} ({took}{left}): {outcome.message}")
    if table is not None:
        write_text(table, as_csv(outcomes))
        say(f"wrote {table}")
    failed = [outcome for outcome in outcomes if not outcome.succeeded]
    say(f"{len(found) - len(failed)} of {len(found)} sessions done" + (f", {len(failed)} failed:" if failed else ""))
    for outcome in failed:
        say(f"  {outcome.session}  {outcome.message}")
    return len(failed)


def make_executor(name: str, scheduler: str | None, n_jobs: int | None) -> Executor:
    """The executor of a name.

    Raises
    ------
    SessionError : there is none of the name, or its options do not fit
    """
    if name == "processes":
        if scheduler is not None:
            raise SessionError("--scheduler is for --executor dask")
        return Processes(n_jobs)
    if name != "dask":
        raise SessionError(f"there is no executor '{name}'; known: processes, dask")
    return Cluster(scheduler, n_jobs)


def as_csv(outcomes: Iterable[Outcome]) -> str:
    """The outcomes as a table: session, outcome, seconds, runs, message."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["session", "outcome", "seconds", "runs", "message"])
    for own in outcomes:
        word = "done" if own.succeeded else "failed"
        texts = harmless_cell(str(own.session)), harmless_cell(own.message)
        rows.writerow([texts[0], word, f"{own.seconds:.1f}", own.n_runs, texts[1]])
    return text.getvalue()


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
