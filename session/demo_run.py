"""`muybridge demo`: render a recording, run the steps of a session on it, and compare the results with the truth."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .config import Session, SessionError, read_session
from .kernel_compilation import compiling_ahead
from .provenance import write_text
from .session_run import run_session
from .steps.calibration import load_rig
from .steps.report import write_session_report

if TYPE_CHECKING:
    import pandas as pd


# of `muybridge demo --quick`: a third of the pictures and of the training
_QUICK: dict[str, Any] = {"n_frames": 40, "n_board_frames": 30, "n_labelled": 20, "n_iterations": 200}


def run_demo(
    folder: Path, *, seed: int = 0, quick: bool = False, progress: bool = True, say: Callable[[str], None]
) -> pd.DataFrame:
    """Render a recording into `folder`, run its session, and compare every stage with the truth.

    Parameters
    ----------
    folder : new, empty, or holding a demo from before, whose steps then continue where they ended
    quick : fewer frames, boards, labels and steps of training; the goals are those of the whole demo
    say : called with one line per step, and with the table of errors

    Returns
    -------
    one row per quantity: stage, quantity, value, unit, goal; also written as results/errors.json

    Raises
    ------
    SessionError : the folder holds something else
    """
    started = time.perf_counter()
    with compiling_ahead(calibrates=True):
        _render(folder, seed, quick, progress, say)
        session = read_session(folder)
        run_session(session, progress=progress, say=say)
    errors = _errors(session)
    if quick:
        errors["goal"] = float("nan")
    rows = errors.astype(object).where(errors.notna(), None).to_dict(orient="records")
    write_text(session.output / "errors.json", json.dumps(rows, indent=1, allow_nan=False))
    report = write_session_report(session, errors=errors)
    what = " of the quick version (a third of the pictures and of the training, larger errors)" if quick else ""
    say(f"\nerror against the truth{what}, {time.perf_counter() - started:.0f} s in all\n")
    say(errors.to_string(index=False, float_format=lambda value: f"{value:.3g}", na_rep=""))
    say(f"\nreport: {report}")
    return errors


def _render(folder: Path, seed: int, quick: bool, progress: bool, say: Callable[[str], None]) -> None:
    """Render unless this very recording is there already (its marker is written last)."""
    from ..demo.recording import render_demo

    marker, recording = folder / "rendered.json", {"seed": seed, "quick": quick}
    if marker.exists() and {"quick": False} | json.loads(marker.read_text()) == recording:
        say(f"render: up to date in {folder}")
        return
    if folder.exists() and any(folder.iterdir()) and not (folder / "session.toml").exists():
        raise SessionError(f"{folder} holds files that are no demo; give a new or empty folder")
    started = time.perf_counter()
    options = _QUICK | {"title": "demo, quick version"} if quick else {}
    render_demo(folder, seed=seed, progress=progress, **options)
    write_text(marker, json.dumps(recording))
    say(f"render: {time.perf_counter() - started:.1f} s -> {folder}")


def _errors(session: Session) -> pd.DataFrame:
    from ..datasets import read_dataset
    from ..demo.truth import compare_with_truth

    results = {name: read_dataset(session.output / f"{name}.nc") for name in ("views", "pose", "kinematics")}
    return compare_with_truth(session.folder, rig=load_rig(session), **results)
