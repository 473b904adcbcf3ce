"""Commands that run the steps of one session or of many."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from .options import Force, Quiet, SessionPath, echo, read, run_steps


def calibrate(
    session: SessionPath = Path(),
    force: Force = False,
    quiet: Quiet = False,
    intrinsics_only: Annotated[
        bool, typer.Option("--intrinsics-only", help="calibrate each camera's lens alone (lenses.toml)")
    ] = False,
    review: Annotated[
        bool, typer.Option("--review", help="write a page of the board's pictures, too (calibration_review.html)")
    ] = False,
) -> None:
    """Calibrate the cameras from the board recordings (rig.toml) and show the report."""
    from dataclasses import replace

    from ..steps.cameras.calibration import (
        calibrate_lenses,
        check_board_review,
        read_calibration_report,
        review_calibration,
    )

    if intrinsics_only:
        loaded = read(session)
        path, reports = calibrate_lenses(loaded, progress=not quiet)
        for report in reports.values():
            echo(str(report))
        echo(f'wrote {path}: name it as intrinsics = "{os.path.relpath(path, loaded.folder)}" under [calibrate]')
        return
    if review:
        check_board_review(read(session))
    run_steps(session, ("calibrate",), force, quiet)
    found = read_calibration_report(read(session))
    if found is not None:
        echo(str(replace(found, warnings=())))  # the step itself has said them
    if review:
        echo(f"wrote {review_calibration(read(session), progress=not quiet)}")


def run(
    session: SessionPath = Path(),
    force: Force = False,
    quiet: Quiet = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say which steps would run, and why; run none")] = False,
    scheduler: Annotated[
        str | None, typer.Option(help="tcp://HOST:PORT or file of a dask scheduler, whose workers take windows of time")
    ] = None,
) -> None:
    """Run all steps that the session needs; those whose inputs have not changed are skipped."""
    if dry_run:
        from ..session_run import planned_steps

        for step, why in planned_steps(read(session), force=force).items():
            echo(f"{step}: would run ({why})" if why else f"{step}: up to date")
        return
    from ..config import STEPS
    from ..kernel_compilation import compiling_ahead

    with compiling_ahead(calibrates=read(session).rig is None):
        if scheduler is None:
            run_steps(session, STEPS, force, quiet)
            return
        from ..recordings.executors import Cluster

        with Cluster(scheduler) as cluster:
            run_steps(session, STEPS, force, quiet, **cluster.window_tasks()._asdict())


def batch(
    sessions: Annotated[list[Path], typer.Argument(help="session files, or folders searched for session.toml")],
    executor: Annotated[
        str, typer.Option(help="processes (of this machine) or dask (a running cluster)")
    ] = "processes",
    scheduler: Annotated[
        str | None, typer.Option(help="tcp://HOST:PORT or scheduler file of dask", show_default="dask's configuration")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="sessions at a time", show_default="one per processor, in memory"),
    ] = None,
    table: Annotated[Path | None, typer.Option(help="write how each session ended, as CSV")] = None,
    force: Force = False,
) -> None:
    """Run many sessions, each in a process of its own; a failure does not stop the others."""
    from ..recordings.command import run_batch_command

    n_failed = run_batch_command(sessions, executor, scheduler, jobs, table=table, force=force, say=echo)
    if n_failed:
        raise typer.Exit(1)


def collect(
    sessions: Annotated[list[Path], typer.Argument(help="session files, or folders searched for session.toml")],
    to: Annotated[str, typer.Option(help="parquet or csv")] = "parquet",
    folder: Annotated[Path, typer.Option(help="where to write the tables")] = Path("collected"),
) -> None:
    """Collect strides, angles and speeds of many sessions into one table each, with session and animal as columns."""
    from ..recordings.collection import collect_sessions
    from ..recordings.session_files import find_sessions

    for line in collect_sessions(find_sessions(sessions), folder, format=to):
        echo(line)
