"""What a step is: the public functions that it calls, the options that they take, and the files it reads and writes."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr

from ...datasets import write_dataset
from ...datasets.names import nearest
from ..config import Session, SessionError
from ..provenance import Ledger

# annotations whose values a session file can be checked against before a function runs: Python type, words
_PLAIN_TYPES = {
    "bool": (bool, "true or false"),
    "int": (int, "a whole number"),
    "float": ((int, float), "a number"),
    "str": (str, "a text"),
    "None": (type(None), ""),
}


class WindowTasks(NamedTuple):
    """Where windows of time of a recording run as tasks, and how many there are of a prediction."""

    executor: Executor
    n_windows: int


@dataclass(frozen=True, eq=False)
class Step:
    """One step of a session.

    Parameters
    ----------
    name : str
        Also the table of session.toml that holds its options.
    functions : callable
        Session to the public functions whose keywords the options are, imported when asked for.
    inputs, outputs : callable
        Session to the list of files that the step reads and writes.
    work : callable
        Runs the step: takes the session and whether to show progress bars; with `in_windows` also the keyword `tasks`,
        a `WindowTasks` or None.
    set_by_session : tuple of str
        Keywords of the functions that the step fills itself.
    own_entries : tuple of str
        Entries of the table that name files and are read by the step, not handed on.
    depends_on : callable
        Session to what else of the session file the outputs depend on.
    asked_for : callable
        Whether the session has what the step is for.
    is_used : callable
        Whether another step reads what the step makes; where none does, a run of all steps leaves it out.
    refusals : callable
        Session to what else would stop the step, one sentence each, found without running it.
    notes : callable
        What the outputs note about the recording, one sentence each.
    in_windows : bool
        Whether windows of a long recording can be tasks of their own.
    """

    name: str
    functions: Callable[[Session], tuple[Callable, ...]]
    inputs: Callable[[Session], list[Path]]
    outputs: Callable[[Session], list[Path]]
    work: Callable[..., object]
    set_by_session: tuple[str, ...]
    own_entries: tuple[str, ...] = ()
    depends_on: Callable[[Session], dict[str, Any]] = lambda session: {}
    asked_for: Callable[[Session], bool] = lambda session: True
    is_used: Callable[[Session], bool] = lambda session: True
    refusals: Callable[[Session], list[str]] = lambda session: []
    notes: Callable[[Session], list[str]] = lambda session: []
    in_windows: bool = False

    def options(self, session: Session) -> dict[str, inspect.Parameter]:
        """{name: parameter} of what the session file may set: the functions' parameters that have a default."""
        parameters = [
            p for function in self.functions(session) for p in inspect.signature(function).parameters.values()
        ]
        return {p.name: p for p in parameters if p.default is not p.empty and p.name not in self.set_by_session}

    def problems(self, session: Session) -> list[str]:
        """One sentence per thing that would stop the step; of its options none where its extra is not installed."""
        given, found = self.given(session), []
        try:
            known = self.options(session) if given else {}  # imports what the step runs: torch, for one
            found = [self._problem(name, value, known) for name, value in given.items()]
        except ModuleNotFoundError:
            pass
        except SessionError as error:
            found = [str(error)]
        return [problem for problem in found if problem] + self.refusals(session)

    def _problem(self, name: str, value: Any, known: dict[str, inspect.Parameter]) -> str:
        if name in self.set_by_session:
            return f"[{self.name}] '{name}' is set by the session itself; remove it"
        if name not in known:
            names = list(dict.fromkeys([*known, *self.own_entries]))
            return f"[{self.name}] has no option '{name}'{nearest(name, names) or f'; known: {names}'}"
        wanted = _wanted_type(value, str(known[name].annotation))
        return f"[{self.name}] {name} is {value!r}; give {wanted}" if wanted else ""

    def given(self, session: Session) -> dict[str, Any]:
        """The options of the session file that are handed to the public function."""
        return {name: value for name, value in session.options[self.name].items() if name not in self.own_entries}

    def call(self, session: Session, function: Callable, *arguments: Any, **options: Any) -> Any:
        """Call a public function; a value of the session file of the wrong type is a `SessionError`."""
        try:
            return function(*arguments, **options)
        except TypeError as error:
            if not session.options[self.name]:
                raise
            raise SessionError(
                f"{session.path}: an option of [{self.name}] has the wrong type: {error}; given:"
                f" {session.options[self.name]}"
            ) from error

    def settings(self, session: Session) -> dict[str, Any]:
        """What of the session file the step's outputs depend on."""
        return {"options": session.options[self.name]} | self.depends_on(session)

    def fingerprint(self, session: Session) -> str:
        """Hash of the step's inputs and settings; it changes where the outputs would."""
        return ledger_of(session).fingerprint(self.name, self.inputs(session), self.settings(session))

    def why(self, session: Session) -> str:
        """Why the step would run now; empty where its outputs are current."""
        return ledger_of(session).why(self.name, self.inputs(session), self.settings(session), self.outputs(session))

    def write(self, session: Session, dataset: xr.Dataset, path: Path) -> None:
        """Write a dataset that carries the hashes of the step's inputs."""
        write_dataset(dataset.assign_attrs(self.input_attribute(session, dataset.attrs)), path)

    def input_attribute(self, session: Session, attrs: Mapping[Any, Any]) -> dict[str, str]:
        """The attribute that holds the hashes of the step's inputs, beside those that are among `attrs`."""
        hashes = ledger_of(session).input_hashes(self.inputs(session))
        names = {os.path.relpath(file, session.folder): own for file, own in hashes.items()}
        return {"inputs": json.dumps(names | json.loads(attrs.get("inputs", "{}")))}

    def checkpoint(self, session: Session) -> Path:
        """The file from which a killed run of the step continues; the fingerprint in its name tells runs apart."""
        return session.output / f"{self.name}-{self.fingerprint(session)[:12]}.checkpoint"


def _wanted_type(value: Any, annotation: str) -> str:
    """Words for the type that an annotation of plain types asks for; nothing where the value has it."""
    names = annotation.split(" | ")
    if not set(names) <= set(_PLAIN_TYPES):
        return ""
    fits = any(
        isinstance(value, _PLAIN_TYPES[name][0]) and isinstance(value, bool) <= (name == "bool") for name in names
    )
    return "" if fits else " or ".join(words for _, words in map(_PLAIN_TYPES.__getitem__, names) if words)


def public(*names: str) -> tuple[Callable, ...]:
    """The public functions of the names "part.function", as `Step.functions` gives them."""
    pairs = (name.split(".") for name in names)
    return tuple(getattr(import_module(f"muybridge.{part}"), function) for part, function in pairs)


def skeleton_settings(session: Session) -> dict[str, Any]:
    """Keypoints and bones of the session's skeleton, among the settings of the steps that use them."""
    if session.skeleton is None:
        return {}
    return {"keypoints": session.skeleton.keypoints, "bones": session.skeleton.bones}


def ledger_of(session: Session) -> Ledger:
    """The record of what made the session's outputs."""
    return Ledger(session.output / "provenance")
