"""`muybridge demo`: render a recording, run the steps of a session on it, and compare the results with the truth."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .config import Session, SessionError, read_session
from .provenance import write_text
from .session_run import run_session
from .steps.calibration import load_rig
from .steps.report import write_session_report

if TYPE_CHECKING:
    import pandas as pd


def run_demo(folder: Path, *, seed: int = 0, progress: bool = True, say: Callable[[str], None]) -> pd.DataFrame:
    """Render a recording into `folder`, run its session, and compare every stage with the truth.

    Parameters
    ----------
    folder : new, empty, or holding a demo from before, whose steps then continue where they ended
    say : called with one line per step, and with the table of errors

    Returns
    -------
    one row per quantity: stage, quantity, value, unit, goal; also written as results/errors.json

    Raises
    ------
    SessionError : the folder holds something else
    """
    started = time.perf_counter()
    _render(folder, seed, progress, say)
    session = read_session(folder)
    run_session(session, progress=progress, say=say)
    errors = _errors(session)
    rows = errors.astype(object).where(errors.notna(), None).to_dict(orient="records")
    write_text(session.output / "errors.json", json.dumps(rows, indent=1, allow_nan=False))
    report = write_session_report(session, errors=errors)
    say(f"\nerror against the truth, {time.perf_counter() - started:.0f} s in all\n")
    say(errors.to_string(index=False, float_format=lambda value: f"{value:.3g}", na_rep=""))
    say(f"\nreport: {report}")
    return errors


def _render(folder: Path, seed: int, progress: bool, say: Callable[[str], None]) -> None:
    """Render unless this very recording is there already (its marker is written last)."""
    from ..demo.recording import render_demo

    marker = folder / "rendered.json"
    if marker.exists() and json.loads(marker.read_text()).get("seed") == seed:
        say(f"render: up to date in {folder}")
        return
    if folder.exists() and any(folder.iterdir()) and not (folder / "session.toml").exists():
        raise SessionError(f"{folder} holds files that are no demo; give a new or empty folder")
    started = time.perf_counter()
    render_demo(folder, seed=seed, progress=progress)
    write_text(marker, json.dumps({"seed": seed}))
    say(f"render: {time.perf_counter() - started:.1f} s -> {folder}")


def _errors(session: Session) -> pd.DataFrame:
    from ..datasets import read_dataset
    from ..demo.truth import compare_with_truth

    results = {name: read_dataset(session.output / f"{name}.nc") for name in ("views", "pose", "kinematics")}
    return compare_with_truth(session.folder, rig=load_rig(session), **results)
