"""Run the steps of a session in order, leaving out those whose outputs are current."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from .config import STEPS, Session, SessionError
from .run_warnings import verdict, worst_warnings
from .steps import ALL_STEPS
from .steps.step_definition import Step, ledger_of

Say = Callable[[str], None]


def run_session(
    session: Session,
    steps: tuple[str, ...] = STEPS,
    *,
    force: bool = False,
    progress: bool = True,
    say: Say | None = None,
) -> dict[str, float]:
    """Run the steps that a session asks for and whose outputs are not current.

    Parameters
    ----------
    session : Session
        What `read_session` gives.
    steps : tuple of str, optional
        Names out of "calibrate", "train", "predict", "reconstruct", "kinematics", "report"; they run in this order.
    force : bool, optional
        Run the steps even where nothing has changed.
    progress : bool, optional
        Show progress bars.
    say : callable, optional
        Called with one line per step, its worst warnings (three at most) and, after all steps, with a verdict.

    Returns
    -------
    dict of str to float, seconds
        How long each step that ran has taken.

    Raises
    ------
    SessionError
        A file is missing, or an option is unknown or of the wrong type; the message names the remedy.
    CalibrationError, DatasetError, VideoError
        As the step's public function. The outputs of the steps before stay, and no partial file is left.

    Examples
    --------
    A session whose cameras come from a rig file has nothing to calibrate; the other steps take minutes:

    >>> from pathlib import Path
    >>> from muybridge.session import read_session, run_session
    >>> _ = Path("session.toml").write_text("[session]\\nrig = 'rig.toml'\\n[cameras.a]\\n[cameras.b]\\n")
    >>> run_session(read_session("session.toml"), ("calibrate",))
    {}
    """
    from ._kernels_compilation import notify_when_compiling  # loads numba

    say = say or (lambda line: None)
    ledger, seconds = ledger_of(session), {}
    asked = [step for step in (ALL_STEPS[name] for name in STEPS if name in steps) if step.asked_for(session)]
    for problem in dict.fromkeys(problem for step in asked for problem in step.problems(session)):
        raise SessionError(f"{session.path}: {problem}")
    for step in asked:
        for problem, _ in missing_inputs(session, step):
            raise SessionError(problem)
        fingerprint = step.fingerprint(session)
        if not force and ledger.is_current(step.name, fingerprint, step.outputs(session)):
            say(f"{step.name}: up to date")
            continue
        started = time.perf_counter()
        session.output.mkdir(parents=True, exist_ok=True)
        with notify_when_compiling(say):
            step.work(session, progress)
        seconds[step.name] = time.perf_counter() - started
        ledger.record(step.name, fingerprint, step.outputs(session), step.settings(session))
        say(f"{step.name}: {seconds[step.name]:.1f} s -> {step.outputs(session)[0]}")
        for note in step.notes(session):
            say(f"note: {note}")
        for line in worst_warnings(session, step.name):
            say(line)
    if tuple(steps) == STEPS:
        say(verdict(session))
    return seconds


def missing_inputs(session: Session, step: Step) -> list[tuple[str, str | None]]:
    """For each file that a step reads and that does not exist one sentence, and the name of the step that makes it."""
    return [
        (f"step '{step.name}' needs {path}, which does not exist; {remedy_for(session, path)}", maker_of(session, path))
        for path in step.inputs(session)
        if not path.exists()
    ]


def remedy_for(session: Session, path: Path) -> str:
    """What to do where a file does not exist."""
    maker = maker_of(session, path)
    return f"run 'muybridge {maker} {session.path}' first" if maker else "correct the path"


def maker_of(session: Session, path: Path) -> str | None:
    """Name of the step that writes a file, None where no step does."""
    return next((step.name for step in ALL_STEPS.values() if path in step.outputs(session)), None)
