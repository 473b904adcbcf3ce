"""Run the steps of a session in order, leaving out those whose outputs are current."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

from .config import STEPS, Session, SessionError
from .provenance import only_run
from .run_warnings import verdict, worst_warnings
from .steps import ALL_STEPS
from .steps.cameras.calibration import from_own_views
from .steps.step_definition import Step, WindowTasks, ledger_of

Say = Callable[[str], None]


def run_session(
    session: Session,
    steps: tuple[str, ...] = STEPS,
    *,
    force: bool = False,
    progress: bool = True,
    say: Say | None = None,
    executor: Executor | None = None,
    n_windows: int = 1,
) -> dict[str, float]:
    """Run the steps that a session asks for and whose outputs are not current.

    Parameters
    ----------
    session : Session
        What `read_session` gives.
    steps : tuple of str, optional
        Names out of "calibrate", "train", "predict", "reconstruct", "kinematics", "report"; they run in this order,
        "calibrate" after "predict" where the keypoints found in the videos place the cameras.
    force : bool, optional
        Run the steps even where nothing has changed.
    progress : bool, optional
        Show progress bars.
    say : callable, optional
        Called with one line per step, its worst warnings (three at most) and, after all steps, with a verdict.
    executor : concurrent.futures.Executor, optional
        Where windows of time of the recording run as tasks, those of the videos as in `predict_file` and those of a
        long reconstruction by "smooth" or "gimbal" as in `reconstruct_file`. None: in this process.
    n_windows : int, optional
        Windows of the videos.

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
    say = say or (lambda line: None)
    ledger, seconds = ledger_of(session), {}
    tasks = None if executor is None else WindowTasks(executor, n_windows)
    asked = asked_steps(session, steps)
    for step in asked:
        _refuse_problems(session, step)
    with only_run(session.output, say):
        for step in asked:
            for problem, _ in missing_inputs(session, step):
                raise SessionError(problem)
            fingerprint = step.fingerprint(session)
            if not force and ledger.is_current(step.name, fingerprint, step.outputs(session)):
                say(f"{step.name}: up to date")
                continue
            seconds[step.name] = _run_step(session, step, fingerprint, progress, say, tasks)
        if tuple(steps) == STEPS:
            say(verdict(session))
    return seconds


def asked_steps(session: Session, steps: tuple[str, ...]) -> list[Step]:
    """The steps of these names that the session asks for; of all steps those whose outputs are used."""
    is_all = tuple(steps) == STEPS
    asked = [step for step in _in_order(session, steps) if step.asked_for(session)]
    return [step for step in asked if not is_all or step.is_used(session)]


def _in_order(session: Session, steps: tuple[str, ...]) -> list[Step]:
    """The steps of these names, each after those whose outputs it reads."""
    first = ("train", "predict") if from_own_views(session) else ()
    return [ALL_STEPS[name] for name in dict.fromkeys((*first, *STEPS)) if name in steps]


def _run_step(
    session: Session, step: Step, fingerprint: str, progress: bool, say: Say, tasks: WindowTasks | None
) -> float:
    """Run a step, record it and say what came of it; returns how long the work took, seconds."""
    from ..numerics._kernels_options import notify_when_compiling  # loads numba

    started = time.perf_counter()
    try:
        session.output.mkdir(parents=True, exist_ok=True)
        _check_writable(session.output)
    except OSError as error:
        raise SessionError(
            f"cannot write into {session.output} ({error.strerror}); make it writable, or give [session] output"
        ) from error
    with notify_when_compiling(say):
        step.work(session, progress, **({"tasks": tasks} if step.in_windows else {}))
    seconds = time.perf_counter() - started
    outputs = step.outputs(session)
    ledger_of(session).record(step.name, fingerprint, outputs, step.settings(session), step.inputs(session))
    say(f"{step.name}: {seconds:.1f} s -> {outputs[0]}")
    for line in [*(f"note: {note}" for note in step.notes(session)), *worst_warnings(session, step.name)]:
        say(line)
    return seconds


def _check_writable(folder: Path) -> None:
    """Raise a PermissionError where nothing can be written into a folder, before hours of work end there."""
    effective = os.access in os.supports_effective_ids
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=effective):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


def planned_steps(session: Session, steps: tuple[str, ...] = STEPS, *, force: bool = False) -> dict[str, str]:
    """{step: why it would run, empty where it is up to date} of the steps that a session asks for; nothing is run.

    Raises
    ------
    SessionError : as `run_session`, before it runs anything
    """
    planned: dict[str, str] = {}
    made: dict[Path, str] = {}  # outputs that would be made anew
    for step in asked_steps(session, steps):
        _refuse_problems(session, step)
        earlier = list(dict.fromkeys(made[path] for path in step.inputs(session) if path in made))
        lacking = [problem for problem, maker in missing_inputs(session, step) if maker not in planned]
        if lacking:
            raise SessionError(lacking[0])
        planned[step.name] = f"after {', '.join(earlier)}" if earlier else "--force" if force else step.why(session)
        if planned[step.name]:
            made |= dict.fromkeys(step.outputs(session), step.name)
    return planned


def _refuse_problems(session: Session, step: Step) -> None:
    for problem in step.problems(session):
        raise SessionError(problem if str(session.path) in problem else f"{session.path}: {problem}")


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
